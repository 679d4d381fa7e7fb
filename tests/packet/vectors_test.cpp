// Every packet-mode vector: opened, and made again byte for byte.
#include <gtest/gtest.h>

#include <boxgram/crypto/sign.hpp>
#include <boxgram/packet/certificate.hpp>
#include <boxgram/packet/stamp.hpp>

#include "packet/replay_window.hpp"
#include "packet/tokens.hpp"
#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using packet::Drop;
using packet::FrameType;
using packet::FrameWriter;
using Kind = packet::Received::Kind;

Buffer datagram(int i) {
  return vector_bytes("/packet/" + std::to_string(i) + "/datagram");
}

/// The DNS messages inside the vectors: after 8 bytes of ts or re and the frames before it.
Buffer query() {
  const Buffer inner = vector_bytes("/packet/0/inner");
  return {inner.begin() + 24, inner.begin() + 24 + 29};
}
Buffer response() {
  const Buffer inner = vector_bytes("/packet/3/inner");
  return {inner.begin() + 16, inner.begin() + 16 + 45};
}

void ask_assoc_and_dns(FrameWriter& frames) {
  frames.put(FrameType::assoc_req, false, 0);
  frames.put(FrameType::dns, false, 1, query());
}

packet::ServerConfig five_minutes() {
  packet::ServerConfig config;
  config.association_lifetime = std::chrono::seconds(300);
  return config;
}

TEST(Vectors, KeysAndNamesAreDerivedAlike) {
  const BareClient client = vector_client();
  EXPECT_EQ(Buffer(client.key().bytes().begin(), client.key().bytes().end()),
            vector_bytes("/keys/shared_EC_S"));
  const auto skid = packet::key_id(to_array<32>(vector_bytes("/keys/S")));
  EXPECT_EQ(Buffer(skid.begin(), skid.end()), vector_bytes("/keys/skid"));
  const auto cid = packet::client_id(client.public_key());
  EXPECT_EQ(Buffer(cid.begin(), cid.end()), vector_bytes("/keys/cid"));
  EXPECT_EQ(vector_random("server Ss", 32), vector_bytes("/keys/Ss"));
}

TEST(Vectors, ClientDatagramsAreMadeByteForByte) {
  const BareClient client = vector_client();
  EXPECT_EQ(client.initial(0, kVectorTime, ask_assoc_and_dns), datagram(0));
  const auto sid = to_array<8>(vector_bytes("/packet/1/sid"));
  const auto ask = [](FrameWriter& frames) { frames.put(FrameType::dns, false, 2, query()); };
  EXPECT_EQ(client.short_datagram(sid, 1, ask), datagram(2));
  const Buffer retry = datagram(6);
  const base::Bytes cookie = base::Bytes(retry).subspan(20);
  const auto again = [&](FrameWriter& frames) {
    frames.put(FrameType::echo, false, 0, cookie.first(16));
    frames.put(FrameType::dns, false, 1, query());
  };
  EXPECT_EQ(client.initial(1, kVectorTime + 50, again, 512, cookie), datagram(7));
}

TEST(Vectors, ServerMakesItsDatagramsByteForByte) {
  World world(five_minutes());
  ASSERT_EQ(world.unix_ms(), kVectorTime);
  auto received = world.receive(datagram(0));
  ASSERT_EQ(received.kind, Kind::request);
  EXPECT_EQ(Buffer(received.payload.begin(), received.payload.end()), query());
  EXPECT_FALSE(received.reply.validated);
}

TEST(Vectors, AWholeExchangeIsByteForByte) {
  World world(five_minutes());
  world.rng.queue(vector_random("sid", 8));
  world.rng.queue(vector_random("R1", 16));
  world.rng.queue(vector_random("R2", 16));
  const Buffer answer = response();
  auto received = world.receive(datagram(0));
  ASSERT_EQ(received.kind, Kind::request);
  world.answer(received.reply, base::as_text(answer));
  EXPECT_EQ(world.sent, datagram(1));
  received = world.receive(datagram(2));
  ASSERT_EQ(received.kind, Kind::request);
  EXPECT_TRUE(received.reply.validated);
  world.answer(received.reply, base::as_text(answer));
  EXPECT_EQ(world.sent, datagram(3));
}

