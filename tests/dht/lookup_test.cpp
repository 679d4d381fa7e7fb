#include "dht/lookup.hpp"

#include <gtest/gtest.h>

#include "dht/search.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using base::SocketAddress;
using dht::Candidate;
using dht::Lookup;
using dht::NodeId;
using dht::RemoteNode;
using State = Candidate::State;

struct LookupTest : testing::Test {
  LookupTest() { lookup.start(target, 0); }
  /// A node at that distance (its first byte), in a network of its own unless one is given.
  RemoteNode node(std::uint8_t distance, int network = -1, std::uint8_t last = 1) {
    NodeId id = target;
    id.bytes[0] ^= distance;
    id.bytes[19] ^= last;
    return {id,
            SocketAddress::v4(20, 0, static_cast<std::uint8_t>(network < 0 ? distance : network),
                              last, 6881),
            {}};
  }
  RemoteNode far_node(std::uint16_t index) {
    NodeId id = target;
    id.bytes[0] ^= 0xff;
    base::store_be16(id.bytes.data() + 1, index);
    return {id,
            SocketAddress::v4(30, static_cast<std::uint8_t>(index >> 8),
                              static_cast<std::uint8_t>(index), 1, 6881),
            {}};
  }
  std::uint8_t distance_of(const Candidate& one) const {
    return static_cast<std::uint8_t>(one.node.id.bytes[0] ^ target.bytes[0]);
  }
  std::vector<std::uint8_t> ask_all() {
    std::vector<std::uint8_t> distances;
    while (const Candidate* candidate = lookup.next()) distances.push_back(distance_of(*candidate));
    return distances;
  }
  Candidate& candidate(std::uint8_t distance) {
    const RemoteNode made = node(distance);
    return *lookup.find(made.id, made.address);
  }
  void answer(std::uint8_t distance) {
    Candidate& one = candidate(distance);
    lookup.answered(one, one.node.id, {});
  }
  std::vector<std::uint8_t> results() {
    std::vector<std::uint8_t> distances;
    lookup.for_each_result(
        [&](const Candidate& result) { distances.push_back(distance_of(result)); });
    return distances;
  }

  SeededRng rng{1};
  NodeId target = NodeId::random(rng);
  Lookup lookup;
};

using Distances = std::vector<std::uint8_t>;

TEST_F(LookupTest, AsksFiveNearestFirst) {
  for (const std::uint8_t distance : Distances{70, 10, 50, 30, 20, 60, 40})
    lookup.add(node(distance));
  EXPECT_EQ(ask_all(), (Distances{10, 20, 30, 40, 50}));
  answer(30);
  EXPECT_EQ(ask_all(), (Distances{60}));
  lookup.slow(candidate(10));
  EXPECT_EQ(ask_all(), (Distances{70})) << "before the slow one is asked again";
  lookup.slow(candidate(20));
  EXPECT_EQ(ask_all(), (Distances{10}));
}

