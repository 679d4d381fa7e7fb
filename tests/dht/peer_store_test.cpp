#include "dht/peer_store.hpp"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "support/allocation_count.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::Family;
using dht::NodeId;
using dht::PeerStore;

constexpr base::Instant kNow = base::Instant{} + 1000h;

/// Each index is in a network of its own.
SocketAddress peer(unsigned index, std::uint16_t port = 6881) {
  return SocketAddress::v4(static_cast<std::uint8_t>(20 + index / 65536),
                           static_cast<std::uint8_t>(index / 256), static_cast<std::uint8_t>(index),
                           1, port);
}

SocketAddress peer6(const char* text) {
  return base::parse_socket_address(text, 6881).value();
}

struct PeerStoreTest : testing::Test {
  /// An infohash whose distance from our id is so large.
  NodeId at_distance(std::uint8_t distance) const {
    NodeId id = self;
    id.bytes[0] ^= distance;
    return id;
  }
  std::multiset<std::string> sample(const PeerStore& from, base::Instant now, const NodeId& of,
                                    Family family = Family::v4, bool no_seeds = false,
                                    std::size_t count = 50) {
    std::multiset<std::string> found;
    const std::size_t given = from.sample(
        now, of, family, no_seeds, count, rng,
        [&](base::Bytes compact) { found.insert(std::string(base::as_text(compact))); });
    EXPECT_EQ(given, found.size());
    return found;
  }

  SeededRng rng{1};
  NodeId self = NodeId::random(rng);
  NodeId hash = NodeId::random(rng);
  PeerStore store{self, {}, rng};
};

TEST_F(PeerStoreTest, GivesBackWhoAnnounced) {
  EXPECT_TRUE(store.announce(kNow, hash, peer(1), false));
  EXPECT_EQ(sample(store, kNow, hash),
            (std::multiset<std::string>{std::string("\x14\x00\x01\x01\x1a\xe1", 6)}));
  EXPECT_TRUE(sample(store, kNow, at_distance(1)).empty());
}

TEST_F(PeerStoreTest, PeersExpireAfter45Minutes) {
  store.announce(kNow, hash, peer(1), false);
  store.announce(kNow + 10min, hash, peer(2), false);
  EXPECT_EQ(sample(store, kNow + 45min - 1ns, hash).size(), 2u);
  EXPECT_EQ(sample(store, kNow + 45min, hash).size(), 1u);
  store.expire(kNow + 45min);
  EXPECT_EQ(store.peers(), 1u);
  store.expire(kNow + 55min);
  EXPECT_EQ(store.peers(), 0u);
  EXPECT_EQ(store.hashes(), 0u);
  EXPECT_EQ(store.counters().expired, 2u);
}

TEST_F(PeerStoreTest, AnnouncingAgainProlongsAndAddsNothing) {
  store.announce(kNow, hash, peer(1), false);
  store.announce(kNow + 30min, hash, peer(1), false);
  EXPECT_EQ(store.peers(), 1u);
  EXPECT_EQ(sample(store, kNow + 74min, hash).size(), 1u);
  EXPECT_EQ(store.counters().refreshed, 1u);
}

TEST_F(PeerStoreTest, FamiliesDoNotMix) {
  store.announce(kNow, hash, peer(1), false);
  store.announce(kNow, hash, peer6("2a00::1"), false);
  EXPECT_EQ(sample(store, kNow, hash, Family::v4).begin()->size(), 6u);
  EXPECT_EQ(sample(store, kNow, hash, Family::v6).begin()->size(), 18u);
}

TEST_F(PeerStoreTest, SeedsAreLeftOutOnRequest) {
  store.announce(kNow, hash, peer(1), true);
  store.announce(kNow, hash, peer(2), false);
  EXPECT_EQ(sample(store, kNow, hash, Family::v4, false).size(), 2u);
  EXPECT_EQ(sample(store, kNow, hash, Family::v4, true).size(), 1u);
  store.announce(kNow, hash, peer(2), true);
  EXPECT_TRUE(sample(store, kNow, hash, Family::v4, true).empty()) << "it has finished";
}

TEST_F(PeerStoreTest, HoldsFiveHundredPeersOfAHashAndDropsTheOldest) {
  for (unsigned i = 0; i < 600; ++i)
    store.announce(kNow + std::chrono::seconds(i), hash, peer(i), false);
  EXPECT_EQ(store.peers(), 500u);
  EXPECT_EQ(store.counters().displaced, 100u);
  const auto all = sample(store, kNow + 600s, hash, Family::v4, false, 1000);
  EXPECT_FALSE(all.contains(std::string("\x14\x00\x63\x01\x1a\xe1", 6)));
  EXPECT_TRUE(all.contains(std::string("\x14\x00\x64\x01\x1a\xe1", 6)));
}

