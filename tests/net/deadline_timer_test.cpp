#include <optional>

#include <boxgram/net/clock.hpp>
#include <boxgram/net/deadline_timer.hpp>

#include "loop_test.hpp"

namespace boxgram::net {
namespace {

using std::chrono::milliseconds;

class DeadlineTimerTest : public LoopTest {
 protected:
  int due_ = 0;
  base::Instant at_{};
  DeadlineTimer timer_{loop_.io(), [this] {
                         ++due_;
                         at_ = now();
                       }};
};

TEST_F(DeadlineTimerTest, IsDueOnceAndNotEarly) {
  const auto wanted = now() + milliseconds(20);
  timer_.want(wanted);
  ASSERT_TRUE(run_until([&] { return due_ > 0; }));
  EXPECT_GE(at_, wanted);
  run_for(milliseconds(20));
  EXPECT_EQ(due_, 1);
}

TEST_F(DeadlineTimerTest, APastDeadlineIsDueAtOnceButNotInsideTheCall) {
  timer_.want(now() - milliseconds(5));
  EXPECT_EQ(due_, 0);
  ASSERT_TRUE(run_until([&] { return due_ == 1; }));
}

TEST_F(DeadlineTimerTest, ADeadlineThatMovesAwayCostsNoSystemCall) {
  const auto start = now();
  for (int i = 0; i < 1000; ++i)
    timer_.want(start + milliseconds(10) + std::chrono::microseconds(i * 20));
  EXPECT_EQ(timer_.arms(), 1u);
  ASSERT_TRUE(run_until([&] { return due_ == 1; }));
  EXPECT_GE(at_, start + milliseconds(29));
  EXPECT_LE(timer_.arms(), 3u);
}

TEST_F(DeadlineTimerTest, AnEarlierDeadlineWins) {
  timer_.want(now() + std::chrono::seconds(30));
  timer_.want(now() + milliseconds(5));
  ASSERT_TRUE(run_until([&] { return due_ == 1; }));
}

TEST_F(DeadlineTimerTest, AWithdrawnDeadlineIsNotDue) {
  timer_.want(now() + milliseconds(5));
  timer_.want(std::nullopt);
  run_for(milliseconds(20));
  EXPECT_EQ(due_, 0);
}

TEST_F(DeadlineTimerTest, MayBeDestroyedInsideItsCall) {
  int calls = 0;
  std::optional<DeadlineTimer> timer;
  timer.emplace(loop_.io(), [&] {
    ++calls;
    timer.reset();
  });
  timer->want(now());
  ASSERT_TRUE(run_until([&] { return calls == 1; }));
  std::optional<DeadlineTimer> second;
  second.emplace(loop_.io(), [&] { ++calls; });
  second->want(now());
  second.reset();
  run_for(milliseconds(10));
  EXPECT_EQ(calls, 1);
}

TEST(Clock, WallClockGoesWithTheMonotonicOne) {
  const auto wall = wall_clock();
  EXPECT_EQ(wall(wall.at), wall.unix_ms);
  EXPECT_EQ(wall(wall.at + std::chrono::seconds(3)), wall.unix_ms + 3000);
  EXPECT_GT(wall.unix_ms, 1'600'000'000'000u);
  EXPECT_GE(now(), wall.at);
}

}  // namespace
}  // namespace boxgram::net