TEST_F(LookupTest, EndsWhenTheEightNearestHaveAnswered) {
  for (std::uint8_t i = 1; i <= 20; ++i) lookup.add(node(i));
  for (std::uint8_t i = 1; i <= 8; ++i) {
    EXPECT_FALSE(lookup.finished());
    ask_all();
    answer(i);
  }
  EXPECT_TRUE(lookup.finished());
  EXPECT_EQ(ask_all(), Distances{});
  EXPECT_EQ(results(), (Distances{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(lookup.asked(), 8u) << "and nobody beyond";
}

TEST_F(LookupTest, ANearerNodeKeepsItGoing) {
  for (std::uint8_t i = 11; i <= 18; ++i) lookup.add(node(i));
  ask_all();
  for (std::uint8_t i = 11; i <= 18; ++i) {
    answer(i);
    ask_all();
  }
  EXPECT_TRUE(lookup.finished());
  EXPECT_TRUE(lookup.add(node(5)));
  EXPECT_FALSE(lookup.finished());
}

TEST_F(LookupTest, FailedNodesGiveTheirPlaceToTheNext) {
  for (std::uint8_t i = 1; i <= 9; ++i) lookup.add(node(i));
  for (std::uint8_t i = 1; i <= 9; ++i) {
    ask_all();
    if (i == 3)
      lookup.failed(candidate(i));
    else
      answer(i);
  }
  EXPECT_TRUE(lookup.finished());
  EXPECT_EQ(results(), (Distances{1, 2, 4, 5, 6, 7, 8, 9}));
}

TEST_F(LookupTest, SlowNodeIsTriedFourTimesAndThenNotWaitedFor) {
  lookup.add(node(1));
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(ask_all(), (Distances{1})) << i;
    EXPECT_FALSE(lookup.finished());
    lookup.slow(candidate(1));
  }
  EXPECT_EQ(ask_all(), Distances{});
  EXPECT_TRUE(lookup.finished());
  answer(1);
  EXPECT_EQ(results(), (Distances{1})) << "late, but in time";
}

TEST_F(LookupTest, TakesANodeOnce) {
  EXPECT_TRUE(lookup.add(node(1)));
  EXPECT_FALSE(lookup.add(node(1)));
}

TEST_F(LookupTest, OneOfANetworkCountsAmongThoseThatAnswered) {
  EXPECT_TRUE(lookup.add(node(1, 9, 1)));
  EXPECT_TRUE(lookup.add(node(2, 9, 2))) << "it may be the honest one";
  EXPECT_FALSE(lookup.add(node(3, 9, 3)));
  while (lookup.next() != nullptr) {
  }
  Candidate& second = *lookup.find(node(2, 9, 2).id, node(2, 9, 2).address);
  lookup.answered(second, second.node.id, {});
  EXPECT_TRUE(lookup.finished());
  EXPECT_EQ(results(), (Distances{2}));
  EXPECT_FALSE(lookup.add(node(4, 9, 4)));
}

TEST_F(LookupTest, UnknownIdIsAskedFirstAndThenHasItsPlace) {
  lookup.add(node(5));
  const RemoteNode seed{{}, SocketAddress::v4(20, 0, 99, 1, 6881), {}};
  lookup.add(seed);
  Candidate* first = lookup.next();
  EXPECT_EQ(first->node.address, seed.address);
  lookup.answered(*first, node(7).id, {});
  ask_all();
  answer(5);
  EXPECT_EQ(results(), (Distances{5, 7}));
}

TEST_F(LookupTest, KeepsTheNearestWhenItIsFull) {
  for (std::uint16_t i = 0; i < 500; ++i) lookup.add(far_node(i));
  EXPECT_EQ(lookup.candidates(), Lookup::kMaxCandidates);
  EXPECT_TRUE(lookup.add(node(1)));
  EXPECT_EQ(lookup.candidates(), Lookup::kMaxCandidates);
  EXPECT_EQ(ask_all().front(), 1u);
}

TEST_F(LookupTest, TokensAreKeptForTheRound) {
  lookup.add(node(1));
  ask_all();
  Candidate& one = candidate(1);
  lookup.answered(one, one.node.id, base::as_bytes("token"));
  lookup.for_each_result(
      [](const Candidate& result) { EXPECT_EQ(base::as_text(result.token_bytes()), "token"); });
}

// Where more than eight stand within the radius in which eight are to be expected, all count.
TEST_F(LookupTest, WindowReachesToTheRadius) {
  lookup.start(target, std::uint64_t{12} << 56);
  for (std::uint8_t i = 1; i <= 30; ++i) lookup.add(node(i));
  EXPECT_EQ(lookup.window().size, 12u);
  for (std::uint8_t i = 1; i <= 12; ++i) {
    ask_all();
    EXPECT_FALSE(lookup.finished());
    answer(i);
  }
  EXPECT_TRUE(lookup.finished());
  EXPECT_EQ(results().size(), 12u);
}

TEST_F(LookupTest, NodesCrowdedInOnePlaceAreNotCounted) {
  lookup.start(target, std::uint64_t{64} << 56);
  for (std::uint8_t i = 0; i < 10; ++i) {
    RemoteNode one = node(5, 200 + i);
    one.id.bytes[2] ^= i;
    lookup.add(one);
  }
  for (std::uint8_t i = 1; i <= 12; ++i) lookup.add(node(static_cast<std::uint8_t>(70 + 8 * i)));
  EXPECT_EQ(lookup.window().crowd, 10u);
  EXPECT_EQ(lookup.window().size, 10u + 8u) << "eight are counted, though all lie far out";
}

TEST_F(LookupTest, WindowHasAnEnd) {
  lookup.start(target, ~std::uint64_t{0});
  for (std::uint8_t i = 1; i <= 90; ++i) lookup.add(node(i));
  EXPECT_EQ(lookup.window().size, Lookup::kMaxWindow);
}

struct SearchTest : LookupTest {
  /// Answers everybody of the search's current lookup.
  void answer_all() {
    Lookup& now = search.current();
    for (int i = 0; i < 100 && !now.finished(); ++i)
      while (Candidate* candidate = now.next()) now.answered(*candidate, candidate->node.id, {});
    EXPECT_TRUE(now.finished());
  }
  dht::Search search;
};

TEST_F(SearchTest, WithoutACrowdItIsOneLookup) {
  search.start(target, std::uint64_t{10} << 56);
  for (std::uint8_t i = 1; i <= 20; ++i) search.main().add(node(i));
  answer_all();
  EXPECT_FALSE(search.go_on(rng, [](Lookup&) { FAIL(); }));
}

TEST_F(SearchTest, NodesThatStandTogetherAreACrowdWhereverTheyStand) {
  search.start(target, std::uint64_t{100} << 56);
  for (const std::uint8_t distance : Distances{10, 20, 40, 64, 90, 80})
    search.main().add(node(distance));
  for (std::uint8_t i = 0; i < 4; ++i) {
    RemoteNode one = node(50, 200 + i);
    one.id.bytes[2] ^= i;
    search.main().add(one);
  }
  answer_all();
  EXPECT_EQ(search.main().window().crowd, 4u);
  EXPECT_TRUE(search.go_on(rng, [](Lookup&) {}));
  EXPECT_TRUE(search.flanking());
}

TEST_F(SearchTest, ACrowdIsWalkedAroundAndThoseBehindItAreAsked) {
  search.start(target, std::uint64_t{80} << 56);
  for (std::uint8_t i = 1; i <= 10; ++i) search.main().add(node(i));
  answer_all();
  unsigned flanks = 0;
  bool honest_asked = false;
  while (search.go_on(rng, [&](Lookup& flank) {
    ++flanks;
    EXPECT_LE(static_cast<unsigned>(flank.target().bytes[0] ^ target.bytes[0]), 160u);
    flank.add(node(static_cast<std::uint8_t>(40 + flanks)));
  })) {
    if (!search.flanking()) honest_asked = true;
    answer_all();
  }
  EXPECT_EQ(flanks, dht::Search::kFlanks);
  EXPECT_TRUE(honest_asked);
  EXPECT_NE(search.main().find(node(41).id, node(41).address), nullptr);
}

}  // namespace
}  // namespace boxgram::test
