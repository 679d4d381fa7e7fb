#include "dht/routing_table.hpp"

#include <map>

#include <gtest/gtest.h>

#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::Admission;
using dht::NodeId;
using dht::RemoteNode;
using dht::RoutingTable;

constexpr base::Instant kNow = base::Instant{} + 1000h;

/// An address in a network of its own for each index.
SocketAddress address(unsigned index, std::uint16_t port = 6881) {
  return SocketAddress::v4(static_cast<std::uint8_t>(20 + index / 65536),
                           static_cast<std::uint8_t>(index / 256), static_cast<std::uint8_t>(index),
                           1, port);
}

struct RoutingTableTest : testing::Test {
  /// A random id that shares exactly `bits` bits with ours.
  NodeId sharing(unsigned bits) {
    NodeId id = NodeId::random(rng);
    for (unsigned i = 0; i <= bits; ++i) {
      const auto mask = static_cast<std::uint8_t>(0x80 >> i % 8);
      const auto ours = static_cast<std::uint8_t>(self.bytes[i / 8] & mask);
      const auto want = static_cast<std::uint8_t>(i == bits ? ours ^ mask : ours);
      id.bytes[i / 8] = static_cast<std::uint8_t>((id.bytes[i / 8] & ~mask) | want);
    }
    return id;
  }
  RemoteNode node(unsigned bits) { return {sharing(bits), address(++last_address), {}}; }
  void fill(unsigned bits) {
    while (table.answered(kNow, node(bits)) == Admission::entered) {
    }
  }
  std::vector<NodeId> closest(const NodeId& target, std::size_t k = 8) {
    std::vector<const RoutingTable::Entry*> out(k);
    out.resize(table.closest(target, out));
    std::vector<NodeId> ids;
    for (const auto* entry : out) ids.push_back(entry->node.id);
    return ids;
  }

  SeededRng rng{1};
  NodeId self = NodeId::random(rng);
  RoutingTable table{self};
  unsigned last_address = 0;
};

TEST_F(RoutingTableTest, FirstFourBucketsAreExtended) {
  for (unsigned bits = 0; bits < 8; ++bits) fill(bits);
  std::map<std::size_t, std::size_t> held;
  table.for_each([&](std::size_t bucket, const auto&) { ++held[bucket]; });
  EXPECT_EQ(held, (std::map<std::size_t, std::size_t>{
                      {0, 128}, {1, 64}, {2, 32}, {3, 16}, {4, 8}, {5, 8}, {6, 8}, {7, 8}}));
  EXPECT_EQ(table.size(), 272u);
}

TEST_F(RoutingTableTest, KeepsEightSparesForAFullBucket) {
  fill(5);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(table.answered(kNow, node(5)), Admission::spare);
  EXPECT_EQ(table.size(), 8u);
  EXPECT_EQ(table.spares(), 8u);
}

TEST_F(RoutingTableTest, LatestSpareTakesTheBadNodesPlace) {
  const RemoteNode dead = node(5);
  table.answered(kNow, dead);
  fill(5);
  table.answered(kNow, node(5));
  const RemoteNode latest = node(5);
  ASSERT_EQ(table.answered(kNow, latest), Admission::spare);
  EXPECT_FALSE(table.failed(dead.id, dead.address)) << "one loss says little";
  EXPECT_TRUE(table.failed(dead.id, dead.address));
  EXPECT_EQ(table.find(dead.id, dead.address), nullptr);
  EXPECT_NE(table.find(latest.id, latest.address), nullptr);
  EXPECT_EQ(table.size(), 8u);
}

TEST_F(RoutingTableTest, WithoutASpareABadNodeGoesAfterFourFailures) {
  const RemoteNode dead = node(5);
  table.answered(kNow, dead);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(table.failed(dead.id, dead.address));
  EXPECT_TRUE(table.failed(dead.id, dead.address));
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(RoutingTableTest, BadNodeGivesWayToANewOne) {
  const RemoteNode dead = node(5);
  table.answered(kNow, dead);
  while (table.size() < 8) table.answered(kNow, node(5));
  table.failed(dead.id, dead.address);
  table.failed(dead.id, dead.address);
  EXPECT_EQ(table.answered(kNow, node(5)), Admission::replaced);
  EXPECT_EQ(table.find(dead.id, dead.address), nullptr);
}

TEST_F(RoutingTableTest, AnAnswerForgivesFailures) {
  const RemoteNode slow = node(5);
  table.answered(kNow, slow);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(table.failed(slow.id, slow.address));
    EXPECT_EQ(table.answered(kNow, slow), Admission::known);
  }
}

