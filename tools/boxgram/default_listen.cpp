#include "default_listen.hpp"

#include <algorithm>

#include <boxgram/net/udp_socket.hpp>

#include "log.hpp"

namespace boxgram::tools {

std::vector<base::SocketAddress> listen_addresses(
    net::EventLoop& loop, const std::vector<base::SocketAddress>& wanted,
    const std::vector<base::SocketAddress>& defaults) {
  if (wanted != defaults) return wanted;
  auto addresses = wanted;
  const auto missing = [&](const base::SocketAddress& address) {
    if (address.is_v4()) return false;
    auto any_port = address;
    any_port.port = 0;  // a port that is taken is another matter, and stays an error
    const auto socket = net::UdpSocket::bind(
        loop.io(), any_port, {}, {[](std::span<const net::Datagram>) {}, nullptr, nullptr});
    if (!socket)
      log::warning("not listening on IPv6: this machine has none", {{"reason", socket.error()}});
    return !socket;
  };
  addresses.erase(std::remove_if(addresses.begin(), addresses.end(), missing), addresses.end());
  return addresses;
}

}  // namespace boxgram::tools
