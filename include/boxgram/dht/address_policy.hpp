// Which addresses of other nodes we believe and send to: whoever names an address in a message
// makes us send a datagram there.
#pragma once

#include <cstdint>

#include <boxgram/base/socket_address.hpp>

namespace boxgram::dht {

enum class Family : std::uint8_t { v4, v6 };

inline Family family_of(const base::SocketAddress& address) {
  return address.is_v4() ? Family::v4 : Family::v6;
}

/// Loopback, private networks and link-local: RFC 1918, 3927, 4193, 4291 and, since its clients
/// share one outer address, RFC 6598. BEP 42 binds no id to these.
bool is_local(const base::SocketAddress& address);

enum class AddressPolicy : std::uint8_t {
  internet,   ///< refuses local addresses too: nobody outside may aim us at our own network
  and_local,  ///< for laboratories, and overlays within one network
};

/// True for what no datagram goes to: port 0, unspecified, multicast, broadcast and reserved
/// addresses, IPv6 link-local ones (a message carries no zone) and IPv6 outside 2000::/3 that is
/// not local; under `internet` local addresses as well.
bool is_martian(const base::SocketAddress& address, AddressPolicy policy);

}  // namespace boxgram::dht
