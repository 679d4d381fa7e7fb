// The resolvers that the system uses: resolv.conf's nameserver lines.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>

namespace boxgram::net {

struct SystemResolvers {
  std::vector<base::SocketAddress> servers;  ///< in the file's order, each once, port 53
  std::vector<std::string> ignored;          ///< nameserver lines that cannot be used, for a log
};

/// Reads resolv.conf(5) text. `own` are addresses that we listen on: a resolver that is one of them
/// would be asking ourselves in a circle, so it is ignored. An own unspecified address stands for
/// every loopback address of its port.
SystemResolvers parse_resolv_conf(std::string_view text,
                                  std::span<const base::SocketAddress> own = {});

/// The same from a file, 64 KiB at most. The error is a phrase for people.
base::expected<SystemResolvers, std::string> system_resolvers(
    std::span<const base::SocketAddress> own = {}, const char* path = "/etc/resolv.conf");

}  // namespace boxgram::net
