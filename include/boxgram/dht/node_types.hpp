// What goes into dht::Node and what comes out of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/dht/item.hpp>
#include <boxgram/dht/rate_limits.hpp>
#include <boxgram/dht/remote_node.hpp>

namespace boxgram::dht {

struct NodeConfig {
  Overlay overlay = Overlay::mainline;
  /// Mainline: the id of an earlier run. Without it, or when the address turns out to be one that
  /// does not allow it (BEP 42), one is drawn.
  std::optional<NodeId> id;
  /// Sealed: the node's long-term key. REQUIRED there, ignored in Mainline.
  std::optional<crypto::SecretKey> secret_key;
  /// The families that the owner has a socket for.
  bool v4 = true;
  bool v6 = false;
  /// Sealed: the UDP port on which others reach us, told in queries as a hint.
  std::uint16_t port = 0;
  /// BEP 43: asks but does not answer, and nobody is told of us.
  bool read_only = false;
  AddressPolicy addresses = AddressPolicy::internet;
  RateLimits limits;
  /// Networks whose budget is remembered; 40 bytes each.
  std::size_t rate_table_capacity = 4096;
  /// Operations of the owner at a time. A lookup takes about 20 KiB while it runs.
  std::size_t max_operations = 64;
};

/// Names an operation that runs.
using Operation = base::Handle;

/// A ping was answered. An unanswered one ends in Finished{timed_out} alone.
struct Pinged {
  std::uint64_t tag = 0;
  RemoteNode node;
  base::Duration round_trip{};
};

enum class HopKind : std::uint8_t {
  answered,
  timed_out,  ///< not within 8 s, in all tries
  wrong_id,   ///< another id than expected answered: left out of the lookup and the table
  refused     ///< a KRPC error, in `error`
};

/// One step of a lookup; only for operations that asked for a trace.
struct Hop {
  std::uint64_t tag = 0;
  RemoteNode node;
  HopKind kind{};
  base::Duration round_trip{};
  std::uint8_t tries = 1;
  std::uint16_t nodes = 0;      ///< contacts that it named
  std::uint16_t new_nodes = 0;  ///< of them new to this lookup
  std::uint16_t peers = 0;
  bool item = false;
  std::int64_t error = 0;
};

struct PeersFound {
  std::uint64_t tag = 0;
  RemoteNode from;
  std::span<const base::SocketAddress> peers;  ///< good until the node is called again
};

/// An item that is what it claims to be: hash or signature fit. For a mutable one again whenever a
/// higher seq turns up.
struct ItemFound {
  std::uint64_t tag = 0;
  RemoteNode from;
  Item item;  ///< good until the node is called again
};

/// An announce or put was answered by one node.
struct Stored {
  std::uint64_t tag = 0;
  RemoteNode node;
  std::int64_t error = 0;  ///< 0: it is stored; else the KRPC error: 205, 206, 207, 301, 302 ...
};

enum class Outcome : std::uint8_t {
  done,       ///< nothing more to ask; what was found has been told
  timed_out,  ///< a ping's
  no_nodes    ///< there was nobody to ask
};

/// An operation's end, exactly one unless it was cancelled.
struct Finished {
  std::uint64_t tag = 0;
  Outcome outcome{};
  std::uint32_t asked = 0;              ///< nodes
  std::uint32_t answered = 0;           ///< of them
  std::uint32_t stored = 0;             ///< announce, put: nodes that took it
  std::span<const RemoteNode> closest;  ///< nodes that answered, nearest first; good as above
};

/// Others agree on which address we have; `id` follows from it.
struct AddressLearnt {
  base::SocketAddress address;  ///< without a port
  NodeId id;
};

using NodeEvent = std::variant<Pinged, Hop, PeersFound, ItemFound, Stored, Finished, AddressLearnt>;

struct GetPeersOptions {
  bool no_seeds = false;  ///< BEP 33
  bool trace = false;
};

struct AnnounceOptions {
  std::uint16_t port = 0;  ///< 0: the port our datagrams come from (implied_port)
  bool seed = false;       ///< BEP 33
  bool trace = false;
};

struct GetOptions {
  /// Mutable items only, and needed to verify them where there is one. Copied.
  base::Bytes salt;
  std::optional<std::int64_t> newer_than;  ///< BEP 44 `seq`: nodes that have nothing newer say so
  bool trace = false;
};

struct PutOptions {
  std::optional<std::int64_t> cas;  ///< only over this seq, else error 301
  bool trace = false;
};

/// For people.
struct TableRow {
  RemoteNode node;
  std::size_t bucket = 0;
  base::Duration unheard{};  ///< since it last answered or asked
  bool good = false;
  std::uint8_t failures = 0;
};

/// Why a datagram changed nothing; also the metric's label.
enum class NodeDrop : std::uint8_t {
  malformed,       ///< no bencode or no KRPC, and no transaction id to say so to
  unknown_tid,     ///< a reply or error that nobody waits for
  wrong_endpoint,  ///< a reply from elsewhere than the request went to
  wrong_id,        ///< a reply under another id than expected
  own_id,          ///< says that it is us
  bad_address,     ///< from a martian, or of a family that the node has no socket for
  rate_limited,    ///< its network asks too much
  byte_budget,     ///< its network has been sent enough
  read_only,       ///< a query to a node that does not answer
  not_sealed,      ///< sealed: the transport refused it (its own counters say why)
  bad_item,        ///< a reply whose item is not what it claims to be
  count_
};
const char* to_string(NodeDrop reason);

/// Totals since the start.
struct NodeCounters {
  std::uint64_t queries = 0, replies = 0, errors = 0;  ///< came in, and what we answered
  std::uint64_t bytes_to_unproven = 0;
  std::uint64_t requests = 0, retries = 0;  ///< of ours
  std::uint64_t answers = 0, refusals = 0, unanswered = 0;
  std::uint64_t admitted = 0, refused = 0;  ///< verified nodes: into the table, or kept out
  std::uint64_t hints = 0, hints_dropped = 0;
  std::uint64_t operations = 0, full = 0;
  std::uint64_t bad_tokens = 0;
  std::uint64_t peers_stored = 0, items_stored = 0;  ///< kept now, not totals
  std::array<std::uint64_t, static_cast<std::size_t>(NodeDrop::count_)> drops{};
};

}  // namespace boxgram::dht
