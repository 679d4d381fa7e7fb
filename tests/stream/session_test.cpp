// Messages of a session: their sizes, their parts, and what is no message.
#include <gtest/gtest.h>

#include "stream/client_world.hpp"
#include "stream/pair.hpp"
#include "stream/session_pair.hpp"

namespace boxgram::test {
namespace {

using packet::FrameType;
using stream::SessionEnd;

/// A session of this role with the test as its other end.
struct Lone {
  explicit Lone(End::Role role = End::Role::server)
      : end(role, rng, {now, 120s, false, {}}),
        raw(stream::opposite(End::sealing(role)), session_key()) {}

  void give(const std::vector<RawFrame>& frames) { end.receive(now, raw.seal(frames)); }

  QueuedRng rng{1};
  base::Instant now{};
  End end;
  RawRecords raw;
};

RawFrame dns(std::uint32_t id, std::string_view text, bool more = false) {
  return {FrameType::dns, false, id, Buffer(text.begin(), text.end()), more};
}

TEST(StreamSession, MessagesOfAnySizeArriveWhole) {
  SessionPair pair;
  std::vector<std::size_t> sizes = {0,     1,     7,     8,     56,    57,    119,   120,
                                    16375, 16376, 16377, 16384, 16385, 32751, 32752, 32753,
                                    40000, 49128, 49129, 65503, 65504, 65505, 65534, 65535};
  std::uint32_t id = 0;
  for (const std::size_t size : sizes) {
    const Buffer payload = filled(size);
    ASSERT_TRUE(pair.client.session.send(FrameType::dns, false, ++id, payload));
    ASSERT_TRUE(pair.server.session.send(FrameType::control, true, id, payload));
    pair.carry();
    ASSERT_EQ(pair.server.messages.size(), id) << size;
    EXPECT_EQ(pair.server.messages.back().payload, payload);
    EXPECT_EQ(pair.server.messages.back().id, id);
    EXPECT_FALSE(pair.server.messages.back().response);
    ASSERT_EQ(pair.client.messages.size(), id);
    EXPECT_EQ(pair.client.messages.back().payload, payload);
    EXPECT_EQ(pair.client.messages.back().type, FrameType::control);
    EXPECT_TRUE(pair.client.messages.back().response);
  }
  EXPECT_FALSE(pair.client.session.end());
  EXPECT_FALSE(pair.server.session.end());
}

TEST(StreamSession, AThousandRandomMessagesKeepTheirOrder) {
  SeededRng rng(5);
  SessionPair pair;
  std::vector<Buffer> sent;
  for (int i = 0; i < 1000; ++i) {
    const std::size_t size = rng.below(8) == 0 ? rng.below(65536) : rng.below(300);
    sent.push_back(filled(size, static_cast<std::uint8_t>(i)));
    pair.client.session.send(FrameType::dns, false, static_cast<std::uint32_t>(i), sent.back());
    if (rng.below(5) == 0) pair.carry();
  }
  pair.carry();
  ASSERT_EQ(pair.server.messages.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(pair.server.messages[i].payload, sent[i]);
}

TEST(StreamSession, NoRecordIsLargerThanTheFormatAllows) {
  SessionPair pair;
  for (const std::size_t size : {16376u, 16377u, 65535u})
    pair.client.session.send(FrameType::dns, false, 1, filled(size));
  for (const Buffer& record : pair.client.records()) EXPECT_LE(record.size(), 2u + 16400);
}

TEST(StreamPadding, LengthsAreMultiplesOfTheirKind) {
  struct Case {
    FrameType type;
    bool response;
    std::size_t block;
  };
  for (const auto& [type, response, block] :
       {Case{FrameType::dns, false, 128}, Case{FrameType::dns, true, 468},
        Case{FrameType::control, false, 64}, Case{FrameType::control, true, 64},
        Case{FrameType::dht, false, 64}}) {
    for (std::size_t size = 0; size <= 1000; ++size) {
      SessionPair pair;
      pair.client.session.send(type, response, 1, Buffer(size));
      const auto records = pair.client.records();
      ASSERT_EQ(records.size(), 1u);
      const std::size_t plaintext = records[0].size() - 18;
      EXPECT_EQ(plaintext, (size + 8 + block - 1) / block * block) << size;
    }
  }
}

TEST(StreamPadding, ABatchIsPaddedLikeItsGreatestBlock) {
  SessionPair pair;
  pair.server.session.send(FrameType::control, true, 1, Buffer(10));
  pair.server.session.send(FrameType::dns, true, 2, Buffer(10));
  pair.server.session.send(FrameType::control, true, 3, Buffer(10));
  const auto records = pair.server.records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].size(), 18u + 468);
}

TEST(StreamPadding, AnythingButZerosInItEndsTheSession) {
  Lone lone;
  Buffer plaintext(64);
  packet::FrameWriter(plaintext).put(FrameType::dns, false, 1, {});
  plaintext[63] = 1;
  lone.end.receive(lone.now, lone.raw.seal(plaintext));
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
  EXPECT_TRUE(lone.end.messages.empty()) << "nothing is acted on before the record is known";
}

TEST(StreamParts, NothingComesBetweenThem) {
  const std::vector<RawFrame> between = {
      dns(2, "another"),
      dns(1, "another of that id", false),
      {FrameType::ping, false, 0, {}},
      {FrameType::pong, true, 0, {}},
      {FrameType::control, false, 1, {}},
      {FrameType::close, false, 0, {0, 0}},
      {FrameType::error, true, 1, {0, 4}},
  };
  for (std::size_t i = 0; i < between.size(); ++i) {
    Lone lone;
    lone.give({dns(1, "part", true)});
    EXPECT_FALSE(lone.end.session.end());
    lone.give({between[i]});
    if (i == 1) {  // it is the second part, of course
      EXPECT_FALSE(lone.end.session.end());
      ASSERT_EQ(lone.end.messages.size(), 1u);
      EXPECT_EQ(base::as_text(lone.end.messages[0].payload), "partanother of that id");
    } else {
      EXPECT_EQ(lone.end.session.end(), SessionEnd::violation) << i;
      EXPECT_TRUE(lone.end.messages.empty());
    }
  }
}

TEST(StreamParts, ARequestIsNotContinuedAsAResponse) {
  Lone lone;
  lone.give({dns(1, "part", true)});
  lone.give({{FrameType::dns, true, 1, {1}}});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
}

TEST(StreamParts, AnEmptyOneInTheMiddleIsAViolation) {
  Lone lone;
  lone.give({dns(1, "", true)});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
}

TEST(StreamParts, OnlyMessagesHaveThem) {
  for (const FrameType type : {FrameType::ping, FrameType::pong, FrameType::close,
                               FrameType::rekey_req, FrameType::ready}) {
    Lone lone;
    lone.give({{type, type == FrameType::pong, 0, Buffer(32), true}});
    EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
  }
}

TEST(StreamParts, TogetherTheyAreNeverMoreThanAMessage) {
  for (const std::size_t last : {65535u - 4 * 16000u, 65536u - 4 * 16000u}) {
    Lone lone;
    for (int i = 0; i < 4; ++i) lone.give({{FrameType::control, false, 1, Buffer(16000), true}});
    EXPECT_FALSE(lone.end.session.end());
    lone.give({{FrameType::control, false, 1, Buffer(last)}});
    if (last + 4 * 16000 <= stream::kMaxMessage) {
      EXPECT_FALSE(lone.end.session.end());
      EXPECT_EQ(lone.end.messages.at(0).payload.size(), stream::kMaxMessage);
    } else {
      EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
      EXPECT_TRUE(lone.end.messages.empty());
    }
  }
}

TEST(StreamSession, EveryFrameThatIsNoMessageIsAnsweredOrAViolation) {
  for (unsigned type = 1; type <= 255; ++type) {
    for (const bool response : {false, true}) {
      for (const auto role : {End::Role::server, End::Role::client}) {
        Lone lone(role);
        const FrameType frame{static_cast<std::uint8_t>(type)};
        lone.give({{frame, response, 7, {}}});
        const bool message = (type >= 0x10 && type <= 0x1f) || type >= 0x80 ||
                             (frame == FrameType::error && response);
        const bool ping = frame == FrameType::ping && !response;
        const bool pong = frame == FrameType::pong && response;
        EXPECT_EQ(lone.end.messages.size(), message ? 1u : 0u) << type;
        EXPECT_EQ(lone.end.session.end().has_value(), !message && !ping && !pong)
            << type << response;
        const auto answer = lone.raw.open(lone.end.bytes());
        ASSERT_TRUE(answer);
        ASSERT_EQ(answer->size(), ping ? 1u : 0u) << type;
        if (!ping) continue;
        EXPECT_EQ(answer->at(0).type, FrameType::pong);
        EXPECT_EQ(answer->at(0).id, 7u);
      }
    }
  }
}

TEST(StreamSession, EveryUndefinedFlagIsAViolation) {
  for (unsigned flags = 4; flags <= 255; ++flags) {
    Lone lone;
    Buffer plaintext(64);
    packet::FrameWriter(plaintext).put(FrameType::dns, false, 1, {});
    plaintext[1] = static_cast<std::uint8_t>(flags);
    lone.end.receive(lone.now, lone.raw.seal(plaintext));
    EXPECT_EQ(lone.end.session.end(), SessionEnd::violation) << flags;
  }
}

TEST(StreamSession, AFrameThatLeavesItsRecordIsAViolation) {
  for (const std::size_t length : {57u, 58u, 64u, 1000u, 65535u}) {
    Lone lone;
    Buffer plaintext(64);
    packet::FrameWriter(plaintext).put(FrameType::dns, false, 1, {});
    base::store_be16(&plaintext[2], static_cast<std::uint16_t>(length));
    lone.end.receive(lone.now, lone.raw.seal(plaintext));
    EXPECT_EQ(lone.end.session.end(), SessionEnd::violation) << length;
    EXPECT_TRUE(lone.end.messages.empty());
  }
}

TEST(StreamSession, ALargePingIsAViolation) {
  Lone lone;
  lone.give({{FrameType::ping, false, 1, Buffer(64, 1)}});
  EXPECT_FALSE(lone.end.session.end());
  const auto answer = lone.raw.open(lone.end.bytes());
  ASSERT_EQ(answer->size(), 1u);
  EXPECT_EQ(answer->at(0).payload, Buffer(64, 1));
  lone.give({{FrameType::ping, false, 1, Buffer(65, 1)}});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
}

TEST(StreamSession, ARecordOfPingsIsAnsweredWithNoMoreThanItself) {
  Lone lone;
  const std::vector<RawFrame> pings(2048, {FrameType::ping, false, 1, {}});
  const Buffer record = lone.raw.seal(pings);
  EXPECT_EQ(record.size(), 2u + 16400);
  lone.end.receive(lone.now, record);
  EXPECT_EQ(lone.end.bytes().size(), record.size());
}

TEST(StreamSession, WhatHasFailedStaysDead) {
  Lone lone;
  Buffer bad = lone.raw.seal({dns(1, "flipped")});
  Buffer good = bad;
  bad[40] ^= 1;
  lone.end.receive(lone.now, bad);
  ASSERT_EQ(lone.end.session.end(), SessionEnd::not_authentic);
  // The genuine one that follows would open: it is not looked at any more.
  lone.end.receive(lone.now, good);
  lone.give({{FrameType::ping, false, 1, {}}});
  EXPECT_TRUE(lone.end.messages.empty());
  EXPECT_FALSE(lone.end.session.send(FrameType::dns, true, 1, {}));
  lone.end.session.close(lone.now, stream::CloseCode::done, {});
  lone.end.session.handle_timeout(lone.now + 24h);
  lone.end.session.peer_ended();
  lone.end.session.bad_length();
  EXPECT_EQ(lone.end.session.end(), SessionEnd::not_authentic) << "and the first reason stands";
  EXPECT_TRUE(lone.end.bytes().empty()) << "nothing is written any more";
}

TEST(StreamSession, NothingIsAnsweredBehindAViolationInOneRecord) {
  Lone lone;
  lone.give({dns(1, "before"), {FrameType::confirm, false, 0, Buffer(64)}, dns(2, "behind")});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
  ASSERT_EQ(lone.end.messages.size(), 1u);
  EXPECT_EQ(lone.end.messages[0].id, 1u);
}

TEST(StreamSession, IsIdleAfterTheTimeAndSaysSo) {
  Lone lone;
  lone.now += 119s;
  lone.end.session.handle_timeout(lone.now);
  EXPECT_FALSE(lone.end.session.end());
  EXPECT_EQ(lone.end.session.next_timeout(), base::Instant{} + 120s);
  lone.now += 1s;
  lone.end.session.handle_timeout(lone.now);
  EXPECT_EQ(lone.end.session.end(), SessionEnd::idle);
  const auto said = lone.raw.open(lone.end.bytes());
  ASSERT_EQ(said->size(), 1u);
  EXPECT_EQ(said->at(0).payload, (Buffer{0, 2}));
}

TEST(StreamSession, PingsKeepItAlive) {
  SessionPair pair({}, 120s, true);
  std::size_t wakes = 0;
  for (const auto end = pair.now + 9min; pair.now < end; ++wakes) {
    pair.now = std::min(pair.client.session.next_timeout(), pair.server.session.next_timeout());
    pair.client.session.handle_timeout(pair.now);
    pair.server.session.handle_timeout(pair.now);
    pair.carry();
    ASSERT_GT(std::min(pair.client.session.next_timeout(), pair.server.session.next_timeout()),
              pair.now);
  }
  EXPECT_FALSE(pair.client.session.end());
  EXPECT_FALSE(pair.server.session.end());
  EXPECT_LE(wakes, 13u);
}

TEST(StreamSession, PingsFitTheIdleTimeThatTheServerNamed) {
  QueuedRng rng(1);
  End client(End::Role::client, rng, {base::Instant{}, 30s, true, {}});
  EXPECT_EQ(client.session.next_timeout(), base::Instant{} + 15s);
  client.session.handle_timeout(base::Instant{} + 15s);
  EXPECT_EQ(client.records().size(), 1u);
  EXPECT_EQ(client.session.next_timeout(), base::Instant{} + 30s);
}

TEST(StreamSession, APingThatIsDueWhileItClosesDoesNotSpin) {
  SessionPair pair({}, 120s, true);
  pair.now += 44s;
  pair.client.session.close(pair.now, stream::CloseCode::done, {});
  EXPECT_EQ(pair.client.session.next_timeout(), pair.now + 5s);
  pair.now += 1s;
  pair.client.session.handle_timeout(pair.now);
  EXPECT_GT(pair.client.session.next_timeout(), pair.now);
}

TEST(StreamClient, AServerThatPingsAndDoesNotReadIsNotReadEither) {
  ClientWorld world;
  RawServer server = world.server();
  world.establish(server);
  const std::vector<RawFrame> pings(200, {FrameType::ping, false, 0, Buffer(64)});
  Buffer flood;
  for (int i = 0; i < 100; ++i) flood = std::move(flood) + server.records->seal(pings);
  flood = std::move(flood) +
          server.records->seal({{FrameType::dns, true, world.seen.back().id, Buffer(3)}});
  base::Bytes left = flood;
  const auto give = [&] {
    for (base::MutableBytes room = world.client->room(); !room.empty() && !left.empty();
         room = world.client->room()) {
      const base::Bytes part = left.first(std::min(room.size(), left.size()));
      world.give(part);
      left = left.subspan(part.size());
    }
  };
  give();
  EXPECT_FALSE(left.empty());
  EXPECT_LT(world.client->unsent().size(), std::size_t{600} << 10);
  while (!left.empty()) {
    ASSERT_FALSE(world.taken().empty()) << "once the server reads, so does the client";
    give();
  }
  EXPECT_EQ(world.answers.size(), 1u);
}

}  // namespace
}  // namespace boxgram::test
