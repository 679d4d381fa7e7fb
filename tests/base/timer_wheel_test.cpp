#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <boxgram/base/timer_wheel.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::base {
namespace {

TEST(TimerWheel, HasNoDeadlineWhenEmpty) {
  TimerWheel wheel{Instant{}};
  EXPECT_FALSE(wheel.next());
  EXPECT_EQ(wheel.expire(Instant{} + 10h), nullptr);
}

TEST(TimerWheel, FiresOnlyWhenDueAndAtMostOneTickLate) {
  TimerWheel wheel{Instant{}};
  Timer timer{7};
  wheel.set(timer, Instant{} + 10ms);
  ASSERT_TRUE(wheel.next());
  EXPECT_EQ(*wheel.next(), Instant{} + 12ms);
  EXPECT_EQ(wheel.expire(Instant{} + 9ms), nullptr);
  Timer* due = wheel.expire(Instant{} + 12ms);
  ASSERT_EQ(due, &timer);
  EXPECT_EQ(due->tag, 7u);
  EXPECT_FALSE(timer.is_set());
  EXPECT_FALSE(wheel.next());
}

TEST(TimerWheel, ClearedAndDestroyedTimersDoNotFire) {
  TimerWheel wheel{Instant{}};
  Timer timer;
  wheel.set(timer, Instant{} + 5ms);
  wheel.clear(timer);
  {
    Timer short_lived;
    wheel.set(short_lived, Instant{} + 5ms);
  }
  EXPECT_EQ(wheel.expire(Instant{} + 1s), nullptr);
}

TEST(TimerWheel, AgreesWithAPlainListUnderRandomUse) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    test::SeededRng rng(seed);
    TimerWheel wheel{Instant{}};
    std::vector<std::unique_ptr<Timer>> timers;
    std::vector<Instant> at(64);
    std::vector<bool> set(64);
    for (std::uint64_t i = 0; i < 64; ++i) timers.push_back(std::make_unique<Timer>(i));
    Instant now{};
    for (int step = 0; step < 2000; ++step) {
      const auto i = rng.below(64);
      if (rng.below(4) == 0) {
        wheel.clear(*timers[i]);
        set[i] = false;
      } else {
        at[i] = now + std::chrono::microseconds(rng.below(20'000'000));
        set[i] = true;
        wheel.set(*timers[i], at[i]);
      }
      now += std::chrono::microseconds(rng.below(rng.below(10) == 0 ? 9'000'000 : 3000));
      while (Timer* due = wheel.expire(now)) {
        ASSERT_TRUE(set[due->tag]) << "seed " << seed;
        ASSERT_LE(at[due->tag], now) << "fired early, seed " << seed;
        set[due->tag] = false;
      }
      for (std::size_t k = 0; k < 64; ++k)
        if (set[k]) {
          ASSERT_GT(at[k] + TimerWheel::kTick, now) << "late, seed " << seed;
        }
      for (std::size_t k = 0; k < 64; ++k)
        if (set[k]) {
          ASSERT_TRUE(wheel.next());
          ASSERT_LE(*wheel.next(), at[k] + TimerWheel::kTick);
        }
    }
  }
}

}  // namespace
}  // namespace boxgram::base
