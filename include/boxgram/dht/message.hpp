// KRPC: one datagram asks, one answers. Source: BEP 5, BEP 32 (IPv6), BEP 33 (flags only), BEP 42
// (`ip`), BEP 43 (`ro`), BEP 44 (get, put).
//
//   query     d 1:a d ARGUMENTS e 1:q METHOD (2:ro i1e) 1:t TRANSACTION (1:v VERSION) 1:y 1:q e
//   response  d (2:ip ADDRESS) 1:r d RESULTS e          1:t TRANSACTION (1:v VERSION) 1:y 1:r e
//   error     d 1:e l CODE TEXT e                       1:t TRANSACTION (1:v VERSION) 1:y 1:e e
//
// The sealed overlay sends the same messages inside packets, with three differences: there is no
// `id`, since keys prove who answers; `snodes` and `snodes6` stand for `nodes` and `nodes6`; and a
// query may carry its sender's own node as `node` = key 32 | port 2, a hint that proves nothing.
// Each overlay passes over what belongs to the other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include <boxgram/base/expected.hpp>
#include <boxgram/dht/bencode.hpp>
#include <boxgram/dht/contact.hpp>
#include <boxgram/dht/error_code.hpp>
#include <boxgram/dht/item.hpp>

namespace boxgram::dht {

enum class Overlay : std::uint8_t { mainline, sealed };

/// An Ethernet frame's worth: what is longer came in fragments, and nobody of good will sends it.
inline constexpr std::size_t kMaxMessage = 1500;
/// What a node of Mainline may send (BEP 32); item values need up to kMaxItemReply.
inline constexpr std::size_t kMaxReply = 1024;
/// kMaxValue with key, signature, token and what stands around them.
inline constexpr std::size_t kMaxItemReply = 1280;
/// Two bytes are usual; anything longer than an id serves nobody.
inline constexpr std::size_t kMaxTransaction = 20;
/// 4 to 20 bytes are usual; bounded because lookups keep them.
inline constexpr std::size_t kMaxToken = 40;

/// Families of nodes that a query asks for; neither: that of the datagram.
struct Want {
  bool v4 = false;
  bool v6 = false;
  friend bool operator==(const Want&, const Want&) = default;
};

struct Ping {};

struct FindNode {
  NodeId target;
  Want want;
};

struct GetPeers {
  NodeId info_hash;
  Want want;
  bool no_seeds = false;  ///< BEP 33
  bool scrape = false;    ///< BEP 33
};

struct AnnouncePeer {
  NodeId info_hash;
  std::uint16_t port = 0;     ///< 0 only beside implied_port
  bool implied_port = false;  ///< take the port that the query came from
  bool seed = false;          ///< BEP 33
  base::Bytes token;
};

struct GetItem {
  NodeId target;
  Want want;
  std::optional<std::int64_t> newer_than;  ///< `seq`: send the value only if it is newer
  /// In requests to a gateway, which verifies what it finds and cannot do so without it.
  base::Bytes salt = {};
};

struct PutItem {
  base::Bytes token;
  Item item;                        ///< unchecked: see check()
  std::optional<std::int64_t> cas;  ///< mutable items only
};

/// Where a query's sender says that its own node is, at the address that the query came from.
struct NodeHint {
  crypto::PublicKey key{};
  std::uint16_t port = 0;
  friend bool operator==(const NodeHint&, const NodeHint&) = default;
};

struct Query {
  base::Bytes transaction;
  NodeId id;                     ///< Mainline only
  bool read_only = false;        ///< BEP 43: never ask it, never name it to others
  std::optional<NodeHint> hint;  ///< sealed only
  std::variant<Ping, FindNode, GetPeers, AnnouncePeer, GetItem, PutItem> arguments;
};

/// The peers of a response, read in place.
class PeerList {
 public:
  PeerList() = default;
  /// REQUIRES: `list` is a sound list, or empty.
  explicit PeerList(base::Bytes list) : list_(list) {}

  [[nodiscard]] bool empty() const { return list_.empty(); }

