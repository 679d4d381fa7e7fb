// The packet transport among attackers.
#include "sim/attackers.hpp"
#include "sim/scene.hpp"

namespace boxgram::sim {
namespace {

/// Its S survives a restart, and so does whatever was sealed for it.
GatewayOptions pinned_gateway() {
  GatewayOptions options;
  options.identity = false;
  options.pinned = true;
  return options;
}

TEST(PacketAttack, ReplaysChangeNothing) {
  for_seeds(1, 15, [](std::uint64_t seed) {
    Scene scene(seed, {}, pinned_gateway());
    if (seed % 2 == 0) scene.settle();
    Replayer replayer(seed);
    scene.world.add(replayer);
    for (int i = 0; i < 3; ++i) scene.add_client();
    scene.plan_traffic(40, 60s);
    scene.world.after(30s, [&] { scene.gateway.restart(scene.world); });
    scene.finish(120s);
    EXPECT_GT(replayer.replayed(), 50u);
    for (const auto& client : scene.clients)
      for (const auto& [id, outcome] : client->outcomes())
        EXPECT_EQ(outcome.failures, 0u) << to_string(outcome.reason) << " " << outcome.answer_size
                                        << " sent " << outcome.transmissions;
  });
}

TEST(PacketAttack, ReplaysOfAKeyForEachQueryChangeNothing) {
  for_seeds(101, 8, [](std::uint64_t seed) {
    Scene scene(seed, {}, pinned_gateway());
    scene.settle();
    Replayer replayer(seed);
    scene.world.add(replayer);
    auto config = scene.gateway.client_config();
    config.key_per_query = true;
    for (int i = 0; i < 3; ++i) scene.add_client(config);
    scene.plan_traffic(40, 60s);
    scene.world.after(30s, [&] { scene.gateway.restart(scene.world); });
    scene.finish(120s);
    EXPECT_EQ(scene.gateway.most_associations(), 0u);
    for (const auto& client : scene.clients) EXPECT_EQ(client->failed(), 0u);
  });
}

TEST(PacketAttack, OffPathForgeriesAreNotBelieved) {
  for_seeds(201, 10, [](std::uint64_t seed) {
    Scene scene(seed);
    scene.settle();
    Spoofer spoofer(kGateway, seed);
    scene.world.add(spoofer);
    for (int i = 0; i < 3; ++i) scene.add_client();
    scene.plan_traffic(60, 20s, 180);
    scene.finish(20s);
    EXPECT_GT(spoofer.sent(), 100u);
    for (const auto& client : scene.clients) {
      const auto& counters = client->client().counters();
      EXPECT_EQ(client->failed(), 0u);
      EXPECT_EQ(counters.resets_accepted, 0u);
      EXPECT_EQ(counters.retries_accepted, 0u);
      EXPECT_EQ(counters.associations, 1u);
      EXPECT_EQ(counters.certificates, 1u);
      EXPECT_GT(counters.not_ours, 0u);
      for (const auto& [id, outcome] : client->outcomes()) EXPECT_LE(outcome.took, 60ms);
    }
  });
}

GatewayOptions small_gateway() {
  GatewayOptions options;
  options.server.max_associations = 64;
  options.server.replay_capacity = 256;
  options.server.scalar_mult_rate = {500, 500};
  return options;
}

TEST(PacketAttack, AFloodLeavesLiveAssociationsAlone) {
  for (const bool sealed : {false, true}) {
    Scene scene(301, {}, small_gateway());
    scene.settle();
    ClientNode& client = scene.add_client();
    scene.ask_and_wait(client);
    scene.ask_and_wait(client);
    Flooder flooder(scene.gateway, kGateway, 1);
    for (int ms = 0; ms < 300; ++ms)
      scene.world.after(1ms * ms, [&] { flooder.flood(scene.world, 10, sealed); });
    scene.plan_traffic(200, 300ms, 150);
    scene.finish(1s);
    EXPECT_EQ(client.failed(), 0u);
    EXPECT_EQ(client.client().counters().associations, 1u);
    for (const auto& [id, outcome] : client.outcomes()) EXPECT_LE(outcome.took, 60ms);
    EXPECT_LE(scene.gateway.server().counters().scalar_mults, 700u);
    EXPECT_GT(scene.gateway.server().counters().retries, 0u);
  }
}

TEST(PacketAttack, AFloodDelaysANewClientByOneRoundTrip) {
  Scene scene(302, {}, small_gateway());
  scene.settle();
  Flooder flooder(scene.gateway, kGateway, 1);
  for (int ms = 0; ms < 500; ++ms)
    scene.world.after(1ms * ms, [&] { flooder.flood(scene.world, 10, true); });
  scene.world.run_for(300ms);
  ClientNode& client = scene.add_client();
  const auto outcome = scene.ask_and_wait(client);
  EXPECT_EQ(outcome.answers, 1u);
  EXPECT_LE(outcome.took, 60ms) << "KEYREQ, INITIAL, INITIAL_C";
  EXPECT_EQ(client.client().counters().retries_accepted, 1u);
  scene.finish(0s);
}

TEST(PacketAttack, ABurstOpensOneAssociation) {
  Scene scene(303);
  scene.settle();
  ClientNode& client = scene.add_client();
  for (int i = 0; i < 3000; ++i) client.ask(scene.world, 150);
  scene.finish(1s);
  EXPECT_EQ(client.answered(), 3000u);
  const auto& counters = client.client().counters();
  EXPECT_EQ(counters.initials, 16u);
  EXPECT_EQ(counters.shorts, 2984u);
  EXPECT_EQ(counters.retransmissions, 0u);
  EXPECT_EQ(scene.gateway.server().counters().associations_made, 1u);
  EXPECT_EQ(counters.overwritten, 0u);
}

TEST(PacketAttack, BeyondItsCapacityAClientSaysNo) {
  Scene scene(304);
  auto config = scene.gateway.client_config();
  config.capacity = 100;
  ClientNode& client = scene.add_client(config);
  for (int i = 0; i < 150; ++i) client.ask(scene.world, 100);
  EXPECT_EQ(client.client().counters().full, 50u);
  scene.finish(0s);
  EXPECT_EQ(client.answered(), 100u);
}

}  // namespace
}  // namespace boxgram::sim
