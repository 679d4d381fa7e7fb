#include "message_fields.hpp"

namespace boxgram::dht {
namespace {

using base::Bytes;

// Each enum names the fields in the order of the table below it.
enum class Top : std::uint8_t { a, e, ip, q, r, ro, t, v, y };
constexpr std::array<std::string_view, 9> kTop = {"a", "e", "ip", "q", "r", "ro", "t", "v", "y"};

enum class Argument : std::uint8_t {
  cas,
  id,
  implied_port,
  info_hash,
  k,
  node,
  noseed,
  port,
  salt,
  scrape,
  seed,
  seq,
  sig,
  target,
  token,
  v,
  want,
};
constexpr std::array<std::string_view, 17> kArguments = {
    "cas",    "id",   "implied_port", "info_hash", "k",      "node",  "noseed", "port", "salt",
    "scrape", "seed", "seq",          "sig",       "target", "token", "v",      "want"};

enum class Result : std::uint8_t {
  answered,
  asked,
  id,
  k,
  nodes,
  nodes6,
  seq,
  sig,
  snodes,
  snodes6,
  stored,
  token,
  v,
  values,
};
constexpr std::array<std::string_view, 14> kResults = {
    "answered", "asked",  "id",      "k",      "nodes", "nodes6", "seq",
    "sig",      "snodes", "snodes6", "stored", "token", "v",      "values"};

using Envelope = Fields<Top, kTop.size()>;
using Arguments = Fields<Argument, kArguments.size()>;
using Results = Fields<Result, kResults.size()>;
using Field = Taker::Field;

Want take_want(Taker& taker, const Field& field) {
  Want want;
  if (!field) return want;
  taker.require(field->is_list());
  bencode::List list(field->raw());
  while (const auto value = list.next()) {
    const std::string_view family = base::as_text(value->string().value_or(Bytes{}));
    want.v4 = want.v4 || family == "n4";
    want.v6 = want.v6 || family == "n6";
  }
  return want;
}

/// The item that `v` and, for a mutable one, `k`, `seq` and `sig` make.
Item take_item(Taker& taker, const bencode::Value& value, const Field& key, const Field& sequence,
               const Field& signature) {
  Item item;
  item.value = value.raw();
  if (!key && !signature) return item;
  const auto k = taker.array<32>(key);
  const auto seq = taker.integer(sequence);
  const auto sig = taker.array<64>(signature);
  taker.require(k && seq && sig);
  if (taker.ok()) item.author = Authorship{*k, {}, *seq, *sig};
  return item;
}

GetPeers take_get_peers(Taker& taker, const Arguments& a) {
  GetPeers method;
  method.info_hash = taker.required_id(a[Argument::info_hash]);
  method.want = take_want(taker, a[Argument::want]);
  method.no_seeds = taker.flag(a[Argument::noseed]);
  method.scrape = taker.flag(a[Argument::scrape]);
  return method;
}

AnnouncePeer take_announce_peer(Taker& taker, const Arguments& a) {
  AnnouncePeer method;
  method.info_hash = taker.required_id(a[Argument::info_hash]);
  method.implied_port = taker.flag(a[Argument::implied_port]);
  method.seed = taker.flag(a[Argument::seed]);
  method.token = taker.string(a[Argument::token], kMaxToken);
  taker.require(!method.token.empty());
  const std::int64_t port = taker.integer(a[Argument::port]).value_or(0);
  const bool usable = port > 0 && port <= 65'535;
  taker.require(usable || method.implied_port);
  if (usable) method.port = static_cast<std::uint16_t>(port);
  return method;
}

PutItem take_put(Taker& taker, const Arguments& a) {
  PutItem method;
  method.token = taker.string(a[Argument::token], kMaxToken);
  const Field& value = a[Argument::v];
  taker.require(!method.token.empty() && value);
  if (!taker.ok()) return method;
  method.item = take_item(taker, *value, a[Argument::k], a[Argument::seq], a[Argument::sig]);
  if (!method.item.author) return method;
  method.item.author->salt = taker.string(a[Argument::salt], kMaxMessage);
  method.cas = taker.integer(a[Argument::cas]);
  return method;
}

/// False if there is no such method.
bool take_method(Taker& taker, std::string_view name, const Arguments& a, Query& query) {
  const auto want = [&] { return take_want(taker, a[Argument::want]); };
  if (name == "ping")
    query.arguments = Ping{};
  else if (name == "find_node")
    query.arguments = FindNode{taker.required_id(a[Argument::target]), want()};
  else if (name == "get_peers")
    query.arguments = take_get_peers(taker, a);
  else if (name == "announce_peer")
    query.arguments = take_announce_peer(taker, a);
  else if (name == "get")
    query.arguments =
        GetItem{taker.required_id(a[Argument::target]), want(), taker.integer(a[Argument::seq]),
                taker.string(a[Argument::salt], kMaxMessage)};
  else if (name == "put")
    query.arguments = take_put(taker, a);
  else
    return false;
  return true;
}

std::optional<NodeHint> take_hint(Taker& taker, const Field& field) {
  const auto bytes = taker.array<34>(field);
  if (!bytes) return std::nullopt;
  base::Reader in(*bytes);
  NodeHint hint;
  const Bytes key = in.bytes(hint.key.size());
  std::copy(key.begin(), key.end(), hint.key.begin());
  hint.port = in.u16();
  taker.require(hint.port != 0);
  return hint;
}

base::expected<Message, Fault> decode_query(const Envelope& top, Overlay overlay,
                                            Bytes transaction) {
  const base::unexpected<Fault> malformed(Fault{DecodeError::malformed, transaction});
  Taker taker;
  const Bytes name = taker.string(top[Top::q], kMaxMessage);
  taker.require(top[Top::q] && top[Top::a] && top[Top::a]->is_dictionary());
  if (!taker.ok()) return malformed;
  Arguments arguments(kArguments);
  bencode::Dictionary dictionary(top[Top::a]->raw());
  if (!arguments.read(dictionary)) return malformed;
  Query query;
  query.transaction = transaction;
  query.read_only = taker.flag(top[Top::ro]);
  if (overlay == Overlay::mainline)
    query.id = taker.required_id(arguments[Argument::id]);
  else
    query.hint = take_hint(taker, arguments[Argument::node]);
  if (!take_method(taker, base::as_text(name), arguments, query))
    return base::unexpected<Fault>(
        Fault{DecodeError::method_unknown, transaction, ErrorCode::method_unknown});
  if (!taker.ok()) return malformed;
  return query;
}

/// The address that a node sees us at. It is advice, so one of a wrong form is none.
std::optional<base::SocketAddress> take_ip(const Field& field) {
  const auto bytes = field ? field->string() : std::nullopt;
  return bytes ? read_peer(*bytes, AddressPolicy::and_local) : std::nullopt;
}

std::uint32_t take_count(Taker& taker, const Field& field) {
  const std::int64_t count = taker.integer(field).value_or(0);
  taker.require(count >= 0 && count <= 0xffff'ffff);
  return static_cast<std::uint32_t>(count);
}

base::expected<Message, Fault> decode_response(const Envelope& top, Overlay overlay,
                                               Bytes transaction) {
  const base::unexpected<Fault> malformed(Fault{DecodeError::malformed, {}});
  if (!top[Top::r] || !top[Top::r]->is_dictionary()) return malformed;
  Results results(kResults);
  bencode::Dictionary dictionary(top[Top::r]->raw());
  if (!results.read(dictionary)) return malformed;
  Taker taker;
  Response response;
  response.transaction = transaction;
  if (top[Top::v]) response.version = top[Top::v]->string().value_or(Bytes{});
  response.ip = take_ip(top[Top::ip]);
  if (overlay == Overlay::mainline) {
    response.id = taker.required_id(results[Result::id]);
    response.nodes = taker.list<Contact>(results[Result::nodes], Family::v4);
    response.nodes6 = taker.list<Contact>(results[Result::nodes6], Family::v6);
  } else {
    response.sealed_nodes = taker.list<SealedContact>(results[Result::snodes], Family::v4);
    response.sealed_nodes6 = taker.list<SealedContact>(results[Result::snodes6], Family::v6);
  }
  response.token = taker.string(results[Result::token], kMaxToken);
  response.sequence = taker.integer(results[Result::seq]);
  if (const auto& values = results[Result::values]) {
    taker.require(values->is_list());
    response.peers = PeerList(values->raw());
  }
  if (const auto& value = results[Result::v])
    response.item =
        take_item(taker, *value, results[Result::k], results[Result::seq], results[Result::sig]);
  if (results[Result::asked])
    response.effort = Effort{take_count(taker, results[Result::asked]),
                             take_count(taker, results[Result::answered]),
                             take_count(taker, results[Result::stored])};
  if (!taker.ok()) return malformed;
  return response;
}

base::expected<Message, Fault> decode_error(const Envelope& top, Bytes transaction) {
  const base::unexpected<Fault> malformed(Fault{DecodeError::malformed, {}});
  if (!top[Top::e]) return malformed;
  bencode::List list(top[Top::e]->raw());
  const auto code = list.next();
  const auto text = list.next();
  if (!code || !code->integer() || !text || !text->string()) return malformed;
  return Error{transaction, *code->integer(), *text->string()};
}

}  // namespace

base::expected<Message, Fault> decode(Bytes bytes, Overlay overlay, std::size_t most) {
  if (bytes.size() > most) return base::unexpected<Fault>(Fault{DecodeError::too_long, {}});
  Envelope top(kTop);
  bencode::Dictionary dictionary(bytes);
  const bool readable = top.read(dictionary) && dictionary.rest().empty();
  const auto transaction = top[Top::t] ? top[Top::t]->string() : std::nullopt;
  if (!transaction || transaction->empty() || transaction->size() > kMaxTransaction)
    return base::unexpected<Fault>(
        Fault{dictionary.ok() ? DecodeError::no_transaction : DecodeError::not_bencode, {}});
  const auto kind = top[Top::y] ? top[Top::y]->string() : std::nullopt;
  const std::string_view y = base::as_text(kind.value_or(Bytes{}));
  const bool asks = y == "q" || (!top[Top::y] && top[Top::q]);
  if (!readable || (y != "q" && y != "r" && y != "e"))
    return base::unexpected<Fault>(Fault{DecodeError::malformed, asks ? *transaction : Bytes{}});
  if (y == "q") return decode_query(top, overlay, *transaction);
  return y == "r" ? decode_response(top, overlay, *transaction) : decode_error(top, *transaction);
}

}  // namespace boxgram::dht
