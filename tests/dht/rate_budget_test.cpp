#include "dht/rate_budget.hpp"

#include <gtest/gtest.h>

#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::RateBudget;

const SocketAddress kFrom = SocketAddress::v4(198, 18, 1, 1, 6881);

struct RateBudgetTest : testing::Test {
  SeededRng rng{1};
  RateBudget budget{{}, 64, rng};
  base::Instant now{};
};

TEST_F(RateBudgetTest, AnswersTheBurstThenTheRate) {
  unsigned answered = 0;
  for (int i = 0; i < 1000; ++i) answered += budget.take_query(now, kFrom, false);
  EXPECT_EQ(answered, 100u);
  for (int i = 0; i < 1000; ++i) answered += budget.take_query(now += 10ms, kFrom, false);
  EXPECT_EQ(answered, 300u);
}

TEST_F(RateBudgetTest, CountsA24AndA64) {
  for (int i = 0; i < 100; ++i) budget.take_query(now, kFrom, false);
  EXPECT_FALSE(budget.take_query(now, SocketAddress::v4(198, 18, 1, 200, 1), false));
  EXPECT_TRUE(budget.take_query(now, SocketAddress::v4(198, 18, 2, 1, 6881), false));
  const auto v6 = base::parse_socket_address("[2001:db8:0:1::1]:1", 0).value();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(budget.take_query(now, v6, false));
  EXPECT_FALSE(budget.take_query(
      now, base::parse_socket_address("[2001:db8:0:1:ffff::]:9", 0).value(), false));
  EXPECT_TRUE(
      budget.take_query(now, base::parse_socket_address("[2001:db8:0:2::1]:1", 0).value(), false));
}

TEST_F(RateBudgetTest, BoundsTheBytesToAnUnprovenNetwork) {
  std::size_t sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (budget.take_bytes(now, kFrom, 1000)) sent += 1000;
    now += 1ms;
  }
  EXPECT_GE(sent, 32'000u + 79'000u);
  EXPECT_LE(sent, 32'000u + 80'000u);
}

// aria2's rate limit can be turned against a victim by forging his address.
TEST_F(RateBudgetTest, ForgedQueriesTakeNothingFromAProvenNeighbour) {
  for (int i = 0; i < 1000; ++i) budget.take_query(now, kFrom, false);
  EXPECT_TRUE(budget.take_query(now, SocketAddress::v4(198, 18, 1, 2, 6881), true));
}

TEST_F(RateBudgetTest, BusyNetworkIsNotForgottenInAFloodOfOthers) {
  unsigned answered = 0;
  for (unsigned i = 0; i < 5000; ++i) {
    answered += budget.take_query(now, kFrom, false);
    now += 1ms;
    budget.take_query(now,
                      SocketAddress::v4(20, static_cast<std::uint8_t>(i >> 8),
                                        static_cast<std::uint8_t>(i), 1, 1),
                      false);
  }
  EXPECT_LE(answered, 100u + 100u);
  EXPECT_EQ(budget.capacity(), 64u);
}

}  // namespace
}  // namespace boxgram::test
