#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boxgram/crypto/base64url.hpp>
#include <boxgram/crypto/box.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/crypto/sign.hpp>
#include <boxgram/crypto/system_rng.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::crypto {
namespace {

Nonce nonce_of(std::uint8_t last) {
  std::array<std::uint8_t, 16> tail{};
  tail[15] = last;
  return make_nonce("BXG1-PI>", tail);
}

TEST(Box, IsLibsodiumsCombinedBox) {
  test::SeededRng rng(1);
  const KeyPair a = generate_key_pair(rng);
  const KeyPair b = generate_key_pair(rng);
  const auto key = shared_key(b.public_key, a.secret_key);
  ASSERT_TRUE(key);
  for (const std::size_t size : {0u, 1u, 15u, 16u, 31u, 32u, 33u, 64u, 500u, 1180u}) {
    std::vector<std::uint8_t> text(size);
    rng.fill(text);
    std::vector<std::uint8_t> ours(size + kTagSize);
    std::copy(text.begin(), text.end(), ours.begin() + kTagSize);
    box(ours, nonce_of(1), *key);
    std::vector<std::uint8_t> theirs(size + kTagSize);
    ASSERT_EQ(crypto_box_easy(theirs.data(), text.data(), size, nonce_of(1).data(),
                              b.public_key.data(), a.secret_key.data()),
              0);
    EXPECT_EQ(ours, theirs) << size;
    ASSERT_TRUE(box_open(ours, nonce_of(1), *shared_key(a.public_key, b.secret_key)));
    EXPECT_TRUE(std::equal(text.begin(), text.end(), ours.begin() + kTagSize));
  }
}

TEST(Box, AFailedOpenChangesNothing) {
  test::SeededRng rng(2);
  const KeyPair a = generate_key_pair(rng);
  const auto key = shared_key(a.public_key, a.secret_key);
  std::vector<std::uint8_t> boxed(100);
  box(boxed, nonce_of(1), *key);
  for (std::size_t i = 0; i < boxed.size(); ++i) {
    auto flipped = boxed;
    flipped[i] ^= 0x40;
    const auto before = flipped;
    EXPECT_FALSE(box_open(flipped, nonce_of(1), *key)) << i;
    EXPECT_EQ(flipped, before);
  }
  EXPECT_FALSE(box_open(boxed, nonce_of(2), *key)) << "another nonce";
  EXPECT_FALSE(box_open(base::MutableBytes(boxed).first(15), nonce_of(1), *key)) << "no tag";
}

TEST(SharedKey, LowOrderPointsGiveNone) {
  test::SeededRng rng(3);
  const KeyPair a = generate_key_pair(rng);
  PublicKey zero{};
  EXPECT_FALSE(shared_key(zero, a.secret_key));
  zero[0] = 1;
  EXPECT_FALSE(shared_key(zero, a.secret_key));
}

TEST(Secret, IsWipedWhenMovedFrom) {
  test::SeededRng rng(4);
  SecretKey first;
  rng.fill(first.bytes());
  const SecretKey second = std::move(first);
  for (const std::uint8_t b : first.bytes()) EXPECT_EQ(b, 0);  // NOLINT: the point of the test
  EXPECT_FALSE(std::all_of(second.bytes().begin(), second.bytes().end(),
                           [](std::uint8_t b) { return b == 0; }));
}

TEST(Secret, IsWipedWhenDestroyed) {
  alignas(SecretKey) std::uint8_t place[sizeof(SecretKey)];
  auto* key = new (place) SecretKey;
  std::fill(key->bytes().begin(), key->bytes().end(), std::uint8_t{0xaa});
  key->~SecretKey();
  std::vector<std::uint8_t> after(sizeof place);
  std::memcpy(after.data(), place, sizeof place);
  EXPECT_EQ(std::count(after.begin(), after.end(), 0xaa), 0);
}

TEST(Sign, VerifiesOnlyTheSameMessageAndKey) {
  test::SeededRng rng(5);
  SigningSeed seed;
  rng.fill(seed.bytes());
  const SigningKey key(seed);
  auto signature = key.sign(base::as_bytes("message"));
  EXPECT_TRUE(verify(signature, base::as_bytes("message"), key.verify_key()));
  EXPECT_FALSE(verify(signature, base::as_bytes("massage"), key.verify_key()));
  signature[0] ^= 1;
  EXPECT_FALSE(verify(signature, base::as_bytes("message"), key.verify_key()));
}

TEST(Blake2b, MatchesTheKnownAnswer) {
  // RFC 7693, appendix A: BLAKE2b-512("abc"); here its parts are fed one after the other.
  std::array<std::uint8_t, 64> out{};
  blake2b(out, {base::as_bytes("a"), base::as_bytes("bc")});
  EXPECT_EQ(out[0], 0xba);
  EXPECT_EQ(out[1], 0x80);
  EXPECT_EQ(out[63], 0x23);
}

template <std::size_t Size>
std::string hex_of(const std::array<std::uint8_t, Size>& bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes)
    for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
  return text;
}

