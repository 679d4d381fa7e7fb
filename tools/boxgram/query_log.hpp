// One line for each query, only where the configuration asks for it.
#pragma once

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/socket_address.hpp>

namespace boxgram::tools {

/// Logs name, type and asker of a DNS query; a message that is none is not logged.
void log_query(base::Bytes message, const base::SocketAddress& from);

}  // namespace boxgram::tools