TEST_F(RoutingTableTest, RefusesOurOwnId) {
  EXPECT_EQ(table.answered(kNow, {self, address(1), {}}), Admission::own_id);
  EXPECT_FALSE(table.wants({self, address(1), {}}));
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(RoutingTableTest, HoldsOneNodeForAnIpAddress) {
  const NodeId first = sharing(0), second = sharing(7);
  EXPECT_EQ(table.answered(kNow, {first, address(1, 1000), {}}), Admission::entered);
  EXPECT_EQ(table.answered(kNow, {second, address(1, 2000), {}}), Admission::same_address);
  EXPECT_FALSE(table.wants({second, address(1, 2000), {}}));
}

TEST_F(RoutingTableTest, HoldsOneNodeOfANetworkInABucket) {
  const auto host = [](std::uint8_t last) { return SocketAddress::v4(20, 1, 1, last, 6881); };
  EXPECT_EQ(table.answered(kNow, {sharing(3), host(1), {}}), Admission::entered);
  EXPECT_EQ(table.answered(kNow, {sharing(3), host(2), {}}), Admission::same_network);
  EXPECT_EQ(table.answered(kNow, {sharing(4), host(3), {}}), Admission::entered) << "other bucket";
  const auto v6 = [](const char* text) { return base::parse_socket_address(text, 1).value(); };
  RoutingTable table6(self);
  EXPECT_EQ(table6.answered(kNow, {sharing(3), v6("2a00:1:2:3::1"), {}}), Admission::entered);
  EXPECT_EQ(table6.answered(kNow, {sharing(3), v6("2a00:1:2:3:9::1"), {}}),
            Admission::same_network);
  EXPECT_EQ(table6.answered(kNow, {sharing(3), v6("2a00:1:2:4::1"), {}}), Admission::entered);
}

TEST_F(RoutingTableTest, SparesAreOfDifferentNetworksToo) {
  fill(5);
  for (std::uint8_t i = 0; i < 8; ++i)
    table.answered(kNow, {sharing(5), SocketAddress::v4(77, 1, 1, i, 6881), {}});
  EXPECT_LE(table.spares(), 2u) << "the one that ended the filling, and one of 77.1.1.0/24";
}

TEST_F(RoutingTableTest, LocalNodesMayShareAnAddress) {
  const auto local = [](std::uint16_t port) { return SocketAddress::v4(127, 0, 0, 1, port); };
  EXPECT_EQ(table.answered(kNow, {sharing(0), local(1), {}}), Admission::entered);
  EXPECT_EQ(table.answered(kNow, {sharing(0), local(2), {}}), Admission::entered);
}

TEST_F(RoutingTableTest, ANewIdAtAnEndpointReplacesTheOldOne) {
  const RemoteNode before = node(2);
  RemoteNode after = before;
  after.id = sharing(6);
  table.answered(kNow, before);
  EXPECT_EQ(table.answered(kNow, after), Admission::entered);
  EXPECT_EQ(table.find(before.id, before.address), nullptr);
  EXPECT_EQ(table.size(), 1u);
}

TEST_F(RoutingTableTest, AnIdThatAnswersCannotBeTakenFromElsewhere) {
  const RemoteNode honest = node(2);
  RemoteNode thief = honest;
  thief.address = address(900);
  table.answered(kNow, honest);
  EXPECT_EQ(table.answered(kNow, thief), Admission::id_taken);
  EXPECT_NE(table.find(honest.id, honest.address), nullptr);
}

TEST_F(RoutingTableTest, ANodeThatMovedIsTakenOnceItsOldAddressIsBad) {
  const RemoteNode before = node(2);
  RemoteNode moved = before;
  moved.address = address(900);
  table.answered(kNow, before);
  EXPECT_EQ(table.answered(kNow, moved), Admission::id_taken);
  const auto* next = table.take_stalest(kNow, 60s);
  ASSERT_NE(next, nullptr) << "the old address is checked at once";
  EXPECT_EQ(next->node, before);
  table.failed(before.id, before.address);
  table.failed(before.id, before.address);
  EXPECT_EQ(table.answered(kNow, moved), Admission::entered);
  EXPECT_EQ(table.find(before.id, before.address), nullptr);
}

TEST_F(RoutingTableTest, ClosestAreTheTrueOnes) {
  std::vector<NodeId> all;
  for (unsigned bits = 0; bits < 12; ++bits) fill(bits);
  table.for_each([&](std::size_t, const auto& entry) { all.push_back(entry.node.id); });
  for (int i = 0; i < 2000; ++i) {
    const NodeId target = i % 2 == 0
                              ? NodeId::random(rng)
                              : sharing(static_cast<unsigned>(rng.below(i % 4 == 1 ? 14 : 159)));
    const std::size_t k = 1 + rng.below(20);
    std::ranges::sort(all, [&](const auto& a, const auto& b) { return closer(target, a, b); });
    EXPECT_EQ(closest(target, k), std::vector(all.begin(), all.begin() + static_cast<int>(k)));
  }
  std::ranges::sort(all, [&](const auto& a, const auto& b) { return closer(self, a, b); });
  EXPECT_EQ(closest(self, 32), std::vector(all.begin(), all.begin() + 32));
  EXPECT_EQ(closest(self), std::vector(all.begin(), all.begin() + 8));
}

TEST_F(RoutingTableTest, ClosestLeavesOutTheAskerAndNodesThatFail) {
  const RemoteNode asker = node(1), failing = node(1), good = node(1);
  for (const RemoteNode& each : {asker, failing, good}) table.answered(kNow, each);
  table.failed(failing.id, failing.address);
  std::array<const RoutingTable::Entry*, 8> out;
  ASSERT_EQ(table.closest(asker.id, out, asker.address), 1u);
  EXPECT_EQ(out[0]->node, good);
}

TEST_F(RoutingTableTest, GoodTurnsQuestionableAfterFifteenMinutes) {
  const RemoteNode peer = node(1);
  table.answered(kNow, peer);
  const auto* entry = table.find(peer.id, peer.address);
  EXPECT_TRUE(entry->good(kNow + 15min - 1ns));
  EXPECT_FALSE(entry->good(kNow + 15min));
  table.queried(kNow + 15min, peer.id, peer.address);
  EXPECT_TRUE(entry->good(kNow + 29min));
}

TEST_F(RoutingTableTest, AQueryFromElsewhereKeepsNobodyGood) {
  const RemoteNode peer = node(1);
  table.answered(kNow, peer);
  table.queried(kNow + 10min, peer.id, address(900));
  EXPECT_FALSE(table.find(peer.id, peer.address)->good(kNow + 15min));
}

TEST_F(RoutingTableTest, AQueryMakesNoFailingNodeGood) {
  const RemoteNode peer = node(1);
  table.answered(kNow, peer);
  table.failed(peer.id, peer.address);
  table.queried(kNow, peer.id, peer.address);
  EXPECT_FALSE(table.find(peer.id, peer.address)->good(kNow));
}

TEST_F(RoutingTableTest, StalestComesFirstAndFailingBeforeThat) {
  const RemoteNode old = node(1), older = node(2), failing = node(3);
  table.answered(kNow + 1s, old);
  table.answered(kNow, older);
  table.answered(kNow + 2s, failing);
  table.failed(failing.id, failing.address);
  const auto next = [&](base::Instant now) {
    const auto* entry = table.take_stalest(now, 60s);
    return entry == nullptr ? NodeId{} : entry->node.id;
  };
  EXPECT_EQ(next(kNow + 30s), failing.id);
  EXPECT_EQ(next(kNow + 31s), NodeId{}) << "all heard of within a minute, or just asked";
  EXPECT_EQ(next(kNow + 45s), failing.id);
  EXPECT_EQ(next(kNow + 61s), failing.id);
  EXPECT_EQ(next(kNow + 62s), older.id);
  EXPECT_EQ(next(kNow + 63s), old.id);
  EXPECT_EQ(next(kNow + 64s), NodeId{});
}

// Whoever forges a dead node's queries must not keep it in our table.
TEST_F(RoutingTableTest, QueriesDoNotSpareANodeItsRefresh) {
  const RemoteNode dead = node(1), alive = node(2);
  table.answered(kNow, dead);
  table.answered(kNow + 1s, alive);
  table.queried(kNow + 5min, dead.id, dead.address);
  const auto* next = table.take_stalest(kNow + 5min, 60s);
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->node, dead);
}

TEST_F(RoutingTableTest, NewIdOfOursFilesAllAnew) {
  for (unsigned bits = 0; bits < 6; ++bits) fill(bits);
  const std::size_t before = table.size() + table.spares();
  self = NodeId::random(rng);
  table.rebase(self);
  EXPECT_EQ(table.self(), self);
  EXPECT_GT(table.size(), 200u);
  EXPECT_LE(table.size() + table.spares(), before);
  table.for_each([&](std::size_t bucket, const auto& entry) {
    EXPECT_EQ(bucket, common_prefix(self, entry.node.id));
    EXPECT_LE(bucket, 159u);
  });
}

TEST_F(RoutingTableTest, RefreshTargetsFallIntoTheBucketOfTheirNode) {
  for (unsigned bits : {0u, 1u, 7u, 8u, 9u, 100u}) {
    const NodeId id = sharing(bits);
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(common_prefix(self, table.random_in_bucket_of(id, rng)), bits);
  }
}

}  // namespace
}  // namespace boxgram::test
