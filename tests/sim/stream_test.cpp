// The stream transport over bad connections, across restarts and among attackers.
#include <gtest/gtest.h>

#include "sim/nonce_log.hpp"
#include "sim/scene.hpp"
#include "sim/stream_nodes.hpp"

namespace boxgram::sim {
namespace {

using stream::FailReason;
using stream::HandshakeError;

struct StreamScene {
  explicit StreamScene(std::uint64_t world_seed, const TcpOptions& tcp = {},
                       const StreamServerNode::Options& server_options = {})
      : seed(world_seed),
        options(server_options),
        world(world_seed),
        network(world, tcp),
        server(world, network, server_options, world_seed * 1000 + 1) {
    start_nonce_log();
    world.add(server, kGateway);
  }

  StreamClientNode& add_client(std::optional<stream::ClientConfig> config = std::nullopt) {
    if (!config) config = server.client_config();
    capacity = config->capacity;
    const auto index = static_cast<std::uint8_t>(clients.size());
    clients.push_back(std::make_unique<StreamClientNode>(
        world, network, client_address(index), std::move(*config), seed * 1000 + 10 + index));
    world.add(*clients.back(), client_address(index));
    return *clients.back();
  }

  void plan_traffic(std::size_t requests_each, Duration duration) {
    for (const auto& client : clients) {
      for (std::size_t i = 0; i < requests_each; ++i) {
        const auto when = static_cast<Duration::rep>(
            world.rng().below(static_cast<std::uint64_t>(duration.count())));
        std::size_t answer = world.rng().below(300);
        if (world.rng().below(10) == 0) answer = world.rng().below(65536);
        const std::size_t request = world.rng().below(30) == 0 ? 20'000 : 40;
        world.after(Duration(when),
                    [&client = *client, answer, request] { client.ask(answer, request); });
      }
    }
  }

  /// Every request has ended, and what must hold holds.
  void check() {
    EXPECT_EQ(world.spins(), 0u) << "a node's deadline stayed in the past";
    EXPECT_GT(boxes_sealed(), 0u);
    EXPECT_EQ(nonces_reused(), 0u) << "a (key, nonce) pair was used twice";
    EXPECT_LE(server.most_half_open(), options.server.max_half_open);
    EXPECT_LE(server.most_sessions(), options.server.max_sessions);
    EXPECT_LE(server.most_unsent(), options.server.max_unsent + 32 * 1024);
    for (const auto& client : clients) {
      EXPECT_EQ(client->client().outstanding(), 0u);
      EXPECT_LE(client->most_unsent(), 400u * 1024);
      for (const auto& [id, outcome] : client->outcomes()) {
        EXPECT_EQ(outcome.answers + outcome.failures, outcome.forgotten ? 0u : 1u) << "id " << id;
        EXPECT_FALSE(outcome.wrong) << "id " << id;
        const auto executed = server.executions().find(id);
        const std::uint32_t times = executed == server.executions().end() ? 0 : executed->second;
        EXPECT_LE(times, 2u) << "id " << id << ": asked at most twice, on two connections";
        EXPECT_LE(outcome.answers, times) << "id " << id << ": answered by nobody";
      }
    }
  }

