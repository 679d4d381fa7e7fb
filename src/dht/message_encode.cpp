#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/message.hpp>

namespace boxgram::dht {
namespace {

using bencode::Encoder;

void write_string(Encoder& out, std::string_view key, base::Bytes value) {
  out.key(key);
  out.string(value);
}

void write_integer(Encoder& out, std::string_view key, std::int64_t value) {
  out.key(key);
  out.integer(value);
}

void write_flag(Encoder& out, std::string_view key, bool flag) {
  if (flag) write_integer(out, key, 1);
}

void write_want(Encoder& out, Want want) {
  if (!want.v4 && !want.v6) return;
  out.key("want");
  out.begin_list();
  if (want.v4) out.string("n4");
  if (want.v6) out.string("n6");
  out.end();
}

/// What every query says of its sender; the keys stand between those of the method.
class Sender {
 public:
  Sender(const Query& query, Overlay overlay, bool with_hint)
      : query_(query), overlay_(overlay), with_hint_(with_hint && query.hint) {}

  void write_id(Encoder& out) const {
    if (overlay_ == Overlay::mainline) write_string(out, "id", query_.id.bytes);
  }

  void write_node(Encoder& out) const {
    if (overlay_ == Overlay::mainline || !with_hint_) return;
    out.key("node");
    out.begin_string(query_.hint->key.size() + 2);
    out.out().bytes(query_.hint->key);
    out.out().u16(query_.hint->port);
  }

