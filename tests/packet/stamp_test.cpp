#include <gtest/gtest.h>

#include <boxgram/crypto/hash.hpp>
#include <boxgram/packet/stamp.hpp>

#include "packet/vectors.hpp"

namespace boxgram::test {
namespace {

using packet::Stamp;
using packet::StampError;

Stamp example() {
  Stamp stamp;
  stamp.identity = crypto::VerifyKey{1, 2, 3};
  stamp.address = base::SocketAddress::v4(192, 0, 2, 53, 443);
  stamp.name = "ns1.example";
  return stamp;
}

const std::string kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A stamp's text from any body, with a right checksum.
std::string stamp_of(Buffer body) {
  Buffer sum(4);
  crypto::blake2b(sum, {base::as_bytes("BXG1-URI"), body});
  body.insert(body.end(), sum.begin(), sum.end());
  std::string text = "boxgram://";
  for (std::size_t bit = 0; bit < body.size() * 8; bit += 6) {
    unsigned value = 0;
    for (std::size_t i = bit; i < bit + 6; ++i)
      value = value << 1 | (i / 8 < body.size() ? body[i / 8] >> (7 - i % 8) & 1u : 0u);
    text += kAlphabet[value];
  }
  return text;
}

/// Version, flags, one key, a port, an address, a name.
Buffer body(std::uint8_t version, std::uint8_t flags, const std::string& rest_hex) {
  Buffer bytes = {version, flags};
  bytes.resize(34, 0x11);
  const Buffer rest = from_hex(rest_hex);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

StampError error_of(const std::string& text) {
  const auto decoded = packet::decode_stamp(text);
  EXPECT_FALSE(decoded) << text;
  return decoded ? StampError{255} : decoded.error();
}

TEST(Stamp, EveryCombinationSurvives) {
  for (unsigned keys = 1; keys < 4; ++keys)
    for (unsigned transports = 1; transports < 4; ++transports)
      for (const char* address : {"192.0.2.1:1", "[2001:db8::1]:65535"})
        for (const std::string& name : {std::string(), std::string("a"), std::string(253, 'x')}) {
          Stamp stamp;
          if (keys & 1) stamp.identity = crypto::VerifyKey{1};
          if (keys & 2) stamp.pinned = crypto::PublicKey{2};
          stamp.udp = transports & 1;
          stamp.tcp = transports & 2;
          stamp.address = base::parse_socket_address(address, 0).value();
          stamp.name = name;
          const std::string text = packet::encode_stamp(stamp);
          const auto read = packet::decode_stamp(text);
          ASSERT_TRUE(read) << text;
          EXPECT_EQ(read->identity, stamp.identity);
          EXPECT_EQ(read->pinned, stamp.pinned);
          EXPECT_EQ(read->udp, stamp.udp);
          EXPECT_EQ(read->tcp, stamp.tcp);
          EXPECT_EQ(read->address, stamp.address);
          EXPECT_EQ(read->name, stamp.name);
          EXPECT_EQ(packet::encode_stamp(*read), text);
        }
}

TEST(Stamp, EveryTypingErrorIsFound) {
  const std::string text = packet::encode_stamp(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(packet::decode_stamp(changed)) << i;
  }
}

TEST(Stamp, EveryCutIsFound) {
  const std::string text = packet::encode_stamp(example());
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(packet::decode_stamp(text.substr(0, size))) << size;
  EXPECT_FALSE(packet::decode_stamp(text + "A"));
  EXPECT_FALSE(packet::decode_stamp(text + "AAAA"));
}

TEST(Stamp, ErrorsSayWhatIsWrong) {
  const std::string text = packet::encode_stamp(example());
  EXPECT_EQ(error_of(""), StampError::bad_scheme);
  EXPECT_EQ(error_of("sdns://" + text.substr(10)), StampError::bad_scheme);
  EXPECT_EQ(error_of("boxgram://"), StampError::bad_length);
  EXPECT_EQ(error_of("boxgram://AAAA!"), StampError::bad_base64);
  EXPECT_EQ(error_of("boxgram://AAAAA"), StampError::bad_base64);
  EXPECT_EQ(error_of(text + "="), StampError::bad_base64);
  EXPECT_EQ(error_of("boxgram://" + std::string(4000, 'A')), StampError::bad_length);
  std::string changed = text;
  changed[20] = changed[20] == 'A' ? 'B' : 'A';
  EXPECT_EQ(error_of(changed), StampError::bad_checksum);
}

TEST(Stamp, UnusedBitsMustBeZero) {
  Stamp stamp = example();
  for (const char* name : {"a", "ab", "abc"}) {
    stamp.name = name;
    std::string text = packet::encode_stamp(stamp);
    if ((text.size() - 10) % 4 == 0) continue;
    text.back() = kAlphabet[kAlphabet.find(text.back()) + 1];
    EXPECT_EQ(error_of(text), StampError::bad_base64) << name;
  }
}

TEST(Stamp, BodyIsHeldToItsRules) {
  ASSERT_TRUE(packet::decode_stamp(stamp_of(body(1, 5, "01bb04c000023500"))));
  EXPECT_EQ(error_of(stamp_of(body(2, 5, "01bb04c000023500"))), StampError::bad_version);
  EXPECT_EQ(error_of(stamp_of(body(1, 4, "01bb04c000023500"))), StampError::bad_flags);
  EXPECT_EQ(error_of(stamp_of(body(1, 1, "01bb04c000023500"))), StampError::bad_flags);
  EXPECT_EQ(error_of(stamp_of(body(1, 21, "01bb04c000023500"))), StampError::bad_flags);
  EXPECT_EQ(error_of(stamp_of(body(1, 13, "01bb04c000023500"))), StampError::bad_length);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "01bb04c00002350000"))), StampError::bad_length);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "01bb04c000023501"))), StampError::bad_length);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "000004c000023500"))), StampError::bad_address);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "01bb0000"))), StampError::bad_address);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "01bb1000000000000000000000ffffc000023500"))),
            StampError::bad_address);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "01bb04c00002350120"))), StampError::bad_name);
  EXPECT_EQ(error_of(stamp_of(body(1, 5, "01bb04c0000235010a"))), StampError::bad_name);
}

TEST(Stamp, EveryErrorHasAPhrase) {
  for (unsigned i = 0; i <= static_cast<unsigned>(StampError::bad_checksum); ++i)
    EXPECT_GT(std::string(packet::to_string(static_cast<StampError>(i))).size(), 10u);
}

}  // namespace
}  // namespace boxgram::test
