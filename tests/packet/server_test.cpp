// What the server answers to authentic datagrams, and how associations live.
#include <set>

#include <gtest/gtest.h>

#include "packet/tokens.hpp"
#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::Drop;
using packet::ErrorCode;
using packet::FrameType;
using packet::FrameWriter;
using packet::Server;
using Kind = packet::Received::Kind;

const base::SocketAddress kElsewhere = base::SocketAddress::v4(198, 51, 100, 9, 555);

void ask_time(FrameWriter& frames) {
  frames.put(FrameType::time, false, 11);
}

TEST(Server, AnswersPingAndTimeItself) {
  World world;
  const BareClient client = world.client();
  const auto ask = [](FrameWriter& frames) {
    ask_ping(frames);
    ask_time(frames);
  };
  const auto received = world.receive(client.initial(3, world.unix_ms(), ask));
  ASSERT_EQ(received.kind, Kind::transmit);
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  EXPECT_EQ(msg->re, 3u);
  ASSERT_EQ(msg->frames.size(), 2u);
  EXPECT_EQ(msg->frames[0].type, FrameType::pong);
  EXPECT_EQ(msg->frames[0].id, 9u);
  EXPECT_TRUE(msg->frames[0].response);
  EXPECT_EQ(msg->frames[1].type, FrameType::time);
  EXPECT_EQ(msg->frames[1].id, 11u);
  EXPECT_EQ(base::load_be64(msg->frames[1].payload.data()), world.unix_ms());
}

TEST(Server, ReplyIsExactlyAsLongAsItsRequest) {
  World world;
  const BareClient client = world.client();
  const auto sid = world.associate(client);
  std::uint64_t n = 1;
  for (std::size_t size = 64; size <= 1232; size += 73) {
    const auto received = world.receive(client.short_datagram(sid, n, ask_ping, size));
    EXPECT_EQ(received.size, size);
    EXPECT_EQ(client.open(world.sent)->re, n++);
  }
  for (std::size_t size = 512; size <= 1232; size += 60) {
    auto received = world.receive(client.initial(n++, world.unix_ms(), ask_dns, size));
    ASSERT_EQ(received.kind, Kind::request);
    world.answer(received.reply, "answer");
    EXPECT_EQ(world.sent.size(), size);
    ASSERT_TRUE(client.open(world.sent));
  }
}

TEST(Server, HandsAServiceFrameOverAndSealsItsAnswer) {
  World world;
  const BareClient client = world.client();
  auto received = world.receive(client.initial(0, world.unix_ms(), ask_dns));
  ASSERT_EQ(received.kind, Kind::request);
  EXPECT_EQ(base::as_text(received.payload), "question");
  EXPECT_EQ(received.reply.service, FrameType::dns);
  EXPECT_EQ(received.reply.to, kClientAddress);
  EXPECT_FALSE(received.reply.new_association);
  EXPECT_EQ(Server::payload_space(received.reply, world.out).size(), 452u);
  world.answer(received.reply, "answer");
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  ASSERT_EQ(msg->frames.size(), 1u);
  EXPECT_EQ(msg->frames[0].id, 7u);
  EXPECT_TRUE(msg->frames[0].response);
  EXPECT_EQ(base::as_text(msg->frames[0].payload), "answer");
  EXPECT_EQ(world.server->associations(), 0u);
}

TEST(Server, AnAnswerMayFillItsWholeSpace) {
  World world;
  const BareClient client = world.client();
  const auto ask = [](FrameWriter& frames) {
    frames.put(FrameType::assoc_req, false, 0);
    ask_dns(frames);
    ask_time(frames);
    ask_ping(frames);
  };
  auto received = world.receive(client.initial(0, world.unix_ms(), ask));
  ASSERT_EQ(received.kind, Kind::request);
  const std::size_t space = Server::payload_space(received.reply, world.out).size();
  EXPECT_EQ(space, 452u - 36 - 8 - 16);
  world.answer(received.reply, std::string(space, 'x'));
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  EXPECT_EQ(world.sent.size(), 512u);
  ASSERT_NE(msg->find(FrameType::dns), nullptr);
  EXPECT_EQ(base::as_text(msg->find(FrameType::dns)->payload), std::string(space, 'x'));
  EXPECT_NE(msg->find(FrameType::assoc), nullptr);
  EXPECT_NE(msg->find(FrameType::pong), nullptr);
  EXPECT_NE(msg->find(FrameType::time), nullptr);
}

