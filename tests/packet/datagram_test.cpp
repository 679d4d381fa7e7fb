#include <gtest/gtest.h>

#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using packet::DatagramType;
using packet::HeaderError;

Buffer with_header(std::uint8_t type, std::size_t size) {
  Buffer bytes(size);
  const Buffer header = {'b', 'g', 1, type};
  std::copy_n(header.begin(), std::min(size, header.size()), bytes.begin());
  return bytes;
}

TEST(ParseHeader, TellsWhatIsWrong) {
  EXPECT_EQ(packet::parse_header({}).error(), HeaderError::too_short);
  EXPECT_EQ(packet::parse_header(with_header(1, 3)).error(), HeaderError::too_short);
  Buffer bytes = with_header(1, 512);
  bytes[0] = 'B';
  EXPECT_EQ(packet::parse_header(bytes).error(), HeaderError::bad_magic);
  bytes = with_header(1, 512);
  bytes[2] = 2;
  EXPECT_EQ(packet::parse_header(bytes).error(), HeaderError::bad_version);
}

TEST(ParseHeader, KnowsEightTypes) {
  unsigned known = 0;
  for (unsigned type = 0; type < 256; ++type) {
    const auto parsed = packet::parse_header(with_header(static_cast<std::uint8_t>(type), 512));
    known += parsed || parsed.error() == HeaderError::bad_length;
  }
  EXPECT_EQ(known, 8u);
}

TEST(ParseHeader, HoldsEachTypeToItsLengths) {
  const auto lengths = [](std::uint8_t type) {
    std::vector<std::size_t> accepted;
    for (std::size_t size = 4; size <= 1400; ++size)
      if (packet::parse_header(with_header(type, size))) accepted.push_back(size);
    return accepted;
  };
  for (const auto type : std::array<std::uint8_t, 3>{0x01, 0x02, 0x04}) {
    EXPECT_EQ(lengths(type).front(), 512u);
    EXPECT_EQ(lengths(type).back(), 1232u);
    EXPECT_EQ(lengths(type).size(), 721u);
  }
  for (const auto type : std::array<std::uint8_t, 2>{0x03, 0x11}) {
    EXPECT_EQ(lengths(type).front(), 64u);
    EXPECT_EQ(lengths(type).back(), 1232u);
    EXPECT_EQ(lengths(type).size(), 1169u);
  }
  EXPECT_EQ(lengths(0x12), std::vector<std::size_t>{116});
  EXPECT_EQ(lengths(0x13), std::vector<std::size_t>{28});
  EXPECT_EQ(lengths(0x14).size(), 10u);
  EXPECT_EQ(lengths(0x14).front(), 16u);
  EXPECT_EQ(lengths(0x14)[1], 140u);
}

TEST(Datagram, EveryTypeSurvivesWritingAndReading) {
  const packet::RetryView retry{{1, 2}, 77, {3, 4}};
  Buffer bytes(packet::kRetrySize);
  ASSERT_EQ(packet::write_retry(bytes, retry), packet::kRetrySize);
  ASSERT_EQ(packet::parse_header(bytes).value(), DatagramType::retry);
  EXPECT_EQ(packet::parse_retry(bytes).cid, retry.cid);
  EXPECT_EQ(packet::parse_retry(bytes).n, 77u);
  EXPECT_EQ(packet::parse_retry(bytes).cookie, retry.cookie);

  bytes.resize(packet::kResetSize);
  ASSERT_EQ(packet::write_reset(bytes, {{5}, {6}}), packet::kResetSize);
  ASSERT_EQ(packet::parse_header(bytes).value(), DatagramType::reset);
  EXPECT_EQ(packet::parse_reset(bytes).token, packet::ResetToken{6});

  bytes.assign(packet::kKeysClear + 124, 0);
  const Buffer certificate(124, 7);
  ASSERT_EQ(packet::write_keys(bytes, {{8}, certificate}), bytes.size());
  ASSERT_EQ(packet::parse_header(bytes).value(), DatagramType::keys);
  EXPECT_EQ(packet::parse_keys(bytes)->echo, packet::Echo{8});
}

TEST(ParseKeys, RejectsAWrongCountAndReservedBytes) {
  Buffer bytes(packet::kKeysClear + 124);
  packet::write_keys(bytes, {{8}, Buffer(124, 7)});
  ASSERT_TRUE(packet::parse_keys(bytes));
  for (const std::size_t at : {12u, 13u, 14u, 15u}) {
    Buffer changed = bytes;
    changed[at] ^= 2;
    EXPECT_FALSE(packet::parse_keys(changed)) << at;
  }
}

TEST(ParseKeyreq, RejectsPaddingThatIsNotZero) {
  Buffer bytes(600);
  packet::write_keyreq(bytes, {1});
  EXPECT_TRUE(packet::parse_keyreq(bytes));
  for (const std::size_t at : {12u, 300u, 599u}) {
    Buffer changed = bytes;
    changed[at] = 1;
    EXPECT_FALSE(packet::parse_keyreq(changed)) << at;
  }
}

// The label separates types and directions: a box is worth nothing under any other header.
TEST(Box, OpensAsNothingButWhatItIs) {
  World world;
  const BareClient client = world.client();
  const crypto::SharedKey& key = client.key();
  const Buffer sealed = client.short_datagram({1, 2}, 3, ask_ping);
  Buffer bytes = sealed;
  EXPECT_TRUE(packet::open_short(bytes, {{1, 2}, 3}, key));
  bytes = sealed;
  EXPECT_FALSE(packet::open_short(bytes, {{1, 3}, 3}, key));
  EXPECT_FALSE(packet::open_short(bytes, {{1, 2}, 4}, key));
  // The same box behind the header of a MSG whose R spells sid and n, and of an INITIAL.
  packet::MsgHeader msg;
  msg.r = {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
  Buffer reflected(28);
  reflected.insert(reflected.end(), sealed.begin() + 20, sealed.end());
  EXPECT_FALSE(packet::open_msg(reflected, msg, key));
  const Buffer zero_sid = client.short_datagram({}, 3, ask_ping);
  Buffer as_initial(52);
  as_initial.insert(as_initial.end(), zero_sid.begin() + 20, zero_sid.end());
  EXPECT_FALSE(packet::open_initial(as_initial, {{}, {}, 3, {}}, key));
}

TEST(Box, FailureLeavesTheBytesAsTheyWere) {
  World world;
  const BareClient client = world.client();
  Buffer bytes = client.short_datagram({1}, 1, ask_ping);
  bytes.back() ^= 1;
  const Buffer before = bytes;
  EXPECT_FALSE(packet::open_short(bytes, {{1}, 1}, client.key()));
  EXPECT_EQ(bytes, before);
}

}  // namespace
}  // namespace boxgram::test
