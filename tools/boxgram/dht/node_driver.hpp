// A DHT node with its sockets and its timer on an event loop.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/dht/node.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/udp_socket.hpp>

namespace boxgram::tools {

class NodeDriver {
 public:
  using OnEvent = std::function<void(const dht::NodeEvent&)>;

  /// Binds at most one address of each family; `config` learns from them which families and which
  /// port there are. `rng` must outlive the driver. The error is a phrase for people.
  static base::expected<std::unique_ptr<NodeDriver>, std::string> start(
      net::EventLoop& loop, base::Rng& rng, std::span<const base::SocketAddress> listen,
      dht::NodeConfig config, OnEvent on_event);
  NodeDriver(const NodeDriver&) = delete;
  NodeDriver& operator=(const NodeDriver&) = delete;

  [[nodiscard]] dht::Node& node() { return *node_; }
  [[nodiscard]] std::vector<base::SocketAddress> addresses() const;

  /// After any call of node(): tells events, sends what waits, sets the timer. Not from on_event.
  void settle();

 private:
  NodeDriver(net::EventLoop& loop, OnEvent on_event);
  base::expected<void, std::string> bind(net::EventLoop& loop, const base::SocketAddress& address,
                                         dht::NodeConfig& config);
  void on_batch(std::size_t socket, std::span<const net::Datagram> batch);
  void tell_events();

  OnEvent on_event_;
  std::optional<dht::Node> node_;
  std::vector<net::UdpSocket> sockets_;
  net::DeadlineTimer timer_;
};

}  // namespace boxgram::tools
