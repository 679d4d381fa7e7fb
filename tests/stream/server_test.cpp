// A server's limits, and what it does when they are reached.
#include <gtest/gtest.h>
#include <malloc.h>

#include "stream/server_connection.hpp"
#include "stream/server_world.hpp"

namespace boxgram::test {
namespace {

using packet::ErrorCode;
using packet::FrameType;
using stream::CloseCode;
using stream::HandshakeError;
using stream::SessionEnd;

base::SocketAddress from_network(std::size_t i, std::uint8_t host = 1) {
  return base::SocketAddress::v4(10, static_cast<std::uint8_t>(i >> 8),
                                 static_cast<std::uint8_t>(i), host, 40000);
}

RawFrame question(std::uint32_t id, std::size_t size = 20) {
  return {FrameType::dns, false, id, Buffer(size, 7)};
}

unsigned error_code(const RawFrame& frame) {
  return frame.type == FrameType::error && frame.payload.size() >= 2
             ? base::load_be16(frame.payload.data())
             : 0u;
}

TEST(StreamServer, HalfOpenConnectionsAreLimitedInAllAndOfOneNetwork) {
  ServerWorld world;
  std::vector<base::Handle> handles;
  for (std::size_t i = 0; i < 16; ++i) {
    handles.push_back(world.connect(from_network(0, static_cast<std::uint8_t>(i))));
    EXPECT_NE(handles.back(), 0u);
  }
  EXPECT_EQ(kClientAddress.prefix() == from_network(0).prefix(), false);
  std::size_t others = 0;
  for (std::size_t i = 1; world.server->half_open() < 1024; ++i, ++others)
    ASSERT_NE(world.connect(from_network(i)), 0u);
  EXPECT_EQ(others, 1008u);
  EXPECT_EQ(world.connect(from_network(5000)), 0u);
  EXPECT_EQ(world.server->counters().refused_total, 1u);
  world.server->closed(handles[0]);
  EXPECT_NE(world.connect(from_network(5000)), 0u) << "a place has become free";
}

TEST(StreamServer, OneNetworkHasItsShareOfThem) {
  ServerWorld world;
  for (int i = 0; i < 16; ++i) EXPECT_NE(world.connect(), 0u);
  EXPECT_EQ(world.connect(), 0u);
  EXPECT_EQ(world.server->counters().refused_per_prefix, 1u);
  EXPECT_NE(world.connect(from_network(1)), 0u);
}

TEST(StreamServer, AHandshakeThatIsNotOverInFiveSecondsIsOver) {
  ServerWorld world;
  const base::Handle silent = world.connect();
  const base::Handle slow = world.connect();
  RawClient client = world.client();
  const Buffer hello = client.hello();
  // A byte every 49 ms: it would be whole after 4.6 s, but VOUCH comes no faster.
  for (std::size_t i = 0; i < hello.size(); ++i) {
    world.give(slow, Buffer{hello[i]});
    world.advance(49ms);
  }
  Buffer out = world.taken(slow);
  ASSERT_TRUE(client.take_cookie(take_body(out)));
  EXPECT_EQ(world.server->half_open(), 2u);
  world.give(slow, client.vouch());
  world.advance(500ms);
  EXPECT_EQ(world.ended.at(silent).handshake, HandshakeError::timed_out);
  EXPECT_EQ(world.ended.at(slow).handshake, HandshakeError::timed_out);
  EXPECT_EQ(world.server->half_open(), 0u);
  EXPECT_FALSE(world.server->next_timeout());
}

TEST(StreamServer, SessionsAreLimitedInAllAndOfOneNetwork) {
  stream::ServerConfig config;
  config.max_sessions = 3;
  config.max_sessions_per_prefix = 2;
  ServerWorld world(config);
  const auto attempt = [&](const base::SocketAddress& from, std::uint64_t seed) {
    RawClient client = world.client(seed);
    const base::Handle handle = world.connect(from);
    world.give(handle, client.hello());
    Buffer out = world.taken(handle);
    EXPECT_TRUE(client.take_cookie(take_body(out)));
    world.give(handle, client.vouch() + client.confirm());
    const auto frames = client.records->open(world.taken(handle));
    return std::pair(handle, frames->at(0));
  };
  const auto first = attempt(kClientAddress, 1);
  EXPECT_EQ(first.second.type, FrameType::ready);
  EXPECT_EQ(attempt(kClientAddress, 2).second.type, FrameType::ready);
  EXPECT_EQ(error_code(attempt(kClientAddress, 3).second), 4u);
  EXPECT_EQ(attempt(from_network(1), 4).second.type, FrameType::ready);
  EXPECT_EQ(error_code(attempt(from_network(2), 5).second), 4u);
  EXPECT_EQ(world.failed(HandshakeError::busy), 2u);
  EXPECT_EQ(world.server->sessions(), 3u);
  world.server->closed(first.first);
  EXPECT_EQ(attempt(kClientAddress, 6).second.type, FrameType::ready);
}

TEST(StreamServer, HandshakesOfOneNetworkAreLimitedBeforeAnyScalarMultiplication) {
  stream::ServerConfig config;
  config.handshake_rate = {1, 3};
  ServerWorld world(config);
  for (std::uint64_t i = 0; i < 6; ++i) {
    const base::Handle handle = world.connect();
    world.give(handle, world.client(i).hello());
    EXPECT_EQ(world.ended.contains(handle), i >= 3);
  }
  EXPECT_EQ(world.server->counters().scalar_mults, 9u);
  EXPECT_EQ(world.failed(HandshakeError::too_often), 3u);
  const base::Handle other = world.connect(from_network(1));
  world.give(other, world.client(9).hello());
  EXPECT_FALSE(world.ended.contains(other));
}

TEST(StreamServer, HandshakesOfAllNetworksAreLimited) {
  stream::ServerConfig config;
  config.all_handshakes_rate = {1, 5};
  ServerWorld world(config);
  for (std::uint64_t i = 0; i < 9; ++i) {
    const base::Handle handle = world.connect(from_network(i));
    world.give(handle, world.client(i).hello());
  }
  EXPECT_EQ(world.failed(HandshakeError::too_often), 4u);
  EXPECT_EQ(world.server->counters().scalar_mults, 15u);
}

TEST(StreamServer, AnUnknownKeyCostsNothing) {
  ServerWorld world;
  RawClient client = world.client();
  Buffer hello = client.hello();
  hello[2 + 4] ^= 1;
  const base::Handle handle = world.connect();
  world.give(handle, hello);
  EXPECT_EQ(world.ended.at(handle).handshake, HandshakeError::unknown_key);
  EXPECT_EQ(world.server->counters().scalar_mults, 0u);
  EXPECT_TRUE(world.taken(handle).empty());
}

TEST(StreamServer, TellsItsKeysOnceAndNeverMoreThanItWasAsked) {
  ServerWorld world;
  Buffer keyreq(512);
  packet::write_keyreq(keyreq, {1, 2, 3, 4, 5, 6, 7, 8});
  const base::Handle handle = world.connect();
  world.give(handle, framed(keyreq));
  Buffer out = world.taken(handle);
  const Buffer keys = take_body(out);
  EXPECT_TRUE(out.empty());
  EXPECT_LE(keys.size(), keyreq.size());
  ASSERT_TRUE(packet::parse_keys(keys));
  EXPECT_EQ(packet::parse_keys(keys)->echo, (packet::Echo{1, 2, 3, 4, 5, 6, 7, 8}));
  world.give(handle, framed(keyreq));
  EXPECT_EQ(world.ended.at(handle).handshake, HandshakeError::bad_length);

  const base::Handle then_hello = world.connect();
  world.give(then_hello, framed(keyreq));
  world.taken(then_hello);
  RawClient client = world.client();
  world.give(then_hello, client.hello());
  out = world.taken(then_hello);
  EXPECT_TRUE(client.take_cookie(take_body(out)));
}

TEST(StreamServer, AKeyRequestWithDirtyPaddingIsNone) {
  ServerWorld world;
  Buffer keyreq(512);
  packet::write_keyreq(keyreq, {1});
  keyreq[500] = 1;
  const base::Handle handle = world.connect();
  world.give(handle, framed(keyreq));
  EXPECT_EQ(world.ended.at(handle).handshake, HandshakeError::bad_body);
  EXPECT_TRUE(world.taken(handle).empty());
}

TEST(StreamServer, InstalledKeysServeNewHandshakesAndTheOthersGoOn) {
  ServerWorld world;
  RawClient before = world.client(1);
  const base::Handle first = world.connect();
  world.give(first, before.hello());
  auto keys = std::make_shared<packet::ServerKeys>();
  world.server->install(keys);
  Buffer out = world.taken(first);
  ASSERT_TRUE(before.take_cookie(take_body(out)));
  world.give(first, before.vouch() + before.confirm());
  EXPECT_EQ(world.server->sessions(), 1u);
  const base::Handle second = world.connect();
  world.give(second, world.client(2).hello());
  EXPECT_EQ(world.ended.at(second).handshake, HandshakeError::unknown_key);
}

TEST(StreamServer, WhatIsAskedBeyondTheLimitWaitsUnread) {
  stream::ServerConfig config;
  config.max_outstanding = 4;
  ServerWorld world(config);
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.service = [](const SeenMessage&) {};
  Buffer bytes;
  for (std::uint32_t i = 0; i < 10; ++i) bytes = bytes + client.records->seal({question(i)});
  std::size_t given = world.give(handle, bytes);
  EXPECT_EQ(world.messages.size(), 4u);
  EXPECT_TRUE(world.server->room(handle).empty());
  EXPECT_EQ(world.server->session_states().at(0).outstanding, 4u);
  for (std::uint32_t i = 0; i < 10; ++i) {
    ASSERT_GT(world.messages.size(), i);
    EXPECT_EQ(world.messages[i].id, i);
    world.server->respond(world.now, handle, FrameType::dns, i, {});
    given += world.give(handle, base::Bytes(bytes).subspan(given));
  }
  EXPECT_EQ(client.records->open(world.taken(handle))->size(), 10u);
}

TEST(StreamServer, AClientThatDoesNotReadIsNotReadAndCostsNoMoreThanTheLimit) {
  stream::ServerConfig config;
  config.max_unsent = 200'000;
  ServerWorld world(config);
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.peers_read = false;
  const Buffer answer(20'000, 1);
  std::size_t answered = 0;
  world.service = [&](const SeenMessage& message) {
    ++answered;
    world.server->respond(world.now, handle, FrameType::control, message.id, answer);
  };
  Buffer bytes;
  for (std::uint32_t i = 0; i < 100; ++i) bytes = bytes + client.records->seal({question(i)});
  const std::size_t given = world.give(handle, bytes);
  EXPECT_EQ(answered, 3u) << "a quarter of 200,000 bytes is reached";
  EXPECT_TRUE(world.server->room(handle).empty());
  EXPECT_LE(world.server->unsent(handle).size(), 100'000u);
  // It reads again, and all goes on.
  world.peers_read = true;
  const Buffer waiting(world.server->unsent(handle).begin(), world.server->unsent(handle).end());
  EXPECT_EQ(client.records->open(waiting)->size(), 6u) << "three answers of two frames";
  world.server->sent(handle, waiting.size());
  EXPECT_LE(*world.server->next_timeout(), world.now) << "what stood behind it is due at once";
  world.give(handle, base::Bytes(bytes).subspan(given));
  EXPECT_EQ(answered, 100u);
  EXPECT_EQ(client.records->open(world.taken(handle))->size(), 97u * 2);
  EXPECT_EQ(world.server->counters().responses_dropped, 0u);
}

TEST(StreamServer, AnswersBeyondTheLimitBecomeErrorsAndTheSessionLives) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.service = [](const SeenMessage&) {};
  for (std::uint32_t i = 0; i < 128; ++i) world.give(handle, client.records->seal({question(i)}));
  ASSERT_EQ(world.messages.size(), 128u);
  // All at once, 64 KiB each, as when many asked for one name that takes long: 8 MiB.
  const Buffer answer(65535, 1);
  for (std::uint32_t i = 0; i < 128; ++i) {
    EXPECT_TRUE(world.server->respond(world.now, handle, FrameType::dns, i, answer));
    ASSERT_LE(world.server->unsent(handle).size(), world.config.max_unsent + 17'000);
  }
  EXPECT_GT(world.server->counters().responses_dropped, 100u);
  world.drain();
  const auto frames = client.records->open(world.taken(handle));
  ASSERT_TRUE(frames);
  std::size_t refused = 0, whole = 0;
  for (const RawFrame& frame : *frames) {
    refused += error_code(frame) == 4;
    whole += frame.type == FrameType::dns && !frame.more;
  }
  EXPECT_EQ(refused + whole, 128u);
  EXPECT_GE(whole, 15u);
  EXPECT_FALSE(world.ended.contains(handle));
  world.service = nullptr;
  world.give(handle, client.records->seal({question(500)}));
  EXPECT_EQ(client.records->open(world.taken(handle))->at(0).id, 500u);
}

TEST(StreamServer, WhoNeverReadsHisAnswersIsCalledSlow) {
  stream::ServerConfig config;
  config.max_unsent = 20'000;
  ServerWorld world(config);
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.peers_read = false;
  for (std::uint32_t i = 0; i < 3; ++i)
    world.give(handle, client.records->seal({question(i, 8000)}));
  world.advance(120s);
  EXPECT_EQ(world.ended.at(handle).session, SessionEnd::slow);
}

TEST(StreamServer, AnIdleSessionEndsAfterTwoMinutesAndIsTold) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.advance(119s);
  EXPECT_EQ(world.server->sessions(), 1u);
  world.advance(1s + 5ms);
  EXPECT_EQ(world.ended.at(handle).session, SessionEnd::idle);
  const auto frames = client.records->open(world.taken(handle));
  ASSERT_EQ(frames->size(), 1u);
  EXPECT_EQ(frames->at(0).type, FrameType::close);
  EXPECT_EQ(frames->at(0).payload, (Buffer{0, 2}));
}

TEST(StreamServer, ARecordThatNeverBecomesWholeDoesNotKeepASession) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.give(handle, Buffer{64, 16});  // 16,400 bytes are announced
  for (int i = 0; i < 121 && !world.ended.contains(handle); ++i) {
    world.give(handle, Buffer(10));
    world.advance(1s);
  }
  ASSERT_TRUE(world.ended.contains(handle));
  EXPECT_EQ(world.ended.at(handle).session, SessionEnd::idle);
}

TEST(StreamServer, PingsKeepASessionForHours) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  for (int i = 0; i < 11; ++i) {
    world.advance(100s);
    world.give(handle, client.records->seal({{FrameType::ping, false, 1, {}}}));
    ASSERT_EQ(client.records->open(world.taken(handle))->at(0).type, FrameType::pong);
  }
  EXPECT_EQ(world.server->sessions(), 1u);
}

TEST(StreamServer, AnEndWithoutCloseIsTruncation) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.service = [](const SeenMessage&) {};
  world.give(handle, client.records->seal({question(1)}));
  world.end_input(handle);
  EXPECT_EQ(world.ended.at(handle).session, SessionEnd::truncated);
  EXPECT_FALSE(world.server->respond(world.now, handle, FrameType::dns, 1, {}));
  EXPECT_EQ(world.server->sessions(), 0u);
}

