#include "stamp_address.hpp"

#include <algorithm>
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace boxgram::tools {
namespace {

/// Connecting a datagram socket only looks a route up; its local end is the address we would use.
/// The peer is a documentation address (RFC 5737, RFC 3849) that nobody owns.
bool own_address(int family, base::SocketAddress& own) {
  sockaddr_storage peer{};
  socklen_t size = 0;
  if (family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&peer);
    v4->sin_addr.s_addr = htonl(0xc000'0201);
    v4->sin_port = htons(9);
    size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&peer);
    const std::uint8_t documentation[] = {0x20, 0x01, 0x0d, 0xb8};
    std::memcpy(&v6->sin6_addr, documentation, sizeof documentation);
    v6->sin6_port = htons(9);
    size = sizeof *v6;
  }
  peer.ss_family = static_cast<sa_family_t>(family);
  const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_storage local{};
  socklen_t local_size = sizeof local;
  const bool found = connect(fd, reinterpret_cast<sockaddr*>(&peer), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_size) == 0;
  close(fd);
  if (!found) return false;
  if (family == AF_INET) {
    std::uint8_t b[4];
    std::memcpy(b, &reinterpret_cast<sockaddr_in*>(&local)->sin_addr, sizeof b);
    own = base::SocketAddress::v4(b[0], b[1], b[2], b[3], own.port);
  } else {
    std::memcpy(own.ip.data(), &reinterpret_cast<sockaddr_in6*>(&local)->sin6_addr, own.ip.size());
  }
  return true;
}

}  // namespace

base::SocketAddress stamp_address(const config::GatewayConfig& config) {
  return config.advertise ? *config.advertise : reachable_address(config.listen);
}

base::SocketAddress reachable_address(std::span<const base::SocketAddress> listen) {
  const auto named =
      std::find_if(listen.begin(), listen.end(), [](const auto& a) { return !a.is_unspecified(); });
  if (named != listen.end()) return *named;
  auto own = base::SocketAddress::v4(127, 0, 0, 1, listen.front().port);
  if (!own_address(AF_INET, own)) own_address(AF_INET6, own);
  return own;
}

}  // namespace boxgram::tools
