// A gateway::Worker on its thread: sockets, upstreams, timer.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/dns/shared_cache.hpp>
#include <boxgram/gateway/worker.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/udp_socket.hpp>

#include "control/host.hpp"
#include "resolvers.hpp"
#include "rules.hpp"

namespace boxgram::tools {

/// A copy of all that one worker counts, taken on its own thread.
struct WorkerSnapshot {
  gateway::WorkerCounters worker;
  packet::ServerCounters server;
  dns::ForwarderCounters forwarder;
  base::LatencyHistogram waits;
  std::vector<dns::UpstreamState> upstreams;  // `name` points into the rules kept beside
  std::shared_ptr<const dns::ForwarderConfig> rules;
  net::UdpCounters udp;
  std::uint64_t kernel_drops = 0;
  std::size_t associations = 0;
  std::size_t pending = 0;
  std::uint64_t handed_over = 0;
  std::uint64_t handover_drops = 0;
};

/// Construct, bind and destroy while the loop's thread does not run; all else on that thread.
class GatewayWorker {
 public:
  GatewayWorker(net::EventLoop& loop, const packet::ServerConfig& server,
                std::shared_ptr<const packet::ServerKeys> keys, dns::SharedCache* cache,
                base::WallClock wall, base::Instant start, const GatewayRules& rules);

  /// Opens one socket for each address. The error is a phrase for people.
  base::expected<void, std::string> bind(std::span<const base::SocketAddress> addresses,
                                         bool reuse_port);
  /// Opens the upstreams of the first rules.
  base::expected<void, std::string> open_upstreams();
  /// All workers, this one included: where misrouted datagrams go.
  void set_peers(std::span<const std::unique_ptr<GatewayWorker>> peers) { peers_ = peers; }

  [[nodiscard]] const std::vector<net::UdpSocket>& sockets() const { return sockets_; }

  void install(std::shared_ptr<const packet::ServerKeys> keys);
  /// False (and a logged reason) if an upstream cannot be opened: the old rules stay.
  bool reload(const GatewayRules& rules);
  /// Refuses new requests from now on; `on_empty` is called once nothing waits any more.
  void drain(std::function<void()> on_empty);
  [[nodiscard]] WorkerSnapshot snapshot() const;
  /// Which way a query would take.
  [[nodiscard]] Explained explain(base::Bytes query) const;

 private:
  struct HandedOver {
    gateway::Path path;
    std::vector<std::uint8_t> datagram;
  };

  void on_batch(std::uint8_t socket, std::span<const net::Datagram> batch);
  void handle(base::Instant now, const gateway::Path& path, base::MutableBytes datagram);
  void take_over(std::vector<HandedOver> datagrams);
  void hand_over();
  void settle();
  void send_late_answers(base::Instant now);

  net::EventLoop& loop_;
  crypto::SystemRng rng_;
  GatewayRules first_rules_;
  gateway::Worker worker_;
  Resolvers resolvers_;
  std::vector<net::UdpSocket> sockets_;
  std::vector<std::vector<HandedOver>> outbound_;  // by owner
  std::atomic<std::size_t> inbox_{0};  // handed to us and not yet looked at; others add to it
  std::span<const std::unique_ptr<GatewayWorker>> peers_;
  std::uint64_t handed_over_ = 0;
  std::uint64_t handover_drops_ = 0;
  bool log_queries_;
  std::function<void()> on_empty_;
  net::DeadlineTimer timer_;
};

}  // namespace boxgram::tools