 private:
  const Query& query_;
  Overlay overlay_;
  bool with_hint_;
};

std::string_view write_arguments(Encoder& out, const Sender& sender, const Ping&) {
  sender.write_id(out);
  sender.write_node(out);
  return "ping";
}

std::string_view write_arguments(Encoder& out, const Sender& sender, const FindNode& method) {
  sender.write_id(out);
  sender.write_node(out);
  write_string(out, "target", method.target.bytes);
  write_want(out, method.want);
  return "find_node";
}

std::string_view write_arguments(Encoder& out, const Sender& sender, const GetPeers& method) {
  sender.write_id(out);
  write_string(out, "info_hash", method.info_hash.bytes);
  sender.write_node(out);
  write_flag(out, "noseed", method.no_seeds);
  write_flag(out, "scrape", method.scrape);
  write_want(out, method.want);
  return "get_peers";
}

std::string_view write_arguments(Encoder& out, const Sender& sender, const AnnouncePeer& method) {
  sender.write_id(out);
  write_flag(out, "implied_port", method.implied_port);
  write_string(out, "info_hash", method.info_hash.bytes);
  sender.write_node(out);
  if (method.port != 0) write_integer(out, "port", method.port);
  write_flag(out, "seed", method.seed);
  write_string(out, "token", method.token);
  return "announce_peer";
}

std::string_view write_arguments(Encoder& out, const Sender& sender, const GetItem& method) {
  sender.write_id(out);
  sender.write_node(out);
  if (!method.salt.empty()) write_string(out, "salt", method.salt);
  if (method.newer_than) write_integer(out, "seq", *method.newer_than);
  write_string(out, "target", method.target.bytes);
  write_want(out, method.want);
  return "get";
}

std::string_view write_arguments(Encoder& out, const Sender& sender, const PutItem& method) {
  const auto& author = method.item.author;
  if (author && method.cas) write_integer(out, "cas", *method.cas);
  sender.write_id(out);
  if (author) write_string(out, "k", author->key);
  sender.write_node(out);
  if (author) {
    if (!author->salt.empty()) write_string(out, "salt", author->salt);
    write_integer(out, "seq", author->sequence);
    write_string(out, "sig", author->signature);
  }
  write_string(out, "token", method.token);
  out.key("v");
  out.raw(method.item.value);
  return "put";
}

std::size_t write_query(const Query& query, const Sender& sender, base::MutableBytes buffer) {
  Encoder out(buffer);
  out.begin_dictionary();
  out.key("a");
  out.begin_dictionary();
  const std::string_view name = std::visit(
      [&](const auto& method) { return write_arguments(out, sender, method); }, query.arguments);
  out.end();
  write_string(out, "q", base::as_bytes(name));
  write_flag(out, "ro", query.read_only);
  write_string(out, "t", query.transaction);
  write_string(out, "y", base::as_bytes("q"));
  out.end();
  return out.ok() ? out.size() : 0;
}

// --- replies ------------------------------------------------------------------------------------

template <class Entry>
using Entries = std::optional<std::span<const Entry>>;

/// The lists of a reply, shortened step by step to what fits.
struct Lists {
  Entries<Contact> nodes, nodes6;
  Entries<SealedContact> sealed_nodes, sealed_nodes6;
  std::span<const base::SocketAddress> peers;
};

template <class Entry>
void write_list(Encoder& out, std::string_view key, const Entries<Entry>& entries, Family family) {
  if (!entries) return;
  out.key(key);
  out.begin_string(entries->size() * compact_size<Entry>(family));
  for (const Entry& entry : *entries) {
    BOXGRAM_CHECK(family_of(entry.address) == family);
    write_compact(out.out(), entry);
  }
}

void write_peers(Encoder& out, std::span<const base::SocketAddress> peers) {
  if (peers.empty()) return;
  out.key("values");
  out.begin_list();
  for (const auto& peer : peers) {
    out.begin_string(compact_address_size(family_of(peer)));
    write_compact(out.out(), peer);
  }
  out.end();
}

std::size_t write_reply(const Reply& reply, const Lists& lists, Overlay overlay,
                        base::MutableBytes buffer) {
  Encoder out(buffer);
  out.begin_dictionary();
  if (reply.ip) {
    out.key("ip");
    out.begin_string(compact_address_size(family_of(*reply.ip)));
    write_compact(out.out(), *reply.ip);
  }
  out.key("r");
  out.begin_dictionary();
  if (reply.effort) {
    write_integer(out, "answered", reply.effort->answered);
    write_integer(out, "asked", reply.effort->asked);
  }
  if (overlay == Overlay::mainline) write_string(out, "id", reply.id.bytes);
  const auto* author = reply.item && reply.item->author ? &*reply.item->author : nullptr;
  if (author != nullptr) write_string(out, "k", author->key);
  write_list(out, "nodes", lists.nodes, Family::v4);
  write_list(out, "nodes6", lists.nodes6, Family::v6);
  if (author != nullptr || reply.sequence)
    write_integer(out, "seq", author != nullptr ? author->sequence : *reply.sequence);
  if (author != nullptr) write_string(out, "sig", author->signature);
  write_list(out, "snodes", lists.sealed_nodes, Family::v4);
  write_list(out, "snodes6", lists.sealed_nodes6, Family::v6);
  if (reply.effort) write_integer(out, "stored", reply.effort->stored);
  if (!reply.token.empty()) write_string(out, "token", reply.token);
  if (reply.item) {
    out.key("v");
    out.raw(reply.item->value);
  }
  write_peers(out, lists.peers);
  out.end();
  write_string(out, "t", reply.transaction);
  write_string(out, "y", base::as_bytes("r"));
  out.end();
  return out.ok() ? out.size() : 0;
}

constexpr std::size_t digits(std::size_t n) {
  return n < 10 ? 1 : n < 100 ? 2 : n < 1000 ? 3 : 4;
}

/// Shares the room out among the lists: each may have an equal part of what is left, and leaves to
/// the next what it does not need. The peers come last.
class Share {
 public:
  Share(std::size_t room, std::size_t lists) : room_(room), lists_(lists) {}

  /// An empty list has been paid for already: its key, "0" and ":".
  template <class Entry>
  Entries<Entry> take(const Entries<Entry>& entries, Family family) {
    if (!entries) return entries;
    const std::size_t part = room_ / lists_--;
    const std::size_t size = compact_size<Entry>(family);
    std::size_t count = std::min(entries->size(), part / size);
    while (count > 0 && cost(count * size) > part) --count;
    room_ -= cost(count * size);
    return entries->first(count);
  }

  std::span<const base::SocketAddress> take(std::span<const base::SocketAddress> peers) const {
    constexpr std::size_t kFrame = 10;  // "6:values", "l", "e"
    std::size_t used = kFrame;
    std::size_t count = 0;
    for (const auto& peer : peers) {
      const std::size_t size = compact_address_size(family_of(peer));
      used += digits(size) + 1 + size;
      if (used > room_) break;
      ++count;
    }
    return peers.first(count);
  }

