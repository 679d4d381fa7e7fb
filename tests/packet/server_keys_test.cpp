// How a server's keys are told, how they change, and how they vanish.
#include <algorithm>

#include <gtest/gtest.h>

#include <boxgram/packet/key_rotation.hpp>

#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::Drop;
using packet::FrameType;
using packet::FrameWriter;
using packet::Server;
using Kind = packet::Received::Kind;

TEST(Keyreq, IsAnsweredWithinItsOwnLength) {
  QueuedRng rng(5);
  const base::WallClock wall{base::Instant{}, kVectorTime};
  packet::KeyRotation rotation(
      {}, rng, wall, base::Instant{},
      crypto::SigningKey(crypto::SigningSeed(std::array<std::uint8_t, 32>{1})), std::nullopt,
      crypto::SharedKey{});
  rotation.handle_timeout(base::Instant{} + 1h);
  rotation.handle_timeout(base::Instant{} + 2h);
  World world({}, rotation.snapshot());
  Buffer keyreq(512);
  packet::write_keyreq(keyreq, {7});
  EXPECT_EQ(world.receive(keyreq).kind, Kind::transmit);
  EXPECT_EQ(world.sent.size(), 16u + 3 * 124);
  const auto view = packet::parse_keys(world.sent);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->echo, packet::Echo{7});
}

TEST(Keyreq, WithoutCertificatesGetsAnEmptyAnswer) {
  World world;
  Buffer keyreq(512);
  packet::write_keyreq(keyreq, {7});
  EXPECT_EQ(world.receive(keyreq).kind, Kind::transmit);
  EXPECT_EQ(world.sent.size(), 16u);
}

TEST(Keyreq, WithDirtyPaddingGetsNothing) {
  World world;
  Buffer keyreq(512);
  packet::write_keyreq(keyreq, {7});
  keyreq[400] = 1;
  EXPECT_EQ(world.receive(keyreq).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::bad_frames), 1u);
}

/// A world whose keys rotate.
struct RotatingWorld : World {
  RotatingWorld() : World({}, vector_keys()), rotation(make(rng, wall)) { install(); }
  static packet::KeyRotation make(base::Rng& rng, base::WallClock wall) {
    return {{},
            rng,
            wall,
            base::Instant{},
            crypto::SigningKey(crypto::SigningSeed(std::array<std::uint8_t, 32>{1})),
            std::nullopt,
            crypto::SharedKey{}};
  }
  void install() {
    keys = rotation.snapshot();
    server->install(keys);
  }
  void sleep(base::Duration time) {
    now += time;
    rotation.handle_timeout(now);
    install();
    server->handle_timeout(now);
  }
  packet::KeyRotation rotation;
};

TEST(Rotation, OldKeyIsServedUntilItGoesAndThenReset) {
  RotatingWorld world;
  const BareClient client = world.client();
  world.sleep(1h);
  EXPECT_EQ(world.keys->live.size(), 2u);
  // A client that still holds the first certificate may even begin with it.
  const auto sid = world.associate(client);
  EXPECT_NE(sid, packet::SessionId{});
  EXPECT_EQ(world.receive(client.short_datagram(sid, 1, ask_ping)).kind, Kind::transmit);
  world.sleep(58min);
  EXPECT_EQ(world.receive(client.initial(2, world.unix_ms(), ask_ping)).kind, Kind::transmit);
  const auto late = world.associate(client, kClientAddress, 3);
  EXPECT_EQ(world.receive(client.short_datagram(late, 0, ask_ping)).size, 512u);
  world.sleep(1min);  // the third key comes: still there
  EXPECT_EQ(world.receive(client.short_datagram(late, 1, ask_ping)).size, 512u);
  EXPECT_EQ(world.server->associations(), 1u);
  world.sleep(1min);  // two hours and a minute after it was made
  EXPECT_EQ(world.server->associations(), 0u);
  EXPECT_EQ(world.server->counters().associations_retired, 1u);
  EXPECT_EQ(world.receive(client.short_datagram(late, 2, ask_ping)).size, 28u);
  EXPECT_EQ(world.receive(client.initial(4, world.unix_ms(), ask_ping)).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::unknown_key), 1u);
}

