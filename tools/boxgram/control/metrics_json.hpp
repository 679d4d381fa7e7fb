// What Prometheus gets, as one JSON object: so the two can never differ.
#pragma once

#include <boxgram/control/json_rpc.hpp>

#include "boxgram/metrics.hpp"

namespace boxgram::tools {

/// A member for each family, named without "boxgram_" and "_total": a number, or an object by the
/// label's value; a summary has its quantiles, "count" and "sum".
control::Json metrics_json(const MetricFamilies& families);

}  // namespace boxgram::tools
