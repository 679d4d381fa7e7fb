// Keys and clocks: rotation, certificates, clients whose clock is wrong.
#include "sim/scene.hpp"

namespace boxgram::sim {
namespace {

constexpr std::int64_t kTenYearsMs = std::int64_t{10} * 365 * 24 * 3600 * 1000;

TEST(PacketClock, TenYearsWrongCostOneRoundTripMore) {
  for (const std::int64_t error : {-kTenYearsMs, kTenYearsMs}) {
    for (const bool pinned : {false, true}) {
      GatewayOptions options;
      options.pinned = pinned;
      options.identity = !pinned;
      Scene scene(1, {}, options);
      scene.settle();
      ClientNode& right = scene.add_client(0);
      ClientNode& wrong = scene.add_client(error);
      EXPECT_EQ(scene.ask_and_wait(right).took, pinned ? 20ms : 40ms);
      EXPECT_EQ(scene.ask_and_wait(wrong).took, pinned ? 40ms : 60ms);
      EXPECT_EQ(wrong.client().counters().stale_times, 1u);
      EXPECT_EQ(scene.ask_and_wait(wrong).took, 20ms);
      scene.finish(0s);
    }
  }
}

TEST(PacketClock, WrongClocksResolveOverABadNetworkAndThroughRotations) {
  for_seeds(101, 12, [](std::uint64_t seed) {
    LinkOptions link;
    link.loss = 100;
    link.jitter = 20ms;
    Scene scene(seed, link);
    scene.add_client(kTenYearsMs);
    scene.add_client(-kTenYearsMs);
    scene.add_client(40'000);
    scene.add_client(-40'000);
    for (int hour = 0; hour < 5; ++hour) {
      scene.plan_traffic(10, 60s, 180);
      scene.world.run_for(1h);
    }
    scene.finish(0s);
    // One of a hundred thousand round trips may lose all its transmissions.
    for (const auto& client : scene.clients) EXPECT_LE(client->failed(), 1u);
  });
}

TEST(PacketClock, RotationStallsNoRequest) {
  Scene scene(2);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  const auto first_serial = client.client().state(scene.world.now()).key_serial;
  Duration worst{};
  for (int i = 0; i < 5 * 180; ++i) {
    scene.world.run_for(17s);
    worst = std::max(worst, scene.ask_and_wait(client).took);
  }
  EXPECT_EQ(worst, 20ms) << "never more than its own round trip";
  EXPECT_GT(client.client().state(scene.world.now()).key_serial, first_serial);
  EXPECT_EQ(client.failed(), 0u);
  EXPECT_EQ(client.client().counters().resets_accepted, 0u);
  scene.finish(0s);
}

TEST(PacketClock, AnIdleClientFindsItsKeyFreshAfterADay) {
  Scene scene(3);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  scene.world.run_for(24h);
  EXPECT_EQ(scene.ask_and_wait(client).took, 20ms);
  EXPECT_LE(client.client().counters().keyreqs, 30u) << "about one an hour";
  scene.finish(0s);
}

TEST(PacketClock, AnIdleClientWithoutGatewayGoesSilent) {
  Scene scene(4);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  scene.world.partition(scene.gateway, true);
  scene.world.run_for(24h);
  EXPECT_LE(client.client().counters().keyreqs, 150u) << "until its certificate ends";
  const auto before = client.client().counters().keyreqs;
  scene.world.run_for(24h);
  EXPECT_EQ(client.client().counters().keyreqs, before);
  scene.world.heal();
  EXPECT_EQ(scene.ask_and_wait(client).took, 40ms) << "KEYREQ, then INITIAL";
  scene.finish(0s);
}

TEST(PacketClock, ACertificateFromAnEarlierRunSavesTheKeyreq) {
  Scene scene(5);
  scene.settle();
  ClientNode& first = scene.add_client();
  scene.ask_and_wait(first);
  auto config = scene.gateway.client_config();
  config.certificate = first.client().certificate();
  config.highest_serial = first.client().state(scene.world.now()).highest_serial;
  ASSERT_TRUE(config.certificate);
  ClientNode& second = scene.add_client(config);
  EXPECT_EQ(scene.ask_and_wait(second).took, 20ms);
  scene.finish(0s);
}

TEST(PacketClock, APinnedKeyServesAtOnceAndACertifiedOneFollows) {
  GatewayOptions options;
  options.pinned = true;
  Scene scene(6, {}, options);
  scene.settle();
  ClientNode& client = scene.add_client();
  EXPECT_EQ(scene.ask_and_wait(client).took, 20ms);
  EXPECT_NE(client.client().state(scene.world.now()).highest_serial, 0u);
  scene.world.run_for(700s);
  EXPECT_EQ(scene.ask_and_wait(client).took, 20ms);
  EXPECT_NE(client.client().state(scene.world.now()).key_serial, 0u);
  scene.finish(0s);
}

TEST(PacketClock, AnAssociationEndsAfterTenMinutesWithoutAStall) {
  Scene scene(7);
  scene.settle();
  ClientNode& client = scene.add_client();
  scene.ask_and_wait(client);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(scene.ask_and_wait(client).took, 20ms);
    scene.world.run_for(10s);
  }
  EXPECT_EQ(client.client().counters().associations, 3u) << "1,300 s";
  scene.finish(0s);
}

}  // namespace
}  // namespace boxgram::sim
