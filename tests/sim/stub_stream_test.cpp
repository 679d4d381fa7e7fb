// Answers that fit no datagram, in a world where connections die in every way.
#include "sim/scene.hpp"
#include "sim/town.hpp"

namespace boxgram::sim {
namespace {

const std::vector<std::size_t> kLarge = {1200, 4000, 9000, 64'000};
const std::vector<std::size_t> kMixed = {40, 1500, 300, 9000, 900, 30'000};

/// Nobody is waited for, and connections without use are gone.
void expect_nothing_left(Town& town) {
  town.world.run_for(40s);
  for (std::size_t i : {0u, 1u}) {
    EXPECT_EQ(town.stub.core().stream(i)->outstanding(), 0u);
    EXPECT_FALSE(town.stub.core().stream(i)->ready());
  }
  EXPECT_EQ(town.first.streams().server().sessions(), 0u);
  EXPECT_EQ(town.second.streams().server().sessions(), 0u);
}

TEST(StubStreams, CarryEverySize) {
  Town town(1);
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1100; size < 64'000; size += 1 + size / 7) sizes.push_back(size);
  const auto count = static_cast<std::uint32_t>(sizes.size());
  town.traffic(count, 50ms, sizes);
  town.expect_sound();
  EXPECT_EQ(town.good_since(), count);
  expect_nothing_left(town);
}

TEST(StubStreams, ALargeAnswerTakesTwoRoundTripsOnceTheyAreOpen) {
  Town town(2);
  town.traffic(20, 300ms, kLarge);
  town.expect_sound();
  EXPECT_EQ(town.good_since(), 20u);
  // A datagram's round trip of 20 ms with 5 ms at the resolver, then the stream's of 20 ms.
  EXPECT_EQ(town.median_since(4), 45ms);
}

TEST(StubStreams, UdpClientsOfLargeAnswersAreToldToUseTcpAndFindItInTheCache) {
  Town town(3, {}, true);
  town.stub.ask(town.world, 1, 3000, false);
  town.stub.ask(town.world, 2, 900, false, 512);
  town.world.run_for(1s);
  for (const auto& q : town.stub.queries()) EXPECT_TRUE(q.truncated) << q.size;
  const auto whole = town.stub.ask(town.world, 1, 3000, true);
  EXPECT_TRUE(town.stub.queries()[whole].has_data);
  EXPECT_EQ(town.stub.queries()[whole].took, 0ms);
  town.expect_sound();
}

TEST(StubStreams, OutliveLoss) {
  for_seeds(1, 5, [](std::uint64_t seed) {
    LinkOptions link;
    link.loss = 200;
    link.jitter = 5ms;
    Town town(seed, link);
    town.traffic(200, 20ms, kMixed);
    town.expect_sound();
    EXPECT_GE(town.good_since(), 190u);
    town.world.heal();
    expect_nothing_left(town);
  });
}

TEST(StubStreams, OutliveConnectionsThatAreResetAllTheTime) {
  for_seeds(1, 10, [](std::uint64_t seed) {
    Town town(seed);
    for (int i = 0; i < 60; ++i)
      town.world.after(std::chrono::milliseconds(town.world.rng().below(4000)), [&town] {
        for (std::size_t k : {0u, 1u}) town.stub.tcp(k).reset();
      });
    town.traffic(400, 10ms, kMixed);
    town.expect_sound();
    EXPECT_GE(town.good_since(), 380u) << "one in 67 ms, and each question is asked again";
    expect_nothing_left(town);
  });
}

TEST(StubStreams, OutliveRestartsOfTheGateways) {
  for (const bool pinned : {true, false}) {
    for_seeds(1, 5, [&](std::uint64_t seed) {
      DnsGatewayOptions options;
      options.pinned = pinned;
      Town town(seed, {}, false, options);
      town.world.after(600ms, [&] { town.first.restart(town.world); });
      town.world.after(1300ms, [&] { town.second.restart(town.world); });
      town.world.after(1700ms, [&] { town.first.crash(); });
      town.world.after(2400ms, [&] { town.first.restart(town.world); });
      town.traffic(300, 10ms, kMixed);
      town.expect_sound();
      EXPECT_GE(town.good_since(), 299u);
      const std::size_t from = town.stub.queries().size();
      town.traffic(50, 10ms, kMixed);
      EXPECT_EQ(town.good_since(from), 50u);
      expect_nothing_left(town);
    });
  }
}

TEST(StubStreams, EndEveryQueryThoughNobodyIsThere) {
  Town town(4);
  town.traffic(50, 10ms, kMixed);
  const std::size_t from = town.stub.queries().size();
  town.world.after(200ms, [&] {
    town.first.crash();
    town.second.crash();
  });
  town.traffic(100, 10ms, kMixed);
  town.expect_sound();
  EXPECT_LE(town.good_since(from), 25u);
  town.first.restart(town.world);
  const std::size_t then = town.stub.queries().size();
  town.traffic(50, 50ms, kMixed);
  EXPECT_GE(town.good_since(then), 45u) << "found back within a few queries";
  town.expect_sound();
}

TEST(StubStreams, OutliveANetworkThatIsGoneForAWhile) {
  for (const Duration gone : {Duration{500ms}, Duration{1500ms}, Duration{10s}}) {
    Town town(5);
    town.traffic(30, 20ms, kMixed);
    town.world.partition(town.stub, true);
    town.world.after(gone, [&] { town.world.partition(town.stub, false); });
    town.traffic(20, 50ms, kMixed);
    town.world.run_for(gone);
    const std::size_t from = town.stub.queries().size();
    town.traffic(30, 50ms, kMixed);
    town.expect_sound();
    EXPECT_GE(town.good_since(from), 29u);
    town.world.run_for(120s);  // what the gateways have not heard the end of
    expect_nothing_left(town);
  }
}

TEST(StubStreams, AreHandedOverByADrainingGateway) {
  Town town(6);
  town.traffic(50, 10ms, kMixed);
  town.first.drain(town.world);
  const std::size_t from = town.stub.queries().size();
  town.traffic(100, 10ms, kMixed);
  town.expect_sound();
  EXPECT_EQ(town.good_since(from), 100u);
  EXPECT_EQ(town.first.streams().server().sessions(), 0u);
}

TEST(StubStreams, FollowAChangeOfAddress) {
  Town town(7);
  town.traffic(50, 10ms, kMixed);
  const std::size_t from = town.stub.queries().size();
  town.world.after(155ms, [&] {
    town.world.rebind(town.stub, SocketAddress::v4(203, 0, 113, 99, 40001));
    town.stub.address_changed(town.world);
  });
  town.traffic(50, 10ms, kMixed);
  town.expect_sound();
  EXPECT_EQ(town.good_since(from), 50u);
  expect_nothing_left(town);
}

TEST(StubStreams, OneSeedIsOneHistory) {
  const auto history = [](std::uint64_t seed) {
    LinkOptions link;
    link.loss = 100;
    Town town(seed, link);
    town.traffic(60, 7ms, kMixed);
    return town.world.trace_hash();
  };
  EXPECT_EQ(history(11), history(11));
}

}  // namespace
}  // namespace boxgram::sim
