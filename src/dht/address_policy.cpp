#include <boxgram/dht/address_policy.hpp>

namespace boxgram::dht {
namespace {

bool is_local_v4(const std::uint8_t* ip) {
  return ip[0] == 10 || ip[0] == 127 || (ip[0] == 172 && ip[1] >> 4 == 1) ||
         (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254) ||
         (ip[0] == 100 && ip[1] >> 6 == 1);
}

bool is_link_local_v6(const std::uint8_t* ip) {
  return ip[0] == 0xfe && ip[1] >> 6 == 2;
}

/// 0.0.0.0/8 names no host; from 224 on come multicast, the reserved block and broadcast.
bool is_no_host_v4(const std::uint8_t* ip) {
  return ip[0] == 0 || ip[0] >= 224;
}

bool is_global_v6(const std::uint8_t* ip) {
  return ip[0] >> 5 == 1;
}

}  // namespace

bool is_local(const base::SocketAddress& address) {
  if (address.is_v4()) return is_local_v4(address.ip.data() + 12);
  const std::uint8_t* ip = address.ip.data();
  const bool unique_local = ip[0] >> 1 == 0xfc >> 1;
  return unique_local || is_link_local_v6(ip) || address.is_loopback();
}

bool is_martian(const base::SocketAddress& address, AddressPolicy policy) {
  if (address.port == 0) return true;
  if (is_local(address))
    return policy == AddressPolicy::internet ||
           (!address.is_v4() && is_link_local_v6(address.ip.data()));
  return address.is_v4() ? is_no_host_v4(address.ip.data() + 12) : !is_global_v6(address.ip.data());
}

}  // namespace boxgram::dht
