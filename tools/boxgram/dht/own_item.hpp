// The item that a put stores, as its options describe it.
#pragma once

#include "options.hpp"
#include "report.hpp"

namespace boxgram::tools {

/// Signed if it is a mutable one; says in the report where it will be found. Views of `options`.
dht::Item own_item(const DhtOperationOptions& options, std::int64_t sequence, Report& report);

}  // namespace boxgram::tools
