// The packet transport over bad networks and across restarts.
#include "sim/scene.hpp"

namespace boxgram::sim {
namespace {

LinkOptions random_link(test::SeededRng& rng) {
  LinkOptions link;
  link.delay = 1ms * static_cast<Duration::rep>(1 + rng.below(100));
  link.jitter = 1ms * static_cast<Duration::rep>(rng.below(60));
  link.loss = static_cast<std::uint32_t>(rng.below(300));
  link.duplicate = static_cast<std::uint32_t>(rng.below(200));
  link.bit_flip = static_cast<std::uint32_t>(rng.below(100));
  link.truncate = static_cast<std::uint32_t>(rng.below(50));
  return link;
}

void run_faulty(std::uint64_t seed, bool key_per_query, std::uint64_t* hash = nullptr) {
  test::SeededRng choice(seed);
  GatewayOptions options;
  options.pinned = choice.below(2) == 0;
  options.identity = !options.pinned || choice.below(2) == 0;
  options.service_time = choice.below(2) == 0 ? 0ms : 30ms;
  Scene scene(seed, random_link(choice), options);
  auto config = scene.gateway.client_config();
  config.key_per_query = key_per_query;
  for (int i = 0; i < 3; ++i) scene.add_client(config);
  scene.plan_traffic(25, 20s);
  // Half of the worlds lose the gateway's memory, some its keys, some a client's address.
  if (choice.below(2) == 0) scene.world.after(8s, [&] { scene.gateway.restart(scene.world); });
  if (choice.below(2) == 0)
    scene.world.after(12s, [&] { scene.clients[0]->address_changed(scene.world); });
  if (choice.below(2) == 0)
    scene.world.after(14s,
                      [&] { scene.world.rebind(*scene.clients[1], client_address(1, 50001)); });
  scene.world.after(16s, [&] {
    auto& client = *scene.clients[2];
    if (!client.outcomes().empty()) client.cancel(scene.world, client.outcomes().rbegin()->first);
  });
  scene.finish(20s);

  scene.world.heal();
  for (const auto& client : scene.clients)
    EXPECT_EQ(scene.ask_and_wait(*client).answers, 1u) << "after healing";
  scene.finish(0s);
  if (hash != nullptr) *hash = scene.world.trace_hash();
}

GatewayOptions gateway_that_keeps_its_key(bool keeps) {
  GatewayOptions options;
  options.identity = !keeps;
  options.pinned = keeps;
  return options;
}

TEST(PacketFaults, InvariantsHoldWithAssociations) {
  for_seeds(1, 300, [](std::uint64_t seed) { run_faulty(seed, false); });
}

TEST(PacketFaults, InvariantsHoldWithAKeyForEachQuery) {
  for_seeds(1001, 60, [](std::uint64_t seed) { run_faulty(seed, true); });
}

TEST(PacketFaults, OneSeedGivesOneHistory) {
  std::uint64_t first = 0, second = 0, other = 0;
  run_faulty(7, false, &first);
  run_faulty(7, false, &second);
  run_faulty(8, false, &other);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(PacketFaults, ThirtyPercentLossLosesNextToNoRequest) {
  std::size_t asked = 0, answered = 0, slow = 0;
  for_seeds(2001, 10, [&](std::uint64_t seed) {
    LinkOptions link;
    link.loss = 163;  // 0.837^2 = 0.7: 30 % of round trips
    Scene scene(seed, link);
    scene.settle();
    for (int i = 0; i < 3; ++i) scene.add_client();
    scene.plan_traffic(50, 20s, 180);
    scene.finish(20s);
    for (const auto& client : scene.clients)
      for (const auto& [id, outcome] : client->outcomes()) {
        ++asked;
        answered += outcome.answers;
        if (outcome.took > 400ms) ++slow;
      }
  });
  // Chance may still take every transmission of one in some thousands.
  EXPECT_GE((answered + 1) * 1000, asked * 999);
  EXPECT_LT(slow * 20, asked) << "19 of 20 within 400 ms";
}

TEST(PacketFaults, ADeadPathEndsEveryRequestOnceAndHealsWithTheNextRequest) {
  Scene scene(3);
  scene.settle();
  ClientNode& client = scene.add_client();
  ASSERT_EQ(scene.ask_and_wait(client).answers, 1u);
  scene.world.partition(scene.gateway, true);
  for (int i = 0; i < 20; ++i) client.ask(scene.world, 100);
  scene.world.run_for(3s);
  EXPECT_EQ(client.failed(), 20u);
  for (const auto& [id, outcome] : client.outcomes()) {
    EXPECT_LE(outcome.took, 2804ms);
    if (outcome.failures != 0) {
      EXPECT_EQ(outcome.reason, packet::FailReason::timed_out);
    }
  }
  scene.world.heal();
  const auto healed = scene.ask_and_wait(client);
  EXPECT_EQ(healed.answers, 1u);
  EXPECT_LE(healed.took, 20ms) << "a new EC costs no round trip";
  scene.finish(0s);
}

TEST(PacketFaults, RequestsUnderWayDuringAnOutageAreAnsweredAfterIt) {
  for_seeds(3001, 10, [](std::uint64_t seed) {
    Scene scene(seed);
    scene.settle();
    ClientNode& client = scene.add_client();
    scene.ask_and_wait(client);
    scene.world.partition(scene.gateway, true);
    for (int i = 0; i < 40; ++i) client.ask(scene.world, 100);
    scene.world.after(2s, [&] { scene.world.heal(); });
    scene.finish(3s);
    EXPECT_EQ(client.answered(), 41u);
  });
}

TEST(PacketFaults, ARestartWithKeptKeysCostsOneRoundTrip) {
  Scene scene(4, {}, gateway_that_keeps_its_key(true));
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  scene.gateway.restart(scene.world);
  scene.settle();
  const auto outcome = scene.ask_and_wait(client);
  EXPECT_EQ(outcome.answers, 1u);
  EXPECT_EQ(outcome.took, 40ms) << "SHORT, RESET, INITIAL, MSG over 10 ms each";
  EXPECT_EQ(client.client().counters().resets_accepted, 1u);
  EXPECT_TRUE(client.client().state(scene.world.now()).established);
  scene.finish(0s);
}

TEST(PacketFaults, ARestartWithNewKeysCostsTwoRoundTrips) {
  Scene scene(5);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  scene.gateway.restart(scene.world);
  scene.settle();
  const auto outcome = scene.ask_and_wait(client);
  EXPECT_EQ(outcome.answers, 1u);
  EXPECT_EQ(outcome.took, 60ms);
  scene.finish(0s);
}

TEST(PacketFaults, RightAfterARestartTheCookieCostsOneMore) {
  for (const bool keep : {true, false}) {
    Scene scene(6, {}, gateway_that_keeps_its_key(keep));
    scene.settle();
    ClientNode& client = scene.add_client();
    scene.ask_and_wait(client);
    scene.gateway.restart(scene.world);
    const auto outcome = scene.ask_and_wait(client);
    EXPECT_EQ(outcome.answers, 1u);
    EXPECT_EQ(outcome.took, keep ? 60ms : 80ms);
    EXPECT_EQ(client.client().counters().retries_accepted, 1u);
    scene.finish(0s);
  }
}

TEST(PacketFaults, ARestartUnderLoadLosesNoRequest) {
  for_seeds(4001, 10, [](std::uint64_t seed) {
    Scene scene(seed, {}, gateway_that_keeps_its_key(seed % 2 == 0));
    scene.settle();
    for (int i = 0; i < 4; ++i) scene.add_client();
    scene.plan_traffic(300, 3s, 180);
    scene.world.after(1s, [&] { scene.gateway.crash(); });
    scene.world.after(1500ms, [&] { scene.gateway.restart(scene.world); });
    scene.finish(3s);
    for (const auto& client : scene.clients) EXPECT_EQ(client->failed(), 0u);
  });
}

TEST(PacketFaults, ATranslatorThatMovesTheClientCostsNothing) {
  Scene scene(9);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  for (std::uint16_t port = 50000; port < 50010; ++port) {
    scene.world.rebind(client, client_address(0, port));
    const auto outcome = scene.ask_and_wait(client);
    EXPECT_EQ(outcome.took, 20ms);
  }
  EXPECT_EQ(client.client().counters().associations, 1u);
  scene.finish(0s);
}

TEST(PacketFaults, ANewAddressGetsANewKeyAndLosesNothing) {
  Scene scene(10);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  for (int i = 0; i < 30; ++i) client.ask(scene.world, 100);
  scene.world.rebind(client, client_address(0, 50000));
  client.address_changed(scene.world);
  scene.finish(1s);
  EXPECT_EQ(client.answered(), 31u);
  EXPECT_EQ(client.client().counters().associations, 2u);
  for (const auto& [id, outcome] : client.outcomes()) EXPECT_LE(outcome.took, 40ms);
}

}  // namespace
}  // namespace boxgram::sim
