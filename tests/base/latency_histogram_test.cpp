#include <gtest/gtest.h>

#include <boxgram/base/latency_histogram.hpp>

namespace boxgram::base {
namespace {

TEST(LatencyHistogram, APercentileIsAtMostAQuarterTooHighAndNeverTooLow) {
  for (std::int64_t us = 1; us < 30'000'000; us += 1 + us / 7) {
    LatencyHistogram one;
    one.record(std::chrono::microseconds(us));
    const auto p = std::chrono::duration_cast<std::chrono::microseconds>(one.percentile(0.5));
    EXPECT_GT(p.count(), us);
    EXPECT_LE(p.count(), us + us / 4 + 1) << us;
  }
}

TEST(LatencyHistogram, PercentilesStandAtTheirRank) {
  LatencyHistogram h;
  for (int i = 0; i < 90; ++i) h.record(1ms);
  for (int i = 0; i < 9; ++i) h.record(10ms);
  h.record(100ms);
  EXPECT_EQ(h.count(), 100u);
  EXPECT_EQ(h.sum(), 280ms);
  EXPECT_LT(h.percentile(0.9), 2ms);
  EXPECT_GT(h.percentile(0.91), 9ms);
  EXPECT_LT(h.percentile(0.99), 13ms);
  EXPECT_GT(h.percentile(1), 99ms);
}

TEST(LatencyHistogram, TakesWhatIsOutOfItsRange) {
  LatencyHistogram h;
  h.record(Duration(-1));
  h.record(Duration(0));
  EXPECT_EQ(h.percentile(1), 1us);
  h.record(std::chrono::hours(1'000));
  EXPECT_GT(h.percentile(1), 30s);
  EXPECT_EQ(LatencyHistogram().percentile(0.5), Duration(0));
}

TEST(LatencyHistogram, SumsOverWorkers) {
  LatencyHistogram a;
  LatencyHistogram b;
  a.record(1ms);
  b.record(1s);
  a.add(b);
  EXPECT_EQ(a.count(), 2u);
  EXPECT_EQ(a.sum(), 1001ms);
  EXPECT_LT(a.percentile(0.5), 2ms);
  EXPECT_GE(a.percentile(1), 1s);
}

}  // namespace
}  // namespace boxgram::base
