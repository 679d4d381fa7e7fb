// A DHT node: answers others, keeps a table of them, and looks things up. One code for both
// overlays; a Node belongs to one of them. Source: BEP 5, 32, 42, 43, 44; PROTOCOL.md, "DHT".
//
// Sans-IO: no socket, clock or randomness of its own. After each call that changes something, drain
// poll_event(), then poll_transmit(), then read next_timeout().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dht/node_types.hpp>

namespace boxgram::dht {

class Node {
 public:
  /// Room for any datagram that a node sends.
  static constexpr std::size_t kMaxDatagram = kMaxMessage;

  /// `wall` is used by the sealed transport alone. `rng` must outlive the node.
  Node(NodeConfig config, base::Rng& rng, base::WallClock wall, base::Instant start);
  ~Node();
  Node(Node&&) noexcept;
  Node& operator=(Node&&) = delete;

  /// Handles one datagram, which may be changed in place. Gives the size of the reply in `out`,
  /// which goes back to `from`, or 0.
  /// REQUIRES: out.size() >= kMaxDatagram; out and datagram do not overlap; poll_event() has
  /// returned false since the last call.
  std::size_t handle_datagram(base::Instant now, const base::SocketAddress& from,
                              base::MutableBytes datagram, base::MutableBytes out);

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  /// Writes one datagram into `out`; 0 when there is none.
  /// REQUIRES: out.size() >= kMaxDatagram.
  std::size_t poll_transmit(base::Instant now, base::SocketAddress& to, base::MutableBytes out);

  bool poll_event(NodeEvent& event);

  /// Nodes to begin with: asked for what is near us, again and again until the table has somebody.
  /// In Mainline the id may be all zeros: not known.
  void bootstrap(base::Instant now, std::span<const RemoteNode> nodes);

  // Operations of the owner. Each ends in exactly one Finished that bears `tag`; 0 (and no event)
  // when max_operations run.
  Operation ping(base::Instant now, const RemoteNode& node, std::uint64_t tag);
  Operation find_node(base::Instant now, const NodeId& target, std::uint64_t tag,
                      bool trace = false);
  Operation get_peers(base::Instant now, const NodeId& infohash, std::uint64_t tag,
                      const GetPeersOptions& options = {});
  Operation announce(base::Instant now, const NodeId& infohash, std::uint64_t tag,
                     const AnnounceOptions& options = {});
  Operation get(base::Instant now, const NodeId& target, std::uint64_t tag,
                const GetOptions& options = {});
  /// The item is copied.
  Operation put(base::Instant now, const Item& item, std::uint64_t tag,
                const PutOptions& options = {});
  /// Gives an operation up: no event comes for it. Nothing if it has ended.
  void cancel(Operation operation);

  /// Our id in the table of that family.
  [[nodiscard]] const NodeId& id(Family family) const;
  [[nodiscard]] std::size_t table_size(Family family) const;
  [[nodiscard]] std::vector<TableRow> table(base::Instant now) const;

  /// The table with keys, for a file; import_table() pings what stands there before it is believed.
  [[nodiscard]] std::vector<std::uint8_t> export_table() const;
  /// False, and nothing taken, if the bytes are not what export_table() gives.
  bool import_table(base::Instant now, base::Bytes saved);

  [[nodiscard]] NodeCounters counters() const;
  /// How many nodes this overlay has in that family, by the density that lookups met; 0: unknown.
  [[nodiscard]] double network_size(Family family) const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace boxgram::dht