TEST(Vectors, ResetStaleTimeAndRetryAreByteForByte) {
  World world;
  EXPECT_EQ(world.receive(datagram(2)).kind, Kind::transmit);
  EXPECT_EQ(world.sent, datagram(4));

  world.now += std::chrono::seconds(90);
  world.rng.queue(vector_random("R3", 16));
  EXPECT_EQ(world.receive(datagram(0)).kind, Kind::transmit);
  EXPECT_EQ(world.sent, datagram(5));

  world.now -= std::chrono::seconds(91);
  world.start();
  world.now -= std::chrono::seconds(59);
  ASSERT_EQ(world.unix_ms(), kVectorTime);
  world.rng.queue(vector_random("cookie nonce", 16));
  EXPECT_EQ(world.receive(datagram(0)).kind, Kind::transmit);
  EXPECT_EQ(world.sent, datagram(6));
  world.now += std::chrono::milliseconds(80);
  EXPECT_EQ(world.receive(datagram(7)).kind, Kind::request);
}

TEST(Vectors, ClientOpensWhatTheServerSends) {
  const BareClient client = vector_client();
  const auto first = client.open(datagram(1));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->re, 0u);
  EXPECT_EQ(first->frames.at(0).type, FrameType::assoc);
  EXPECT_EQ(base::load_be32(&first->frames.at(0).payload[24]), 300u);
  EXPECT_EQ(first->frames.at(1).payload, response());
  EXPECT_TRUE(first->frames.at(1).response);
  const auto second = client.open(datagram(3));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->re, 1u);
  const auto stale = client.open(datagram(5));
  ASSERT_TRUE(stale);
  EXPECT_EQ(stale->error(), 1u);
  const Buffer reset = datagram(4);
  const auto token = packet::parse_reset(reset).token;
  EXPECT_EQ(Buffer(token.begin(), token.end()), vector_bytes("/packet/1/reset_token"));
}

TEST(Vectors, EveryNegativeIsDropped) {
  ASSERT_EQ(vector_count("/packet_negative"), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    World world;
    // One association is there, so that the rewritten sid could find something.
    world.rng.queue(vector_random("other sid", 8));
    ASSERT_EQ(world.receive(datagram(0)).kind, Kind::request);
    const std::string at = "/packet_negative/" + std::to_string(i);
    const auto received = world.receive(vector_bytes(at + "/datagram"));
    EXPECT_EQ(received.kind, Kind::dropped) << vector_text(at + "/name");
    EXPECT_EQ(received.size, 0u);
  }
}

TEST(Vectors, LowOrderPointsAreDropped) {
  ASSERT_EQ(vector_count("/low_order_points/points"), 7u);
  for (std::size_t i = 0; i < 7; ++i) {
    World world;
    const Buffer point = vector_bytes("/low_order_points/points/" + std::to_string(i));
    Buffer bytes = datagram(0);
    std::copy(point.begin(), point.end(), bytes.begin() + 12);
    EXPECT_EQ(world.receive(bytes).kind, Kind::dropped);
    EXPECT_EQ(world.drops(Drop::low_order), 1u);
  }
}

TEST(Vectors, SixteenSpellingsOfOneClientKeyAreProcessedOnce) {
  World world;
  ASSERT_EQ(vector_count("/ec_aliases/encodings"), 16u);
  unsigned processed = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const Buffer alias = vector_bytes("/ec_aliases/encodings/" + std::to_string(i));
    Buffer bytes = datagram(0);
    std::copy(alias.begin(), alias.end(), bytes.begin() + 12);
    processed += world.receive(bytes).kind == Kind::request;
  }
  EXPECT_EQ(processed, 1u);
  EXPECT_EQ(world.drops(Drop::replayed), 15u);
  for (std::size_t i = 0; i < vector_count("/alias_datagrams"); ++i)
    EXPECT_EQ(world.receive(vector_bytes("/alias_datagrams/" + std::to_string(i))).kind,
              Kind::dropped);
}