// "abc", cut in each place: FIPS 180-4's example.
TEST(Sha, MatchesTheKnownAnswers) {
  for (std::size_t cut = 0; cut <= 3; ++cut) {
    const base::Bytes abc = base::as_bytes("abc");
    EXPECT_EQ(hex_of(sha1({abc.first(cut), abc.subspan(cut)})),
              "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hex_of(sha512({abc.first(cut), abc.subspan(cut)})),
              "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  }
  EXPECT_EQ(hex_of(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(SystemRng, AChildDrawsOtherBytesThanItsParent) {
  SystemRng rng;
  std::array<std::uint8_t, 16> before{};
  rng.fill(before);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::array<std::uint8_t, 16> theirs{};
    rng.fill(theirs);
    _exit(write(pipe_ends[1], theirs.data(), theirs.size()) == 16 ? 0 : 1);
  }
  std::array<std::uint8_t, 16> ours{};
  rng.fill(ours);
  std::array<std::uint8_t, 16> theirs{};
  ASSERT_EQ(read(pipe_ends[0], theirs.data(), theirs.size()), 16);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_NE(ours, theirs);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(SystemRng, ServesMoreThanItsBufferAndNeverRepeats) {
  SystemRng rng;
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 5000; ++i) seen.push_back(rng.u64());
  std::vector<std::uint8_t> large(10'000);
  rng.fill(large);
  for (std::size_t i = 0; i + 8 <= large.size(); i += 8) seen.push_back(base::load_be64(&large[i]));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

PublicKey little_endian(std::uint8_t first, std::uint8_t middle, std::uint8_t last) {
  PublicKey key;
  key.fill(middle);
  key.front() = first;
  key.back() = last;
  return key;
}

TEST(PublicKeys, ThoseThatNobodyCanHaveAreTold) {
  const auto from_hex = [](const char* hex) {
    PublicKey key{};
    sodium_hex2bin(key.data(), key.size(), hex, 64, nullptr, nullptr, nullptr);
    return key;
  };
  // The points of order 1, 2, 4 and 8 on the curve and its twist.
  const PublicKey low_order[] = {
      {},
      {1},
      little_endian(0xec, 0xff, 0x7f),
      from_hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
      from_hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")};
  for (const PublicKey& key : low_order) EXPECT_EQ(fault_of(key), PublicKeyFault::low_order);
  const PublicKey other_spellings[] = {little_endian(0xed, 0xff, 0x7f),  // 0
                                       little_endian(0xee, 0xff, 0x7f),  // 1
                                       little_endian(0xff, 0xff, 0x7f),  // 18
                                       little_endian(9, 0, 0x80)};       // 9
  for (const PublicKey& key : other_spellings)
    EXPECT_EQ(fault_of(key), PublicKeyFault::not_canonical);
  EXPECT_EQ(fault_of(little_endian(0xeb, 0xff, 0x7f)), std::nullopt);
  EXPECT_EQ(fault_of(little_endian(0xff, 0xfe, 0x7f)), std::nullopt);
  test::SeededRng rng(11);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(fault_of(generate_key_pair(rng).public_key), std::nullopt);
}

TEST(Base64Url, EveryValueHasOneSpelling) {
  EXPECT_EQ(to_base64url({}), "");
  EXPECT_EQ(to_base64url(base::as_bytes("\xfb\xff")), "-_8");
  test::SeededRng rng(12);
  for (std::size_t size = 0; size < 70; ++size) {
    std::vector<std::uint8_t> bytes(size);
    rng.fill(bytes);
    const auto text = to_base64url(bytes);
    EXPECT_EQ(text.size(), (size * 8 + 5) / 6);
    EXPECT_EQ(from_base64url(text), bytes);
  }
  for (const auto* text : {"A", "AB", "ABC", "AA==", "AA A", "A\nAA", "+AAA", "AAAAA"})
    EXPECT_EQ(from_base64url(text), std::nullopt) << text;
}

}  // namespace
}  // namespace boxgram::crypto
