// The unit in which buckets, lookups, budgets and votes count addresses.
#pragma once

#include <cstdint>

#include <boxgram/base/socket_address.hpp>

namespace boxgram::dht {

/// The first 24 bits of an IPv4 address or 64 of an IPv6 one: what one party usually holds as a
/// whole. The top of a v4-mapped address is zero, which no IPv6 address that can be a node begins
/// with, so the two kinds do not meet.
using Network = std::uint64_t;

inline Network network_of(const base::SocketAddress& address) {
  return address.is_v4() ? base::load_be32(address.ip.data() + 12) >> 8
                         : base::load_be64(address.ip.data());
}

}  // namespace boxgram::dht
