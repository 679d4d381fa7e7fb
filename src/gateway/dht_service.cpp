#include <algorithm>

#include <boxgram/gateway/dht_service.hpp>

namespace boxgram::gateway {
namespace {

using dht::ErrorCode;
using dht::Overlay;

std::vector<std::uint8_t> copy_of(base::Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

/// The form of a query names the overlay: in Mainline its sender has an id, in the sealed one none.
Overlay overlay_of(base::Bytes payload) {
  dht::bencode::Dictionary top(payload);
  while (const auto entry = top.next()) {
    if (entry->key != "a") continue;
    dht::bencode::Dictionary arguments(entry->value.raw());
    while (const auto argument = arguments.next())
      if (argument->key == "id") return Overlay::mainline;
  }
  return Overlay::sealed;
}

base::expected<dht::Query, dht::Fault> read_query(base::Bytes payload, Overlay overlay) {
  const auto message = dht::decode(payload, overlay);
  if (!message) return base::unexpected<dht::Fault>(message.error());
  if (const auto* query = std::get_if<dht::Query>(&*message)) return *query;
  return base::unexpected<dht::Fault>(dht::Fault{});
}

/// The nodes that answered, in the form of their overlay.
class Closest {
 public:
  Closest(std::span<const dht::RemoteNode> nodes, Overlay overlay) {
    for (const dht::RemoteNode& node : nodes) {
      const bool v4 = node.address.is_v4();
      if (overlay == Overlay::mainline)
        (v4 ? nodes_ : nodes6_).push_back({node.id, node.address});
      else
        (v4 ? sealed_ : sealed6_).push_back({node.key, node.address});
    }
  }

  /// REQUIRES: this outlives the reply.
  void fill(dht::Reply& reply, Overlay overlay) const {
    if (overlay == Overlay::mainline) {
      if (!nodes_.empty()) reply.nodes = nodes_;
      if (!nodes6_.empty()) reply.nodes6 = nodes6_;
    } else {
      if (!sealed_.empty()) reply.sealed_nodes = sealed_;
      if (!sealed6_.empty()) reply.sealed_nodes6 = sealed6_;
    }
  }

 private:
  std::vector<dht::Contact> nodes_, nodes6_;
  std::vector<dht::SealedContact> sealed_, sealed6_;
};

}  // namespace

void DhtService::request(base::Instant now, base::Handle connection, std::uint32_t id,
                         base::Bytes payload) {
  ++counters_.requests;
  Asker asker{connection, id, overlay_of(payload), {}};
  const auto query = read_query(payload, asker.overlay);
  if (!query) {
    asker.transaction = copy_of(query.error().transaction);
    const ErrorCode code = query.error().error;
    return refuse(asker, code, text_of(code));
  }
  asker.transaction = copy_of(query->transaction);
  begin(now, std::move(asker), *query);
}

/// Nothing if an operation may begin with this.
std::optional<ErrorCode> DhtService::fault_of(const dht::Query& query) const {
  if (const auto* put = std::get_if<dht::PutItem>(&query.arguments)) return check(put->item);
  if (const auto* get = std::get_if<dht::GetItem>(&query.arguments))
    if (get->salt.size() > dht::kMaxSalt) return ErrorCode::salt_too_big;
  return std::nullopt;
}

void DhtService::begin(base::Instant now, Asker asker, const dht::Query& query) {
  dht::Node* const node = node_of(asker.overlay);
  if (node == nullptr)
    return refuse(asker, ErrorCode::server,
                  asker.overlay == Overlay::mainline ? "this gateway is not in Mainline"
                                                     : "this gateway is not in the sealed overlay");
  if (std::holds_alternative<dht::Ping>(query.arguments)) return respond(asker, {});
  if (std::holds_alternative<dht::AnnouncePeer>(query.arguments) && !config_.announce)
    return refuse(asker, ErrorCode::method_unknown,
                  "this gateway announces nobody: others would record its address, not yours");
  if (const auto code = fault_of(query)) return refuse(asker, *code, text_of(*code));
  std::size_t& share = of_session_[asker.connection];
  if (share >= kMaxOfSession) {
    ++counters_.over_share;
    return refuse(asker, ErrorCode::server, "too many requests of this session are under way");
  }
  base::Handle handle = 0;
  Running* running = operations_.acquire(handle);
  const dht::Operation operation = running == nullptr ? 0 : start(now, *node, query, handle);
  if (operation == 0) {
    if (running != nullptr) operations_.release(handle);
    if (share == 0) of_session_.erase(asker.connection);
    ++counters_.full;
    return refuse(asker, ErrorCode::server, "too many requests are under way");
  }
  ++share;
  running->operation = operation;
  running->stores = std::holds_alternative<dht::PutItem>(query.arguments) ||
                    std::holds_alternative<dht::AnnouncePeer>(query.arguments);
  running->peers.clear();
  running->item.reset();
  running->refusal = 0;
  running->asker = std::move(asker);
}

/// 0 if the node has no place for it.
dht::Operation DhtService::start(base::Instant now, dht::Node& node, const dht::Query& query,
                                 std::uint64_t tag) {
  if (const auto* find = std::get_if<dht::FindNode>(&query.arguments))
    return node.find_node(now, find->target, tag);
  if (const auto* peers = std::get_if<dht::GetPeers>(&query.arguments))
    return node.get_peers(now, peers->info_hash, tag, {.no_seeds = peers->no_seeds});
  if (const auto* get = std::get_if<dht::GetItem>(&query.arguments))
    return node.get(now, get->target, tag, {.salt = get->salt, .newer_than = get->newer_than});
  if (const auto* put = std::get_if<dht::PutItem>(&query.arguments))
    return node.put(now, put->item, tag, {.cas = put->cas});
  const auto& announce = std::get<dht::AnnouncePeer>(query.arguments);
  // There is no port that the query came from: with implied_port the one beside it is meant too.
  return node.announce(now, announce.info_hash, tag,
                       {.port = announce.port, .seed = announce.seed});
}

void DhtService::handle_event(const dht::NodeEvent& event) {
  if (const auto* found = std::get_if<dht::PeersFound>(&event)) {
    Running* const running = operations_.find(found->tag);
    if (running == nullptr) return;
    auto& peers = running->peers;
    for (const base::SocketAddress& peer : found->peers) {
      const auto place = std::lower_bound(peers.begin(), peers.end(), peer);
      if (peers.size() < kMaxPeers && (place == peers.end() || *place != peer))
        peers.insert(place, peer);
    }
  } else if (const auto* item = std::get_if<dht::ItemFound>(&event)) {
    Running* const running = operations_.find(item->tag);
    if (running == nullptr) return;
    running->item = Found{copy_of(item->item.value), item->item.author};
    if (running->item->author) running->item->author->salt = {};
  } else if (const auto* stored = std::get_if<dht::Stored>(&event)) {
    Running* const running = operations_.find(stored->tag);
    if (running != nullptr && stored->error != 0) running->refusal = stored->error;
  } else if (const auto* finished = std::get_if<dht::Finished>(&event)) {
    finish(*finished);
  }
}

void DhtService::finish(const dht::Finished& finished) {
  Running* const running = operations_.find(finished.tag);
  if (running == nullptr) return;
  const Asker& asker = running->asker;
  if (running->stores && finished.stored == 0 && running->refusal > 0 &&
      running->refusal <= 0xffff) {
    const auto code = static_cast<ErrorCode>(running->refusal);
    refuse(asker, code, text_of(code));
  } else {
    const Closest closest(finished.closest, asker.overlay);
    dht::Reply reply;
    closest.fill(reply, asker.overlay);
    reply.peers = running->peers;
    if (running->item) reply.item = dht::Item{running->item->value, running->item->author};
    reply.effort = dht::Effort{finished.asked, finished.answered, finished.stored};
    respond(asker, reply);
  }
  release(finished.tag);
}

void DhtService::respond(const Asker& asker, const dht::Reply& found) {
  ++counters_.responses;
  dht::Reply reply = found;
  reply.transaction = asker.transaction;
  const dht::Node& node = *node_of(asker.overlay);
  reply.id = node.id(dht::Family::v4);
  Answered& answered = answers_.emplace_back();
  answered.connection = asker.connection;
  answered.id = asker.id;
  answered.message.resize(stream::kMaxMessage);
  answered.message.resize(encode(reply, asker.overlay, answered.message));
}

void DhtService::refuse(const Asker& asker, ErrorCode code, std::string_view text) {
  ++counters_.errors;
  Answered& answered = answers_.emplace_back();
  answered.connection = asker.connection;
  answered.id = asker.id;
  if (asker.transaction.empty()) return;
  answered.message.resize(dht::kMaxReply);
  answered.message.resize(encode_error(asker.transaction, code, text, answered.message));
}

bool DhtService::poll_answer(Answered& answered) {
  if (answers_.empty()) return false;
  answered = std::move(answers_.front());
  answers_.pop_front();
  return true;
}

void DhtService::release(base::Handle handle) {
  const auto share = of_session_.find(operations_.find(handle)->asker.connection);
  if (share != of_session_.end() && --share->second == 0) of_session_.erase(share);
  operations_.release(handle);
}

void DhtService::forget(base::Handle connection) {
  std::erase_if(answers_, [&](const Answered& a) { return a.connection == connection; });
  if (!of_session_.contains(connection)) return;
  operations_.for_each([&](base::Handle handle, Running& running) {
    if (running.asker.connection != connection) return;
    node_of(running.asker.overlay)->cancel(running.operation);
    ++counters_.abandoned;
    release(handle);
  });
}

}  // namespace boxgram::gateway
