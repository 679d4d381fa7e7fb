// The stub's socket to one gateway, reopened when the network under it has changed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/udp_socket.hpp>

namespace boxgram::tools {

/// A connected UDP socket keeps the source address it was born with. When that address or the route
/// has gone, after a suspend or a change of network, only a new socket helps. It is opened
///  - when the kernel reports a lost route or address, and
///  - when the gateway has been silent for 2 s although it was asked;
/// at most once a second. Without network the link has no socket and goes on trying.
class GatewayLink {
 public:
  struct Handlers {
    std::function<void(std::span<const net::Datagram>)> on_batch;
    std::function<void()> on_drained;
    std::function<void()> on_reopened;
  };

  GatewayLink(net::EventLoop& loop, const base::SocketAddress& gateway, Handlers handlers);
  GatewayLink(const GatewayLink&) = delete;
  GatewayLink& operator=(const GatewayLink&) = delete;

  /// Room for one datagram; without a socket what is committed there goes nowhere.
  base::MutableBytes next();
  void commit(std::size_t size);
  void flush();

  /// Call now and then; `waiting`: answers are outstanding.
  void check_silence(base::Instant now, bool waiting);

  [[nodiscard]] std::uint64_t reopened() const { return reopened_; }

 private:
  void open();

  net::EventLoop& loop_;
  base::SocketAddress gateway_;
  Handlers handlers_;
  std::optional<net::UdpSocket> socket_;
  std::array<std::uint8_t, 1232> nowhere_{};
  base::Instant opened_at_{};
  std::optional<base::Instant> asked_at_;  // the first datagram since it was last heard
  std::uint64_t reopened_ = 0;
  net::DeadlineTimer reopen_timer_;
};

}  // namespace boxgram::tools
