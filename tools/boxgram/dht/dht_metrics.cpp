#include "dht_metrics.hpp"

namespace boxgram::tools {
namespace {

double of(std::uint64_t count) {
  return static_cast<double>(count);
}

}  // namespace

void add_dht_service_metrics(MetricFamilies& families, const gateway::DhtService& service) {
  const gateway::DhtServiceCounters& c = service.counters();
  families.push_back(counter("boxgram_dht_requests_total", "DHT requests in streams.",
                             {{of(c.requests), {}, {}}}));
  families.push_back(counter("boxgram_dht_responses_total", "What became of them.",
                             {{of(c.responses), "outcome", "response"},
                              {of(c.errors), "outcome", "error"},
                              {of(c.abandoned), "outcome", "abandoned"}}));
  families.push_back(
      counter("boxgram_dht_refused_total", "Errors for want of a place, by whose places.",
              {{of(c.full), "places", "all"}, {of(c.over_share), "places", "session"}}));
  families.push_back(gauge("boxgram_dht_running", "Operations that run for clients.",
                           {{of(service.running()), {}, {}}}));
}

void add_dht_front_metrics(MetricFamilies& families, const dht::FrontCounters& c) {
  families.push_back(
      counter("boxgram_dht_front_queries_total", "Queries of clients.", {{of(c.queries), {}, {}}}));
  families.push_back(
      counter("boxgram_dht_front_replies_total", "Replies to clients, by kind.",
              {{of(c.replies), "kind", "response"}, {of(c.errors), "kind", "error"}}));
  families.push_back(counter("boxgram_dht_front_lookups_total", "How queries were served.",
                             {{of(c.requests), "by", "gateway"},
                              {of(c.cached), "by", "cache"},
                              {of(c.merged), "by", "other_request"},
                              {of(c.late), "by", "impatience"},
                              {of(c.crowded), "by", "want_of_place"}}));
  families.push_back(counter("boxgram_dht_front_failed_total", "Requests that no gateway answered.",
                             {{of(c.failed), {}, {}}}));
  families.push_back(counter("boxgram_dht_front_evicted_total",
                             "Results that gave way to newer ones.", {{of(c.evicted), {}, {}}}));
  families.push_back(counter("boxgram_dht_front_bad_tokens_total", "Writes refused by token.",
                             {{of(c.bad_tokens), {}, {}}}));
  families.push_back(gauge("boxgram_dht_front_peers", "Peers that clients have announced.",
                           {{of(c.peers), {}, {}}}));
  std::vector<Sample> drops;
  for (std::size_t i = 0; i < c.drops.size(); ++i)
    drops.push_back({of(c.drops[i]), "reason", dht::to_string(static_cast<dht::FrontDrop>(i))});
  families.push_back(counter("boxgram_dht_front_drops_total", "Datagrams that changed nothing.",
                             std::move(drops)));
}

}  // namespace boxgram::tools
