// What a lookup returns in a network of honest nodes: the truly closest, whatever is lost or dead.
#include <cstdio>
#include <ctime>

#include <gtest/gtest.h>

#include "sim/dht_nodes.hpp"

namespace boxgram::sim {
namespace {

struct Recall {
  double share = 0;  ///< of the truly closest eight, over all lookups
  double exact = 0;  ///< lookups that found all eight
  double seconds = 0;
  double asked = 0;
};

Recall measure(DhtNetwork& net, std::size_t lookups) {
  Recall recall;
  for (std::size_t i = 0; i < lookups; ++i) {
    const auto target = dht::NodeId::random(net.world.rng());
    const std::size_t asker = net.random_index();
    const DhtResult result = net.find_node(asker, target);
    EXPECT_TRUE(result.finished);
    const auto truth = net.truly_closest(target, asker);
    const std::size_t found = hits(truth, result.closest);
    recall.share += static_cast<double>(found) / static_cast<double>(truth.size());
    recall.exact += found == truth.size();
    recall.seconds += std::chrono::duration<double>(result.took).count();
    recall.asked += result.end.asked;
  }
  const auto n = static_cast<double>(lookups);
  recall = {recall.share / n, recall.exact / n, recall.seconds / n, recall.asked / n};
  std::printf("%zu nodes: share %.4f, exact %.2f, %.2f s, %.1f asked\n", net.size(), recall.share,
              recall.exact, recall.seconds, recall.asked);
  return recall;
}

struct DhtLookup : testing::Test {
  DhtNetwork& grown() {
    net.grow(sim_nodes(), 100ms, 20min);
    return net;
  }
  void lose(std::uint32_t thousandths) {
    LinkOptions link = DhtOptions{}.link;
    link.loss = thousandths;
    net.world.set_link(link);
  }
  void kill(std::size_t percent) {
    const std::size_t dead = net.size() * percent / 100;
    for (std::size_t i = 0; i < dead; ++i) net.kill(net.random_index());
  }

