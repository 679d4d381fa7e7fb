// Nodes that were placed around a target, and nodes that lie about who is near it.
#include <cstdio>

#include <gtest/gtest.h>

#include "sim/dht_attackers.hpp"

namespace boxgram::sim {
namespace {

struct DhtSybil : testing::Test {
  /// So many attackers whose ids share `bits` bits with the target and are random beyond, each in a
  /// network of its own, known to a good part of the honest nodes.
  void surround(const dht::NodeId& target, std::size_t count, unsigned bits) {
    std::vector<dht::Contact> all;
    for (std::size_t i = 0; i < count; ++i) {
      dht::NodeId id = dht::NodeId::random(net.world.rng());
      for (unsigned k = 0; k < bits; ++k) {
        const auto mask = static_cast<std::uint8_t>(0x80 >> k % 8);
        id.bytes[k / 8] =
            static_cast<std::uint8_t>((id.bytes[k / 8] & ~mask) | (target.bytes[k / 8] & mask));
      }
      sybils.push_back(std::make_unique<Sybil>(id, 1000 + i));
      all.push_back({id, net.fresh_address()});
      net.world.add(*sybils.back(), all.back().address);
    }
    for (const auto& sybil : sybils) {
      sybil->set_accomplices(all);
      sybil->set_victims(honest(), net.world.now() + 1s);
      net.world.wake(*sybil);
    }
    net.world.run_for(10min);
  }
  std::vector<SocketAddress> honest() {
    std::vector<SocketAddress> addresses;
    for (std::size_t i = 0; i < net.size(); ++i)
      addresses.push_back(net.world.address_of(net.host(i)));
    return addresses;
  }
  double found(std::string_view value, std::size_t lookups) {
    std::size_t good = 0;
    for (std::size_t i = 0; i < lookups; ++i)
      good +=
          !net.get(net.random_index(), dht::immutable_target(base::as_bytes(value))).value.empty();
    return static_cast<double>(good) / static_cast<double>(lookups);
  }

  DhtNetwork net{31};
  std::vector<std::unique_ptr<Sybil>> sybils;
};

TEST_F(DhtSybil, ValueIsStoredAndFoundBehindThoseThatSurroundIt) {
  net.grow(sim_nodes(), 100ms, 20min);
  const std::string value = "5:value";
  const auto target = dht::immutable_target(base::as_bytes(value));
  surround(target, 16, 24);
  const DhtResult put = net.put(net.random_index(), value);
  std::uint64_t swallowed = 0;
  for (const auto& sybil : sybils) swallowed += sybil->stores_swallowed();
  EXPECT_GE(swallowed, 8u) << "else there was no attack";
  EXPECT_GE(put.end.stored - swallowed, 6u) << "honest nodes, beyond the 8 closest";
  const double share = found(value, 100);
  std::printf("stored on %u, of them %llu made up; found %.2f\n", put.end.stored,
              static_cast<unsigned long long>(swallowed), share);
  EXPECT_GE(share, 0.99);
}

TEST_F(DhtSybil, ThoseWhoComeAfterAPutHideItFromNobody) {
  net.grow(sim_nodes(), 100ms, 20min);
  const std::string value = "5:value";
  net.put(net.random_index(), value);
  surround(dht::immutable_target(base::as_bytes(value)), 16, 24);
  EXPECT_GE(found(value, 100), 0.99);
}

TEST_F(DhtSybil, LookupsElsewhereDoNotNotice) {
  net.grow(sim_nodes(), 100ms, 20min);
  surround(dht::NodeId::random(net.world.rng()), 16, 24);
  for (int i = 0; i < 50; ++i) {
    const auto target = dht::NodeId::random(net.world.rng());
    const std::size_t asker = net.random_index();
    const DhtResult result = net.find_node(asker, target);
    EXPECT_EQ(hits(net.truly_closest(target, asker), result.closest), 8u);
  }
}

TEST_F(DhtSybil, LiarsCostTimeAndNothingElse) {
  net.grow(sim_nodes(), 100ms, 5min);
  std::vector<std::unique_ptr<Liar>> liars;
  for (std::size_t i = 0; i < sim_nodes() / 5; ++i) {
    liars.push_back(std::make_unique<Liar>(dht::NodeId::random(net.world.rng()), 2000 + i));
    net.world.add(*liars.back(), net.fresh_address());
    liars.back()->set_victims(honest(), net.world.now() + 1s);
    net.world.wake(*liars.back());
  }
  net.world.run_for(10min);
  double share = 0, seconds = 0;
  constexpr int kLookups = 50;
  for (int i = 0; i < kLookups; ++i) {
    const auto target = dht::NodeId::random(net.world.rng());
    const std::size_t asker = net.random_index();
    const DhtResult result = net.find_node(asker, target);
    auto truth = net.truly_closest(target, asker, 8);
    // Liars are nodes too: the honest ones among the eight nearest of all are what counts.
    std::vector<dht::NodeId> all = truth;
    for (const auto& liar : liars) all.push_back(liar->id());
    std::ranges::sort(all, [&](const auto& a, const auto& b) { return closer(target, a, b); });
    all.resize(8);
    std::erase_if(truth, [&](const auto& id) { return std::ranges::find(all, id) == all.end(); });
    share += truth.empty() ? 1
                           : static_cast<double>(hits(truth, result.closest)) /
                                 static_cast<double>(truth.size());
    seconds += std::chrono::duration<double>(result.took).count();
  }
  std::printf("%.4f of the honest ones found, in %.2f s\n", share / kLookups, seconds / kLookups);
  EXPECT_GE(share / kLookups, 0.99);
  EXPECT_LT(seconds / kLookups, 10);
}

}  // namespace
}  // namespace boxgram::sim
