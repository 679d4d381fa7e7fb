// The defects of the program that the protocol came with, D1 to D17, as far as they concern
// streams: one test each, by its number. D11 and the rest of D14 are of the packet transport.
#include <set>

#include <gtest/gtest.h>

#include "stream/client_world.hpp"
#include "stream/server_world.hpp"

namespace boxgram::test {
namespace {

using packet::ErrorCode;
using packet::FrameType;
using stream::HandshakeError;
using stream::SessionEnd;

TEST(StreamRegression, D1_TheDirectionsNeverShareANonce) {
  SessionPair pair;
  for (int i = 0; i < 10; ++i) {
    pair.client.session.send(FrameType::control, true, 1, filled(40));
    pair.server.session.send(FrameType::control, true, 1, filled(40));
    const auto up = pair.client.records(), down = pair.server.records();
    ASSERT_EQ(up.size(), 1u);
    ASSERT_EQ(up[0].size(), down[0].size());
    // Under one key stream the same plaintext would give the same ciphertext.
    std::size_t same = 0;
    for (std::size_t at = 2; at < up[0].size(); ++at) same += up[0][at] == down[0][at];
    EXPECT_LT(same, 8u);
    pair.server.receive(pair.now, up[0]);
    pair.client.receive(pair.now, down[0]);
  }
  EXPECT_EQ(pair.server.messages.size(), 10u);
  EXPECT_EQ(pair.client.messages.size(), 10u);
}

TEST(StreamRegression, D2_NothingInTheClearMovesACounter) {
  // A forged record ends the session; it does not make the victim seal under an old nonce.
  SessionPair pair;
  std::set<Buffer> sealed;
  for (int i = 0; i < 3; ++i) {
    pair.server.session.send(FrameType::control, true, 1, filled(40));
    EXPECT_TRUE(sealed.insert(pair.server.records()[0]).second);
  }
  pair.server.receive(pair.now, framed(Buffer(80)));
  EXPECT_EQ(pair.server.session.end(), SessionEnd::not_authentic);
  EXPECT_FALSE(pair.server.session.send(FrameType::control, true, 1, filled(40)));
  EXPECT_TRUE(pair.server.records().empty());
}

TEST(StreamRegression, D3_AReplayedRecordIsRefused) {
  SessionPair pair;
  pair.client.session.send(FrameType::dns, false, 1, filled(40));
  const Buffer record = pair.client.records()[0];
  pair.server.receive(pair.now, record);
  pair.server.receive(pair.now, record);
  EXPECT_EQ(pair.server.messages.size(), 1u);
  EXPECT_EQ(pair.server.session.end(), SessionEnd::not_authentic);
}

TEST(StreamRegression, D4_AReflectedRecordIsRefused) {
  SessionPair pair;
  pair.client.session.send(FrameType::dns, false, 1, filled(40));
  pair.client.receive(pair.now, pair.client.records()[0]);
  EXPECT_TRUE(pair.client.messages.empty());
  EXPECT_EQ(pair.client.session.end(), SessionEnd::not_authentic);
}

TEST(StreamRegression, D5_AReplayedHelloIsAnsweredUnderAnotherNonce) {
  ServerWorld world;
  RawClient client = world.client();
  const Buffer hello = client.hello();
  std::set<Buffer> nonces;
  for (int i = 0; i < 10; ++i) {
    const base::Handle handle = world.connect();
    world.give(handle, hello);
    const Buffer cookie = world.taken(handle);
    ASSERT_EQ(cookie.size(), 134u);
    EXPECT_TRUE(nonces.emplace(cookie.begin() + 6, cookie.begin() + 22).second);
  }
}

TEST(StreamRegression, D6_TheVoucherHasANonceOfItsOwn) {
  ServerWorld world;
  RawClient client = world.client();
  world.give(world.connect(), client.hello());
  Buffer out = world.sent.begin()->second;
  ASSERT_TRUE(client.take_cookie(take_body(out)));
  std::set<Buffer> nonces;
  for (int i = 0; i < 100; ++i) {
    const Buffer voucher = client.voucher();
    EXPECT_TRUE(nonces.emplace(voucher.begin(), voucher.begin() + 16).second);
  }
}

TEST(StreamRegression, D7_NothingGoesOnAfterAFailedHandshake) {
  ServerWorld world;
  world.close_ended = false;
  RawClient client = world.client();
  const base::Handle handle = world.connect();
  world.give(handle, client.hello());
  Buffer out = world.taken(handle);
  ASSERT_TRUE(client.take_cookie(take_body(out)));
  Buffer vouch = client.vouch();
  vouch[100] ^= 1;
  world.give(handle, vouch);
  EXPECT_EQ(world.ended.at(handle).handshake, HandshakeError::not_authentic);
  // Neither the rest of a good handshake nor a request under the session's key is heard, though the
  // owner has not closed the connection yet.
  EXPECT_TRUE(world.server->room(handle).empty());
  EXPECT_EQ(world.give(handle, client.vouch() + client.confirm()), 0u);
  EXPECT_FALSE(world.server->respond(world.now, handle, FrameType::dns, 1, {}));
  world.server->close(world.now, handle, stream::CloseCode::done, {});
  world.drain();
  EXPECT_TRUE(world.taken(handle).empty());
  EXPECT_TRUE(world.proven.empty());
  EXPECT_TRUE(world.messages.empty());
}

TEST(StreamRegression, D8_WhoIsNotOnTheListHasNoSession) {
  ServerWorld world;
  world.allow_list = [](const crypto::PublicKey&) { return ErrorCode::auth; };
  RawClient client = world.client();
  const base::Handle handle = world.connect();
  world.give(handle, client.hello());
  Buffer out = world.taken(handle);
  ASSERT_TRUE(client.take_cookie(take_body(out)));
  Buffer rest = client.vouch() + client.confirm();
  rest = rest + client.records->seal({{FrameType::dns, false, 1, {1}}});
  world.give(handle, rest);
  ASSERT_EQ(world.proven.size(), 1u);
  EXPECT_TRUE(world.messages.empty());
  EXPECT_EQ(world.server->sessions(), 0u);
  const auto frames = client.records->open(world.taken(handle));
  ASSERT_EQ(frames->size(), 1u);
  EXPECT_EQ(frames->at(0).payload, (Buffer{0, 9}));
}

TEST(StreamRegression, D9_TheEndOfOneSessionLeavesTheKeysToTheOthers) {
  ServerWorld world;
  RawClient stays = world.client(1);
  const base::Handle kept = world.establish(stays);
  for (std::uint64_t i = 0; i < 5; ++i) {
    RawClient client = world.client(i + 2);
    const base::Handle handle = world.establish(client);
    world.end_input(handle);
    EXPECT_TRUE(world.ended.contains(handle));
  }
  world.give(kept, stays.records->seal({{FrameType::dns, false, 1, {42}}}));
  EXPECT_EQ(stays.records->open(world.taken(kept))->at(0).payload, Buffer{42});
  RawClient late = world.client(99);
  world.establish(late);
}

TEST(StreamRegression, D10_ShortInputIsAnErrorAndNoPanic) {
  for (std::size_t size = 0; size < 100; ++size) {
    ServerWorld world;
    RawClient client = world.client();
    const base::Handle handle = world.establish(client);
    world.give(handle, client.records->seal(Buffer(size)));
    const bool long_enough = size >= 8;  // zeros are padding
    EXPECT_EQ(world.ended.contains(handle), !long_enough) << size;
    // A record of one frame that claims to be longer than it is.
    RawClient other = world.client(6);
    const base::Handle second = world.establish(other);
    Buffer text(size);
    if (size > 0) text[0] = static_cast<std::uint8_t>(FrameType::dns);
    if (size > 3) text[3] = 200;
    world.give(second, other.records->seal(text));
    EXPECT_TRUE(world.ended.contains(second)) << size;
    EXPECT_TRUE(world.messages.empty());
  }
}

TEST(StreamRegression, D12_OneKeyIsTriedTheOneThatIsNamed) {
  SeededRng rng(8);
  auto keys = std::make_shared<packet::ServerKeys>();
  for (int i = 0; i < 3; ++i) {
    auto key = std::make_shared<packet::BoxKey>();
    crypto::KeyPair pair = crypto::generate_key_pair(rng);
    key->public_key = pair.public_key;
    key->id = packet::key_id(pair.public_key);
    key->secret_key = std::move(pair.secret_key);
    keys->live.push_back(key);
  }
  ServerWorld world;
  world.server->install(keys);
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t before = world.server->counters().scalar_mults;
    RawClient client(rng, keys->live[static_cast<std::size_t>(i)]->public_key,
                     Pair::client_key_pair());
    world.establish(client);
    EXPECT_EQ(world.server->counters().scalar_mults - before, 5u);
  }
  // Sealed to one key, by the name of another.
  RawClient liar(rng, keys->live[0]->public_key, Pair::client_key_pair());
  Buffer hello = liar.hello();
  std::copy(keys->live[1]->id.begin(), keys->live[1]->id.end(), hello.begin() + 6);
  const base::Handle handle = world.connect();
  world.give(handle, hello);
  EXPECT_EQ(world.ended.at(handle).handshake, HandshakeError::not_authentic);
}

TEST(StreamRegression, D13_CountersAreWideAndEndLongBeforeTheyWrap) {
  static_assert(
      std::is_same_v<decltype(std::declval<stream::RecordKey>().records()), std::uint64_t>);
  EXPECT_LE(stream::EpochLimits{}.records * 2, std::uint64_t{1} << 32);
}

TEST(StreamRegression, D14_ManyPeersAreServedAtATime) {
  ServerWorld world;
  std::vector<std::pair<base::Handle, RawClient>> peers;
  for (std::uint64_t i = 0; i < 40; ++i) {
    RawClient client = world.client(i);
    const base::Handle handle = world.establish(client);
    peers.emplace_back(handle, std::move(client));
  }
  for (auto& [handle, client] : peers)
    world.give(handle, client.records->seal({{FrameType::dns, false, 1, Buffer(8, 7)}}));
  for (auto& [handle, client] : peers)
    EXPECT_EQ(client.records->open(world.taken(handle))->at(0).payload, Buffer(8, 7));
}

TEST(StreamRegression, D15_ShortReadsDoNotLoseThePlace) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  Buffer bytes;
  for (std::uint32_t i = 0; i < 20; ++i)
    bytes = bytes + client.records->seal({{FrameType::dns, false, i, Buffer(i * 10, 7)}});
  for (const std::uint8_t byte : bytes) world.give(handle, Buffer{byte});
  ASSERT_EQ(world.messages.size(), 20u);
  EXPECT_EQ(world.messages[19].payload.size(), 190u);
}

TEST(StreamRegression, D16_ThereAreLimitsOfTimeAndNumber) {
  // Each has its own test in server_test.cpp; here, that none of them is off by default.
  const stream::ServerConfig config;
  EXPECT_EQ(config.max_half_open, 1024u);
  EXPECT_EQ(config.max_half_open_per_prefix, 16u);
  EXPECT_GT(config.max_sessions, 0u);
  EXPECT_GT(config.handshake_rate.per_second, 0);
  EXPECT_GT(config.all_handshakes_rate.per_second, 0);
  EXPECT_EQ(stream::kHandshakeTime, 5s);
  EXPECT_EQ(stream::kIdleTime, 120s);
  EXPECT_EQ(stream::kPingAfter, 45s);
}

TEST(StreamRegression, D17_NoMessageIsCutToABuffer) {
  Pair pair;
  for (const std::size_t size : {1u, 511u, 4096u, 16377u, 40000u, 65535u}) {
    const Buffer payload = filled(size);
    EXPECT_EQ(pair.ask_and_wait(payload), payload);
  }
}

}  // namespace
}  // namespace boxgram::test
