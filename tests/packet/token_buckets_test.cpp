#include <gtest/gtest.h>

#include <boxgram/packet/token_buckets.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::TokenBuckets;

const base::SocketAddress kFrom = base::SocketAddress::v4(192, 0, 2, 1, 1000);

TEST(TokenBuckets, GivesTheBurstThenTheRate) {
  SeededRng rng(1);
  TokenBuckets buckets(64, {10, 20}, rng);
  base::Instant now{};
  unsigned given = 0;
  for (int i = 0; i < 100; ++i) given += buckets.take(now, kFrom);
  EXPECT_EQ(given, 20u);
  for (int i = 0; i < 1000; ++i) given += buckets.take(now += 10ms, kFrom);
  EXPECT_EQ(given, 120u);
}

TEST(TokenBuckets, FillsNoFurtherThanTheBurst) {
  SeededRng rng(1);
  TokenBuckets buckets(64, {10, 20}, rng);
  unsigned given = 0;
  for (int i = 0; i < 100; ++i) given += buckets.take(base::Instant{} + 1h, kFrom);
  EXPECT_EQ(given, 20u);
}

TEST(TokenBuckets, CountsANetworkAndNotAPort) {
  SeededRng rng(1);
  TokenBuckets buckets(64, {1, 1}, rng);
  EXPECT_TRUE(buckets.take({}, kFrom));
  auto other_port = kFrom;
  other_port.port = 2000;
  EXPECT_FALSE(buckets.take({}, other_port));
  EXPECT_TRUE(buckets.take({}, base::SocketAddress::v4(192, 0, 2, 2, 1000)));
  const auto v6 = base::parse_socket_address("[2001:db8:0:1::1]:1", 0).value();
  const auto same_56 = base::parse_socket_address("[2001:db8:0:ff::9]:1", 0).value();
  const auto other_56 = base::parse_socket_address("[2001:db8:0:100::1]:1", 0).value();
  EXPECT_TRUE(buckets.take({}, v6));
  EXPECT_FALSE(buckets.take({}, same_56));
  EXPECT_TRUE(buckets.take({}, other_56));
}

// The table is fixed: a network that keeps asking is not forgotten while others come once each.
TEST(TokenBuckets, BusyNetworkKeepsItsBucketInAFlood) {
  SeededRng rng(1);
  TokenBuckets buckets(64, {1, 4}, rng);
  EXPECT_EQ(buckets.capacity(), 64u);
  unsigned given = 0;
  base::Instant now{};
  for (unsigned i = 0; i < 1000; ++i) {
    given += buckets.take(now, kFrom);
    now += 1ms;
    const auto other = base::SocketAddress::v4(10, 0, static_cast<std::uint8_t>(i >> 8),
                                               static_cast<std::uint8_t>(i), 1);
    buckets.take(now, other);
  }
  EXPECT_LE(given, 6u);
}

}  // namespace
}  // namespace boxgram::test