TEST(Rotation, NewCertificateIsOfferedInThePadding) {
  RotatingWorld world;
  const BareClient client = world.client();
  world.sleep(55min);
  const auto sid = world.associate(client);
  EXPECT_EQ(client.open(world.sent)->find(FrameType::keys), nullptr);
  EXPECT_EQ(world.receive(client.short_datagram(sid, 0, ask_ping)).size, 512u);
  EXPECT_EQ(client.open(world.sent)->find(FrameType::keys), nullptr);
  world.sleep(5min);
  const auto offered = [&](std::uint64_t n, std::size_t size = 512) {
    world.receive(client.short_datagram(sid, n, ask_ping, size));
    const auto msg = client.open(world.sent);
    if (msg->find(FrameType::keys) == nullptr) return false;
    EXPECT_EQ(packet::unverified_serial(msg->find(FrameType::keys)->payload),
              world.keys->newest()->serial);
    return true;
  };
  EXPECT_TRUE(offered(1));
  EXPECT_TRUE(offered(2));
  EXPECT_TRUE(offered(3));
  EXPECT_FALSE(offered(4));
  world.receive(client.initial(5, world.unix_ms(), ask_ping));
  EXPECT_NE(client.open(world.sent)->find(FrameType::keys), nullptr);
}

TEST(Rotation, OfferThatDoesNotFitIsLeftOut) {
  RotatingWorld world;
  const BareClient client = world.client();
  world.sleep(55min);
  const auto sid = world.associate(client);
  world.receive(client.short_datagram(sid, 0, ask_ping));
  world.sleep(5min);
  auto received = world.receive(client.short_datagram(sid, 1, ask_dns, 256));
  const std::size_t space = Server::payload_space(received.reply, world.out).size();
  EXPECT_TRUE(received.reply.offer_keys);
  EXPECT_EQ(space, 256u - 60);
  world.answer(received.reply, std::string(space, 'x'));
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  EXPECT_EQ(msg->find(FrameType::keys), nullptr);
  EXPECT_EQ(msg->find(FrameType::dns)->payload.size(), space);
}

TEST(Rotation, KeyreqFrameGetsTheNewestCertificateAlways) {
  RotatingWorld world;
  const BareClient client = world.client();
  const auto ask = [](FrameWriter& frames) { frames.put(FrameType::keyreq, false, 77); };
  world.receive(client.initial(0, world.unix_ms(), ask));
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  ASSERT_NE(msg->find(FrameType::keys), nullptr);
  EXPECT_EQ(msg->find(FrameType::keys)->id, 77u);
  EXPECT_TRUE(msg->find(FrameType::keys)->response);
}

/// Memory that is never given back, so that what is left in it can be looked at.
struct Arena {
  Buffer bytes = Buffer(4096);
  std::size_t used = 0;

  [[nodiscard]] bool contains(base::Bytes needle) const {
    return std::search(bytes.begin(), bytes.end(), needle.begin(), needle.end()) != bytes.end();
  }
};

template <class T>
struct ArenaAllocator {
  using value_type = T;
  explicit ArenaAllocator(Arena& a) : arena(&a) {}
  template <class U>
  ArenaAllocator(const ArenaAllocator<U>& other) : arena(other.arena) {}
  T* allocate(std::size_t n) {
    arena->used = (arena->used + alignof(T) - 1) / alignof(T) * alignof(T);
    void* place = &arena->bytes.at(arena->used);
    arena->used += n * sizeof(T);
    return static_cast<T*>(place);
  }
  void deallocate(T*, std::size_t) {}
  friend bool operator==(const ArenaAllocator&, const ArenaAllocator&) = default;
  Arena* arena;
};

TEST(Rotation, RetiredSecretLeavesNoTraceInItsMemory) {
  Arena arena;
  const Buffer secret = vector_bytes("/keys/Ss");
  auto key = std::allocate_shared<packet::BoxKey>(ArenaAllocator<packet::BoxKey>(arena));
  key->public_key = to_array<32>(vector_bytes("/keys/S"));
  key->id = packet::key_id(key->public_key);
  std::copy(secret.begin(), secret.end(), key->secret_key.data());
  auto keys = std::make_shared<packet::ServerKeys>();
  keys->live.push_back(std::move(key));
  World world({}, std::move(keys));
  EXPECT_TRUE(arena.contains(secret));
  world.keys = std::make_shared<packet::ServerKeys>();
  world.server->install(world.keys);
  EXPECT_FALSE(arena.contains(secret));
  EXPECT_FALSE(arena.contains(base::Bytes(secret).first(8)));
}

}  // namespace
}  // namespace boxgram::test
