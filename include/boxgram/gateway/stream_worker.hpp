// The gateway's streams: DNS for those who may have it, answers of any size; requests for control
// and the DHT are handed to the owner. Sans-IO.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/gateway/forwarder_lines.hpp>
#include <boxgram/gateway/network_share.hpp>
#include <boxgram/stream/server.hpp>

namespace boxgram::gateway {

/// What a session may ask for.
struct StreamRights {
  bool dns = false;
  bool control = false;
  bool dht = false;

  [[nodiscard]] bool any() const { return dns || control || dht; }
  friend bool operator==(const StreamRights&, const StreamRights&) = default;
};

/// A request that the owner answers with StreamWorker::server().respond().
struct ControlRequest {
  base::Handle connection = 0;
  std::uint32_t id = 0;
  base::Bytes payload;  ///< valid until the next poll_event()
};

/// The same of the DHT: a KRPC query.
struct DhtRequest {
  base::Handle connection = 0;
  std::uint32_t id = 0;
  base::Bytes payload;  ///< valid until the next poll_event()
};

/// A DNS request that was taken, for a log; only when show_queries() is on.
struct QuerySeen {
  base::Handle connection = 0;
  base::Bytes query;  ///< valid until the next poll_event()
};

/// ClientProven: answer with admit() or refuse() before the next poll. ConnectionEnded: as
/// stream::Server says.
using StreamEvent = std::variant<stream::ClientProven, ControlRequest, DhtRequest, QuerySeen,
                                 stream::ConnectionEnded>;

struct StreamWorkerCounters {
  std::uint64_t dns_requests = 0;
  std::uint64_t answered_at_once = 0;
  std::uint64_t not_allowed = 0;  ///< asked for a service that the session has no right to
  std::uint64_t full = 0;         ///< refused: every place for a waiting request was taken
  std::uint64_t over_share = 0;   ///< refused: its network had its share of them
  std::uint64_t late = 0;         ///< answers whose connection had gone
};

class StreamWorker {
 public:
  /// As many as a Forwarder has waiters, and those of one network as in gateway::Worker.
  static constexpr std::size_t kMaxPending = 16384;
  static constexpr std::size_t kMaxPendingOfNetwork = 2048;

  /// `cache` may be null (no cache); it and `rng` outlive the worker.
  StreamWorker(const stream::ServerConfig& server, std::shared_ptr<const packet::ServerKeys> keys,
               std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache,
               base::Rng& rng, base::WallClock wall, base::Instant start);

  /// The connections: bytes go in and out there.
  [[nodiscard]] stream::Server& server() { return server_; }
  [[nodiscard]] const stream::Server& server() const { return server_; }
  /// The forwarders: their upstream actions, and where those end.
  [[nodiscard]] ForwarderLines& lines() { return lines_; }
  [[nodiscard]] const ForwarderLines& lines() const { return lines_; }

  /// Answers DNS requests, which it does not show, and gives what is for the owner. After it, drain
  /// lines().poll_action() and server().poll_transmit(), then read next_timeout().
  bool poll_event(base::Instant now, StreamEvent& event);

  void admit(base::Instant now, base::Handle connection, StreamRights rights);
  void refuse(base::Instant now, base::Handle connection);
  /// Other rights for a session that is there already.
  void change_rights(base::Handle connection, StreamRights rights);

  void show_queries(bool shown) { show_queries_ = shown; }

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] const StreamWorkerCounters& counters() const { return counters_; }

 private:
  struct Session {
    StreamRights rights;
    NetworkShare::Slot network = 0;
  };
  struct Pending {
    base::Handle connection = 0;
    std::uint32_t id = 0;
    NetworkShare::Slot network = 0;
  };

  bool take(base::Instant now, const stream::MessageReceived& received, StreamEvent& event);
  void ask(base::Instant now, const stream::MessageReceived& received, const Session& session);
  bool send_answers(base::Instant now);

  stream::Server server_;
  ForwarderLines lines_;
  std::unordered_map<base::Handle, Session> sessions_;
  base::Slab<Pending> pending_{kMaxPending};
  NetworkShare share_;
  std::vector<std::uint8_t> answer_;  // of 65,535 bytes
  bool show_queries_ = false;
  StreamWorkerCounters counters_;
};

}  // namespace boxgram::gateway
