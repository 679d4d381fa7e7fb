// boxgram dht node: a node of the sealed overlay, one of Mainline, or both, until SIGTERM.
#include <fmt/format.h>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>

#include "../log.hpp"
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

}  // namespace

int run_dht_node(const DhtNodeOptions& options) {
  log::configure(options.log);
  const base::Instant start = net::now();
  net::EventLoop loop;
  crypto::SystemRng rng;
  DhtNodes nodes(loop, rng, options, nullptr);
  const auto started = nodes.start();
  if (!started) return fail(kFailed, started.error());
  net::Signals signals(
      loop.io(), [&] { nodes.save(); }, [&] { loop.stop(); });
  announce(nodes, start);
  nodes.settle();
  loop.run();
  nodes.save();
  log::info("stopped");
  return kOk;
}

}  // namespace boxgram::tools
