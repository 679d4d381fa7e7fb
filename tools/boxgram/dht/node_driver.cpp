#include "node_driver.hpp"

#include <algorithm>

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {

NodeDriver::NodeDriver(net::EventLoop& loop, OnEvent on_event)
    : on_event_(std::move(on_event)), timer_(loop.io(), [this] {
        node_->handle_timeout(net::now());
        settle();
      }) {}

base::expected<std::unique_ptr<NodeDriver>, std::string> NodeDriver::start(
    net::EventLoop& loop, base::Rng& rng, std::span<const base::SocketAddress> listen,
    dht::NodeConfig config, OnEvent on_event) {
  std::unique_ptr<NodeDriver> driver(new NodeDriver(loop, std::move(on_event)));
  config.v4 = config.v6 = false;
  for (const auto& address : listen)
    if (auto bound = driver->bind(loop, address, config); !bound)
      return base::unexpected<std::string>(bound.error());
  driver->node_.emplace(std::move(config), rng, net::wall_clock(), net::now());
  return driver;
}

base::expected<void, std::string> NodeDriver::bind(net::EventLoop& loop,
                                                   const base::SocketAddress& address,
                                                   dht::NodeConfig& config) {
  net::UdpOptions options;
  options.max_datagram = dht::Node::kMaxDatagram;
  options.dont_fragment = config.overlay == dht::Overlay::sealed;
  net::UdpHandlers handlers;
  handlers.on_batch = [this, index = sockets_.size()](auto batch) { on_batch(index, batch); };
  handlers.on_drained = [this] { settle(); };
  auto socket = net::UdpSocket::bind(loop.io(), address, options, std::move(handlers));
  if (!socket) return base::unexpected<std::string>(socket.error());
  config.port = socket->local_address().port;
  (address.is_v4() ? config.v4 : config.v6) = true;
  sockets_.push_back(std::move(*socket));
  return {};
}

std::vector<base::SocketAddress> NodeDriver::addresses() const {
  std::vector<base::SocketAddress> addresses;
  for (const auto& socket : sockets_) addresses.push_back(socket.local_address());
  return addresses;
}

void NodeDriver::on_batch(std::size_t index, std::span<const net::Datagram> batch) {
  const base::Instant now = net::now();
  net::UdpSocket& socket = sockets_[index];
  for (const net::Datagram& datagram : batch) {
    const std::size_t size =
        node_->handle_datagram(now, datagram.from, datagram.data, socket.next());
    if (size > 0) socket.commit(datagram.from, size, datagram.local);
    tell_events();
  }
}

void NodeDriver::tell_events() {
  dht::NodeEvent event;
  while (node_->poll_event(event)) on_event_(event);
}

void NodeDriver::settle() {
  const base::Instant now = net::now();
  tell_events();
  // What next() gives belongs to one socket, and the family is known only afterwards.
  std::array<std::uint8_t, dht::Node::kMaxDatagram> datagram;
  base::SocketAddress to;
  while (const std::size_t size = node_->poll_transmit(now, to, datagram)) {
    const auto socket = std::find_if(sockets_.begin(), sockets_.end(), [&](const auto& s) {
      return s.local_address().is_v4() == to.is_v4();
    });
    std::copy_n(datagram.begin(), size, socket->next().begin());
    socket->commit(to, size);
    tell_events();
  }
  tell_events();
  for (auto& socket : sockets_) socket.flush();
  timer_.want(node_->next_timeout());
}

}  // namespace boxgram::tools