TEST(StreamServer, ACloseWaitsForTheAnswersThatAreOwed) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.service = [](const SeenMessage&) {};
  world.give(handle, client.records->seal({question(1), {FrameType::close, false, 0, {0, 0}}}));
  world.end_input(handle);  // as by shutdown(SHUT_WR)
  EXPECT_FALSE(world.ended.contains(handle));
  EXPECT_TRUE(world.server->respond(world.now, handle, FrameType::dns, 1, Buffer{42}));
  world.drain();
  EXPECT_EQ(world.ended.at(handle).session, SessionEnd::closed);
  const auto frames = client.records->open(world.taken(handle));
  ASSERT_EQ(frames->size(), 2u);
  EXPECT_EQ(frames->at(0).payload, Buffer{42});
  EXPECT_EQ(frames->at(1).type, FrameType::close);
}

TEST(StreamServer, AfterItsOwnCloseItHearsNothing) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.server->close(world.now, handle, CloseCode::killed, "for a test");
  world.drain();
  world.give(handle, client.records->seal({question(1)}));
  EXPECT_TRUE(world.messages.empty());
  const auto frames = client.records->open(world.taken(handle));
  ASSERT_EQ(frames->size(), 1u);
  EXPECT_EQ(frames->at(0).payload[1], 4u);
  world.advance(5s + 5ms);
  EXPECT_EQ(world.ended.at(handle).session, SessionEnd::truncated) << "no CLOSE came back";
}

