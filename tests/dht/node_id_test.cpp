#include <gtest/gtest.h>

#include <boxgram/dht/node_id.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::dht {
namespace {

NodeId id_of(std::string_view hex) {
  const auto id = parse_hex(hex);
  EXPECT_TRUE(id) << hex;
  return id.value_or(NodeId{});
}

base::SocketAddress address_of(std::string_view text) {
  const auto address = base::parse_socket_address(text, 6881);
  EXPECT_TRUE(address) << text;
  return address.value_or(base::SocketAddress{});
}

TEST(NodeId, HexIsReadInBothCasesAndWrittenInOne) {
  const NodeId id = id_of("00112233445566778899AABBccddeeff01234567");
  EXPECT_EQ(to_hex(id), "00112233445566778899aabbccddeeff01234567");
  EXPECT_FALSE(parse_hex("00112233445566778899aabbccddeeff0123456"));
  EXPECT_FALSE(parse_hex("00112233445566778899aabbccddeeff012345678"));
  EXPECT_FALSE(parse_hex("00112233445566778899aabbccddeeff0123456g"));
  EXPECT_FALSE(parse_hex("00112233445566778899aabbccddeeff01234 67"));
  EXPECT_FALSE(parse_hex(""));
}

TEST(NodeId, CommonPrefixCountsBits) {
  const NodeId zero;
  EXPECT_EQ(common_prefix(zero, zero), 160u);
  for (unsigned bit = 0; bit < 160; ++bit) {
    NodeId other;
    other.bytes[bit / 8] = static_cast<std::uint8_t>(0x80 >> bit % 8);
    EXPECT_EQ(common_prefix(zero, other), bit);
    other.bytes[19] |= 1;
    EXPECT_EQ(common_prefix(zero, other), bit);
  }
}

TEST(NodeId, CloserOrdersByXorDistance) {
  test::SeededRng rng(1);
  for (int i = 0; i < 1'000; ++i) {
    const NodeId target = NodeId::random(rng);
    NodeId a = NodeId::random(rng);
    NodeId b = NodeId::random(rng);
    // In half of the rounds the first eight bytes decide nothing.
    if (i % 2 == 0) std::copy_n(a.bytes.begin(), 8 + i % 13, b.bytes.begin());
    EXPECT_EQ(closer(target, a, b), (target ^ a) < (target ^ b));
    EXPECT_EQ(closer(target, b, a), (target ^ b) < (target ^ a));
    EXPECT_FALSE(closer(target, a, a));
  }
}

struct Bep42Row {
  std::string_view ip;
  std::uint8_t random;
  std::string_view id;
};

// The table of BEP 42, "test vectors".
constexpr Bep42Row kBep42[] = {
    {"124.31.75.21", 1, "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"},
    {"21.75.31.124", 86, "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"},
    {"65.23.51.170", 22, "a5d43220bc8f112a3d426c84764f8c2a1150e616"},
    {"84.124.73.14", 65, "1b0321dd1bb1fe518101ceef99462b947a01ff41"},
    {"43.213.53.83", 90, "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"},
};

TEST(NodeId, IsBoundToItsAddressAsInBep42) {
  for (const auto& row : kBep42) {
    const auto address = address_of(row.ip);
    const NodeId id = id_of(row.id);
    EXPECT_EQ(id.bytes[19], row.random);
    EXPECT_TRUE(is_bound_to_ip(id, address)) << row.ip;
    // What the address decides is 21 bits; all others are kept.
    NodeId spoilt = id;
    spoilt.bytes[0] ^= 0xff;
    spoilt.bytes[1] ^= 0xff;
    spoilt.bytes[2] ^= 0xf8;
    EXPECT_EQ(bound_to_ip(spoilt, address), id);
  }
}

TEST(NodeId, EachBitOfThePrefixAndOfTheRandomNumberCounts) {
  const auto address = address_of(kBep42[0].ip);
  const NodeId id = id_of(kBep42[0].id);
  for (unsigned bit = 0; bit < 160; ++bit) {
    NodeId other = id;
    other.bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
    const bool bound = is_bound_to_ip(other, address);
    if (bit < 21 || bit >= 157)
      EXPECT_FALSE(bound) << bit;
    else
      EXPECT_TRUE(bound) << bit;
  }
}

TEST(NodeId, AnotherAddressNeedsAnotherPrefix) {
  const NodeId id = id_of(kBep42[0].id);
  EXPECT_FALSE(is_bound_to_ip(id, address_of("124.31.75.22")));
  // The mask leaves two bits of the first byte: neighbours in the space of addresses share ids.
  EXPECT_TRUE(is_bound_to_ip(id, address_of("128.31.75.21")));
}

TEST(NodeId, Ipv6BindsTheUpperHalfOnly) {
  test::SeededRng rng(2);
  const NodeId id = bound_to_ip(NodeId::random(rng), address_of("[2001:db8:7:8::1]:6881"));
  EXPECT_TRUE(is_bound_to_ip(id, address_of("[2001:db8:7:8:ffff::2]:1")));
  EXPECT_FALSE(is_bound_to_ip(id, address_of("[2001:db8:7:9::1]:6881")));
}

TEST(NodeId, LocalAddressesBindNothing) {
  test::SeededRng rng(3);
  const NodeId id = NodeId::random(rng);
  for (const auto* text : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.1", "192.168.7.7",
                           "169.254.1.1", "100.64.0.1", "::1", "fe80::1", "fd00::1"}) {
    EXPECT_EQ(bound_to_ip(id, address_of(text)), id) << text;
    EXPECT_TRUE(is_bound_to_ip(id, address_of(text))) << text;
  }
  for (const auto* text : {"172.32.0.1", "192.169.0.1", "100.128.0.1", "11.0.0.1", "2001:db8::1"})
    EXPECT_NE(bound_to_ip(id, address_of(text)), id) << text;
}

TEST(SealedId, IsTheKeysHashBoundToTheAddress) {
  crypto::PublicKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  const NodeId local = sealed_id(key, address_of("127.0.0.1"));
  // From Python: hashlib.sha512(b"boxgram-dht-id" + bytes(range(32))).hexdigest()[:40]
  EXPECT_EQ(to_hex(local), "ad2dd2fa5a7e24612e35764af80303bea82e7e02");
  const auto address = address_of("192.0.2.1");
  const NodeId bound = sealed_id(key, address);
  EXPECT_NE(bound, local);
  EXPECT_TRUE(is_bound_to_ip(bound, address));
  EXPECT_EQ(bound, bound_to_ip(local, address));
  EXPECT_TRUE(std::equal(bound.bytes.begin() + 3, bound.bytes.end(), local.bytes.begin() + 3));
}

}  // namespace
}  // namespace boxgram::dht
