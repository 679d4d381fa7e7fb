// A client's requests: each ends in exactly one event, whatever the connection does.
#include <gtest/gtest.h>

#include "stream/client_world.hpp"

namespace boxgram::test {
namespace {

using packet::ErrorCode;
using packet::FrameType;
using stream::FailReason;
using stream::HandshakeError;
using stream::SessionEnd;

stream::ClientConfig long_lived() {
  stream::ClientConfig config;
  config.request_lifetime = 1h;
  config.close_after = 1h;
  return config;
}

/// What the client has asked for on this connection: behind CONFIRM.
std::vector<RawFrame> asked(const ClientWorld& world) {
  return {world.seen.begin() + 1, world.seen.end()};
}

RawFrame answer_to(const RawFrame& request, std::string_view text = "answer") {
  return {request.type, true, request.id, Buffer(text.begin(), text.end())};
}

RawFrame error_to(const RawFrame& request, unsigned code) {
  return {FrameType::error, true, request.id, {0, static_cast<std::uint8_t>(code)}};
}

TEST(StreamClient, AsksForAConnectionOnlyWhenItHasSomethingToAsk) {
  ClientWorld world;
  EXPECT_FALSE(world.client->wants_connection());
  EXPECT_FALSE(world.client->next_timeout());
  world.ask();
  EXPECT_TRUE(world.client->wants_connection());
  world.client->connecting(world.now);
  EXPECT_FALSE(world.client->wants_connection());
}

TEST(StreamClient, AnswersMayComeInAnyOrder) {
  ClientWorld world;
  RawServer raw = world.server();
  for (int i = 0; i < 3; ++i) world.ask(std::to_string(i));
  world.establish(raw);
  const auto requests = asked(world);
  ASSERT_EQ(requests.size(), 3u);
  for (const std::size_t i : {2u, 0u, 1u})
    world.give(raw.records->seal({answer_to(requests[i], std::to_string(i))}));
  ASSERT_EQ(world.answers.size(), 3u);
  EXPECT_EQ(world.answers[0].tag, 3u);
  EXPECT_EQ(world.answers[1].tag, 1u);
  EXPECT_EQ(world.answers[2].tag, 2u);
  EXPECT_EQ(world.answers[0].payload, Buffer{'2'});
}

TEST(StreamClient, ErrorsSayWhy) {
  const std::pair<unsigned, FailReason> cases[] = {
      {2, FailReason::unknown_service}, {3, FailReason::too_large}, {4, FailReason::refused},
      {5, FailReason::malformed},       {8, FailReason::shutdown},  {9, FailReason::refused},
      {200, FailReason::refused}};
  for (const auto& [code, reason] : cases) {
    ClientWorld world;
    RawServer raw = world.server();
    world.establish(raw);
    world.give(raw.records->seal({error_to(asked(world)[0], code)}));
    ASSERT_EQ(world.failures.size(), 1u);
    EXPECT_EQ(world.failures[0].reason, reason);
  }
  ClientWorld world;
  RawServer raw = world.server();
  world.establish(raw);
  world.give(raw.records->seal({{FrameType::error, true, asked(world)[0].id, {}}}));
  ASSERT_EQ(world.failures.size(), 1u) << "an ERROR without a code";
}

TEST(StreamClient, AnAnswerThatNobodyWaitsForIsCounted) {
  ClientWorld world(long_lived());
  RawServer raw = world.server();
  world.establish(raw);
  const RawFrame request = asked(world)[0];
  RawFrame other = answer_to(request);
  other.id ^= 0x10000;
  RawFrame no_response = answer_to(request);
  no_response.response = false;
  RawFrame far = answer_to(request);
  far.id = 0xffffffff;
  world.give(raw.records->seal({other, no_response, far, answer_to(request), answer_to(request)}));
  EXPECT_EQ(world.answers.size(), 1u);
  EXPECT_EQ(world.client->counters().stray, 4u);
}

TEST(StreamClient, AnAnswerToAnEarlierTenantOfAPlaceFitsNobody) {
  ClientWorld world(long_lived());
  RawServer raw = world.server();
  world.establish(raw);
  const RawFrame first = asked(world)[0];
  world.give(raw.records->seal({answer_to(first)}));
  std::set<std::uint32_t> ids{first.id};
  for (int i = 0; i < 1000; ++i) {
    world.ask();
    const auto frames = world.frames(raw);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].id & 0xffff, first.id & 0xffff) << "the one place";
    EXPECT_TRUE(ids.insert(frames[0].id).second) << "another id each time";
    world.give(raw.records->seal({answer_to(first)}));
    EXPECT_EQ(world.answers.size(), 1u + static_cast<std::size_t>(i));
    world.give(raw.records->seal({answer_to(frames[0])}));
  }
  EXPECT_EQ(world.client->counters().stray, 1000u);
}

