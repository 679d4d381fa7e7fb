// The client's small parts: round-trip estimate, size policy, datagrams in flight.
#include <algorithm>

#include <gtest/gtest.h>

#include "packet/client_association.hpp"
#include "packet/rtt.hpp"
#include "packet/size_class.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::packet {
namespace {

using namespace std::chrono_literals;

TEST(RttEstimator, WaitsFourHundredMillisecondsBeforeTheFirstSample) {
  RttEstimator rtt;
  EXPECT_EQ(rtt.delay(1), 400ms);
  EXPECT_EQ(rtt.delay(2), 500ms);
  EXPECT_EQ(rtt.delay(3), 625ms);
  EXPECT_FALSE(rtt.srtt());
}

TEST(RttEstimator, FollowsSrttPlusFourRttvarWithinItsBounds) {
  RttEstimator rtt;
  rtt.sample(60ms);
  EXPECT_EQ(rtt.delay(1), 180ms);  // 60 + 4 * 30
  for (int i = 0; i < 100; ++i) rtt.sample(60ms);
  EXPECT_GE(rtt.delay(1), 60ms);
  EXPECT_LT(rtt.delay(1), 62ms);
  for (int i = 0; i < 100; ++i) rtt.sample(1ms);
  EXPECT_EQ(rtt.delay(1), 50ms);
  for (int i = 0; i < 100; ++i) rtt.sample(5s);
  EXPECT_EQ(rtt.delay(1), 400ms);
}

TEST(RttEstimator, SurvivesClocksThatStandOrLeap) {
  RttEstimator rtt;
  rtt.sample(-5s);
  rtt.sample(24h);
  EXPECT_GE(*rtt.srtt(), 0s);
  EXPECT_LE(*rtt.srtt(), 10s);
  EXPECT_LT(rtt.delay(255), 60s);
}

TEST(SizeClass, IsTheSmallestThatHoldsTheSize) {
  EXPECT_EQ(size_class_for(1, 256), 256u);
  EXPECT_EQ(size_class_for(256, 256), 256u);
  EXPECT_EQ(size_class_for(257, 256), 512u);
  EXPECT_EQ(size_class_for(1, 512), 512u);
  EXPECT_EQ(size_class_for(1232, 256), 1232u);
  EXPECT_EQ(size_class_for(1233, 256), 0u);
}

TEST(SizePolicy, PrefersTwoHundredFiftySixWhereAnswersFit) {
  SizePolicy policy;
  EXPECT_EQ(policy.current(), 512u);
  int answers = 0;
  while (policy.current() != 256 && answers < 1000) {
    policy.answered(200);
    ++answers;
  }
  EXPECT_LE(answers, 46);
  EXPECT_GE(answers, 16) << "one small answer proves nothing";
}

TEST(SizePolicy, OverflowsPushItUpAndFadeAway) {
  SizePolicy policy;
  for (int i = 0; i < 200; ++i) policy.answered(200);
  ASSERT_EQ(policy.current(), 256u);
  policy.overflowed(700);
  EXPECT_EQ(policy.current(), 256u) << "one in 200 is cheaper than larger datagrams for all";
  for (int i = 0; i < 5; ++i) policy.overflowed(700);
  EXPECT_EQ(policy.current(), 768u);
  for (int i = 0; i < 600; ++i) policy.answered(200);
  EXPECT_EQ(policy.current(), 256u);
}

TEST(SizePolicy, DoesNotSwingAtTheBorder) {
  SizePolicy policy;
  test::SeededRng rng(1);
  int changes = 0;
  std::size_t last = policy.current();
  for (int i = 0; i < 10'000; ++i) {
    policy.answered(rng.below(16) == 0 ? 400 : 200);  // exactly the share where it turns
    if (policy.current() != last) ++changes;
    last = policy.current();
  }
  EXPECT_LT(changes, 200);
}

TEST(InFlightRing, GrowsWhileOldDatagramsWaitAndKeepsThem) {
  InFlightRing ring;
  ring.reset(64);
  const auto alive = [](base::Handle) { return true; };
  for (std::uint64_t n = 0; n < 64; ++n) {
    EXPECT_FALSE(ring.add({n + 1, n, {}, 512, false, false}, alive));
  }
  EXPECT_EQ(ring.size(), 64u);
  for (std::uint64_t n = 0; n < 64; ++n) {
    ASSERT_NE(ring.find(n), nullptr);
    EXPECT_EQ(ring.find(n)->request, n + 1);
  }
  EXPECT_TRUE(ring.add({100, 64, {}, 512, false, false}, alive)) << "the oldest is given up";
  EXPECT_EQ(ring.find(0), nullptr);
  EXPECT_EQ(ring.find(64)->request, 100u);
  EXPECT_EQ(ring.size(), 64u);
}

TEST(InFlightRing, ReusesSlotsOfRequestsThatHaveEnded) {
  InFlightRing ring;
  ring.reset(1 << 20);
  for (std::uint64_t n = 0; n < 10'000; ++n)
    ring.add({n + 1, n, {}, 512, false, false}, [&](base::Handle h) { return h + 8 > n; });
  EXPECT_EQ(ring.size(), 16u);
}

TEST(ClientAssociation, WipesItsSecrets) {
  ClientAssociation association;
  test::SeededRng rng(1);
  rng.fill(association.key.bytes());
  rng.fill(association.reset_token.bytes());
  association.wipe();
  for (const std::uint8_t byte : association.key.bytes()) EXPECT_EQ(byte, 0);
  for (const std::uint8_t byte : association.reset_token.bytes()) EXPECT_EQ(byte, 0);
}

TEST(ClientAssociation, CountsWhatIsLostTogetherOnce) {
  ClientAssociation association;
  association.reset(16);
  association.next_n = 10;
  EXPECT_TRUE(association.lost(3));
  EXPECT_FALSE(association.lost(4));
  EXPECT_FALSE(association.lost(9));
  EXPECT_EQ(association.losses, 1u);
  association.next_n = 12;
  EXPECT_TRUE(association.lost(10));
  EXPECT_EQ(association.losses, 2u);
  association.answered();
  EXPECT_EQ(association.losses, 0u);
  EXPECT_FALSE(association.lost(11)) << "sent before that answer";
}

}  // namespace
}  // namespace boxgram::packet