TEST_F(PeerStoreTest, NamesAllPeersOverManyReplies) {
  for (unsigned i = 0; i < 500; ++i) store.announce(kNow, hash, peer(i), false);
  std::map<std::string, unsigned> seen;
  for (int i = 0; i < 500; ++i) {
    const auto some = sample(store, kNow, hash);
    EXPECT_EQ(some.size(), 50u);
    for (const auto& each : some) ++seen[each];
  }
  EXPECT_EQ(seen.size(), 500u);
  for (const auto& [each, count] : seen) EXPECT_GT(count, 15u);
}

TEST_F(PeerStoreTest, OneAddressCannotFillAHash) {
  store.announce(kNow, hash, peer(1), false);
  for (std::uint16_t port = 1; port <= 1000; ++port)
    store.announce(kNow, hash, peer(2, port), false);
  EXPECT_EQ(sample(store, kNow, hash).size(), 1u + 8u);
}

TEST_F(PeerStoreTest, WhenFullTheFarthestHashGivesWay) {
  PeerStore small(self, {.hashes = 64}, rng);
  for (std::uint8_t i = 0; i < 64; ++i)
    small.announce(kNow, at_distance(static_cast<std::uint8_t>(100 + i)), peer(i), false);
  EXPECT_FALSE(small.announce(kNow, at_distance(200), peer(70), false));
  EXPECT_EQ(small.counters().too_far, 1u);
  EXPECT_TRUE(small.announce(kNow, at_distance(99), peer(70), false));
  EXPECT_EQ(small.hashes(), 64u);
  EXPECT_TRUE(sample(small, kNow, at_distance(163)).empty());
  EXPECT_EQ(sample(small, kNow, at_distance(162)).size(), 1u);
}

TEST_F(PeerStoreTest, WhenFullOfPeersTheFarthestHashGivesWay) {
  PeerStore small(self, {.peers = 10}, rng);
  for (unsigned i = 0; i < 5; ++i) small.announce(kNow, at_distance(100), peer(i), false);
  for (unsigned i = 0; i < 5; ++i) small.announce(kNow, at_distance(50), peer(i), false);
  EXPECT_FALSE(small.announce(kNow, at_distance(100), peer(9), false));
  EXPECT_TRUE(small.announce(kNow, at_distance(100), peer(1), false)) << "a known one lives on";
  EXPECT_TRUE(small.announce(kNow, at_distance(50), peer(9), false));
  EXPECT_EQ(small.peers(), 6u);
  EXPECT_EQ(small.hashes(), 1u);
}

TEST_F(PeerStoreTest, ExpiredOnesGoBeforeAnythingIsEvicted) {
  PeerStore small(self, {.hashes = 8}, rng);
  for (unsigned i = 0; i < 8; ++i)
    small.announce(kNow, at_distance(static_cast<std::uint8_t>(i)), peer(i), false);
  EXPECT_TRUE(small.announce(kNow + 1h, at_distance(200), peer(99), false));
  EXPECT_EQ(small.counters().evicted, 0u);
}

TEST_F(PeerStoreTest, ANetworkBringsInAnEighthOfTheHashes) {
  PeerStore small(self, {.hashes = 64}, rng);
  for (std::uint8_t i = 0; i < 20; ++i)
    small.announce(kNow, at_distance(i), SocketAddress::v4(20, 1, 1, i, 1), false);
  EXPECT_EQ(small.hashes(), 8u);
  EXPECT_EQ(small.counters().over_share, 12u);
  EXPECT_TRUE(small.announce(kNow, at_distance(3), SocketAddress::v4(20, 1, 1, 99, 1), false))
      << "joining a hash that is there is no burden";
  small.expire(kNow + 1h);
  EXPECT_TRUE(small.announce(kNow + 1h, at_distance(99), SocketAddress::v4(20, 1, 1, 1, 1), false));
}

TEST_F(PeerStoreTest, AFloodStaysWithinItsBounds) {
  PeerStore small(self, {.hashes = 32, .peers_of_hash = 4, .peers = 100}, rng);
  base::Instant now = kNow;
  for (unsigned i = 0; i < 20'000; ++i) {
    NodeId id = self;
    id.bytes[0] ^= static_cast<std::uint8_t>(rng.below(64));
    small.announce(now, id, peer(static_cast<unsigned>(rng.below(3000))), rng.below(2) == 0);
    now += std::chrono::milliseconds(rng.below(2000));
    ASSERT_LE(small.hashes(), 32u);
    ASSERT_LE(small.peers(), 100u);
  }
  EXPECT_GT(small.counters().evicted, 0u);
  small.expire(now + 45min);
  EXPECT_EQ(small.peers(), 0u);
}

TEST_F(PeerStoreTest, SamplingAllocatesNothing) {
  for (unsigned i = 0; i < 500; ++i) store.announce(kNow, hash, peer(i), false);
  const std::size_t before = allocation_count();
  std::size_t bytes = 0;
  store.sample(kNow, hash, Family::v4, true, 50, rng,
               [&](base::Bytes compact) { bytes += compact.size(); });
  EXPECT_EQ(allocation_count(), before);
  EXPECT_EQ(bytes, 300u);
}

}  // namespace
}  // namespace boxgram::test
