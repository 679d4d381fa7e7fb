// What the DHT parts count, as Prometheus wants it.
#pragma once

#include <boxgram/dht/front.hpp>
#include <boxgram/dht/node.hpp>
#include <boxgram/gateway/dht_service.hpp>

#include "../metrics.hpp"

namespace boxgram::tools {

/// Families boxgram_dht_OVERLAY_...: each overlay has tables and peers of its own, and sums over
/// both would say nothing.
void add_dht_metrics(MetricFamilies& families, dht::Overlay overlay, const dht::Node& node);
void add_dht_service_metrics(MetricFamilies& families, const gateway::DhtService& service);
void add_dht_front_metrics(MetricFamilies& families, const dht::FrontCounters& counters);

}  // namespace boxgram::tools
