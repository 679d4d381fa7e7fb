#include "report.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "../key_file.hpp"
#include "value_text.hpp"

namespace boxgram::tools {
namespace {

using Json = Report::Json;
using Kind = DhtOperationOptions::Kind;

double milliseconds(base::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// The magnitude of the distance: 2^n is what random nodes of a network of 2^(160-n) have.
unsigned magnitude(const dht::NodeId& a, const dht::NodeId& b) {
  return dht::NodeId::kBits - dht::common_prefix(a, b);
}

const char* name_of(dht::HopKind kind) {
  switch (kind) {
    case dht::HopKind::answered:
      return "answered";
    case dht::HopKind::timed_out:
      return "timed_out";
    case dht::HopKind::wrong_id:
      return "wrong_id";
    case dht::HopKind::refused:
      return "refused";
  }
  return "";
}

std::string said(const dht::Hop& hop) {
  switch (hop.kind) {
    case dht::HopKind::answered: {
      auto text = fmt::format("{} nodes, {} new", hop.nodes, hop.new_nodes);
      if (hop.peers > 0) text += fmt::format(", {} peers", hop.peers);
      if (hop.item) text += ", the item";
      return text;
    }
    case dht::HopKind::timed_out:
      return fmt::format("no answer to {} {}", hop.tries, hop.tries == 1 ? "query" : "queries");
    case dht::HopKind::wrong_id:
      return "answered under another id";
    case dht::HopKind::refused:
      return hop.error == 0 ? "sent an item that is not what it claims to be"
                            : fmt::format("refused: error {}", hop.error);
  }
  return {};
}

}  // namespace

void Report::line(const Json& json, const std::string& text) const {
  if (json_)
    fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  else if (!text.empty())
    fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Report::note(const Json& json, const std::string& text) {
  line(json, text);
}

Json Report::node_json(const dht::RemoteNode& node) const {
  Json json = {{"id", dht::to_hex(node.id)}, {"address", base::to_string(node.address)}};
  if (node.key != crypto::PublicKey{}) json["key"] = public_word("x25519", node.key);
  return json;
}

std::string Report::node_text(const dht::RemoteNode& node) const {
  return fmt::format("{}  {:<21}", dht::to_hex(node.id), base::to_string(node.address));
}

void Report::show(const dht::Pinged& pinged) {
  Json json = {{"event", "pong"}, {"node", node_json(pinged.node)}};
  json["round_trip_ms"] = milliseconds(pinged.round_trip);
  line(json, fmt::format("{}  {:.1f} ms", node_text(pinged.node), milliseconds(pinged.round_trip)));
}

void Report::show(const dht::Hop& hop) {
  Json json = {{"event", "hop"}, {"node", node_json(hop.node)}, {"outcome", name_of(hop.kind)}};
  json["distance_log2"] = magnitude(hop.node.id, target_);
  json["queries"] = hop.tries;
  std::string time = "-";
  if (hop.kind == dht::HopKind::answered) {
    json["round_trip_ms"] = milliseconds(hop.round_trip);
    json["nodes"] = hop.nodes;
    json["new_nodes"] = hop.new_nodes;
    json["peers"] = hop.peers;
    json["item"] = hop.item;
    time = fmt::format("{:.1f} ms", milliseconds(hop.round_trip));
  }
  if (hop.error != 0) json["error"] = hop.error;
  line(json, fmt::format(";; {}  2^{:<3}  {:>10}  {}", node_text(hop.node),
                         magnitude(hop.node.id, target_), time, said(hop)));
}

void Report::show(const dht::PeersFound& found) {
  Json peers = Json::array();
  std::string text;
  for (const auto& peer : found.peers) {
    if (!peers_.insert(peer).second) continue;
    peers.push_back(base::to_string(peer));
    text += (text.empty() ? "" : "\n") + base::to_string(peer);
  }
  if (!peers.empty())
    line({{"event", "peers"}, {"from", node_json(found.from)}, {"peers", peers}}, text);
}

void Report::show(const dht::ItemFound& found) {
  ++items_;
  const auto value = dht::bencode::Value::read(found.item.value);
  Json json = {{"event", "item"}, {"from", node_json(found.from)}};
  json["value"] = value ? value_json(*value) : Json();
  json["bencoded_hex"] = hex(found.item.value);
  std::string about = "immutable";
  if (const auto& author = found.item.author) {
    json["key"] = public_word("ed25519", author->key);
    json["seq"] = author->sequence;
    json["salt_hex"] = hex(author->salt);
    json["signature_hex"] = hex(author->signature);
    about = fmt::format("seq {}, {}", author->sequence, public_word("ed25519", author->key));
  }
  line(json, fmt::format(";; {}, from {}\n{}", about, base::to_string(found.from.address),
                         json["value"].dump(-1, ' ', false, Json::error_handler_t::replace)));
}

void Report::show(const dht::Stored& stored) {
  Json json = {{"event", "stored"}, {"node", node_json(stored.node)}, {"error", stored.error}};
  line(json,
       fmt::format(";; {}  {}", node_text(stored.node),
                   stored.error == 0 ? "took it" : fmt::format("refused: error {}", stored.error)));
}

void Report::show(const dht::TableRow& row) {
  Json json = {{"event", "row"}, {"bucket", row.bucket}, {"node", node_json(row.node)}};
  json["good"] = row.good;
  json["failures"] = row.failures;
  json["unheard_s"] = milliseconds(row.unheard) / 1000;
  line(json, fmt::format("{:>3}  {}  {:<4}  heard {:.0f} s ago", row.bucket, node_text(row.node),
                         row.good ? "good" : "?", milliseconds(row.unheard) / 1000));
}

std::string Report::what(Kind kind, const dht::Finished& finished) const {
  switch (kind) {
    case Kind::get_peers:
      return fmt::format("{} peers", peers_.size());
    case Kind::announce:
      return fmt::format("announced to {} nodes", finished.stored);
    case Kind::get:
      return items_ == 0 ? "no item" : "found";
    case Kind::put:
      return fmt::format("stored on {} nodes", finished.stored);
    default:
      return "done";
  }
}

Exit Report::result(Kind kind, const dht::Finished& finished) const {
  switch (kind) {
    case Kind::get_peers:
      return peers_.empty() ? kFailed : kOk;
    case Kind::get:
      return items_ > 0 ? kOk : kFailed;
    case Kind::announce:
    case Kind::put:
      return finished.stored > 0 ? kOk : kFailed;
    default:
      return kOk;
  }
}

void Report::finish(const dht::Finished& finished, const std::string& what, base::Duration elapsed,
                    bool closest) {
  Json json = {{"event", "finished"},
               {"asked", finished.asked},
               {"answered", finished.answered},
               {"stored", finished.stored},
               {"elapsed_ms", milliseconds(elapsed)}};
  if (closest) {
    json["closest"] = Json::array();
    for (const auto& node : finished.closest) {
      json["closest"].push_back(node_json(node));
      if (!json_) fmt::print("{}  2^{}\n", node_text(node), magnitude(node.id, target_));
    }
  }
  line(json, fmt::format(";; {}; {} of {} nodes answered, {:.1f} s", what, finished.answered,
                         finished.asked, milliseconds(elapsed) / 1000));
}

}  // namespace boxgram::tools
