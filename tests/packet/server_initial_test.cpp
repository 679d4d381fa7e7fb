// The way in: freshness, replay, restarts, cookies, floods.
#include <gtest/gtest.h>

#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::Drop;
using packet::FrameType;
using packet::FrameWriter;
using Kind = packet::Received::Kind;

const base::SocketAddress kElsewhere = base::SocketAddress::v4(198, 51, 100, 9, 555);

base::SocketAddress source(unsigned i) {
  return base::SocketAddress::v4(10, static_cast<std::uint8_t>(i >> 16),
                                 static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i),
                                 4000);
}

/// An INITIAL_C with a PING that echoes its cookie.
Buffer with_cookie(const BareClient& client, std::uint64_t n, base::UnixMillis ts,
                   base::Bytes cookie, bool assoc = false) {
  const auto frames = [&](FrameWriter& writer) {
    writer.put(FrameType::echo, false, 0, cookie.first(16));
    if (assoc) writer.put(FrameType::assoc_req, false, 0);
    ask_ping(writer);
  };
  return client.initial(n, ts, frames, 512, cookie);
}

/// The cookie of the RETRY that was just sent.
Buffer cookie_of(const Buffer& retry) {
  const auto cookie = packet::parse_retry(retry).cookie;
  return {cookie.begin(), cookie.end()};
}

bool is_retry(const Buffer& sent) {
  return sent.size() == packet::kRetrySize;
}

/// A world in the first five seconds of its server.
World just_started() {
  World world;
  world.start();
  world.now -= 59s;
  return world;
}