TEST(StreamServer, DrainingEndsEachSessionOnceItsRequestsAreAnswered) {
  ServerWorld world;
  RawClient busy = world.client(1), resting = world.client(2), late = world.client(3);
  const base::Handle at_work = world.establish(busy);
  const base::Handle at_rest = world.establish(resting);
  const base::Handle half_open = world.connect();
  world.give(half_open, late.hello());
  Buffer out = world.taken(half_open);
  ASSERT_TRUE(late.take_cookie(take_body(out)));
  world.service = [](const SeenMessage&) {};
  world.give(at_work, busy.records->seal({question(1)}));

  world.server->drain(world.now);
  world.drain();
  EXPECT_EQ(world.connect(from_network(1)), 0u);
  EXPECT_EQ(resting.records->open(world.taken(at_rest))->at(0).payload, (Buffer{0, 1}));
  EXPECT_TRUE(world.taken(at_work).empty());
  // Who goes on asking must not keep it from ending.
  world.give(at_work, busy.records->seal({question(2)}));
  EXPECT_EQ(world.messages.size(), 1u);
  const auto refused = busy.records->open(world.taken(at_work));
  ASSERT_EQ(refused->size(), 1u);
  EXPECT_EQ(refused->at(0).id, 2u);
  EXPECT_EQ(error_code(refused->at(0)), 8u);
  world.server->respond(world.now, at_work, FrameType::dns, 1, Buffer{42});
  world.drain();
  const auto last = busy.records->open(world.taken(at_work));
  ASSERT_EQ(last->size(), 2u);
  EXPECT_EQ(last->at(0).payload, Buffer{42});
  EXPECT_EQ(last->at(1).payload, (Buffer{0, 1}));
  world.give(half_open, late.vouch() + late.confirm());
  const auto welcome = late.records->open(world.taken(half_open));
  ASSERT_EQ(welcome->size(), 2u);
  EXPECT_EQ(welcome->at(0).type, FrameType::ready);
  EXPECT_EQ(welcome->at(1).payload, (Buffer{0, 1}));
  for (const auto& [handle, client] :
       {std::pair{at_work, &busy}, std::pair{at_rest, &resting}, std::pair{half_open, &late}}) {
    world.give(handle, client->records->seal({{FrameType::close, false, 0, {0, 1}}}));
    EXPECT_EQ(world.ended.at(handle).session, SessionEnd::closed);
  }
  EXPECT_EQ(world.server->sessions(), 0u);
}