TEST(Vectors, WindowAcceptsTheSequence) {
  packet::ReplayWindow window;
  ASSERT_EQ(vector_window().size(), 25u);
  for (const auto& [n, accepted] : vector_window()) {
    EXPECT_EQ(window.would_accept(n), accepted) << n;
    if (window.would_accept(n)) window.accept(n);
  }
}

TEST(Vectors, CertificatesAreSignedByteForByte) {
  const crypto::SigningKey identity(
      crypto::SigningSeed(to_array<32>(vector_bytes("/keys/identity_seed"))));
  EXPECT_EQ(identity.verify_key(), to_array<32>(vector_bytes("/keys/identity_pk")));
  const Buffer bytes = vector_bytes("/keys_and_stamp/cert_serial_41");
  const packet::Certificate expected{41, 1767225600, 1767225600 + 86400,
                                     to_array<32>(vector_bytes("/keys/S"))};
  const auto made = packet::sign_certificate(expected, identity);
  EXPECT_EQ(Buffer(made.begin(), made.end()), bytes);
  const auto read = packet::verify_certificate(bytes, identity.verify_key());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->serial, expected.serial);
  EXPECT_EQ(read->not_before, expected.not_before);
  EXPECT_EQ(read->not_after, expected.not_after);
  EXPECT_EQ(read->server_key, expected.server_key);
}

TEST(Vectors, KeyreqIsAnsweredByteForByte) {
  auto keys = vector_keys();
  keys->live.clear();
  for (const char* name : {"cert_serial_41", "cert_serial_42"}) {
    auto key = std::make_shared<packet::BoxKey>();
    key->certificate = to_array<124>(vector_bytes(std::string("/keys_and_stamp/") + name));
    key->serial = packet::unverified_serial(*key->certificate);
    key->id[0] = static_cast<std::uint8_t>(key->serial);
    keys->live.push_back(key);
  }
  World world({}, keys);
  const Buffer keyreq = vector_bytes("/keys_and_stamp/keyreq");
  EXPECT_EQ(world.receive(keyreq).kind, Kind::transmit);
  EXPECT_EQ(world.sent, vector_bytes("/keys_and_stamp/keys"));
  Buffer made(512);
  packet::write_keyreq(made, to_array<8>(base::Bytes(keyreq).subspan(4, 8)));
  EXPECT_EQ(made, keyreq);
  const auto view = packet::parse_keys(world.sent);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->certificates.size(), 248u);
}

TEST(Vectors, StampIsWrittenAndRead) {
  const std::string text = vector_text("/keys_and_stamp/stamp");
  const auto stamp = packet::decode_stamp(text);
  ASSERT_TRUE(stamp);
  EXPECT_TRUE(stamp->udp);
  EXPECT_TRUE(stamp->tcp);
  EXPECT_EQ(stamp->identity, to_array<32>(vector_bytes("/keys/identity_pk")));
  EXPECT_FALSE(stamp->pinned);
  EXPECT_EQ(base::to_string(stamp->address), "192.0.2.53:443");
  EXPECT_EQ(stamp->name, "ns1.example");
  EXPECT_EQ(packet::encode_stamp(*stamp), text);
}

TEST(Vectors, SizesAreTheFormats) {
  EXPECT_EQ(packet::kInitialOverhead, 76u);
  EXPECT_EQ(packet::kInitialCookieOverhead, 172u);
  EXPECT_EQ(packet::kShortOverhead, 36u);
  EXPECT_EQ(packet::kMsgOverhead, 52u);
  EXPECT_EQ(packet::kRetrySize, 116u);
  EXPECT_EQ(packet::kResetSize, 28u);
}

}  // namespace
}  // namespace boxgram::test