  DhtNetwork net{11};
};

TEST_F(DhtLookup, FindsExactlyTheClosestNodes) {
  const Recall recall = measure(grown(), 100);
  EXPECT_EQ(recall.exact, 1);
  EXPECT_LT(recall.seconds, 1);
  EXPECT_EQ(net.world.spins(), 0u);
}

// At the moment when so many die, replies name them before those behind them.
TEST_F(DhtLookup, FindsMostOfThemWhenAThirdHasJustDied) {
  grown();
  kill(30);
  const Recall recall = measure(net, 50);
  EXPECT_GE(recall.share, 0.93);
  EXPECT_LT(recall.seconds, 4);
}

TEST_F(DhtLookup, FindsThemTenMinutesAfterAThirdHasDied) {
  grown();
  kill(30);
  net.world.run_for(10min);
  const Recall recall = measure(net, 100);
  EXPECT_GE(recall.share, 0.99);
  EXPECT_LT(recall.seconds, 3);
}

// Four tries leave two in a hundred nodes without an answer.
TEST_F(DhtLookup, FindsThemWhereAFifthOfAllDatagramsIsLost) {
  grown();
  lose(200);
  const Recall recall = measure(net, 100);
  EXPECT_GE(recall.share, 0.97);
}

TEST_F(DhtLookup, FindsThemAmongDeadNodesAndLoss) {
  grown();
  kill(30);
  lose(200);
  net.world.run_for(10min);
  const Recall recall = measure(net, 100);
  EXPECT_GE(recall.share, 0.97);
}

TEST_F(DhtLookup, EveryNodeKnowsItsNeighboursAndTheSizeOfTheNetwork) {
  grown();
  double size = 0;
  std::size_t known = 0, neighbours = 0;
  for (std::size_t i = 0; i < net.size(); ++i) {
    const dht::Node& node = net.host(i).node();
    size += node.network_size(dht::Family::v4);
    EXPECT_EQ(node.id(dht::Family::v4), net.contact(i).id);
    const auto closest = net.truly_closest(net.contact(i).id, i);
    for (const auto& row : node.table(net.world.now())) {
      known += std::ranges::find(closest, row.node.id) != closest.end();
      EXPECT_LE(row.bucket, 159u);
    }
    neighbours += 8;
  }
  EXPECT_GE(static_cast<double>(known) / static_cast<double>(neighbours), 0.99);
  const double truth = static_cast<double>(net.size());
  // The largest networks have grown while these lookups ran.
  EXPECT_NEAR(size / truth, truth, truth * 0.3);
}

TEST(DhtWorld, OverIpv6LookupsAreExactToo) {
  DhtNetwork net(12, {.family = dht::Family::v6});
  net.grow(sim_nodes() / 2, 100ms, 10min);
  EXPECT_EQ(measure(net, 50).exact, 1);
}

TEST(DhtWorld, SameSeedGivesTheSameTrace) {
  const auto history = [](std::uint64_t seed) {
    DhtOptions options;
    options.link.loss = 100;
    options.link.duplicate = 20;
    options.link.bit_flip = 20;
    options.link.truncate = 20;
    DhtNetwork net(seed, options);
    net.grow(60, 50ms, 1min);
    for (int i = 0; i < 30; ++i) {
      net.kill(net.random_index());
      net.add();
      net.world.run_for(1s);
    }
    measure(net, 10);
    return net.world.trace_hash();
  };
  EXPECT_EQ(history(5), history(5));
  EXPECT_NE(history(5), history(6));
}

TEST_F(DhtLookup, AnnouncedPeersAreFound) {
  grown();
  for (int i = 0; i < 10; ++i) {
    const auto infohash = dht::NodeId::random(net.world.rng());
    std::set<SocketAddress> announced;
    for (std::uint16_t k = 0; k < 5; ++k) {
      const std::size_t index = net.random_index();
      const DhtResult result = net.run(index, [&](dht::Node& node, Instant now, std::uint64_t tag) {
        node.announce(now, infohash, tag, {.port = static_cast<std::uint16_t>(2000 + k)});
      });
      EXPECT_GE(result.end.stored, 7u);
      auto peer = net.world.address_of(net.host(index));
      peer.port = static_cast<std::uint16_t>(2000 + k);
      announced.insert(peer);
    }
    const DhtResult found =
        net.run(net.random_index(), [&](dht::Node& node, Instant now, std::uint64_t tag) {
          node.get_peers(now, infohash, tag);
        });
    EXPECT_EQ(found.peers, announced);
  }
}

TEST_F(DhtLookup, NewerVersionOfAMutableItemIsFound) {
  grown();
  const crypto::SigningKey key(crypto::SigningSeed(std::array<std::uint8_t, 32>{3}));
  const auto target = dht::mutable_target(key.verify_key(), base::as_bytes("salt"));
  for (std::int64_t sequence = 1; sequence <= 3; ++sequence) {
    const std::string value = "i" + std::to_string(sequence) + "e";
    dht::Authorship author{key.verify_key(), base::as_bytes("salt"), sequence, {}};
    author.signature = dht::sign_item(key, author.salt, sequence, base::as_bytes(value));
    const DhtResult put =
        net.run(net.random_index(), [&](dht::Node& node, Instant now, std::uint64_t tag) {
          node.put(now, {base::as_bytes(value), author}, tag);
        });
    EXPECT_GE(put.end.stored, 7u);
    const DhtResult got =
        net.run(net.random_index(), [&](dht::Node& node, Instant now, std::uint64_t tag) {
          node.get(now, target, tag, {base::as_bytes("salt"), {}, false});
        });
    EXPECT_EQ(base::as_text(got.value), value);
    EXPECT_EQ(got.sequence, sequence);
  }
  // Somebody who has missed the last two versions is told so by every node.
  dht::Authorship late{key.verify_key(), base::as_bytes("salt"), 2, {}};
  late.signature = dht::sign_item(key, late.salt, 2, base::as_bytes("i9e"));
  const DhtResult refused =
      net.run(net.random_index(), [&](dht::Node& node, Instant now, std::uint64_t tag) {
        node.put(now, {base::as_bytes("i9e"), late}, tag);
      });
  EXPECT_GE(refused.store_errors.size(), 7u);
  for (const std::int64_t error : refused.store_errors) EXPECT_EQ(error, 302);
}

// Prints a figure; no assertion, since the clock is this machine's.
TEST_F(DhtLookup, SpeedOfTheWorld) {
  const auto cpu = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  grown();
  const double before = cpu();
  const std::uint64_t delivered = net.world.delivered();
  net.world.run_for(10min);
  const double took = cpu() - before;
  std::printf("%zu nodes: %.0f times real time, %.2f us for each datagram\n", net.size(),
              600 / took, took * 1e6 / static_cast<double>(net.world.delivered() - delivered));
}

}  // namespace
}  // namespace boxgram::sim
