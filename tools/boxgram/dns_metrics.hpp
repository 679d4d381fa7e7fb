// What dns counts, as Prometheus families: the same for the gateway and the stub.
#pragma once

#include <span>

#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/shared_cache.hpp>
#include <boxgram/net/udp_socket.hpp>

#include "metrics.hpp"

namespace boxgram::tools {

/// Sums over several forwarders.
void add_forwarder_metrics(MetricFamilies& families, std::span<const dns::ForwarderCounters> parts);
/// How long those waited whose answer had to be asked for.
void add_wait_metrics(MetricFamilies& families, const base::LatencyHistogram& waits);
void add_cache_metrics(MetricFamilies& families, const dns::SharedCache& cache);
/// One sample for each upstream, named by `label` ("upstream", "gateway").
void add_upstream_metrics(MetricFamilies& families, std::string_view label,
                          std::span<const dns::UpstreamState> upstreams);
void add_udp_metrics(MetricFamilies& families, const net::UdpCounters& udp,
                     std::uint64_t kernel_drops);

}  // namespace boxgram::tools
