// One worker of the gateway: opens sealed datagrams, lets dns answer them, seals the answers.
// Sans-IO; a worker shares nothing with the others but the cache and the immutable keys and rules.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/gateway/forwarder_lines.hpp>
#include <boxgram/gateway/network_share.hpp>
#include <boxgram/packet/server.hpp>

namespace boxgram::gateway {

/// The way that a datagram came, and that its answer goes back.
struct Path {
  base::SocketAddress from;
  base::SocketAddress local;  ///< the address it was sent to; unspecified where there is but one
  std::uint8_t socket = 0;    ///< which of the owner's sockets
};

struct WorkerCounters {
  std::uint64_t dns_requests = 0;
  std::uint64_t answered_at_once = 0;
  std::uint64_t too_large = 0;   ///< the client was told which size its answer needs
  std::uint64_t full = 0;        ///< refused: every place for a waiting request was taken
  std::uint64_t over_share = 0;  ///< refused: its network had its share of them
};

class Worker {
 public:
  /// Requests that wait for an upstream; as many as a Forwarder has waiters, and once more for
  /// those that an older generation still owes after a reload.
  static constexpr std::size_t kMaxPending = 32768;
  /// Of one network: half of a Forwarder's flights, so that the slow names of one client leave as
  /// much to all others. Beyond it, that network alone is refused.
  static constexpr std::size_t kMaxPendingOfNetwork = 2048;

  struct Handled {
    enum class Kind : std::uint8_t {
      nothing,   ///< dropped, or the answer will come from poll_transmit()
      transmit,  ///< `size` bytes in `out` go back the way the datagram came
      misrouted  ///< give the datagram, which is untouched, to worker `owner`
    };
    Kind kind = Kind::nothing;
    std::size_t size = 0;
    std::uint8_t owner = 0;
    base::Bytes query = {};  ///< of a request: its DNS message, inside the datagram
  };

  struct Transmit {
    Path path;
    std::size_t size = 0;
  };

  /// `cache` may be null (no cache); it and `rng` outlive the worker.
  Worker(const packet::ServerConfig& server, std::shared_ptr<const packet::ServerKeys> keys,
         std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache, base::Rng& rng,
         base::WallClock wall, base::Instant start);

  /// Handles one datagram, which is opened in place. After a batch drain
  /// lines().poll_action() and poll_transmit(), then read next_timeout().
  /// REQUIRES: out.size() >= packet::kMaxDatagram.
  /// Cost of a hit on a live association: one box_open, one cache lookup, one box; no allocation.
  Handled receive(base::Instant now, const Path& path, base::MutableBytes datagram,
                  base::MutableBytes out);

  /// Writes the next late answer into `out`; false when there is none.
  bool poll_transmit(base::Instant now, Transmit& transmit, base::MutableBytes out);

  /// The forwarders: their upstream actions, and where those end.
  [[nodiscard]] ForwarderLines& lines() { return lines_; }
  [[nodiscard]] const ForwarderLines& lines() const { return lines_; }

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  /// Takes new server keys (packet::Server::install).
  void install(std::shared_ptr<const packet::ServerKeys> keys) { server_.install(std::move(keys)); }

  /// From now on new requests are refused with ERROR shutdown, so that clients turn to another
  /// gateway at once; what waits is still answered.
  void drain() { draining_ = true; }

  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] std::size_t associations() const { return server_.associations(); }
  [[nodiscard]] const packet::ServerCounters& server_counters() const { return server_.counters(); }
  [[nodiscard]] const WorkerCounters& counters() const { return counters_; }

 private:
  struct Pending {
    packet::ReplyTo reply;
    Path path;
    NetworkShare::Slot network = 0;
  };

  [[nodiscard]] bool over_share(const Path& path) const;
  Handled dispatch(base::Instant now, const Path& path, packet::Received& received,
                   base::MutableBytes out);
  std::size_t seal_too_large(const packet::ReplyTo& reply, std::size_t size,
                             base::MutableBytes out);

  packet::Server server_;
  ForwarderLines lines_;
  base::Slab<Pending> pending_{kMaxPending};
  NetworkShare share_;
  WorkerCounters counters_;
  bool draining_ = false;
};

}  // namespace boxgram::gateway
