#include "dht_metrics.hpp"

#include <fmt/format.h>

namespace boxgram::tools {
namespace {

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

void add_dht_metrics(MetricFamilies& families, dht::Overlay overlay, const dht::Node& node) {
  const dht::NodeCounters c = node.counters();
  const auto name = [&](const char* what) {
    return fmt::format("boxgram_dht_{}_{}", overlay == dht::Overlay::sealed ? "sealed" : "mainline",
                       what);
  };
  const auto count = [&](const char* what, const char* help, std::vector<Sample> samples) {
    families.push_back(counter(name(what), help, std::move(samples)));
  };
  const auto level = [&](const char* what, const char* help, std::vector<Sample> samples) {
    families.push_back(gauge(name(what), help, std::move(samples)));
  };
  level("nodes", "Nodes in the routing table.",
        {{number(node.table_size(dht::Family::v4)), "family", "v4"},
         {number(node.table_size(dht::Family::v6)), "family", "v6"}});
  level("network_nodes", "Estimated size of the network.",
        {{node.network_size(dht::Family::v4), "family", "v4"},
         {node.network_size(dht::Family::v6), "family", "v6"}});
  level("stored", "What is kept for others.",
        {{number(c.peers_stored), "kind", "peers"}, {number(c.items_stored), "kind", "items"}});
  count("queries_total", "Queries of others.", {{number(c.queries), {}, {}}});
  count("replies_total", "What they were answered.",
        {{number(c.replies), "kind", "response"}, {number(c.errors), "kind", "error"}});
  count("unproven_bytes_total", "Bytes sent to addresses that had proven nothing.",
        {{number(c.bytes_to_unproven), {}, {}}});
  count("requests_total", "Our own queries.",
        {{number(c.requests), "kind", "first"}, {number(c.retries), "kind", "again"}});
  count("outcomes_total", "How they ended.",
        {{number(c.answers), "outcome", "answered"},
         {number(c.refusals), "outcome", "refused"},
         {number(c.unanswered), "outcome", "timed_out"}});
  count("admissions_total", "Nodes that answered, and the table.",
        {{number(c.admitted), "outcome", "admitted"}, {number(c.refused), "outcome", "refused"}});
  count("hints_total", "Nodes heard of and queued for a ping.",
        {{number(c.hints), "outcome", "queued"}, {number(c.hints_dropped), "outcome", "dropped"}});
  count("operations_total", "Lookups, pings and stores.",
        {{number(c.operations), "outcome", "started"}, {number(c.full), "outcome", "refused"}});
  count("bad_tokens_total", "Announces and puts with a wrong token.",
        {{number(c.bad_tokens), {}, {}}});
  std::vector<Sample> drops;
  for (std::size_t i = 0; i < c.drops.size(); ++i)
    drops.push_back({number(c.drops[i]), "reason", to_string(static_cast<dht::NodeDrop>(i))});
  count("dropped_total", "Datagrams that changed nothing, by reason.", std::move(drops));
}

void add_dht_service_metrics(MetricFamilies& families, const gateway::DhtService& service) {
  const gateway::DhtServiceCounters& c = service.counters();
  families.push_back(counter("boxgram_dht_requests_total", "DHT requests in streams.",
                             {{number(c.requests), {}, {}}}));
  families.push_back(counter("boxgram_dht_responses_total", "What became of them.",
                             {{number(c.responses), "outcome", "response"},
                              {number(c.errors), "outcome", "error"},
                              {number(c.abandoned), "outcome", "abandoned"}}));
  families.push_back(
      counter("boxgram_dht_refused_total", "Errors for want of a place, by whose places.",
              {{number(c.full), "places", "all"}, {number(c.over_share), "places", "session"}}));
  families.push_back(gauge("boxgram_dht_running", "Operations that run for clients.",
                           {{number(service.running()), {}, {}}}));
}

void add_dht_front_metrics(MetricFamilies& families, const dht::FrontCounters& c) {
  families.push_back(counter("boxgram_dht_front_queries_total", "Queries of clients.",
                             {{number(c.queries), {}, {}}}));
  families.push_back(
      counter("boxgram_dht_front_replies_total", "Replies to clients, by kind.",
              {{number(c.replies), "kind", "response"}, {number(c.errors), "kind", "error"}}));
  families.push_back(counter("boxgram_dht_front_lookups_total", "How queries were served.",
                             {{number(c.requests), "by", "gateway"},
                              {number(c.cached), "by", "cache"},
                              {number(c.merged), "by", "other_request"},
                              {number(c.late), "by", "impatience"},
                              {number(c.crowded), "by", "want_of_place"}}));
  families.push_back(counter("boxgram_dht_front_failed_total", "Requests that no gateway answered.",
                             {{number(c.failed), {}, {}}}));
  families.push_back(counter("boxgram_dht_front_evicted_total",
                             "Results that gave way to newer ones.",
                             {{number(c.evicted), {}, {}}}));
  families.push_back(counter("boxgram_dht_front_bad_tokens_total", "Writes refused by token.",
                             {{number(c.bad_tokens), {}, {}}}));
  families.push_back(gauge("boxgram_dht_front_peers", "Peers that clients have announced.",
                           {{number(c.peers), {}, {}}}));
  std::vector<Sample> drops;
  for (std::size_t i = 0; i < c.drops.size(); ++i)
    drops.push_back({number(c.drops[i]), "reason", dht::to_string(static_cast<dht::FrontDrop>(i))});
  families.push_back(counter("boxgram_dht_front_drops_total", "Datagrams that changed nothing.",
                             std::move(drops)));
}

}  // namespace boxgram::tools
