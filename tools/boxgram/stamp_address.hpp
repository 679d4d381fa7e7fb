// The address that a gateway's stamp names.
#pragma once

#include <span>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/config/gateway_config.hpp>

namespace boxgram::tools {

/// What the configuration advertises; else the first listening address that names an interface;
/// else this machine's own address (as its routes would choose it, nothing is sent) with the port
/// of the first listening address.
base::SocketAddress stamp_address(const config::GatewayConfig& config);

/// The same for whoever listens on these and advertises nothing. REQUIRES: !listen.empty().
base::SocketAddress reachable_address(std::span<const base::SocketAddress> listen);

}  // namespace boxgram::tools
