// boxgram dht node: a node of the sealed overlay, one of Mainline, or both, until SIGTERM.
#include <future>

#include <fmt/format.h>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>

#include "../log.hpp"
#include "dht_metrics.hpp"
#include "nodes.hpp"

namespace boxgram::tools {
namespace {

void announce(const DhtNodes& nodes, base::Instant start) {
  if (const auto stamp = nodes.stamp(); !stamp.empty()) fmt::print("{}\n", stamp);
  for (const auto& line : nodes.describe()) fmt::print("dht: {}\n", line);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(net::now() - start);
  fmt::print("dht: serving, ready after {} ms\n", took.count());
  std::fflush(stdout);
}

/// On the metrics thread; the nodes live on the loop's.
MetricFamilies collect(net::EventLoop& loop, DhtNodes& nodes) {
  auto promise = std::make_shared<std::promise<MetricFamilies>>();
  auto future = promise->get_future();
  loop.post([promise, &nodes] {
    MetricFamilies families;
    for (const auto overlay : {dht::Overlay::sealed, dht::Overlay::mainline})
      if (const dht::Node* node = nodes.node(overlay)) add_dht_metrics(families, overlay, *node);
    promise->set_value(std::move(families));
  });
  if (future.wait_for(std::chrono::seconds(1)) != std::future_status::ready) return {};
  return future.get();
}

}  // namespace

int run_dht_node(const DhtNodeOptions& options) {
  log::configure(options.log);
  const base::Instant start = net::now();
  net::EventLoop loop;
  crypto::SystemRng rng;
  DhtNodes nodes(loop, rng, options, nullptr);
  const auto started = nodes.start();
  if (!started) return fail(kFailed, started.error());
  std::unique_ptr<MetricsServer> metrics;
  if (options.metrics) {
    auto server =
        MetricsServer::start(*options.metrics, [&loop, &nodes] { return collect(loop, nodes); });
    if (!server) return fail(kFailed, server.error());
    metrics = std::move(*server);
  }
  net::Signals signals(
      loop.io(), [&] { nodes.save(); }, [&] { loop.stop(); });
  announce(nodes, start);
  nodes.settle();
  loop.run();
  metrics.reset();
  nodes.save();
  log::info("stopped");
  return kOk;
}

}  // namespace boxgram::tools
