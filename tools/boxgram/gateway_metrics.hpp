// What the gateway's workers count, as Prometheus families.
#pragma once

#include <span>

#include "gateway_worker.hpp"
#include "metrics.hpp"

namespace boxgram::tools {

/// Sums over the workers. `cache` may be null.
MetricFamilies gateway_metrics(std::span<const WorkerSnapshot> workers,
                               const dns::SharedCache* cache);

}  // namespace boxgram::tools