  /// Calls `peer(address)` for each; passes over martians and what is no address of either family.
  template <class F>
  void for_each(AddressPolicy policy, F&& peer) const {
    bencode::List list(list_);
    while (const auto value = list.next())
      if (const auto address = read_peer(value->string().value_or(base::Bytes{}), policy))
        peer(*address);
  }

 private:
  base::Bytes list_;
};

/// What an operation took, in a gateway's answer to whoever asked for it.
struct Effort {
  std::uint32_t asked = 0;     ///< nodes
  std::uint32_t answered = 0;  ///< of them
  std::uint32_t stored = 0;    ///< announce, put: nodes that took it
  friend bool operator==(const Effort&, const Effort&) = default;
};

struct Response {
  base::Bytes transaction;
  NodeId id;                              ///< Mainline only
  base::Bytes version;                    ///< `v`: two letters and a number, or anything else
  std::optional<base::SocketAddress> ip;  ///< where our query came from, as they say; unproven
  CompactList<Contact> nodes, nodes6;     ///< Mainline only
  CompactList<SealedContact> sealed_nodes, sealed_nodes6;  ///< sealed only
  PeerList peers;
  base::Bytes token;                     ///< empty: none
  std::optional<std::int64_t> sequence;  ///< of a mutable item, with or without its value
  std::optional<Item> item;              ///< unchecked, the salt empty: see check()
  std::optional<Effort> effort;          ///< a gateway's
};

struct Error {
  base::Bytes transaction;
  std::int64_t code = 0;
  base::Bytes text;  ///< arbitrary bytes
};

using Message = std::variant<Query, Response, Error>;

enum class DecodeError : std::uint8_t {
  too_long,        ///< more than allowed
  not_bencode,     ///< not sound up to its `t`
  no_transaction,  ///< none, or of no usable length
  malformed,       ///< unsound behind `t`, a key twice, a field missing or of a wrong form
  method_unknown,
};

struct Fault {
  DecodeError reason{};
  /// To be answered with `error` under this transaction; empty: to be dropped. Only queries are
  /// answered, for two nodes that answer each other's errors would never end.
  base::Bytes transaction;
  ErrorCode error = ErrorCode::protocol;
};

/// Reads a datagram, or the inside of a DHT frame. Views point into `bytes`, of which there may be
/// `most`: more than in a datagram in a gateway's answer.
/// Cost: some 0.3 us, no allocation.
base::expected<Message, Fault> decode(base::Bytes bytes, Overlay overlay,
                                      std::size_t most = kMaxMessage);

/// What a node answers. Absent lists are left out; present ones are shortened to what fits.
struct Reply {
  base::Bytes transaction;
  NodeId id;  ///< Mainline only
  std::optional<base::SocketAddress> ip;
  std::optional<std::span<const Contact>> nodes, nodes6;                      ///< nearest first
  std::optional<std::span<const SealedContact>> sealed_nodes, sealed_nodes6;  ///< nearest first
  std::span<const base::SocketAddress> peers;
  base::Bytes token;
  std::optional<std::int64_t> sequence;  ///< of an item that is not newer than asked for
  std::optional<Item> item;              ///< goes without nodes: it is what was looked for
  std::optional<Effort> effort;          ///< a gateway's
};

/// Each writes one message of at most out.size() bytes and returns its size, 0 if it does not fit.
/// A query without room for its hint goes without it; a reply without room for `ip`, and then an
/// item without room for its token, goes without it. Lists share the room that is left.
std::size_t encode(const Query& query, Overlay overlay, base::MutableBytes out);
std::size_t encode(const Reply& reply, Overlay overlay, base::MutableBytes out);
/// The least room that encode() needs for a reply.
std::size_t least_size(const Reply& reply, Overlay overlay);
std::size_t encode_error(base::Bytes transaction, ErrorCode code, base::MutableBytes out);
/// The same with a text of its own.
std::size_t encode_error(base::Bytes transaction, ErrorCode code, std::string_view text,
                         base::MutableBytes out);

}  // namespace boxgram::dht