TEST(StreamClient, ACancelledRequestHasNoEvent) {
  ClientWorld world(long_lived());
  const auto waiting = world.client->request(world.now, FrameType::dns, base::as_bytes("x"), 70);
  world.client->cancel(waiting);
  world.client->cancel(waiting);
  world.ask();
  RawServer raw = world.server();
  world.establish(raw);
  EXPECT_EQ(asked(world).size(), 1u) << "what was cancelled in time is not asked";
  const auto sent = world.client->request(world.now, FrameType::dns, base::as_bytes("y"), 71);
  const auto frames = world.frames(raw);
  world.client->cancel(sent);
  world.give(raw.records->seal({answer_to(frames.at(0)), answer_to(asked(world)[0])}));
  EXPECT_EQ(world.answers.size(), 1u);
  EXPECT_EQ(world.client->counters().cancelled, 2u);
  EXPECT_EQ(world.client->outstanding(), 0u);
}

TEST(StreamClient, ARequestEndsWithItsLifetimeWhereverItIs) {
  for (const int stage : {0, 1, 2}) {
    stream::ClientConfig config;
    config.connect_time = 10s;
    ClientWorld world(std::move(config));
    RawServer raw = world.server();
    const auto tag = world.ask();
    if (stage == 1) world.open();
    if (stage == 2) world.establish(raw);
    world.advance(2800ms - 1ns);
    EXPECT_TRUE(world.failures.empty()) << stage;
    world.advance(1ns);
    ASSERT_EQ(world.failures.size(), 1u) << stage;
    EXPECT_EQ(world.failures[0].tag, tag);
    EXPECT_EQ(world.failures[0].reason, FailReason::timed_out);
    EXPECT_EQ(world.client->outstanding(), 0u);
    if (stage != 2) continue;
    world.give(raw.records->seal({answer_to(asked(world)[0])}));
    EXPECT_TRUE(world.answers.empty()) << "too late";
    EXPECT_TRUE(world.downs.empty());
  }
}

TEST(StreamClient, TakesNoMoreThanItsCapacity) {
  stream::ClientConfig config;
  config.capacity = 3;
  ClientWorld world(std::move(config));
  for (int i = 0; i < 3; ++i) world.ask();
  EXPECT_EQ(world.client->request(world.now, FrameType::dns, {}, 9), 0u);
  EXPECT_EQ(world.client->counters().full, 1u);
  EXPECT_EQ(world.client->outstanding(), 3u);
}

TEST(StreamClient, ARequestAboveTheLargestMessageFails) {
  ClientWorld world;
  const auto handle = world.client->request(world.now, FrameType::dns, Buffer(65536), 5);
  EXPECT_NE(handle, 0u);
  world.drain();
  ASSERT_EQ(world.failures.size(), 1u);
  EXPECT_EQ(world.failures[0].reason, FailReason::too_large);
  EXPECT_FALSE(world.client->wants_connection());
}

TEST(StreamClient, NoConnectionFailsAllRequests) {
  ClientWorld world;
  world.ask();
  world.ask();
  world.client->connecting(world.now);
  world.client->connect_failed();
  world.drain();
  ASSERT_EQ(world.failures.size(), 2u);
  EXPECT_EQ(world.failures[0].reason, FailReason::unreachable);
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_FALSE(world.downs[0].handshake || world.downs[0].session || world.downs[0].said);
  world.close();
  EXPECT_FALSE(world.client->wants_connection()) << "nobody asks any more";
  world.ask();
  EXPECT_TRUE(world.client->wants_connection());
}

TEST(StreamClient, AConnectionThatIsNotReadyInTimeIsGivenUp) {
  for (const bool tcp : {false, true}) {
    ClientWorld world;
    world.ask();
    world.client->connecting(world.now);
    if (tcp) world.client->connected(world.now);
    world.advance(2500ms);
    ASSERT_EQ(world.downs.size(), 1u);
    EXPECT_EQ(world.downs[0].handshake, HandshakeError::timed_out);
    ASSERT_EQ(world.failures.size(), 1u);
    EXPECT_EQ(world.failures[0].reason, FailReason::unreachable);
    EXPECT_TRUE(world.client->wants_close());
    world.client->connect_failed();  // the owner's socket learns of it later
    world.drain();
    EXPECT_EQ(world.downs.size(), 1u) << "an end is told once";
    world.close();
  }
}

