// A stub, gateways and resolvers in one simulated world: what people would notice.
#include "sim/scene.hpp"
#include "sim/town.hpp"

namespace boxgram::sim {
namespace {

TEST(StubGateway, ResolvesThroughTheSealedPath) {
  for_seeds(1, 5, [](std::uint64_t seed) {
    Town town(seed);
    town.traffic(200, 5ms);
    town.expect_sound();
    EXPECT_EQ(town.good_since(), 200u);
    EXPECT_LE(town.median_since(50), 40ms) << "10 ms each way, 5 ms at the resolver";
  });
}

TEST(StubGateway, AnswersEveryQueryUnderHeavyLoss) {
  for_seeds(1, 8, [](std::uint64_t seed) {
    LinkOptions link;
    link.loss = 300;
    link.jitter = 5ms;
    link.duplicate = 20;
    link.bit_flip = 10;
    Town town(seed, link);
    town.traffic(300, 10ms);
    town.expect_sound();
    EXPECT_GE(town.good_since(), 297u) << "30 % loss each way, 51 % of the exchanges";
  });
}

TEST(StubGateway, OneLostDatagramCostsAtMost400MillisecondsAtTheMedian) {
  for_seeds(1, 5, [](std::uint64_t seed) {
    Town town(seed);
    town.traffic(50, 20ms);  // measured round trips
    const std::size_t from = town.stub.queries().size();
    for (int i = 0; i < 40; ++i) {
      LinkOptions deaf;
      deaf.loss = 1000;
      town.world.set_link(deaf);
      town.stub.ask(town.world, 10'000 + static_cast<std::uint32_t>(i));
      town.world.set_link({});
      town.world.run_for(3s);
    }
    town.expect_sound();
    EXPECT_EQ(town.good_since(from), 40u);
    EXPECT_LE(town.median_since(from), 400ms);
  });
}

TEST(StubGateway, ADeadGatewayIsNotNoticeable) {
  for_seeds(1, 5, [](std::uint64_t seed) {
    Town town(seed);
    town.traffic(100, 10ms);
    town.first.crash();
    const std::size_t from = town.stub.queries().size();
    town.traffic(300, 10ms);
    town.expect_sound();
    EXPECT_EQ(town.good_since(from), 300u);
    std::size_t slow = 0;
    for (std::size_t i = from; i < town.stub.queries().size(); ++i)
      slow += town.stub.queries()[i].took > 500ms ? 1 : 0;
    EXPECT_LE(slow, 3u);
    EXPECT_LE(town.median_since(from), 60ms);
  });
}

TEST(StubGateway, AllDeadGivesServfailWithinThreeSeconds) {
  Town town(1);
  town.first.crash();
  town.second.crash();
  town.traffic(20, 100ms);
  town.expect_sound();
  for (const auto& q : town.stub.queries()) EXPECT_EQ(q.rcode, 2u);
}

TEST(StubGateway, RecoversAfterBothGatewaysRestart) {
  for (const bool pinned : {true, false}) {
    for_seeds(1, 5, [&](std::uint64_t seed) {
      DnsGatewayOptions options;
      options.pinned = pinned;
      Town town(seed, {}, false, options);
      town.traffic(100, 10ms);
      town.first.restart(town.world);
      town.second.restart(town.world);
      const std::size_t from = town.stub.queries().size();
      town.traffic(100, 10ms);
      town.expect_sound();
      EXPECT_EQ(town.good_since(from), 100u) << (pinned ? "pinned" : "new keys");
    });
  }
}

TEST(StubGateway, ADrainingGatewayHandsItsClientsOver) {
  Town town(3);
  town.traffic(100, 10ms);
  town.first.drain(town.world);
  const std::size_t from = town.stub.queries().size();
  town.traffic(100, 10ms);
  town.expect_sound();
  EXPECT_EQ(town.good_since(from), 100u);
  for (std::size_t i = from; i < town.stub.queries().size(); ++i)
    EXPECT_LE(town.stub.queries()[i].took, 150ms);
}

TEST(StubGateway, ResolvesWithAClockWrongByTenYears) {
  for (const std::int64_t years : {-10, 10}) {
    for (const bool pinned : {true, false}) {
      DnsGatewayOptions options;
      options.pinned = pinned;
      Town town(4, {}, false, options, years * 365 * 86'400'000);
      town.traffic(20, 50ms);
      town.expect_sound();
      EXPECT_EQ(town.good_since(), 20u) << years << " years, " << (pinned ? "pinned" : "identity");
    }
  }
}

TEST(StubGateway, SurvivesAChangeOfAddress) {
  Town town(5);
  town.traffic(50, 10ms);
  town.world.rebind(town.stub, SocketAddress::v4(203, 0, 113, 99, 40001));
  const std::size_t from = town.stub.queries().size();
  town.traffic(50, 10ms);
  EXPECT_EQ(town.good_since(from), 50u) << "answers go where the request came from";
  town.stub.address_changed(town.world);
  town.traffic(50, 10ms);
  town.expect_sound();
  EXPECT_EQ(town.good_since(from), 100u);
}

TEST(StubGateway, CarriesAnswersOfEverySizeThatADatagramHolds) {
  DnsGatewayOptions options;
  options.streams = false;
  Town town(6, {}, false, options);
  town.traffic(5, 10ms);
  const std::size_t from = town.stub.queries().size();
  std::uint32_t index = 50'000;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 2; size < 1400; ++size) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    town.stub.ask(town.world, index++, size, true);
    town.world.run_for(60ms);
  }
  town.world.run_for(3s);
  town.expect_sound();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto& q = town.stub.queries()[from + i];
    // 12 header, question, 12 of the record, 11 of OPT beside the text.
    const std::size_t whole = 12 + name_of(50'000 + static_cast<std::uint32_t>(i), q.size).size() +
                              2 + 4 + 12 + q.size + 11;
    if (whole <= 1172)
      EXPECT_TRUE(q.has_data) << q.size;
    else
      EXPECT_EQ(q.rcode, 2u) << q.size << ": needs a stream, and the gateway takes none";
  }
}

TEST(StubGateway, UdpClientsOfLargeAnswersAreToldToUseTcp) {
  Town town(7);
  town.stub.ask(town.world, 1, 3000, false);
  town.stub.ask(town.world, 2, 900, false, 512);
  town.world.run_for(3s);
  town.expect_sound();
  for (const auto& q : town.stub.queries()) {
    EXPECT_TRUE(q.truncated) << q.size;
    EXPECT_EQ(q.rcode, 0u);
    EXPECT_LE(q.took, 1s) << "no time is lost on what can never fit";
  }
}

TEST(StubGateway, TheStubsCacheAnswersWithoutTheGateway) {
  Town town(8, {}, true);
  town.stub.ask(town.world, 1);
  town.world.run_for(1s);
  town.first.crash();
  town.second.crash();
  const auto n = town.stub.ask(town.world, 1);
  EXPECT_TRUE(town.stub.queries()[n].has_data);
  EXPECT_EQ(town.stub.queries()[n].took, 0ms);
  town.world.run_for(1h);
  const auto stale = town.stub.ask(town.world, 1);
  town.world.run_for(3s);
  EXPECT_TRUE(town.stub.queries()[stale].has_data) << "expired, but better than nothing";
  EXPECT_LE(town.stub.queries()[stale].took, 1900ms);
  town.expect_sound();
}

TEST(StubGateway, CoalescesTheSameQuestionAtBothEnds) {
  Town town(9);
  town.traffic(5, 10ms);
  town.first.set_upstream_delay(300ms);
  town.second.set_upstream_delay(300ms);
  const auto before = town.first.asked_upstream() + town.second.asked_upstream();
  for (int i = 0; i < 50; ++i) town.stub.ask(town.world, 777);
  town.world.run_for(3s);
  town.expect_sound();
  EXPECT_EQ(town.good_since(), 55u);
  EXPECT_LE(town.first.asked_upstream() + town.second.asked_upstream() - before, 10u)
      << "one flight at each gateway with the retries of a resolver that became slow, not fifty";
}

TEST(StubGateway, AFlakyResolverBehindTheGatewayIsRetriedThere) {
  for_seeds(1, 5, [](std::uint64_t seed) {
    DnsGatewayOptions options;
    options.upstream_loss = 300;
    Town town(seed, {}, false, options);
    town.traffic(300, 10ms);
    town.expect_sound();
    EXPECT_GE(town.good_since(), 299u);
  });
}

TEST(StubGateway, AReloadLosesNoQuery) {
  Town town(10);
  town.traffic(20, 10ms);
  const std::size_t from = town.stub.queries().size();
  town.first.set_upstream_delay(200ms);
  town.second.set_upstream_delay(200ms);
  for (std::uint32_t i = 0; i < 50; ++i) town.stub.ask(town.world, 9000 + i);
  town.world.run_for(60ms);
  for (auto* gateway : {&town.first, &town.second}) {
    gateway->worker().lines().reload(town.world.now(), gateway->rules());
    EXPECT_EQ(gateway->worker().lines().generation(), 2u);
  }
  town.world.run_for(3s);
  town.expect_sound();
  EXPECT_EQ(town.good_since(from), 50u);
  EXPECT_EQ(town.first.worker().lines().oldest_generation(), 2u) << "the old rules are gone";
  town.traffic(20, 10ms);
  town.expect_sound();
  EXPECT_EQ(town.good_since(from), 70u);
}

TEST(StubGateway, OneSeedIsOneHistory) {
  const auto history = [](std::uint64_t seed) {
    LinkOptions link;
    link.loss = 100;
    link.jitter = 9ms;
    Town town(seed, link, true);
    town.traffic(100, 7ms);
    return town.world.trace_hash();
  };
  EXPECT_EQ(history(11), history(11));
  EXPECT_NE(history(11), history(12));
}

}  // namespace
}  // namespace boxgram::sim
