// DHT for clients in streams: a request is one KRPC query, which the gateway's own nodes turn into
// an operation that takes seconds; the response is one KRPC response with all that was found.
// Sans-IO. Source: PROTOCOL.md, "DHT through a gateway".
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/dht/node.hpp>
#include <boxgram/stream/types.hpp>

namespace boxgram::gateway {

struct DhtServiceConfig {
  /// An announce records the gateway's address, not the client's: only where that is wanted.
  bool announce = false;
};

struct DhtServiceCounters {
  std::uint64_t requests = 0;
  std::uint64_t responses = 0, errors = 0;
  std::uint64_t full = 0;        ///< refused: every place was taken
  std::uint64_t over_share = 0;  ///< refused: its session had its share of them
  std::uint64_t abandoned = 0;   ///< their session ended before they did
};

class DhtService {
 public:
  /// At a time; a lookup holds about 20 KiB in the node and as much here.
  static constexpr std::size_t kMaxOperations = 256;
  /// Of one session: a busy BitTorrent client asks for a handful of torrents at a time.
  static constexpr std::size_t kMaxOfSession = 32;
  /// Peers of an answer: what 65,535 bytes hold of IPv4 addresses.
  static constexpr std::size_t kMaxPeers = 8189;

  /// The nodes of each overlay; null where the gateway is in none. They outlive this.
  struct Nodes {
    dht::Node* mainline = nullptr;
    dht::Node* sealed = nullptr;
  };

  struct Answered {
    base::Handle connection = 0;
    std::uint32_t id = 0;
    /// A KRPC response or error; empty if the request had no transaction to answer under:
    /// malformed.
    std::vector<std::uint8_t> message;
  };

  DhtService(const DhtServiceConfig& config, const Nodes& nodes) : config_(config), nodes_(nodes) {}

  void configure(const DhtServiceConfig& config) { config_ = config; }

  /// A request of a session. Exactly one answer follows, now or later, unless forget() comes first.
  /// Call from outside of any node's events; afterwards drain poll_answer() and drive the nodes.
  void request(base::Instant now, base::Handle connection, std::uint32_t id, base::Bytes payload);

  /// What a node tells; events of others' operations are passed over. Calls no node.
  void handle_event(const dht::NodeEvent& event);

  bool poll_answer(Answered& answered);

  /// The session is over: its operations are given up.
  void forget(base::Handle connection);

  [[nodiscard]] std::size_t running() const { return operations_.size(); }
  [[nodiscard]] const DhtServiceCounters& counters() const { return counters_; }

 private:
  struct Asker {
    base::Handle connection = 0;
    std::uint32_t id = 0;
    dht::Overlay overlay{};
    std::vector<std::uint8_t> transaction;
  };
  struct Found {
    std::vector<std::uint8_t> value;
    std::optional<dht::Authorship> author;  // its salt empty
  };
  struct Running {
    Asker asker;
    dht::Operation operation = 0;
    std::vector<base::SocketAddress> peers;  // sorted
    std::optional<Found> item;
    std::int64_t refusal = 0;  // what a node said that did not store
    bool stores = false;
  };

  [[nodiscard]] dht::Node* node_of(dht::Overlay overlay) const {
    return overlay == dht::Overlay::mainline ? nodes_.mainline : nodes_.sealed;
  }
  void begin(base::Instant now, Asker asker, const dht::Query& query);
  dht::Operation start(base::Instant now, dht::Node& node, const dht::Query& query,
                       std::uint64_t tag);
  [[nodiscard]] std::optional<dht::ErrorCode> fault_of(const dht::Query& query) const;
  void finish(const dht::Finished& finished);
  void respond(const Asker& asker, const dht::Reply& reply);
  void refuse(const Asker& asker, dht::ErrorCode code, std::string_view text);
  void release(base::Handle handle);

  DhtServiceConfig config_;
  Nodes nodes_;
  base::Slab<Running> operations_{kMaxOperations};
  std::unordered_map<base::Handle, std::size_t> of_session_;
  std::deque<Answered> answers_;
  DhtServiceCounters counters_;
};

}  // namespace boxgram::gateway