TEST(StreamClient, ARequestWhoseConnectionDiedIsAskedAgainOnce) {
  ClientWorld world(long_lived());
  RawServer first = world.server();
  const auto tag = world.ask("the question");
  world.establish(first);
  world.end_input();
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_EQ(world.downs[0].session, SessionEnd::truncated);
  EXPECT_TRUE(world.failures.empty());
  world.close();
  RawServer second = world.server();
  world.establish(second);
  ASSERT_EQ(asked(world).size(), 1u);
  EXPECT_EQ(base::as_text(asked(world)[0].payload), "the question");
  world.end_input();
  ASSERT_EQ(world.failures.size(), 1u);
  EXPECT_EQ(world.failures[0].tag, tag);
  EXPECT_EQ(world.failures[0].reason, FailReason::connection_lost);
  world.close();
  EXPECT_FALSE(world.client->wants_connection());
  EXPECT_EQ(world.client->counters().asked_again, 1u);
}

TEST(StreamClient, WhatMustNotBeDoneTwiceIsNotAskedAgain) {
  stream::ClientConfig config = long_lived();
  config.ask_again = false;
  ClientWorld world(std::move(config));
  RawServer raw = world.server();
  world.establish(raw);
  world.end_input();
  ASSERT_EQ(world.failures.size(), 1u);
  EXPECT_EQ(world.failures[0].reason, FailReason::connection_lost);
}

TEST(StreamClient, AnAnswerThatIsCutIsNoAnswer) {
  ClientWorld world(long_lived());
  RawServer raw = world.server();
  world.establish(raw);
  const RawFrame request = asked(world)[0];
  RawFrame part = answer_to(request);
  part.more = true;
  Buffer bytes = raw.records->seal({part});
  bytes = bytes + raw.records->seal({answer_to(request)});
  bytes.pop_back();
  world.give(bytes);
  world.end_input();
  EXPECT_TRUE(world.answers.empty());
  EXPECT_EQ(world.downs.at(0).session, SessionEnd::truncated);
  world.close();
  RawServer again = world.server();
  world.establish(again);
  world.give(again.records->seal({answer_to(asked(world)[0], "whole")}));
  ASSERT_EQ(world.answers.size(), 1u);
  EXPECT_EQ(base::as_text(world.answers[0].payload), "whole") << "nothing of the part is in it";
}

TEST(StreamClient, AServerThatShutsDownIsNotAskedAgain) {
  ClientWorld world(long_lived());
  RawServer raw = world.server();
  world.establish(raw);
  world.give(raw.records->seal({{FrameType::close, false, 0, {0, 1}}}));
  ASSERT_EQ(world.failures.size(), 1u);
  EXPECT_EQ(world.failures[0].reason, FailReason::shutdown);
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_EQ(world.downs[0].session, SessionEnd::closed);
  EXPECT_EQ(world.frames(raw).at(0).type, FrameType::close) << "it says CLOSE too";
}

TEST(StreamClient, ClosesWhenNothingWasAskedForLong) {
  stream::ClientConfig config;
  config.close_after = 30s;
  ClientWorld world(std::move(config));
  RawServer raw = world.server();
  world.establish(raw);
  world.give(raw.records->seal({answer_to(asked(world)[0])}));
  world.advance(30s - 1ns);
  EXPECT_TRUE(world.taken().empty());
  world.advance(1ns);
  ASSERT_EQ(world.frames(raw).at(0).type, FrameType::close);
  // What is asked meanwhile waits for the next connection.
  const auto tag = world.ask();
  EXPECT_TRUE(world.taken().empty());
  world.give(raw.records->seal({{FrameType::close, false, 0, {0, 0}}}));
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_EQ(world.downs[0].session, SessionEnd::closed);
  world.close();
  RawServer again = world.server();
  world.establish(again);
  world.give(again.records->seal({answer_to(asked(world)[0])}));
  EXPECT_EQ(world.answers.back().tag, tag);
}

TEST(StreamClient, AKeptConnectionIsNeverClosedAndPings) {
  stream::ClientConfig config;
  config.close_after = base::Duration::zero();
  ClientWorld world(std::move(config));
  RawServer raw = world.server();
  world.establish(raw);
  world.give(raw.records->seal({answer_to(asked(world)[0])}));
  for (int i = 0; i < 20; ++i) {
    world.advance(45s);
    const auto frames = world.frames(raw);
    if (frames.at(0).type == FrameType::rekey_req) break;
    ASSERT_EQ(frames.at(0).type, FrameType::ping) << i;
    world.give(raw.records->seal({{FrameType::pong, true, frames[0].id, {}}}));
  }
  EXPECT_TRUE(world.client->ready());
  EXPECT_TRUE(world.downs.empty());
}

