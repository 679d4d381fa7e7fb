// What the DHT parts count, as metrics.
#pragma once

#include <boxgram/dht/front.hpp>
#include <boxgram/gateway/dht_service.hpp>

#include "../metrics.hpp"

namespace boxgram::tools {

void add_dht_service_metrics(MetricFamilies& families, const gateway::DhtService& service);
void add_dht_front_metrics(MetricFamilies& families, const dht::FrontCounters& counters);

}  // namespace boxgram::tools