  /// A good network from now on: what is asked now must succeed.
  void heal() {
    network.set_options({});
    network.refuse(false);
    world.run_for(20s);
    for (const auto& client : clients) {
      client->read_slowly(1 << 30, Duration{0});
      for (const std::size_t size : {100u, 40'000u}) {
        client->ask(size);
        world.run_for(3s);
        const auto& last = client->outcomes().rbegin()->second;
        EXPECT_EQ(last.answers, 1u) << "after healing: " << to_string(last.reason);
      }
    }
    check();
  }

  std::uint64_t seed;
  StreamServerNode::Options options;
  World world;
  TcpNetwork network;
  StreamServerNode server;
  std::vector<std::unique_ptr<StreamClientNode>> clients;
  std::size_t capacity = 0;
};

TcpOptions random_tcp(test::SeededRng& rng) {
  TcpOptions tcp;
  tcp.delay = 1ms * static_cast<Duration::rep>(1 + rng.below(100));
  tcp.jitter = 1ms * static_cast<Duration::rep>(rng.below(100));
  tcp.window = 1000 + rng.below(200'000);
  tcp.segment = 1 + rng.below(3000);
  tcp.reset = static_cast<std::uint32_t>(rng.below(2) * rng.below(30));
  return tcp;
}

void run_faulty(std::uint64_t seed, std::uint64_t* hash = nullptr) {
  test::SeededRng choice(seed);
  StreamServerNode::Options options;
  options.service_time = choice.below(2) == 0 ? 0ms : 30ms;
  options.server.max_outstanding = choice.below(3) == 0 ? 3 : 128;
  options.server.max_unsent = choice.below(3) == 0 ? 100'000 : 1 << 20;
  StreamScene scene(seed, random_tcp(choice), options);
  for (int i = 0; i < 3; ++i) {
    auto config = scene.server.client_config();
    if (choice.below(3) == 0) config.close_after = 2s;
    if (choice.below(3) == 0) config.close_after = 0s;
    config.ask_again = choice.below(2) == 0;
    scene.add_client(std::move(config));
  }
  if (choice.below(3) == 0) scene.clients[0]->read_slowly(1 + choice.below(3000), 50ms);
  scene.plan_traffic(30, 20s);
  World& world = scene.world;
  if (choice.below(2) == 0) world.after(8s, [&] { scene.server.restart(); });
  if (choice.below(3) == 0) world.after(9s, [&] { scene.network.refuse(true); });
  world.after(13s, [&] { scene.network.refuse(false); });
  if (choice.below(2) == 0) world.after(12s, [&] { scene.clients[1]->vanish(); });
  if (choice.below(2) == 0) world.after(14s, [&] { scene.clients[2]->close(); });
  world.run_for(25s);
  scene.check();
  scene.heal();
  if (hash != nullptr) *hash = scene.network.trace_hash();
}

TEST(StreamFaults, InvariantsHold) {
  for_seeds(1, 100, [](std::uint64_t seed) { run_faulty(seed); });
}

TEST(StreamFaults, OneSeedGivesOneHistory) {
  std::uint64_t first = 0, second = 0, other = 0;
  run_faulty(7, &first);
  run_faulty(7, &second);
  run_faulty(8, &other);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(StreamFaults, AGoodNetworkAnswersEverything) {
  for_seeds(500, 10, [](std::uint64_t seed) {
    StreamScene scene(seed, {10ms, 5ms, 100'000, 1460, 0});
    for (int i = 0; i < 5; ++i) scene.add_client();
    scene.plan_traffic(100, 20s);
    scene.world.run_for(25s);
    for (const auto& client : scene.clients) {
      EXPECT_EQ(client->answered(), 100u);
      EXPECT_EQ(client->client().counters().connections, 1u) << "one for all requests";
    }
    EXPECT_EQ(scene.server.server().counters().scalar_mults, 5u * 5);
    scene.check();
  });
}

TEST(StreamFaults, TheFirstAnswerComesTwoRoundTripsAfterTcp) {
  // One for HELLO and COOKIE, one for the request that travels with CONFIRM; and one for the keys
  // before, on the very first connection.
  StreamScene scene(1, {50ms, 0ms, 100'000, 1460, 0});
  StreamClientNode& client = scene.add_client();
  const auto took = [&] {
    client.ask(100);
    const Instant asked = scene.world.now();
    while (client.client().outstanding() > 0) scene.world.run_for(1ms);
    return scene.world.now() - asked;
  };
  EXPECT_EQ(took(), 400ms);
  client.close();
  scene.world.run_for(1s);
  EXPECT_EQ(took(), 300ms) << "TCP, HELLO, the request";
  EXPECT_EQ(took(), 100ms) << "on a connection that is there";
}

TEST(StreamFaults, KeysThatRotatedAreFetchedWithoutAFailure) {
  StreamScene scene(2);
  StreamClientNode& client = scene.add_client();
  for (int hours = 0; hours < 12; ++hours) {
    client.ask(100);
    scene.world.run_for(1h);
    EXPECT_EQ(client.answered(), static_cast<std::size_t>(hours) + 1);
  }
  scene.check();
}

TEST(StreamFaults, ARestartedServerIsFoundAgainAtOnce) {
  for_seeds(700, 10, [](std::uint64_t seed) {
    StreamScene scene(seed);
    StreamClientNode& client = scene.add_client();
    for (int i = 0; i < 5; ++i) {
      client.ask(1000);
      scene.world.run_for(1s);
      scene.server.restart();  // with other keys: the ones that the client knows are stale
    }
    EXPECT_EQ(client.answered(), 5u);
    scene.check();
  });
}

TEST(StreamFaults, AnAnswerIsLostWithItsConnectionAndAskedForAgain) {
  StreamServerNode::Options options;
  options.service_time = 500ms;
  StreamScene scene(3, {}, options);
  StreamClientNode& client = scene.add_client();
  client.ask(50'000);
  scene.world.run_for(300ms);
  scene.server.restart();
  scene.world.run_for(2s);
  EXPECT_EQ(client.answered(), 1u);
  EXPECT_EQ(scene.server.executions().begin()->second, 2u);
  scene.check();
}

TEST(StreamFaults, ASessionLivesForADayAndRenewsItsKeys) {
  StreamScene scene(4);
  auto config = scene.server.client_config();
  config.close_after = Duration::zero();
  StreamClientNode& client = scene.add_client(std::move(config));
  for (int i = 0; i < 24; ++i) {
    client.ask(100);
    scene.world.run_for(1h);
  }
  EXPECT_EQ(client.answered(), 24u);
  EXPECT_EQ(client.client().counters().connections, 1u);
  EXPECT_TRUE(client.downs().empty());
  scene.check();
}

TEST(StreamFaults, ASlowReaderIsServedAtItsPaceAndTheOthersAtTheirs) {
  StreamServerNode::Options options;
  options.server.max_unsent = 200'000;
  options.server.max_outstanding = 4;
  StreamScene scene(5, {5ms, 0ms, 20'000, 1460, 0}, options);
  auto config = scene.server.client_config();
  config.request_lifetime = 1h;
  StreamClientNode& slow = scene.add_client(std::move(config));
  StreamClientNode& quick = scene.add_client();
  slow.read_slowly(2000, 100ms);
  for (int i = 0; i < 40; ++i) slow.ask(10'000);
  for (int i = 0; i < 20; ++i) {
    quick.ask(1000);
    scene.world.run_for(100ms);
    EXPECT_EQ(quick.answered(), static_cast<std::size_t>(i) + 1);
  }
  EXPECT_LT(slow.answered(), 10u);
  scene.world.run_for(40s);
  EXPECT_EQ(slow.answered(), 40u);
  EXPECT_LE(scene.server.most_unsent(), 100'000u) << "a quarter, and what was being answered";
  scene.check();
}

TEST(StreamFaults, ADrainedServerAnswersWhatItOwes) {
  StreamServerNode::Options options;
  options.service_time = 300ms;
  StreamScene scene(6, {}, options);
  StreamClientNode& client = scene.add_client();
  client.ask(100);
  scene.world.run_for(1s);
  client.ask(20'000);
  scene.world.run_for(100ms);
  scene.server.drain();
  client.ask(100);
  scene.world.run_for(2s);
  EXPECT_EQ(client.answered(), 2u);
  EXPECT_EQ(client.outcomes().rbegin()->second.reason, FailReason::shutdown);
  EXPECT_EQ(scene.server.server().sessions(), 0u);
  scene.check();
}

/// Connections of somebody who has no keys and follows no rules.
class Intruder {
 public:
  enum class Kind { silent, slow_hello, garbage, mutated_hello, key_requests };

  Intruder(World& world, TcpNetwork& network, std::uint64_t seed)
      : world_(world), network_(network), rng_(seed) {}

  void open(std::size_t count, Kind kind, bool one_network) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto network = static_cast<std::uint32_t>(one_network ? 0 : rng_.below(1 << 22));
      const auto from = SocketAddress::v4(10, static_cast<std::uint8_t>(network >> 16),
                                          static_cast<std::uint8_t>(network >> 8),
                                          static_cast<std::uint8_t>(network), 1000);
      network_.connect(from, [this, kind](std::unique_ptr<TcpEnd> end) {
        if (end) say(*ends_.emplace_back(std::move(end)), kind);
      });
    }
  }
  /// What stands before HELLO's box, for a key that exists.
  void learn(const packet::ServerKeys& keys) { key_id_ = keys.live.back()->id; }
  [[nodiscard]] std::size_t bytes_read() {
    std::size_t sum = 0;
    std::vector<std::uint8_t> buffer(65536);
    for (const auto& end : ends_) sum += end->read(buffer);
    return sum;
  }
  [[nodiscard]] std::size_t bytes_written() const { return bytes_written_; }

 private:
  void say(TcpEnd& end, Kind kind) {
    std::vector<std::uint8_t> bytes;
    if (kind == Kind::garbage) {
      bytes.resize(rng_.below(3000));
      rng_.fill(bytes);
      if (bytes.size() > 2) base::store_be16(bytes.data(), rng_.below(2) == 0 ? 92 : 512);
    } else if (kind == Kind::mutated_hello || kind == Kind::slow_hello) {
      bytes = {0, 92, 'b', 'g', 1, 0x21};
      bytes.insert(bytes.end(), key_id_.begin(), key_id_.end());
      const std::size_t at = bytes.size();
      bytes.resize(94);
      rng_.fill(base::MutableBytes(bytes).subspan(at));
    } else if (kind == Kind::key_requests) {
      bytes.resize(514);
      packet::write_keyreq(base::MutableBytes(bytes).subspan(2), {1});
      base::store_be16(bytes.data(), 512);
      bytes.resize(514 * 3);
      std::copy_n(bytes.begin(), 514, bytes.begin() + 514);
      std::copy_n(bytes.begin(), 514, bytes.begin() + 1028);
    }
    bytes_written_ += bytes.size();
    if (kind != Kind::slow_hello) {
      end.write(bytes);
      return;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i)
      world_.after(1s * static_cast<Duration::rep>(i),
                   [&end, byte = bytes[i]] { end.write(std::array{byte}); });
  }

  World& world_;
  TcpNetwork& network_;
  test::SeededRng rng_;
  packet::KeyId key_id_{};
  std::vector<std::unique_ptr<TcpEnd>> ends_;
  std::size_t bytes_written_ = 0;
};

TEST(StreamAttack, OthersAreServedWhileAFloodGoesOn) {
  for (const auto kind :
       {Intruder::Kind::silent, Intruder::Kind::slow_hello, Intruder::Kind::garbage,
        Intruder::Kind::mutated_hello, Intruder::Kind::key_requests}) {
    SCOPED_TRACE(static_cast<int>(kind));
    StreamScene scene(900 + static_cast<std::uint64_t>(kind));
    StreamClientNode& client = scene.add_client();
    client.ask(100);
    scene.world.run_for(1s);
    Intruder intruder(scene.world, scene.network, 5);
    intruder.learn(scene.server.keys());
    // 100 new connections a second, from everywhere: below 1,024 in 5 s.
    for (int i = 0; i < 100; ++i)
      scene.world.after(100ms * i, [&] { intruder.open(10, kind, false); });
    StreamClientNode& late = scene.add_client();
    for (int i = 0; i < 10; ++i) {
      client.ask(100);
      late.ask(100);
      scene.world.run_for(1s);
    }
    EXPECT_EQ(client.answered(), 11u);
    EXPECT_EQ(late.answered(), 10u) << "who connects in the middle of it";
    EXPECT_LE(intruder.bytes_read(), intruder.bytes_written()) << "nothing is amplified";
    scene.world.run_for(6s);
    EXPECT_EQ(scene.server.server().half_open(), 0u);
    scene.check();
  }
}

TEST(StreamAttack, SessionsSurviveWhenEveryPlaceIsTaken) {
  StreamScene scene(950);
  StreamClientNode& client = scene.add_client();
  client.ask(100);
  scene.world.run_for(1s);
  Intruder intruder(scene.world, scene.network, 6);
  intruder.open(5000, Intruder::Kind::silent, false);
  scene.world.run_for(1s);
  EXPECT_EQ(scene.server.server().half_open(), 1024u);
  for (int i = 0; i < 3; ++i) {
    client.ask(100);
    scene.world.run_for(1s);
  }
  EXPECT_EQ(client.answered(), 4u);
  scene.world.run_for(3s);
  EXPECT_EQ(scene.server.server().half_open(), 0u) << "after five seconds";
  scene.heal();
}

TEST(StreamAttack, OneNetworkTakesItsShareOnly) {
  StreamScene scene(960);
  Intruder intruder(scene.world, scene.network, 7);
  intruder.open(500, Intruder::Kind::silent, true);
  scene.world.run_for(1s);
  EXPECT_EQ(scene.server.server().half_open(), 16u);
  EXPECT_EQ(scene.server.server().counters().refused_per_prefix, 484u);
  StreamClientNode& client = scene.add_client();
  client.ask(100);
  scene.world.run_for(1s);
  EXPECT_EQ(client.answered(), 1u);
}

TEST(StreamAttack, AFloodOfHellosIsBoundedInItsScalarMultiplications) {
  StreamServerNode::Options options;
  options.server.all_handshakes_rate = {10, 20};
  StreamScene scene(970, {}, options);
  Intruder intruder(scene.world, scene.network, 8);
  intruder.learn(scene.server.keys());
  for (int i = 0; i < 10; ++i)
    scene.world.after(100ms * i, [&] { intruder.open(100, Intruder::Kind::mutated_hello, false); });
  scene.world.run_for(2s);
  EXPECT_LE(scene.server.server().counters().scalar_mults, 3u * 40);
  EXPECT_GE(scene.server.server()
                .counters()
                .handshakes_failed[static_cast<std::size_t>(HandshakeError::too_often)],
            900u);
}

}  // namespace
}  // namespace boxgram::sim