TEST(StreamClient, CloseEndsAllRequests) {
  for (const int stage : {0, 1, 2}) {
    ClientWorld world;
    RawServer raw = world.server();
    world.ask();
    if (stage == 1) world.open();
    if (stage == 2) world.establish(raw);
    world.client->close(world.now);
    world.drain();
    ASSERT_EQ(world.failures.size(), 1u) << stage;
    EXPECT_EQ(world.failures[0].reason, FailReason::connection_lost);
    EXPECT_EQ(world.client->wants_close(), stage == 1);
    EXPECT_FALSE(world.client->wants_connection());
    if (stage != 2) continue;
    EXPECT_EQ(world.frames(raw).at(0).type, FrameType::close);
  }
}

TEST(StreamClient, RequestsBeyondWhatTheServerReadsWaitOutside) {
  stream::ClientConfig config;
  config.capacity = 100;
  ClientWorld world(std::move(config));
  RawServer raw = world.server();
  world.establish(raw);
  std::size_t most = 0;
  for (int i = 0; i < 60; ++i) {  // the server has gone without a word: a minute of questions
    for (int j = 0; j < 20; ++j)
      world.client->request(world.now, FrameType::dns, Buffer(5000, 1), ++world.tag);
    world.advance(1s);
    most = std::max(most, world.client->unsent().size());
  }
  EXPECT_GT(most, 256u * 1024);
  EXPECT_LT(most, 256u * 1024 + 40'000);
  EXPECT_GT(world.failures.size(), 1000u) << "all the same they end in time";
  // It reads again: what still waits follows.
  std::size_t questions = 0;
  while (true) {
    const auto frames = world.frames(raw);
    if (frames.empty()) break;
    questions += frames.size();
  }
  EXPECT_LE(questions, most / 5000 + 60);
  EXPECT_GE(questions, most / 5200);
}

/// An identity and certificates that it signed for these keys.
struct Authority {
  crypto::SigningKey identity{crypto::SigningSeed(std::array<std::uint8_t, 32>{9})};

  Buffer certify(const crypto::PublicKey& key, std::uint32_t serial) const {
    const std::uint64_t now = kVectorTime / 1000;
    const auto bytes = packet::sign_certificate({serial, now - 100, now + 7100, key}, identity);
    return {bytes.begin(), bytes.end()};
  }
  stream::ClientConfig config() const {
    stream::ClientConfig config = long_lived();
    config.identity = identity.verify_key();
    return config;
  }
};

/// Answers the KEYREQ that the client has sent with these certificates.
void tell_keys(ClientWorld& world, base::Bytes certificates) {
  Buffer out = world.taken();
  const Buffer keyreq = take_body(out);
  ASSERT_EQ(keyreq.size(), 512u);
  EXPECT_TRUE(out.empty());
  const auto echo = packet::parse_keyreq(keyreq);
  ASSERT_TRUE(echo);
  Buffer keys(512);
  keys.resize(packet::write_keys(keys, {*echo, certificates}));
  world.give(framed(keys));
}

void finish(ClientWorld& world, RawServer& raw) {
  Buffer out = world.taken();
  ASSERT_TRUE(raw.take_hello(take_body(out)));
  world.give(raw.cookie());
  out = world.taken();
  ASSERT_TRUE(raw.take_vouch(take_body(out)));
  world.give(raw.ready());
  ASSERT_TRUE(world.client->ready());
}

TEST(StreamClientKeys, AreAskedForOnTheSameConnection) {
  const Authority authority;
  ClientWorld world(authority.config(), false);
  RawServer raw = world.server();
  world.ask();
  world.open();
  tell_keys(world, authority.certify(raw.server.public_key, 7));
  finish(world, raw);
  EXPECT_EQ(world.client->highest_serial(), 7u);
}

TEST(StreamClientKeys, ShownOnesSpareTheQuestion) {
  const Authority authority;
  ClientWorld world(authority.config(), false);
  RawServer raw = world.server();
  world.client->show_certificates(world.now, authority.certify(raw.server.public_key, 7));
  world.ask();
  world.open();
  finish(world, raw);
}

TEST(StreamClientKeys, OfAnotherIdentityAreNone) {
  const Authority authority;
  Authority other;
  other.identity = crypto::SigningKey(crypto::SigningSeed(std::array<std::uint8_t, 32>{10}));
  for (const Buffer& certificates :
       {other.certify(ClientWorld::server_key_pair().public_key, 7), Buffer{}}) {
    ClientWorld world(authority.config(), false);
    world.ask();
    world.open();
    tell_keys(world, certificates);
    ASSERT_EQ(world.downs.size(), 1u);
    EXPECT_EQ(world.downs[0].handshake, HandshakeError::no_key);
    EXPECT_EQ(world.failures.at(0).reason, FailReason::handshake);
    EXPECT_TRUE(world.taken().empty()) << "no HELLO to whom has no key";
    world.close();
  }
}

TEST(StreamClientKeys, WithAnotherEchoOrOtherBytesAreRefused) {
  const Authority authority;
  for (std::size_t i = 0; i < 2 + 16 + 124; ++i) {
    ClientWorld world(authority.config(), false);
    world.ask();
    world.open();
    Buffer out = world.taken();
    Buffer keys(512);
    const auto echo = packet::parse_keyreq(take_body(out));
    const Buffer certificate = authority.certify(ClientWorld::server_key_pair().public_key, 7);
    keys.resize(packet::write_keys(keys, {*echo, certificate}));
    Buffer bytes = framed(keys);
    bytes[i] ^= static_cast<std::uint8_t>(1u << i % 8);
    world.give(bytes);
    if (world.downs.empty()) world.end_input();  // a longer body
    ASSERT_EQ(world.downs.size(), 1u) << i;
    EXPECT_TRUE(world.downs[0].handshake) << i;
    EXPECT_TRUE(world.taken().empty()) << i;
  }
}

TEST(StreamClientKeys, AStaleOneIsReplacedByAConnectionThatAsks) {
  const Authority authority;
  ClientWorld world(authority.config(), false);
  RawServer raw = world.server();
  SeededRng old_rng(123);
  const crypto::KeyPair old = crypto::generate_key_pair(old_rng);
  world.client->show_certificates(world.now, authority.certify(old.public_key, 6));
  world.ask();
  world.open();
  EXPECT_EQ(world.taken().size(), 94u) << "HELLO under the key that it knows";
  world.end_input();  // the server does not know that key any more
  EXPECT_TRUE(world.failures.empty());
  EXPECT_TRUE(world.downs.empty()) << "nothing that anybody need know";
  world.close();
  ASSERT_TRUE(world.client->wants_connection());
  world.open();
  tell_keys(world, authority.certify(raw.server.public_key, 7));
  finish(world, raw);
}

TEST(StreamClientKeys, AServerThatEndsItTwiceIsNotAskedAThirdTime) {
  const Authority authority;
  ClientWorld world(authority.config(), false);
  RawServer raw = world.server();
  world.client->show_certificates(world.now, authority.certify(raw.server.public_key, 6));
  world.ask();
  world.open();
  world.end_input();
  world.close();
  world.open();
  tell_keys(world, authority.certify(raw.server.public_key, 6));
  EXPECT_EQ(world.taken().size(), 94u);
  world.end_input();
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_EQ(world.downs[0].handshake, HandshakeError::ended);
  EXPECT_EQ(world.failures.size(), 1u);
  world.close();
  EXPECT_FALSE(world.client->wants_connection());
}

TEST(StreamClientKeys, AnOlderSerialIsNotTaken) {
  const Authority authority;
  ClientWorld world(authority.config(), false);
  RawServer raw = world.server();
  SeededRng old_rng(123);
  const crypto::KeyPair old = crypto::generate_key_pair(old_rng);
  world.client->show_certificates(world.now, authority.certify(raw.server.public_key, 7));
  world.ask();
  world.open();
  world.end_input();
  world.close();
  world.open();
  tell_keys(world, authority.certify(old.public_key, 6));
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_EQ(world.downs[0].handshake, HandshakeError::no_key);
  EXPECT_TRUE(world.taken().empty()) << "whoever has stolen an old Ss gets no HELLO";
}

TEST(StreamClient, AnIdleTimeOfNothingIsASecond) {
  ClientWorld world(long_lived());
  RawServer raw = world.server();
  world.ask();
  world.open();
  Buffer out = world.taken();
  ASSERT_TRUE(raw.take_hello(take_body(out)));
  world.give(raw.cookie());
  world.give(raw.records->seal({RawServer::ready_frame(0)}));
  ASSERT_TRUE(world.client->ready());
  EXPECT_EQ(world.client->next_timeout(), world.now + 1s);
  ClientWorld forever(long_lived());
  RawServer another = forever.server();
  forever.ask();
  forever.open();
  out = forever.taken();
  ASSERT_TRUE(another.take_hello(take_body(out)));
  forever.give(another.cookie());
  forever.give(another.records->seal({RawServer::ready_frame(0xffffffff)}));
  EXPECT_EQ(forever.client->next_timeout(), forever.now + 120s);
}

}  // namespace
}  // namespace boxgram::test