TEST(Server, SmallestShortHasRoomForAnError) {
  World world;
  const BareClient client = world.client();
  const auto sid = world.associate(client);
  auto received = world.receive(client.short_datagram(sid, 1, ask_dns, 64));
  ASSERT_EQ(received.kind, Kind::request);
  EXPECT_EQ(Server::payload_space(received.reply, world.out).size(), 4u);
  const Buffer detail = {0x01, 0x23, 0x45};
  EXPECT_EQ(world.server->seal_error(received.reply, ErrorCode::too_large, detail, world.out), 64u);
  const auto msg = client.open(base::Bytes(world.out).first(64));
  ASSERT_TRUE(msg);
  EXPECT_EQ(msg->error(), 3u);
  EXPECT_EQ(msg->find(FrameType::error)->payload, from_hex("00030123"));
  EXPECT_EQ(msg->find(FrameType::error)->id, 7u);
}

TEST(Server, ControlsThatLeaveNoRoomGetTooLarge) {
  World world;
  const BareClient client = world.client();
  const auto sid = world.associate(client);
  const auto ask = [](FrameWriter& frames) {
    ask_ping(frames);
    ask_dns(frames);
  };
  EXPECT_EQ(world.receive(client.short_datagram(sid, 1, ask, 68)).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 3u);
  EXPECT_EQ(client.open(world.sent)->find(FrameType::error)->payload, from_hex("00030008"));
  EXPECT_EQ(world.receive(client.short_datagram(sid, 2, ask_time, 67)).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 3u);
  EXPECT_EQ(world.receive(client.short_datagram(sid, 3, ask_time, 76)).kind, Kind::transmit);
  EXPECT_NE(client.open(world.sent)->find(FrameType::time), nullptr);
}

TEST(Server, UnknownServiceGetsAnError) {
  World world;
  const BareClient client = world.client();
  const auto ask = [](FrameWriter& frames) { frames.put(FrameType::dht, false, 5); };
  EXPECT_EQ(world.receive(client.initial(0, world.unix_ms(), ask)).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 2u);
  EXPECT_EQ(client.open(world.sent)->find(FrameType::error)->id, 5u);
}

TEST(Server, MalformedFramesGetAnErrorAndNoAssociation) {
  World world;
  const BareClient client = world.client();
  const auto two = [](FrameWriter& frames) {
    frames.put(FrameType::assoc_req, false, 0);
    ask_dns(frames);
    ask_dns(frames);
  };
  EXPECT_EQ(world.receive(client.initial(0, world.unix_ms(), two)).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 5u);
  const auto bad_padding = [](FrameWriter& frames) {
    ask_ping(frames);
    frames.put(FrameType::pad, false, 1, base::as_bytes("x"));
  };
  EXPECT_EQ(world.receive(client.initial(1, world.unix_ms(), bad_padding)).kind, Kind::transmit);
  EXPECT_EQ(client.open(world.sent)->error(), 5u);
  EXPECT_EQ(world.server->associations(), 0u);
}

TEST(Server, ABoxThatAsksForNothingGetsNothing) {
  World world;
  const BareClient client = world.client();
  const auto received = world.receive(client.initial(0, world.unix_ms(), [](FrameWriter&) {}));
  EXPECT_EQ(received.kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::no_service), 1u);
}

TEST(Server, ShortIsServedOnceAndInAnyOrder) {
  World world;
  const BareClient client = world.client();
  const auto sid = world.associate(client);
  for (const std::uint64_t n : {5, 3, 900, 4}) {
    const Buffer bytes = client.short_datagram(sid, n, ask_ping);
    EXPECT_EQ(world.receive(bytes).kind, Kind::transmit) << n;
    EXPECT_EQ(world.receive(bytes).kind, Kind::dropped) << n;
  }
  EXPECT_EQ(world.drops(Drop::replayed), 4u);
  EXPECT_EQ(world.receive(client.short_datagram(sid, 2000, ask_ping)).kind, Kind::transmit);
  EXPECT_EQ(world.receive(client.short_datagram(sid, 1040, ask_ping)).kind, Kind::dropped);
}

