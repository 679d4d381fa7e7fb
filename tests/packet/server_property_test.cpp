// For any bytes: at most one datagram out, never longer than the one in, and silence for what is
// not authentic.
#include <map>

#include <gtest/gtest.h>

#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using Kind = packet::Received::Kind;

/// Without limits, so that what is tested here is not hidden behind a RETRY.
packet::ServerConfig unlimited() {
  packet::ServerConfig config;
  config.initial_rate = config.cookie_rate = config.reply_rate = {1e6, 1e6};
  config.scalar_mult_rate = config.cookie_scalar_mult_rate = {1e6, 1e6};
  return config;
}

/// A server with one association, and one datagram of each type that a client sends.
struct Samples {
  Samples() : world(unlimited()), client(world.client()) {
    keyreq.resize(512);
    packet::write_keyreq(keyreq, {9});
    // A cookie of this server; only a server under pressure sends one.
    World pressed;
    pressed.now = world.now - 1s;
    pressed.start();
    pressed.now = pressed.boot;
    pressed.receive(client.initial(2, pressed.unix_ms(), ask_ping));
    const auto cookie = packet::parse_retry(pressed.sent).cookie;
    sid = world.associate(client, kClientAddress, 10);
    initial = client.initial(1, world.unix_ms(), ask_ping);
    short_ = client.short_datagram(sid, 1, ask_ping, 128);
    const auto frames = [&](packet::FrameWriter& writer) {
      writer.put(packet::FrameType::echo, false, 0, base::Bytes(cookie).first(16));
      ask_ping(writer);
    };
    initial_c = client.initial(3, world.unix_ms(), frames, 512, cookie);
    // Valid where it stands: without it the timestamp would be too old.
    const Buffer old = client.initial(4, 0, frames, 512, cookie);
    EXPECT_EQ(client.open((world.receive(old), world.sent))->error(), 0u);
  }

  World world;
  BareClient client;
  packet::SessionId sid{};
  Buffer initial;
  Buffer initial_c;
  Buffer short_;
  Buffer keyreq;
};

/// What came back, by the type byte; 0 for nothing.
std::uint8_t reply_type(World& world, const Buffer& bytes) {
  const auto received = world.receive(bytes);
  EXPECT_NE(received.kind, Kind::misrouted);
  EXPECT_LE(received.size, bytes.size());
  if (received.kind != Kind::transmit) {
    EXPECT_EQ(received.size, 0u);
    EXPECT_EQ(world.out, Buffer(packet::kMaxDatagram, 0xee));  // not even a trace of something
    return 0;
  }
  EXPECT_GE(received.size, 4u);
  for (std::size_t i = received.size; i < world.out.size(); ++i)
    if (world.out[i] != 0xee) {
      ADD_FAILURE() << "wrote behind the datagram";
      break;
    }
  return world.sent.size() > 3 ? world.sent[3] : 0;
}

/// Sends the sample with each byte changed in each of eight ways, and gives the offsets at which
/// anything came back, with the type of what did.
std::map<std::size_t, std::uint8_t> offsets_with_reply(World& world, const Buffer& sample) {
  std::map<std::size_t, std::uint8_t> replies;
  for (std::size_t i = 0; i < sample.size(); ++i)
    for (unsigned bit = 0; bit < 8; ++bit) {
      Buffer changed = sample;
      changed[i] ^= static_cast<std::uint8_t>(1u << bit);
      if (const auto type = reply_type(world, changed)) replies[i] = type;
    }
  return replies;
}

std::map<std::size_t, std::uint8_t> expect(std::size_t from, std::size_t to, std::uint8_t type) {
  std::map<std::size_t, std::uint8_t> expected;
  for (std::size_t i = from; i < to; ++i) expected[i] = type;
  return expected;
}

constexpr std::uint8_t kMsg = 0x11;
constexpr std::uint8_t kReset = 0x13;
constexpr std::uint8_t kKeys = 0x14;

TEST(EveryFlippedBit, OfAnInitialGetsNothing) {
  Samples s;
  // The top bit of a public key means nothing to X25519: the same box, processed once. (With its
  // type changed into SHORT's it carries no counter that could be one.)
  const std::map<std::size_t, std::uint8_t> expected = {{43, kMsg}};
  EXPECT_EQ(offsets_with_reply(s.world, s.initial), expected);
  EXPECT_EQ(reply_type(s.world, s.initial), 0) << "the alias was processed in its place";
}

TEST(EveryFlippedBit, OfAShortGetsNothingButAReset) {
  Samples s;
  // Offsets 4 to 11 are the sid: another session, unknown.
  EXPECT_EQ(offsets_with_reply(s.world, s.short_), expect(4, 12, kReset));
  EXPECT_EQ(reply_type(s.world, s.short_), kMsg) << "none of it harmed the real one";
}