TEST(Freshness, TimestampBoundsAreExact) {
  const auto outcome = [](std::int64_t offset) {
    World world;
    const BareClient client = world.client();
    const auto ts = world.unix_ms() + static_cast<base::UnixMillis>(offset);
    EXPECT_EQ(world.receive(client.initial(0, ts, ask_ping)).kind, Kind::transmit);
    return client.open(world.sent)->error();
  };
  EXPECT_EQ(outcome(0), 0u);
  EXPECT_EQ(outcome(-30'000), 0u);
  EXPECT_EQ(outcome(-30'001), 1u);
  EXPECT_EQ(outcome(5'000), 0u);
  EXPECT_EQ(outcome(5'001), 1u);
  EXPECT_EQ(outcome(-1'767'225'600'000), 1u);  // a clock at the beginning of time
  EXPECT_EQ(outcome(-1'767'225'600'001), 1u);  // and one that wraps around
}

TEST(Freshness, StaleTimeTellsTheServersTimeAndDoesNothingElse) {
  World world;
  const BareClient client = world.client();
  world.receive(client.initial(4, 1, ask_assoc_and_ping));
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  EXPECT_EQ(msg->re, 4u);
  ASSERT_EQ(msg->frames.size(), 1u);
  ASSERT_EQ(msg->frames[0].payload.size(), 10u);
  EXPECT_EQ(base::load_be64(&msg->frames[0].payload[2]), world.unix_ms());
  EXPECT_EQ(world.server->associations(), 0u);
  EXPECT_EQ(world.server->counters().initials, 0u);
}

TEST(Replay, InitialIsProcessedOnce) {
  World world;
  const Buffer bytes = world.client().initial(0, world.unix_ms() + 5000, ask_dns);
  EXPECT_EQ(world.receive(bytes).kind, Kind::request);
  for (auto waited = 0s; waited < 35s; waited += 5s) {
    EXPECT_EQ(world.receive(bytes).kind, Kind::dropped);
    EXPECT_EQ(world.receive(bytes, kElsewhere).kind, Kind::dropped);
    world.now += 5s;
  }
  world.now += 1ms;
  // Now too old: its sender would be told the time, and nothing is done.
  EXPECT_EQ(world.receive(bytes).kind, Kind::transmit);
  EXPECT_EQ(world.server->counters().initials, 1u);
}

TEST(Replay, RetransmissionWithANewCounterIsAnotherOne) {
  World world;
  const BareClient client = world.client();
  for (std::uint64_t n = 0; n < 5; ++n)
    EXPECT_EQ(world.receive(client.initial(n, world.unix_ms(), ask_dns)).kind, Kind::request);
}

TEST(Replay, CookieDatagramIsProcessedOnce) {
  World world = just_started();
  const BareClient client = world.client();
  world.receive(client.initial(0, world.unix_ms(), ask_ping));
  ASSERT_TRUE(is_retry(world.sent));
  const Buffer bytes = with_cookie(client, 1, 0, cookie_of(world.sent));
  EXPECT_EQ(client.open((world.receive(bytes), world.sent))->error(), 0u);
  for (auto waited = 0s; waited < 31s; waited += 1s) {
    EXPECT_EQ(world.receive(bytes).kind == Kind::transmit && !is_retry(world.sent) &&
                  client.open(world.sent)->error() == 0,
              false);
    world.now += 1s;
  }
  EXPECT_EQ(world.server->counters().initials, 1u);
}

// The replay set is lost; whatever was accepted before must not be accepted again, at no moment
// after, whatever the client's clock said.
TEST(Restart, NothingFromBeforeIsAcceptedAgain) {
  for (const auto ahead : {-30'000, 0, 4'999, 5'000}) {
    for (const auto pause : {0ms, 1ms, 1000ms, 4999ms}) {
      World world;
      const BareClient client = world.client();
      const auto ts = world.unix_ms() + static_cast<base::UnixMillis>(ahead);
      const Buffer bytes = client.initial(0, ts, ask_dns);
      ASSERT_EQ(world.receive(bytes).kind, Kind::request);
      world.now += pause;
      world.start();
      world.now -= 60s;
      for (int i = 0; i < 500; ++i) {
        EXPECT_NE(world.receive(bytes).kind, Kind::request) << ahead << " " << pause.count();
        world.now += 100ms;
      }
    }
  }
}

TEST(Restart, FirstQueryIsServedInOneMoreRoundTrip) {
  World world = just_started();
  const BareClient client = world.client();
  EXPECT_EQ(world.receive(client.initial(0, world.unix_ms(), ask_ping)).kind, Kind::transmit);
  ASSERT_TRUE(is_retry(world.sent));
  EXPECT_EQ(packet::parse_retry(world.sent).n, 0u);
  EXPECT_EQ(packet::parse_retry(world.sent).cid, packet::client_id(client.public_key()));
  EXPECT_EQ(world.server->counters().scalar_mults, 0u);
  world.receive(with_cookie(client, 1, world.unix_ms(), cookie_of(world.sent), true));
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  EXPECT_EQ(msg->error(), 0u);
  EXPECT_NE(msg->find(FrameType::assoc), nullptr);
}

TEST(Restart, RetryEndsAfterFiveSeconds) {
  World world;
  world.start();
  world.now = world.boot + 4999ms;
  world.receive(world.client().initial(0, world.unix_ms() + 5000, ask_ping));
  EXPECT_TRUE(is_retry(world.sent));
  world.now = world.boot + 5001ms;
  const BareClient client = world.client();
  world.receive(client.initial(0, world.unix_ms(), ask_ping));
  EXPECT_EQ(client.open(world.sent)->error(), 0u);
}

// Anybody can get a cookie for any client key at his own address and put it before an old box.
TEST(Cookie, OfAStrangerGivesAnOldBoxNoFreshness) {
  World world;
  const BareClient client = world.client();
  const Buffer bytes = client.initial(0, world.unix_ms(), ask_dns);
  ASSERT_EQ(world.receive(bytes).kind, Kind::request);
  world.start();
  world.now -= 59s;
  world.receive(bytes, kElsewhere);
  ASSERT_TRUE(is_retry(world.sent));
  Buffer dressed = bytes;
  const Buffer cookie = cookie_of(world.sent);
  dressed.insert(dressed.begin() + 52, cookie.begin(), cookie.end());
  dressed[3] = 0x02;
  EXPECT_EQ(world.receive(dressed, kElsewhere).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 1u);
  EXPECT_EQ(world.server->counters().initials, 0u);
}

TEST(Cookie, BeforeAFreshBoxDoesNotMakeItAnother) {
  World world;
  world.start();
  world.now = world.boot + 4s;
  const BareClient client = world.client();
  world.receive(client.initial(0, 0, ask_ping), kElsewhere);
  const Buffer cookie = cookie_of(world.sent);
  world.now = world.boot + 10s;
  const Buffer bytes = client.initial(1, world.unix_ms(), ask_dns);
  ASSERT_EQ(world.receive(bytes).kind, Kind::request);
  Buffer dressed = bytes;
  dressed.insert(dressed.begin() + 52, cookie.begin(), cookie.end());
  dressed[3] = 0x02;
  EXPECT_EQ(world.receive(dressed, kElsewhere).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::replayed), 1u);
}

TEST(Cookie, FromAnotherPlaceCountsAsAbsent) {
  World world = just_started();
  const BareClient client = world.client();
  world.receive(client.initial(0, world.unix_ms(), ask_ping));
  const Buffer cookie = cookie_of(world.sent);
  auto other_port = kClientAddress;
  ++other_port.port;
  for (const auto& from : {kElsewhere, other_port}) {
    world.receive(with_cookie(client, 1, world.unix_ms(), cookie), from);
    EXPECT_TRUE(is_retry(world.sent));
  }
  const BareClient other = world.client();
  world.receive(with_cookie(other, 1, world.unix_ms(), cookie));
  EXPECT_TRUE(is_retry(world.sent));
  EXPECT_EQ(world.server->counters().scalar_mults, 0u);
}

TEST(Cookie, EchoedInTheBoxStandsForTheTimestamp) {
  World world = just_started();
  const BareClient client = world.client();
  world.receive(client.initial(0, 5, ask_ping));
  const Buffer cookie = cookie_of(world.sent);
  const auto ten_years = base::UnixMillis{10} * 365 * 86'400'000;
  world.receive(with_cookie(client, 1, world.unix_ms() + ten_years, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 0u);
  world.receive(with_cookie(client, 2, world.unix_ms() - ten_years, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 0u);
}

// A client whose clock is an hour ahead gets in by a cookie. An hour later its old timestamp is the
// right one, and the replay set has forgotten the tag.
TEST(Cookie, WhatItMadeFreshIsNeverFreshByItsTimestamp) {
  World world = just_started();
  const BareClient client = world.client();
  world.receive(client.initial(0, 0, ask_ping));
  const Buffer cookie = cookie_of(world.sent);
  const auto frames = [&](FrameWriter& writer) {
    writer.put(FrameType::echo, false, 0, base::Bytes(cookie).first(16));
    ask_dns(writer);
  };
  const Buffer bytes = client.initial(1, world.unix_ms() + 3'600'000, frames, 512, cookie);
  ASSERT_EQ(world.receive(bytes).kind, Kind::request);
  world.now += 1h;
  EXPECT_EQ(world.receive(bytes).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 1u);
  EXPECT_EQ(world.server->counters().initials, 1u);
}

TEST(Cookie, NotEchoedLeavesTheTimestampToDecide) {
  World world;
  world.start();
  world.now = world.boot + 4s;
  const BareClient client = world.client();
  world.receive(client.initial(0, world.unix_ms(), ask_ping));
  const Buffer cookie = cookie_of(world.sent);
  world.now = world.boot + 20s;
  world.receive(client.initial(1, 0, ask_ping, 512, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 1u);
  world.receive(client.initial(2, world.unix_ms(), ask_ping, 512, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 0u);
  Buffer other = cookie;
  other[0] ^= 1;
  const auto wrong_echo = [&](FrameWriter& frames) {
    frames.put(FrameType::echo, false, 0, base::Bytes(other).first(16));
    ask_ping(frames);
  };
  world.receive(client.initial(3, 0, wrong_echo, 512, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 1u);
}

TEST(Cookie, EndsAfterThirtySeconds) {
  World world;
  world.start();
  world.now = world.boot + 4s;
  const BareClient client = world.client();
  world.receive(client.initial(0, 0, ask_ping));
  const Buffer cookie = cookie_of(world.sent);
  world.now += 30s;
  world.receive(with_cookie(client, 1, 0, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 0u);
  world.now += 1ms;
  world.receive(with_cookie(client, 2, 0, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 1u);
}

TEST(Flood, AboveTheThresholdThereIsNoScalarMultiplication) {
  packet::ServerConfig config;
  config.scalar_mult_rate = {100, 50};
  World world(std::move(config));
  const BareClient client = world.client();
  Buffer forged = client.initial(0, world.unix_ms(), ask_ping);
  forged.back() ^= 1;
  for (unsigned i = 0; i < 5000; ++i) world.receive(forged, source(i));
  EXPECT_EQ(world.server->counters().scalar_mults, 50u);
  EXPECT_EQ(world.server->counters().retries, 4950u);
  // A genuine newcomer in the middle of it: one round trip more.
  world.receive(client.initial(1, world.unix_ms(), ask_ping));
  ASSERT_TRUE(is_retry(world.sent));
  world.receive(with_cookie(client, 2, world.unix_ms(), cookie_of(world.sent), true));
  ASSERT_TRUE(client.open(world.sent));
  EXPECT_NE(client.open(world.sent)->find(FrameType::assoc), nullptr);
}

TEST(Flood, OfOneNetworkCostsOnlyThatNetworkARoundTrip) {
  packet::ServerConfig config;
  config.initial_rate = {10, 10};
  World world(std::move(config));
  const BareClient client = world.client();
  for (std::uint64_t n = 0; n < 10; ++n)
    ASSERT_FALSE(
        (world.receive(client.initial(n, world.unix_ms(), ask_ping)), is_retry(world.sent)));
  world.receive(client.initial(10, world.unix_ms(), ask_ping));
  ASSERT_TRUE(is_retry(world.sent));
  const Buffer cookie = cookie_of(world.sent);
  world.receive(client.initial(11, world.unix_ms(), ask_ping), kElsewhere);
  EXPECT_FALSE(is_retry(world.sent));
  world.receive(with_cookie(client, 12, 0, cookie));
  EXPECT_EQ(client.open(world.sent)->error(), 0u);
}

TEST(Flood, WithCookiesIsLimitedToo) {
  packet::ServerConfig config;
  config.cookie_rate = {1, 5};
  World world(std::move(config));
  world.start();
  world.now = world.boot + 1s;
  const BareClient client = world.client();
  world.receive(client.initial(0, 0, ask_ping));
  const Buffer cookie = cookie_of(world.sent);
  for (std::uint64_t n = 1; n < 50; ++n) world.receive(with_cookie(client, n, 0, cookie));
  EXPECT_EQ(world.server->counters().scalar_mults, 5u);
  EXPECT_EQ(world.drops(Drop::rate_limited), 44u);
}

TEST(Flood, WithCookiesFromEverywhereIsLimitedInAll) {
  packet::ServerConfig config;
  config.cookie_scalar_mult_rate = {1, 5};
  World world(std::move(config));
  world.start();
  world.now = world.boot + 1s;
  const BareClient client = world.client();
  for (unsigned i = 0; i < 50; ++i) {
    world.receive(client.initial(2 * i, 0, ask_ping), source(i));
    world.receive(with_cookie(client, 2 * i + 1, 0, cookie_of(world.sent)), source(i));
  }
  EXPECT_EQ(world.server->counters().scalar_mults, 5u);
}

TEST(Flood, RetriesThemselvesAreLimited) {
  packet::ServerConfig config;
  config.reply_rate = {1, 7};
  World world(std::move(config));
  world.start();
  world.now = world.boot + 1s;
  const Buffer bytes = world.client().initial(0, world.unix_ms(), ask_ping);
  for (unsigned i = 0; i < 100; ++i) world.receive(bytes);
  EXPECT_EQ(world.server->counters().retries, 7u);
  EXPECT_EQ(world.drops(Drop::cookie_required_but_limited), 93u);
}

// Ten times as many newcomers as there is room for, each from a network of its own.
TEST(Flood, TableKeepsItsSizeAndTheProvenStay) {
  packet::ServerConfig config;
  config.max_associations = 64;
  World world(std::move(config));
  struct Proven {
    BareClient client;
    packet::SessionId sid;
  };
  std::vector<Proven> proven;
  for (unsigned i = 0; i < 40; ++i) {
    BareClient client = world.client();
    const auto sid = world.associate(client, source(i));
    ASSERT_EQ(world.receive(client.short_datagram(sid, 1, ask_ping), source(i)).size, 512u);
    proven.push_back({std::move(client), sid});
  }
  unsigned retries = 0;
  const BareClient flooder = world.client();
  for (unsigned i = 0; i < 640; ++i) {
    world.receive(flooder.initial(i, world.unix_ms(), ask_assoc_and_ping), source(1000 + i));
    if (is_retry(world.sent)) {
      ++retries;
      const Buffer cookie = cookie_of(world.sent);
      if (i % 2 == 0)
        world.receive(with_cookie(flooder, 10'000 + i, 0, cookie, true), source(1000 + i));
    }
    ASSERT_LE(world.server->associations(), 64u);
  }
  EXPECT_EQ(retries, 640u - 16);
  for (unsigned i = 0; i < proven.size(); ++i)
    EXPECT_EQ(
        world.receive(proven[i].client.short_datagram(proven[i].sid, 2, ask_ping), source(i)).size,
        512u);
}

TEST(Flood, OneNetworkOnProbationIsAskedForProof) {
  packet::ServerConfig config;
  config.probation_per_prefix = 3;
  World world(std::move(config));
  for (unsigned i = 0; i < 3; ++i) EXPECT_NE(world.associate(world.client()), packet::SessionId{});
  EXPECT_EQ(world.associate(world.client()), packet::SessionId{});
  EXPECT_TRUE(is_retry(world.sent));
  EXPECT_NE(world.associate(world.client(), kElsewhere), packet::SessionId{});
}

TEST(Flood, FullReplaySetMeansRetryAndNeverAcceptance) {
  packet::ServerConfig config;
  config.replay_capacity = 64;
  World world(std::move(config));
  const BareClient client = world.client();
  std::vector<Buffer> accepted;
  std::uint64_t n = 0;
  for (; accepted.size() < 48; ++n) {
    accepted.push_back(client.initial(n, world.unix_ms(), ask_dns));
    ASSERT_EQ(world.receive(accepted.back()).kind, Kind::request);
  }
  world.receive(client.initial(n++, world.unix_ms(), ask_dns));
  ASSERT_TRUE(is_retry(world.sent));
  const Buffer cookie = cookie_of(world.sent);
  unsigned with = 0;
  for (unsigned i = 0; i < 20; ++i) {
    world.receive(with_cookie(client, n++, 0, cookie));
    with += world.sent.size() == 512;
  }
  EXPECT_EQ(with, 8u);  // the last eighth that the set can hold
  EXPECT_EQ(world.drops(Drop::replay_set_full), 12u);
  for (const Buffer& bytes : accepted) EXPECT_NE(world.receive(bytes).kind, Kind::request);
  world.now += 36s;
  EXPECT_EQ(world.receive(client.initial(n++, world.unix_ms(), ask_dns)).kind, Kind::request);
}

TEST(Initial, CounterBeyondTheLastIsRefused) {
  World world;
  Buffer bytes = world.client().initial(0, world.unix_ms(), ask_ping);
  base::store_be64(&bytes[44], packet::kMaxCounter);
  EXPECT_EQ(world.receive(bytes).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::bad_counter), 1u);
}

TEST(Initial, UnknownKeyGetsSilenceAndCostsNothing) {
  World world;
  const auto other = crypto::generate_key_pair(world.rng);
  const BareClient client(world.rng, other.public_key);
  EXPECT_EQ(world.receive(client.initial(0, world.unix_ms(), ask_ping)).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::unknown_key), 1u);
  EXPECT_EQ(world.server->counters().scalar_mults, 0u);
}

TEST(Timeout, ServerForgetsInTimeAndAsksForNoMore) {
  World world;
  EXPECT_FALSE(world.server->next_timeout());
  world.associate(world.client());
  unsigned wakes = 0;
  while (const auto next = world.server->next_timeout()) {
    ASSERT_LE(++wakes, 10u);
    world.now = std::max(world.now, *next);
    world.server->handle_timeout(world.now);
  }
  EXPECT_EQ(world.server->associations(), 0u);
}

}  // namespace
}  // namespace boxgram::test
