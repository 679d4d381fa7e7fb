// base::SocketAddress to and from the kernel's form.
#pragma once

#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>

#include <boxgram/base/socket_address.hpp>

namespace boxgram::net {

/// Large enough for IPv4 and IPv6; a sockaddr_storage would be 128 bytes.
union Sockaddr {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Returns the length of the part that is used.
inline socklen_t to_sockaddr(const base::SocketAddress& address, Sockaddr& out) {
  if (address.is_v4()) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::memcpy(&out.v4.sin_addr, address.ip.data() + 12, 4);
    return sizeof out.v4;
  }
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  out.v6.sin6_scope_id = address.scope;
  std::memcpy(&out.v6.sin6_addr, address.ip.data(), 16);
  return sizeof out.v6;
}

inline base::SocketAddress from_v4(const in_addr& ip, std::uint16_t port) {
  const auto* b = reinterpret_cast<const std::uint8_t*>(&ip);
  return base::SocketAddress::v4(b[0], b[1], b[2], b[3], port);
}

inline base::SocketAddress from_v6(const in6_addr& ip, std::uint16_t port, std::uint32_t scope) {
  base::SocketAddress address;
  std::memcpy(address.ip.data(), &ip, 16);
  address.port = port;
  address.scope = scope;
  return address;
}

inline base::SocketAddress from_sockaddr(const Sockaddr& in) {
  return in.any.sa_family == AF_INET
             ? from_v4(in.v4.sin_addr, ntohs(in.v4.sin_port))
             : from_v6(in.v6.sin6_addr, ntohs(in.v6.sin6_port), in.v6.sin6_scope_id);
}

}  // namespace boxgram::net
