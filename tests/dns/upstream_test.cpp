#include <gtest/gtest.h>

#include <boxgram/dns/upstream.hpp>

namespace boxgram::dns {
namespace {

using base::Duration;
using base::Instant;
using namespace std::chrono_literals;
using Health = UpstreamState::Health;

struct PolicyTest : testing::Test {
  std::vector<UpstreamConfig> configs{{"a"}, {"b"}, {"c"}};
  UpstreamPolicy policy{configs};
  std::vector<UpstreamIndex> group{0, 1, 2};
  Instant now = Instant{} + 1h;

  void answer(UpstreamIndex i, Duration rtt, int times = 1) {
    for (int n = 0; n < times; ++n) policy.answered(i, now - rtt, now, true);
  }
  UpstreamIndex choose(std::uint64_t excluded = 0, std::vector<UpstreamIndex> tried = {}) {
    return policy.choose(group, excluded, tried).value_or(99);
  }
};

TEST(RoundTrip, StartsWithTheLongestRetry) {
  const RoundTrip rtt;
  EXPECT_FALSE(rtt.measured());
  EXPECT_EQ(rtt.retry_after(), 380ms);
}

TEST(RoundTrip, FollowsRfc6298) {
  RoundTrip rtt;
  rtt.sample(100ms);
  EXPECT_EQ(rtt.srtt(), 100ms);
  EXPECT_EQ(rtt.retry_after(), 300ms) << "srtt + 4 * rttvar";
  rtt.sample(180ms);
  EXPECT_EQ(rtt.srtt(), 110ms);
}

TEST(RoundTrip, RetryStaysBetween50And380ms) {
  RoundTrip fast;
  RoundTrip slow;
  for (int i = 0; i < 100; ++i) {
    fast.sample(20us);
    slow.sample(2s);
  }
  EXPECT_EQ(fast.retry_after(), 50ms);
  EXPECT_EQ(slow.retry_after(), 380ms);
}

TEST(RoundTrip, P95IsWithinAQuarterOctave) {
  RoundTrip rtt;
  for (int i = 0; i < 10; ++i) {
    for (int k = 0; k < 18; ++k) rtt.sample(10ms);
    for (int k = 0; k < 2; ++k) rtt.sample(100ms);
  }
  EXPECT_GE(rtt.p95(), 100ms);
  EXPECT_LE(rtt.p95(), 125ms);
}

TEST(RoundTrip, ARareOutlierIsNotTheP95) {
  RoundTrip rtt;
  for (int i = 0; i < 300; ++i) rtt.sample(i % 50 == 0 ? 1s : 10ms);
  EXPECT_LE(rtt.p95(), 13ms);
  EXPECT_EQ(rtt.hedge_after(), rtt.p95());
}

TEST(RoundTrip, P95ForgetsOldTimes) {
  RoundTrip rtt;
  for (int i = 0; i < 1000; ++i) rtt.sample(200ms);
  for (int i = 0; i < 1500; ++i) rtt.sample(5ms);
  EXPECT_LE(rtt.p95(), 7ms);
}

TEST(RoundTrip, HedgesNotBefore10msNorWithoutAMeasuredP95) {
  RoundTrip rtt;
  for (int i = 0; i < 19; ++i) rtt.sample(1ms);
  EXPECT_EQ(rtt.hedge_after(), rtt.retry_after());
  rtt.sample(1ms);
  EXPECT_EQ(rtt.hedge_after(), 10ms);
}

TEST_F(PolicyTest, BeginsInTheGroupsOrder) {
  EXPECT_EQ(choose(), 0);
  EXPECT_EQ(choose(1), 1);
  EXPECT_EQ(choose(7), 99);
}

TEST_F(PolicyTest, PrefersTheFastestHealthy) {
  answer(0, 30ms);
  answer(1, 10ms);
  answer(2, 20ms);
  EXPECT_EQ(choose(), 1);
  policy.failed(1, now);
  EXPECT_EQ(choose(), 2);
}

TEST_F(PolicyTest, PrefersWhatTheFlightHasTriedLess) {
  answer(0, 10ms);
  answer(1, 20ms);
  answer(2, 30ms);
  EXPECT_EQ(choose(0, {0}), 1);
  EXPECT_EQ(choose(0, {0, 1, 2, 0}), 1);
}

TEST_F(PolicyTest, PrefersAHealthyOneTriedTwiceToADownOne) {
  answer(0, 10ms);
  policy.failed(1, now);
  policy.failed(2, now);
  EXPECT_EQ(choose(0, {0, 0}), 0);
}

TEST_F(PolicyTest, UsesDownUpstreamsWhenAllAreDown) {
  for (const auto i : group) policy.failed(i, now);
  EXPECT_NE(choose(), 99);
}

TEST_F(PolicyTest, OneSilenceMakesSuspectTwoTakeDown) {
  answer(0, 10ms);
  policy.silent(0, now + 1ms, now + 100ms);
  EXPECT_EQ(policy.health(0), Health::suspect);
  EXPECT_EQ(choose(), 1);
  policy.silent(0, now + 200ms, now + 300ms);
  EXPECT_EQ(policy.health(0), Health::down);
}

TEST_F(PolicyTest, ABurstLostTogetherIsOneSilence) {
  answer(0, 10ms);
  for (int i = 0; i < 50; ++i) policy.silent(0, now + i * 1ms, now + 100ms + i * 1ms);
  EXPECT_EQ(policy.health(0), Health::suspect);
  EXPECT_EQ(policy.state(0).silent, 50u);
}

TEST_F(PolicyTest, SilenceOfOneQueryIsNoneWhenOthersWereAnswered) {
  policy.answered(0, now, now + 50ms, true);
  policy.silent(0, now + 10ms, now + 100ms);
  EXPECT_EQ(policy.health(0), Health::healthy);
}

TEST_F(PolicyTest, AnAnswerHealsAtOnce) {
  policy.failed(0, now);
  policy.answered(0, now, now + 10ms, true);
  EXPECT_EQ(policy.health(0), Health::healthy);
}

TEST_F(PolicyTest, ProbesADownUpstreamOnceInEachBackOff) {
  for (const auto i : group) answer(i, 10ms);
  policy.failed(0, now);
  std::vector<std::int64_t> seconds;
  for (int i = 0; i < 2000; ++i) {
    const Instant at = now + i * 100ms;
    for (const auto other : {UpstreamIndex{1}, UpstreamIndex{2}})
      policy.answered(other, at, at, true);
    if (policy.choose_probe(group, 0b110, at)) seconds.push_back(i / 10);
  }
  EXPECT_EQ(seconds, (std::vector<std::int64_t>{1, 3, 7, 15, 31, 63, 123, 183}));
}

TEST_F(PolicyTest, ExploresAnUpstreamThatHasNotBeenMeasuredFor15s) {
  for (const auto i : group) answer(i, 10ms);
  EXPECT_FALSE(policy.choose_probe(group, 1, now + 14s).has_value());
  EXPECT_EQ(policy.choose_probe(group, 1, now + 15s), UpstreamIndex{1});
  EXPECT_EQ(policy.choose_probe(group, 1, now + 15s), UpstreamIndex{2});
  EXPECT_FALSE(policy.choose_probe(group, 1, now + 15s).has_value());
}

TEST_F(PolicyTest, ExtraQueriesAreTenPercentWithABurstOfEight) {
  int taken = 0;
  while (policy.take_extra()) ++taken;
  EXPECT_EQ(taken, 8);
  for (int i = 0; i < 1000; ++i) {
    policy.earn_extra();
    taken += policy.take_extra();
  }
  EXPECT_EQ(taken, 108);
}

TEST_F(PolicyTest, ThreePoorAnswersInARowTakeDownAndOnlyAGoodOneHeals) {
  answer(0, 1ms);
  policy.poor(0, now);
  policy.poor(0, now);
  answer(0, 1ms);
  EXPECT_EQ(policy.health(0), Health::healthy);
  for (int i = 0; i < 3; ++i) policy.poor(0, now);
  EXPECT_EQ(policy.health(0), Health::down);
  policy.answered(0, now, now, false);
  EXPECT_EQ(policy.health(0), Health::down);
  policy.answered(0, now, now, true);
  EXPECT_EQ(policy.health(0), Health::healthy);
}

TEST_F(PolicyTest, AFailureIsNoRoundTripSample) {
  policy.answered(0, now, now + 1ms, false);
  EXPECT_FALSE(policy.round_trip(0).measured());
}

TEST_F(PolicyTest, BeingOvertakenSlowsAMeasuredOneOnly) {
  answer(0, 10ms, 10);
  policy.overtaken(0, 200ms);
  EXPECT_GT(policy.round_trip(0).srtt(), 10ms);
  policy.overtaken(1, 20ms);
  EXPECT_FALSE(policy.round_trip(1).measured());
}

TEST_F(PolicyTest, TellsPeopleTheState) {
  policy.sent(1);
  policy.sent(1);
  answer(1, 10ms);
  policy.failed(1, now);
  const auto state = policy.state(1);
  EXPECT_EQ(state.name, "b");
  EXPECT_EQ(state.health, Health::down);
  EXPECT_EQ(state.sent, 2u);
  EXPECT_EQ(state.answered, 1u);
  EXPECT_EQ(state.failed, 1u);
  EXPECT_EQ(state.srtt, 10ms);
}

}  // namespace
}  // namespace boxgram::dns