TEST(Server, ForgedShortDoesNotMoveTheWindow) {
  World world;
  const BareClient client = world.client();
  const BareClient stranger = world.client();
  const auto sid = world.associate(client);
  EXPECT_EQ(world.receive(stranger.short_datagram(sid, 1'000'000, ask_ping)).kind, Kind::dropped);
  EXPECT_EQ(world.receive(client.short_datagram(sid, 1, ask_ping)).kind, Kind::transmit);
}

TEST(Server, RoamingClientIsAnsweredWhereItIsButNotValidated) {
  World world;
  const BareClient client = world.client();
  const auto sid = world.associate(client);
  auto received = world.receive(client.short_datagram(sid, 1, ask_dns));
  EXPECT_TRUE(received.reply.validated);
  received = world.receive(client.short_datagram(sid, 2, ask_dns), kElsewhere);
  ASSERT_EQ(received.kind, Kind::request);
  EXPECT_EQ(received.reply.to, kElsewhere);
  EXPECT_FALSE(received.reply.validated);
}

TEST(Server, AssocCarriesLifetimeAndResetToken) {
  packet::ServerConfig config;
  config.association_lifetime = 123s;
  World world(std::move(config));
  const BareClient client = world.client();
  world.receive(client.initial(0, world.unix_ms(), ask_assoc_and_ping));
  const auto msg = client.open(world.sent);
  ASSERT_TRUE(msg);
  const Buffer& payload = msg->find(FrameType::assoc)->payload;
  ASSERT_EQ(payload.size(), 28u);
  const auto sid = to_array<8>(base::Bytes(payload).first(8));
  const auto token = packet::reset_token(world.keys->reset_key, sid);
  EXPECT_TRUE(std::equal(token.begin(), token.end(), payload.begin() + 8));
  EXPECT_EQ(base::load_be32(&payload[24]), 123u);
}

TEST(Server, RepliesNeverShareARandomNonce) {
  World world;
  const BareClient client = world.client();
  const auto sid = world.associate(client);
  std::set<std::array<std::uint8_t, 16>> seen;
  for (std::uint64_t n = 1; n <= 500; ++n) {
    world.receive(client.short_datagram(sid, n, ask_ping));
    seen.insert(packet::parse_msg(world.sent).r);
  }
  EXPECT_EQ(seen.size(), 500u);
}

TEST(Reset, AnswersAnUnknownSessionWithItsToken) {
  World world;
  const BareClient client = world.client();
  const packet::SessionId sid = {1, 2, 3};
  const auto received = world.receive(client.short_datagram(sid, 1, ask_ping, 64));
  EXPECT_EQ(received.kind, Kind::transmit);
  ASSERT_EQ(world.sent.size(), 28u);
  const auto reset = packet::parse_reset(world.sent);
  EXPECT_EQ(reset.sid, sid);
  EXPECT_EQ(reset.token, packet::reset_token(world.keys->reset_key, sid));
}

TEST(Reset, IsNeverAnsweredNorIsAnythingThatAServerSends) {
  World world;
  const BareClient client = world.client();
  world.receive(client.short_datagram({1}, 1, ask_ping, 64));
  const Buffer reset = world.sent;
  world.receive(client.initial(0, world.unix_ms(), ask_ping));
  const Buffer msg = world.sent;
  Buffer keyreq(512);
  packet::write_keyreq(keyreq, {1});
  world.receive(keyreq);
  const Buffer keys = world.sent;
  Buffer retry(116);
  packet::write_retry(retry, {});
  for (const Buffer& bytes : {reset, msg, keys, retry})
    EXPECT_EQ(world.receive(bytes).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::bad_type), 4u);
}

