#include "gateway_metrics.hpp"

#include "dns_metrics.hpp"

namespace boxgram::tools {
namespace {

double total(std::span<const WorkerSnapshot> workers, auto&& member) {
  double sum = 0;
  for (const WorkerSnapshot& w : workers) sum += static_cast<double>(member(w));
  return sum;
}

void add_transport(MetricFamilies& families, std::span<const WorkerSnapshot> workers) {
  const auto of = [&](std::uint64_t packet::ServerCounters::*member) {
    return total(workers, [&](const WorkerSnapshot& w) { return w.server.*member; });
  };
  using C = packet::ServerCounters;
  families.push_back(
      counter("boxgram_packet_accepted_total", "Authentic datagrams, by type.",
              {{of(&C::initials), "type", "initial"}, {of(&C::shorts), "type", "short"}}));
  families.push_back(counter("boxgram_packet_sent_total", "Datagrams sent, by type.",
                             {{of(&C::msgs), "type", "msg"},
                              {of(&C::retries), "type", "retry"},
                              {of(&C::resets), "type", "reset"},
                              {of(&C::keys), "type", "keys"}}));
  families.push_back(
      counter("boxgram_packet_errors_total", "Sealed ERROR frames.", {{of(&C::errors), {}, {}}}));
  families.push_back(counter("boxgram_packet_scalar_mults_total", "X25519 multiplications.",
                             {{of(&C::scalar_mults), {}, {}}}));
  families.push_back(counter("boxgram_packet_associations_ended_total",
                             "Associations that ended, by reason.",
                             {{of(&C::associations_expired), "reason", "expired"},
                              {of(&C::associations_evicted), "reason", "evicted"},
                              {of(&C::associations_retired), "reason", "key_retired"}}));
  std::vector<Sample> drops;
  for (std::size_t i = 0; i < static_cast<std::size_t>(packet::Drop::count_); ++i)
    drops.push_back({total(workers, [&](const WorkerSnapshot& w) { return w.server.drops[i]; }),
                     "reason", packet::to_string(static_cast<packet::Drop>(i))});
  families.push_back(
      counter("boxgram_packet_dropped_total", "Datagrams without an answer, by reason.", drops));
}

void add_streams(MetricFamilies& families, const gateway::StreamWorker& worker) {
  const stream::Server& server = worker.server();
  const stream::ServerCounters& c = server.counters();
  const auto of = [](std::uint64_t value) { return static_cast<double>(value); };
  families.push_back(gauge("boxgram_stream_connections", "TCP connections, by state.",
                           {{of(server.half_open()), "state", "half_open"},
                            {of(server.sessions()), "state", "session"}}));
  families.push_back(counter("boxgram_stream_accepted_total", "TCP connections, by what became.",
                             {{of(c.accepted), "result", "accepted"},
                              {of(c.refused_total), "result", "refused_all"},
                              {of(c.refused_per_prefix), "result", "refused_network"}}));
  std::vector<Sample> failed;
  for (std::size_t i = 0; i < c.handshakes_failed.size(); ++i)
    failed.push_back({of(c.handshakes_failed[i]), "reason",
                      stream::to_string(static_cast<stream::HandshakeError>(i))});
  families.push_back(counter("boxgram_stream_handshakes_failed_total",
                             "Connections that became no session, by reason.", failed));
  std::vector<Sample> ended;
  for (std::size_t i = 0; i < c.sessions_ended.size(); ++i)
    ended.push_back(
        {of(c.sessions_ended[i]), "reason", stream::to_string(static_cast<stream::SessionEnd>(i))});
  families.push_back(counter("boxgram_stream_sessions_total", "Sessions that became ready.",
                             {{of(c.sessions), {}, {}}}));
  families.push_back(
      counter("boxgram_stream_sessions_ended_total", "Sessions that ended, by reason.", ended));
  families.push_back(
      counter("boxgram_stream_requests_total", "Requests in streams.", {{of(c.requests), {}, {}}}));
  families.push_back(
      counter("boxgram_stream_bytes_total", "Bytes of TCP connections, by direction.",
              {{of(c.bytes_in), "direction", "in"}, {of(c.bytes_out), "direction", "out"}}));
  families.push_back(counter("boxgram_stream_not_allowed_total",
                             "Requests for a service that the session has no right to.",
                             {{of(worker.counters().not_allowed), {}, {}}}));
}

}  // namespace

std::vector<dns::UpstreamState> merged_upstreams(std::span<const WorkerSnapshot> workers) {
  if (workers.empty()) return {};
  auto merged = workers.front().upstreams;
  for (const WorkerSnapshot& worker : workers.subspan(1)) {
    if (worker.rules != workers.front().rules) continue;  // in the middle of a reload
    for (std::size_t i = 0; i < merged.size(); ++i) {
      merged[i].sent += worker.upstreams[i].sent;
      merged[i].answered += worker.upstreams[i].answered;
      merged[i].silent += worker.upstreams[i].silent;
      merged[i].failed += worker.upstreams[i].failed;
      merged[i].poor += worker.upstreams[i].poor;
    }
  }
  return merged;
}

MetricFamilies gateway_metrics(std::span<const WorkerSnapshot> workers,
                               const dns::SharedCache* cache,
                               const gateway::StreamWorker* streams) {
  MetricFamilies families;
  add_transport(families, workers);
  families.push_back(
      gauge("boxgram_packet_associations", "Associations held.",
            {{total(workers, [](const WorkerSnapshot& w) { return w.associations; }), {}, {}}}));
  families.push_back(
      gauge("boxgram_gateway_pending", "Requests that wait for an upstream.",
            {{total(workers, [](const WorkerSnapshot& w) { return w.pending; }), {}, {}}}));
  families.push_back(counter(
      "boxgram_gateway_refused_total", "Requests refused for want of a place, by whose places.",
      {{total(workers, [](const WorkerSnapshot& w) { return w.worker.full; }), "places", "all"},
       {total(workers, [](const WorkerSnapshot& w) { return w.worker.over_share; }), "places",
        "network"}}));
  families.push_back(counter(
      "boxgram_gateway_handed_over_total", "Datagrams that the kernel gave to the wrong worker.",
      {{total(workers, [](const WorkerSnapshot& w) { return w.handed_over; }), "result", "moved"},
       {total(workers, [](const WorkerSnapshot& w) { return w.handover_drops; }), "result",
        "dropped"}}));
  std::vector<dns::ForwarderCounters> forwarders;
  net::UdpCounters udp;
  std::uint64_t kernel_drops = 0;
  base::LatencyHistogram waits;
  for (const WorkerSnapshot& worker : workers) {
    forwarders.push_back(worker.forwarder);
    waits.add(worker.waits);
    net::add(udp, worker.udp);
    kernel_drops += worker.kernel_drops;
  }
  add_forwarder_metrics(families, forwarders);
  add_wait_metrics(families, waits);
  add_upstream_metrics(families, "upstream", merged_upstreams(workers));
  add_udp_metrics(families, udp, kernel_drops);
  if (cache != nullptr) add_cache_metrics(families, *cache);
  if (streams != nullptr) add_streams(families, *streams);
  return families;
}

}  // namespace boxgram::tools
