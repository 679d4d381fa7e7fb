// The whole program under load: gateway and stub as processes of their own on loopback.
#pragma once

#include <string>

#include <boxgram/base/expected.hpp>

#include "../commands.hpp"
#include "report.hpp"

namespace boxgram::tools::bench {

/// The error is a phrase for people.
base::expected<void, std::string> measure_load(Report& report, const BenchOptions& options);

}  // namespace boxgram::tools::bench