TEST(EveryFlippedBit, OfACookieDatagramGetsAtMostTheTime) {
  Samples s;
  const auto processed = s.world.server->counters().initials;
  // The box echoes a cookie that is not there any more (52 to 147), or that is for another spelling
  // of its key (43): it opens and is as stale as any old one. Its sender is told the time.
  auto expected = expect(52, 148, kMsg);
  expected[43] = kMsg;
  EXPECT_EQ(offsets_with_reply(s.world, s.initial_c), expected);
  EXPECT_EQ(s.world.server->counters().initials, processed);
  s.world.receive(s.initial_c);
  EXPECT_EQ(s.client.open(s.world.sent)->error(), 0u) << "none of it harmed the real one";
}

TEST(EveryFlippedBit, OfAKeyreqGetsNothingButKeys) {
  Samples s;
  auto expected = expect(4, 12, kKeys);  // the echo is the client's own
  EXPECT_EQ(offsets_with_reply(s.world, s.keyreq), expected);
}

TEST(EveryTruncation, GetsNothing) {
  Samples s;
  for (const Buffer* sample : {&s.initial, &s.initial_c, &s.short_})
    for (std::size_t size = 0; size < sample->size(); ++size)
      EXPECT_EQ(reply_type(s.world, Buffer(sample->begin(),
                                           sample->begin() + static_cast<std::ptrdiff_t>(size))),
                0);
}

TEST(EveryExtension, GetsNothing) {
  Samples s;
  for (const Buffer* sample : {&s.initial, &s.initial_c, &s.short_})
    for (std::size_t size = sample->size() + 1; size <= 1300; size += 7) {
      Buffer longer = *sample;
      longer.resize(size);
      EXPECT_EQ(reply_type(s.world, longer), 0);
    }
}

TEST(AnyBytes, GetAtMostOneDatagramAndNeverMoreThanTheyAre) {
  Samples s;
  SeededRng rng(42);
  const std::vector<Buffer> samples = {s.initial, s.initial_c, s.short_, s.keyreq};
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::uint64_t answered = 0;
  for (int i = 0; i < 60'000; ++i) {
    Buffer bytes;
    if (rng.below(3) == 0) {
      bytes.resize(rng.below(1500));
      rng.fill(bytes);
    } else {
      bytes = samples[rng.below(samples.size())];
      for (std::uint64_t changes = rng.below(4); changes > 0; --changes)
        bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.u64());
      if (rng.below(4) == 0) bytes.resize(rng.below(1500));
    }
    if (rng.below(2) == 0 && bytes.size() > 4) {
      bytes[0] = 'b';
      bytes[1] = 'g';
      bytes[2] = 1;
      bytes[3] = static_cast<std::uint8_t>(rng.below(24));
    }
    in += bytes.size();
    answered += reply_type(s.world, bytes) != 0;
    out += s.world.sent.size();
    s.world.now += std::chrono::microseconds(rng.below(100));
  }
  EXPECT_LE(out, in);
  EXPECT_GT(answered, 0u);
}

// The same with boxes that open: what stands inside is whatever a client with a key may write.
TEST(AnyFrames, GetExactlyOneDatagramAsLongAsTheirs) {
  Samples s;
  SeededRng rng(43);
  std::map<Kind, unsigned> kinds;
  for (std::uint64_t n = 1; n < 20'000; ++n) {
    const auto frames = [&](packet::FrameWriter& writer) {
      for (std::uint64_t count = rng.below(5); count > 0; --count) {
        Buffer payload(rng.below(3) == 0 ? rng.below(40) : 0);
        rng.fill(payload);
        writer.put(packet::FrameType{static_cast<std::uint8_t>(rng.below(0x13))}, rng.below(8) == 0,
                   static_cast<std::uint32_t>(rng.u64()), payload);
      }
    };
    const std::size_t size = 64 + rng.below(1169);
    const Buffer bytes = rng.below(2) == 0 ? s.client.short_datagram(s.sid, n, frames, size)
                                           : s.client.initial(n, s.world.unix_ms(), frames,
                                                              std::max<std::size_t>(size, 512));
    auto received = s.world.receive(bytes);
    ++kinds[received.kind];
    if (received.kind == Kind::request) {
      const auto space = packet::Server::payload_space(received.reply, s.world.out);
      ASSERT_GE(space.size(), 4u);
      s.world.answer(received.reply, std::string(rng.below(space.size() + 1), 'x'));
    } else if (received.kind == Kind::dropped) {
      continue;
    }
    ASSERT_TRUE(s.client.open(s.world.sent) || s.world.sent.size() == packet::kRetrySize);
    if (s.world.sent.size() != packet::kRetrySize) {
      EXPECT_EQ(s.world.sent.size(), bytes.size());
    }
    s.world.now += 1ms;
  }
  EXPECT_GT(kinds[Kind::request], 100u);
  EXPECT_GT(kinds[Kind::transmit], 1000u);
}

}  // namespace
}  // namespace boxgram::test
