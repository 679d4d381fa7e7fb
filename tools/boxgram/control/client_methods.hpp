// clients.list, clients.add, clients.remove: docs/control.md.
#pragma once

#include <boxgram/control/json_rpc.hpp>

#include "client_file.hpp"

namespace boxgram::tools {

control::Result list_clients(const control::AllowList& list, const control::Json& params);
control::Result add_client(ClientFile& file, const control::Json& params);
control::Result remove_client(ClientFile& file, const control::Json& params);

}  // namespace boxgram::tools
