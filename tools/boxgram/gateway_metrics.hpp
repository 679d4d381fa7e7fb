// What the gateway's workers count, as Prometheus families.
#pragma once

#include <span>

#include <boxgram/gateway/stream_worker.hpp>

#include "gateway_worker.hpp"
#include "metrics.hpp"

namespace boxgram::tools {

/// Sums over the workers. `cache` and `streams` may be null.
MetricFamilies gateway_metrics(std::span<const WorkerSnapshot> workers,
                               const dns::SharedCache* cache, const gateway::StreamWorker* streams);

/// One row for each resolver, summed over the workers that have the same rules.
std::vector<dns::UpstreamState> merged_upstreams(std::span<const WorkerSnapshot> workers);

}  // namespace boxgram::tools