TEST(StreamServer, HandlesOfConnectionsThatAreGoneAreHarmless) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.server->received(handle, 0);  // it stands in the list of those to look at
  world.server->closed(handle);
  EXPECT_TRUE(world.server->room(handle).empty());
  world.server->received(handle, 100);
  world.server->peer_ended(handle);
  world.server->authorise(world.now, handle);
  world.server->refuse(world.now, handle, ErrorCode::auth);
  EXPECT_FALSE(world.server->respond(world.now, handle, FrameType::dns, 1, {}));
  world.server->close(world.now, handle, CloseCode::done, {});
  EXPECT_TRUE(world.server->unsent(handle).empty());
  world.server->sent(handle, 0);
  world.server->closed(handle);
  world.drain();
  world.advance(10min);
  EXPECT_TRUE(world.ended.empty());
  EXPECT_EQ(world.ended_by(SessionEnd::truncated), 1u);
}

TEST(StreamServer, SessionsAreDescribed) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle handle = world.establish(client);
  world.service = [](const SeenMessage&) {};
  world.give(handle, client.records->seal({question(1), question(2)}));
  world.server->respond(world.now, handle, FrameType::dns, 1, {});
  const auto states = world.server->session_states();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].connection, handle);
  EXPECT_EQ(states[0].from, kClientAddress);
  EXPECT_EQ(states[0].client_key, client.client.public_key);
  EXPECT_EQ(states[0].requests, 2u);
  EXPECT_EQ(states[0].outstanding, 1u);
  EXPECT_EQ(states[0].bytes_in, 94u + 150 + 146 + 82);
}

TEST(StreamServer, AConnectionAtRestCostsLittle) {
  EXPECT_LE(sizeof(stream::ServerConnection), 1024u);
  stream::ServerConfig config;
  config.max_sessions = config.max_sessions_per_prefix = 600;
  config.handshake_rate = config.all_handshakes_rate = {1e6, 1e6};
  ServerWorld world(config);
  RawClient warm = world.client();
  world.establish(warm);
  std::vector<RawClient> clients;
  for (std::uint64_t i = 0; i < 256; ++i) clients.push_back(world.client(i + 10));
  world.sent.clear();
  const std::size_t before = mallinfo2().uordblks;
  for (RawClient& client : clients) {
    const base::Handle handle = world.establish(client);
    world.give(handle, client.records->seal({question(1, 16000)}));
    world.taken(handle);
  }
  world.messages.clear();
  world.messages.shrink_to_fit();
  const std::size_t each = (mallinfo2().uordblks - before) / 256;
  EXPECT_LT(each, 2048u) << "with the test's own books";
}

}  // namespace
}  // namespace boxgram::test
