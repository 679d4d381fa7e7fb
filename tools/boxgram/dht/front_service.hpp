// The DHT front of a stub with its sockets: BitTorrent clients on one side, gateways on the other.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/stub_config.hpp>
#include <boxgram/dht/front.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/udp_socket.hpp>

#include "gateway_requests.hpp"

namespace boxgram::tools {

class FrontService {
 public:
  /// Binds the virtual nodes' ports. The error is a phrase for people. `loop` and `rng` outlive it.
  /// REQUIRES: config.listen is set; a gateway takes streams.
  static base::expected<std::unique_ptr<FrontService>, std::string> start(
      net::EventLoop& loop, base::Rng& rng, const config::DhtFrontConfig& config,
      std::span<const packet::Stamp> gateways);
  FrontService(const FrontService&) = delete;
  FrontService& operator=(const FrontService&) = delete;

  /// Other gateways from now on; what was under way with the old ones comes to nothing.
  void use_gateways(std::span<const packet::Stamp> gateways);

  /// "127.0.0.1:6881", or the first and the last of them.
  [[nodiscard]] std::string listening() const;
  [[nodiscard]] dht::FrontCounters counters() const { return front_->counters(); }

 private:
  FrontService(net::EventLoop& loop, base::Rng& rng);
  base::expected<void, std::string> bind(const base::SocketAddress& address);
  void on_batch(std::size_t node, std::span<const net::Datagram> batch);
  void settle();

  net::EventLoop& loop_;
  base::Rng& rng_;
  std::vector<net::UdpSocket> sockets_;  // of each virtual node
  std::optional<dht::Front> front_;
  std::unique_ptr<GatewayRequests> gateways_;
  net::DeadlineTimer timer_;
  bool settling_ = false;
};

}  // namespace boxgram::tools
