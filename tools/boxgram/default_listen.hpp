// The default addresses on a machine that has no IPv6.
#pragma once

#include <vector>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::tools {

/// `wanted` as it is if somebody asked for it. The defaults lose their IPv6 address, with a
/// warning, where the machine cannot give one: nobody should have to configure that away.
std::vector<base::SocketAddress> listen_addresses(net::EventLoop& loop,
                                                  const std::vector<base::SocketAddress>& wanted,
                                                  const std::vector<base::SocketAddress>& defaults);

}  // namespace boxgram::tools
