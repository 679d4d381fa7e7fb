// A DHT node's counters as Prometheus wants them.
#pragma once

#include <boxgram/dht/node.hpp>

#include "../metrics.hpp"

namespace boxgram::tools {

/// Families boxgram_dht_OVERLAY_...: each overlay has tables and peers of its own, and sums over
/// both would say nothing.
void add_dht_metrics(MetricFamilies& families, dht::Overlay overlay, const dht::Node& node);

}  // namespace boxgram::tools