 private:
  static std::size_t cost(std::size_t bytes) { return bytes + digits(bytes) - 1; }

  std::size_t room_;
  std::size_t lists_;
};

/// The size of the reply with all its lists empty.
std::size_t write_bare(const Reply& reply, const Lists& lists, Overlay overlay,
                       base::MutableBytes out) {
  Lists bare;
  if (lists.nodes) bare.nodes.emplace();
  if (lists.nodes6) bare.nodes6.emplace();
  if (lists.sealed_nodes) bare.sealed_nodes.emplace();
  if (lists.sealed_nodes6) bare.sealed_nodes6.emplace();
  return write_reply(reply, bare, overlay, out);
}

/// The lists that this reply has in this overlay: never one kind's nodes among the other's.
Lists lists_of(const Reply& reply, Overlay overlay) {
  Lists lists;
  lists.peers = reply.peers;
  if (reply.item) return lists;
  if (overlay == Overlay::mainline) {
    lists.nodes = reply.nodes;
    lists.nodes6 = reply.nodes6;
  } else {
    lists.sealed_nodes = reply.sealed_nodes;
    lists.sealed_nodes6 = reply.sealed_nodes6;
  }
  return lists;
}

/// 0 if it does not fit even with empty lists.
std::size_t encode_as_it_is(const Reply& reply, Overlay overlay, base::MutableBytes out) {
  Lists lists = lists_of(reply, overlay);
  const std::size_t bare = write_bare(reply, lists, overlay, out);
  if (bare == 0) return 0;
  const std::size_t count = std::size_t{lists.nodes.has_value()} + lists.nodes6.has_value() +
                            lists.sealed_nodes.has_value() + lists.sealed_nodes6.has_value() +
                            !lists.peers.empty();
  Share share(out.size() - bare, count);
  lists.nodes = share.take(lists.nodes, Family::v4);
  lists.nodes6 = share.take(lists.nodes6, Family::v6);
  lists.sealed_nodes = share.take(lists.sealed_nodes, Family::v4);
  lists.sealed_nodes6 = share.take(lists.sealed_nodes6, Family::v6);
  lists.peers = share.take(lists.peers);
  return write_reply(reply, lists, overlay, out);
}

Reply without_ip(Reply reply) {
  reply.ip.reset();
  return reply;
}

/// What must be said: whoever reads an item can do without a token as well.
Reply at_least(Reply reply) {
  reply.ip.reset();
  if (reply.item) reply.token = {};
  return reply;
}

}  // namespace

std::size_t encode(const Query& query, Overlay overlay, base::MutableBytes out) {
  if (const std::size_t size = write_query(query, Sender(query, overlay, true), out)) return size;
  return query.hint ? write_query(query, Sender(query, overlay, false), out) : 0;
}

std::size_t encode(const Reply& reply, Overlay overlay, base::MutableBytes out) {
  if (const std::size_t size = encode_as_it_is(reply, overlay, out)) return size;
  if (const std::size_t size = encode_as_it_is(without_ip(reply), overlay, out)) return size;
  return encode_as_it_is(at_least(reply), overlay, out);
}

std::size_t least_size(const Reply& reply, Overlay overlay) {
  std::array<std::uint8_t, kMaxMessage> out;
  const Reply least = at_least(reply);
  return write_bare(least, lists_of(least, overlay), overlay, out);
}

std::size_t encode_error(base::Bytes transaction, ErrorCode code, base::MutableBytes out) {
  return encode_error(transaction, code, text_of(code), out);
}

std::size_t encode_error(base::Bytes transaction, ErrorCode code, std::string_view text,
                         base::MutableBytes buffer) {
  Encoder out(buffer);
  out.begin_dictionary();
  out.key("e");
  out.begin_list();
  out.integer(static_cast<std::int64_t>(code));
  out.string(text);
  out.end();
  write_string(out, "t", transaction);
  write_string(out, "y", base::as_bytes("e"));
  out.end();
  return out.ok() ? out.size() : 0;
}

}  // namespace boxgram::dht
