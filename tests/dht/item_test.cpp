#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <boxgram/dht/item.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::dht {
namespace {

using base::as_bytes;

template <std::size_t Size>
std::array<std::uint8_t, Size> bytes_of(std::string_view hex) {
  EXPECT_EQ(hex.size(), 2 * Size);
  std::array<std::uint8_t, Size> bytes{};
  for (std::size_t i = 0; i < Size; ++i)
    bytes[i] = static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  return bytes;
}

// The three vectors of BEP 44, "Test Vectors".
const base::Bytes kHello = as_bytes("12:Hello World!");
constexpr std::string_view kKey =
    "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
constexpr std::string_view kSignature =
    "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
    "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01";
constexpr std::string_view kSaltedSignature =
    "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
    "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08";

Item hello(std::string_view salt, std::string_view signature) {
  return {kHello, Authorship{bytes_of<32>(kKey), as_bytes(salt), 1, bytes_of<64>(signature)}};
}

TEST(Item, MutableVectorOfBep44) {
  const Item item = hello("", kSignature);
  EXPECT_EQ(to_hex(target_of(item)), "4a533d47ec9c7d95b1ad75f576cffc641853b750");
  EXPECT_EQ(check(item), std::nullopt);
}

TEST(Item, SaltedVectorOfBep44) {
  const Item item = hello("foobar", kSaltedSignature);
  EXPECT_EQ(to_hex(target_of(item)), "411eba73b6f087ca51a3795d9c8c938d365e32c1");
  EXPECT_EQ(check(item), std::nullopt);
}

TEST(Item, ImmutableVectorOfBep44) {
  const Item item{kHello, {}};
  EXPECT_EQ(to_hex(target_of(item)), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
  EXPECT_EQ(check(item), std::nullopt);
}

TEST(Item, EveryPartIsUnderTheSignature) {
  Item item = hello("foobar", kSaltedSignature);
  item.author->sequence = 2;
  EXPECT_EQ(check(item), ErrorCode::invalid_signature);
  item = hello("foobaz", kSaltedSignature);
  EXPECT_EQ(check(item), ErrorCode::invalid_signature);
  item = hello("", kSaltedSignature);
  EXPECT_EQ(check(item), ErrorCode::invalid_signature);
  item = hello("foobar", kSaltedSignature);
  item.value = as_bytes("12:Hello World?");
  EXPECT_EQ(check(item), ErrorCode::invalid_signature);
  item = hello("foobar", kSaltedSignature);
  item.author->key[0] ^= 1;
  EXPECT_EQ(check(item), ErrorCode::invalid_signature);
}

TEST(Item, WhatIsSignedIsAccepted) {
  test::SeededRng rng(1);
  crypto::SigningSeed seed;
  rng.fill(seed.bytes());
  const crypto::SigningKey key(seed);
  const std::string salt(kMaxSalt, 's');
  const std::string value = "996:" + std::string(996, 'v');
  Item item{as_bytes(value), Authorship{key.verify_key(), as_bytes(salt), INT64_MAX, {}}};
  item.author->signature = sign_item(key, as_bytes(salt), INT64_MAX, item.value);
  EXPECT_EQ(check(item), std::nullopt);
}

TEST(Item, LimitsHaveErrorsOfTheirOwn) {
  const std::string too_big = "997:" + std::string(997, 'v');
  EXPECT_EQ(check({as_bytes(too_big), {}}), ErrorCode::value_too_big);
  const std::string just = "996:" + std::string(996, 'v');
  EXPECT_EQ(check({as_bytes(just), {}}), std::nullopt);
  const std::string salt(kMaxSalt + 1, 's');
  EXPECT_EQ(check(hello(salt, kSignature)), ErrorCode::salt_too_big);
  Item negative = hello("", kSignature);
  negative.author->sequence = -1;
  EXPECT_EQ(check(negative), ErrorCode::protocol);
}

TEST(Item, ValuesMustBeCanonical) {
  for (const auto* value : {"", "i01e", "d1:bi1e1:ai1ee", "d1:ai1e1:ai1ee", "3:ab", "i1ei1e"})
    EXPECT_EQ(check({as_bytes(value), {}}), ErrorCode::protocol) << value;
  for (const auto* value : {"0:", "i-1e", "le", "de", "d1:ai1e1:bi1ee", "lli1eee"})
    EXPECT_EQ(check({as_bytes(value), {}}), std::nullopt) << value;
}

}  // namespace
}  // namespace boxgram::dht
