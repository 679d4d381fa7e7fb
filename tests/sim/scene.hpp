// One gateway, some clients and the checkers: what every packet scenario begins with.
#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "sim/checkers.hpp"
#include "sim/packet_nodes.hpp"

namespace boxgram::sim {

inline const SocketAddress kGateway = SocketAddress::v4(192, 0, 2, 1, 5443);

inline SocketAddress client_address(std::uint8_t index, std::uint16_t port = 40000) {
  return SocketAddress::v4(192, 0, 2, static_cast<std::uint8_t>(10 + index), port);
}

class Scene {
 public:
  explicit Scene(std::uint64_t world_seed, const LinkOptions& link = {},
                 const GatewayOptions& gateway_options = {})
      : seed(world_seed),
        options(gateway_options),
        world(world_seed, link),
        gateway(world, gateway_options, world_seed * 1000 + 1),
        nonces(gateway) {
    world.add(gateway, kGateway);
    world.add(nonces);
  }

  /// Lets the 5 s go by in which a fresh gateway asks everybody for a cookie.
  Scene& settle() {
    world.run_for(6s);
    return *this;
  }

  ClientNode& add_client(std::int64_t clock_error_ms = 0) {
    return add_client(gateway.client_config(), clock_error_ms);
  }

  ClientNode& add_client(const packet::ClientConfig& config, std::int64_t clock_error_ms = 0) {
    const auto index = static_cast<std::uint8_t>(clients.size());
    capacity = config.capacity;
    clients.push_back(std::make_unique<ClientNode>(world, kGateway, config,
                                                   seed * 1000 + 10 + index, clock_error_ms));
    world.add(*clients.back(), client_address(index));
    return *clients.back();
  }

  /// Asks once, waits until it has ended, and gives what became of it.
  ClientNode::Outcome ask_and_wait(ClientNode& client, std::size_t answer_size = 100) {
    client.ask(world, answer_size);
    world.run_for(3s);
    return client.outcomes().rbegin()->second;
  }

  /// Requests at random times with answers of random sizes, spread over `duration`.
  void plan_traffic(std::size_t requests_each, Duration duration, std::size_t max_answer = 1172) {
    for (const auto& client : clients) {
      for (std::size_t i = 0; i < requests_each; ++i) {
        const auto when = static_cast<Duration::rep>(
            world.rng().below(static_cast<std::uint64_t>(duration.count())));
        const std::size_t answer =
            world.rng().below(4) == 0 ? world.rng().below(max_answer) : world.rng().below(180);
        const std::size_t request = world.rng().below(20) == 0 ? 600 : 40;
        world.after(Duration(when), [this, &client = *client, answer, request] {
          client.ask(world, answer, request);
        });
      }
    }
  }

  /// Runs until all requests have ended, then looks at everything.
  void finish(Duration traffic) {
    world.run_for(traffic + 3s);
    std::vector<const ClientNode*> all;
    for (const auto& client : clients) all.push_back(client.get());
    check_invariants(world, gateway, nonces, all, options, capacity);
  }

  std::uint64_t seed;
  GatewayOptions options;
  World world;
  GatewayNode gateway;
  NonceChecker nonces;
  std::vector<std::unique_ptr<ClientNode>> clients;
  std::size_t capacity = 0;
};

/// Runs f for each seed with the seed in every failure message. BOXGRAM_SIM_FACTOR multiplies the
/// number of seeds, for a long search.
template <class F>
void for_seeds(std::uint64_t first, std::uint64_t count, F&& f) {
  if (const char* factor = std::getenv("BOXGRAM_SIM_FACTOR"))
    count *= std::strtoull(factor, nullptr, 10);
  std::printf("seeds %llu..%llu\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1));
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    f(seed);
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace boxgram::sim