TEST(Reset, IsNotGivenForLessThan64Bytes) {
  World world;
  Buffer bytes = world.client().short_datagram({1}, 1, ask_ping, 64);
  bytes.pop_back();
  EXPECT_EQ(world.receive(bytes).kind, Kind::dropped);
  EXPECT_EQ(world.drops(Drop::bad_length), 1u);
}

TEST(Reset, IsLimitedForEachNetwork) {
  packet::ServerConfig config;
  config.reply_rate = {1, 10};
  World world(std::move(config));
  const BareClient client = world.client();
  unsigned sent = 0;
  for (std::uint64_t n = 0; n < 100; ++n)
    sent += world.receive(client.short_datagram({1}, n, ask_ping)).kind == Kind::transmit;
  EXPECT_EQ(sent, 10u);
  EXPECT_EQ(world.drops(Drop::rate_limited), 90u);
}

// Every worker gets every datagram: exactly one takes it, the others name that one and leave the
// bytes as they were.
TEST(Workers, EveryDatagramHasExactlyOneOwner) {
  std::vector<std::unique_ptr<World>> workers;
  for (std::uint8_t i = 0; i < 3; ++i) {
    packet::ServerConfig config;
    config.worker = i;
    config.workers = 3;
    workers.push_back(std::make_unique<World>(std::move(config)));
  }
  const auto deliver = [&](const Buffer& bytes) {
    std::vector<unsigned> takers;
    std::set<unsigned> named;
    for (unsigned i = 0; i < 3; ++i) {
      const auto received = workers[i]->receive(bytes);
      if (received.kind == Kind::misrouted) {
        named.insert(received.owner);
        EXPECT_EQ(workers[i]->datagram, bytes);
      } else {
        EXPECT_EQ(received.kind, Kind::transmit);
        takers.push_back(i);
      }
    }
    EXPECT_EQ(takers.size(), 1u);
    EXPECT_EQ(named, std::set<unsigned>{takers.at(0)});
    return takers.at(0);
  };
  std::set<unsigned> owners;
  for (int round = 0; round < 30; ++round) {
    const BareClient client = workers[0]->client();
    const unsigned owner = deliver(client.initial(0, workers[0]->unix_ms(), ask_assoc_and_ping));
    const auto msg = client.open(workers[owner]->sent);
    ASSERT_TRUE(msg);
    const auto sid = to_array<8>(base::Bytes(msg->find(FrameType::assoc)->payload).first(8));
    EXPECT_EQ(deliver(client.short_datagram(sid, 1, ask_ping)), owner);
    EXPECT_EQ(workers[owner]->server->counters().resets, 0u);
    owners.insert(owner);
  }
  EXPECT_EQ(owners.size(), 3u);
}

TEST(Workers, OnlyTheOwnerOfASessionMayResetIt) {
  packet::ServerConfig config;
  config.worker = 1;
  config.workers = 3;
  World world(std::move(config));
  const BareClient client = world.client();
  EXPECT_EQ(world.receive(client.short_datagram({4}, 1, ask_ping)).size, 28u);
  EXPECT_EQ(world.receive(client.short_datagram({5}, 1, ask_ping)).kind, Kind::misrouted);
}

TEST(Workers, TwoHundredFiftySixOfThemStillMakeSessionsOfTheirOwn) {
  packet::ServerConfig config;
  config.worker = 255;
  config.workers = 256;
  World world(std::move(config));
  const BareClient client = world.client();
  for (std::uint64_t n = 0; n < 5000; ++n) {
    const Buffer bytes = client.initial(n, world.unix_ms(), ask_assoc_and_ping);
    if (bytes[52] != 255) continue;
    ASSERT_EQ(world.receive(bytes).kind, Kind::transmit);
    EXPECT_EQ(client.open(world.sent)->find(FrameType::assoc)->payload[0], 255);
    return;
  }
  FAIL() << "no tag began with 255";
}

TEST(Drop, EveryReasonHasItsOwnName) {
  std::set<std::string> names;
  for (unsigned i = 0; i < static_cast<unsigned>(Drop::count_); ++i)
    names.insert(packet::to_string(static_cast<Drop>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Drop::count_));
}

}  // namespace
}  // namespace boxgram::test
