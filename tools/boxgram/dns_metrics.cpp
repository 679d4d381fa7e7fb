#include "dns_metrics.hpp"

namespace boxgram::tools {
namespace {

using Counters = dns::ForwarderCounters;

double sum(std::span<const Counters> parts, std::uint64_t Counters::*member) {
  std::uint64_t total = 0;
  for (const Counters& part : parts) total += part.*member;
  return static_cast<double>(total);
}

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

void add_forwarder_metrics(MetricFamilies& families, std::span<const Counters> parts) {
  const auto of = [&](std::uint64_t Counters::*member) { return sum(parts, member); };
  families.push_back(counter("boxgram_dns_queries_total", "Queries that were read.",
                             {{of(&Counters::queries), {}, {}}}));
  families.push_back(counter("boxgram_dns_answers_total", "Answers, by where they came from.",
                             {{of(&Counters::from_zone), "source", "zone"},
                              {of(&Counters::blocked), "source", "block_list"},
                              {of(&Counters::special), "source", "special_name"},
                              {of(&Counters::minimal_any), "source", "minimal_any"},
                              {of(&Counters::cache_hits), "source", "cache"},
                              {of(&Counters::stale_answers), "source", "stale"},
                              {of(&Counters::upstream_answers), "source", "upstream"},
                              {of(&Counters::upstream_failures), "source", "failure"},
                              {of(&Counters::over_capacity), "source", "over_capacity"},
                              {of(&Counters::malformed), "source", "malformed"},
                              {of(&Counters::refused), "source", "refused"}}));
  families.push_back(counter("boxgram_dns_dropped_total",
                             "Messages without an answer: no header, or themselves answers.",
                             {{of(&Counters::dropped), {}, {}}}));
  families.push_back(counter("boxgram_dns_coalesced_total",
                             "Queries that waited for the answer to an identical one.",
                             {{of(&Counters::coalesced), {}, {}}}));
  families.push_back(counter("boxgram_dns_tries_total", "Queries sent upstream, by reason.",
                             {{of(&Counters::tries), "reason", "all"},
                              {of(&Counters::retries), "reason", "retry"},
                              {of(&Counters::hedges), "reason", "hedge"},
                              {of(&Counters::failovers), "reason", "failover"},
                              {of(&Counters::probes), "reason", "probe"}}));
  families.push_back(counter("boxgram_dns_mismatches_total",
                             "Upstream answers that were malformed or not to our question.",
                             {{of(&Counters::mismatches), {}, {}}}));
  families.push_back(counter("boxgram_dns_too_large_total",
                             "Answers that no gateway had a way to carry.",
                             {{of(&Counters::too_large), {}, {}}}));
  families.push_back(counter("boxgram_dns_deferred_total",
                             "Tries that went on over a stream: too large for a datagram.",
                             {{of(&Counters::deferred), {}, {}}}));
}

void add_wait_metrics(MetricFamilies& families, const base::LatencyHistogram& waits) {
  families.push_back(summary("boxgram_dns_wait_seconds",
                             "How long queries waited that were not answered at once.", waits));
}

void add_cache_metrics(MetricFamilies& families, const dns::SharedCache& cache) {
  const auto c = cache.counters();
  families.push_back(
      gauge("boxgram_cache_entries", "Answers held.", {{number(cache.size()), {}, {}}}));
  families.push_back(
      gauge("boxgram_cache_bytes", "Memory that they take.", {{number(cache.bytes()), {}, {}}}));
  families.push_back(counter("boxgram_cache_lookups_total", "Lookups, by result.",
                             {{number(c.hits), "result", "hit"},
                              {number(c.misses), "result", "miss"},
                              {number(c.stale_hits), "result", "stale"},
                              {number(c.failure_hits), "result", "failure"},
                              {number(c.nxdomain_cut_hits), "result", "nxdomain_cut"}}));
  families.push_back(counter("boxgram_cache_removals_total", "Entries removed, by reason.",
                             {{number(c.evictions), "reason", "evicted"},
                              {number(c.expirations), "reason", "expired"},
                              {number(c.flushed), "reason", "flushed"}}));
}

void add_upstream_metrics(MetricFamilies& families, std::string_view label,
                          std::span<const dns::UpstreamState> upstreams) {
  std::vector<Sample> healthy;
  std::vector<Sample> srtt;
  std::vector<Sample> sent;
  std::vector<Sample> answered;
  for (const dns::UpstreamState& u : upstreams) {
    const std::string name(u.name);
    healthy.push_back({u.health == dns::UpstreamState::Health::healthy ? 1.0 : 0.0, label, name});
    srtt.push_back({std::chrono::duration<double>(u.srtt).count(), label, name});
    sent.push_back({number(u.sent), label, name});
    answered.push_back({number(u.answered), label, name});
  }
  const std::string prefix = "boxgram_" + std::string(label);
  families.push_back(gauge(prefix + "_healthy", "1 if it is asked in its turn.", healthy));
  families.push_back(gauge(prefix + "_srtt_seconds", "Smoothed round-trip time.", srtt));
  families.push_back(counter(prefix + "_sent_total", "Tries, duplicates included.", sent));
  families.push_back(counter(prefix + "_answered_total", "Matching answers.", answered));
}

void add_udp_metrics(MetricFamilies& families, const net::UdpCounters& udp,
                     std::uint64_t kernel_drops) {
  families.push_back(counter("boxgram_udp_datagrams_total", "Datagrams, by direction.",
                             {{number(udp.datagrams_in), "direction", "in"},
                              {number(udp.datagrams_out), "direction", "out"}}));
  families.push_back(counter(
      "boxgram_udp_bytes_total", "UDP payload, by direction.",
      {{number(udp.bytes_in), "direction", "in"}, {number(udp.bytes_out), "direction", "out"}}));
  families.push_back(counter("boxgram_udp_system_calls_total", "Batches, by direction.",
                             {{number(udp.receive_calls), "direction", "in"},
                              {number(udp.send_calls), "direction", "out"}}));
  families.push_back(counter("boxgram_udp_lost_total", "Datagrams lost on this machine.",
                             {{number(kernel_drops), "where", "receive_buffer"},
                              {number(udp.dropped_out), "where", "send_buffer"},
                              {number(udp.too_long_in), "where", "too_long"}}));
}

}  // namespace boxgram::tools
