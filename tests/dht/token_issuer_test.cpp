#include "dht/token_issuer.hpp"

#include <set>

#include <gtest/gtest.h>

#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::Token;
using dht::TokenIssuer;

const SocketAddress kPeer = SocketAddress::v4(198, 18, 1, 1, 6881);
const std::array<std::uint8_t, 20> kTarget = {1, 2, 3};
constexpr base::Instant kNow = base::Instant{} + 1000 * TokenIssuer::kEpoch;

struct TokenTest : testing::Test {
  SeededRng rng{1};
  TokenIssuer issuer{rng};
  Token token = issuer.issue(kNow, kPeer, kTarget);
};

TEST_F(TokenTest, IsAcceptedFromWhomItWasGivenTo) {
  EXPECT_TRUE(issuer.accepts(kNow, kPeer, kTarget, token));
}

TEST_F(TokenTest, LivesThisEpochAndTheNext) {
  const auto last = TokenIssuer::kEpoch - 1ns;
  EXPECT_TRUE(issuer.accepts(kNow + last, kPeer, kTarget, token));
  EXPECT_TRUE(issuer.accepts(kNow + TokenIssuer::kEpoch + last, kPeer, kTarget, token));
  EXPECT_FALSE(issuer.accepts(kNow + 2 * TokenIssuer::kEpoch, kPeer, kTarget, token));
  EXPECT_FALSE(issuer.accepts(kNow - 1ns, kPeer, kTarget, token)) << "from the future";
}

TEST_F(TokenTest, IsRefusedFromAnotherAddress) {
  EXPECT_FALSE(issuer.accepts(kNow, SocketAddress::v4(198, 18, 1, 2, 6881), kTarget, token));
}

TEST_F(TokenTest, IsRefusedFromAnotherPort) {
  EXPECT_FALSE(issuer.accepts(kNow, SocketAddress::v4(198, 18, 1, 1, 6882), kTarget, token));
}

TEST_F(TokenTest, IsRefusedForAnotherTarget) {
  const std::array<std::uint8_t, 20> other = {1, 2, 4};
  EXPECT_FALSE(issuer.accepts(kNow, kPeer, other, token));
}

TEST_F(TokenTest, IsRefusedByAnotherProcess) {
  const TokenIssuer other(rng);
  EXPECT_FALSE(other.accepts(kNow, kPeer, kTarget, token));
}

TEST_F(TokenTest, OfAnyOtherLengthIsRefused) {
  EXPECT_FALSE(issuer.accepts(kNow, kPeer, kTarget, {}));
  EXPECT_FALSE(issuer.accepts(kNow, kPeer, kTarget, base::Bytes(token).first(7)));
  std::array<std::uint8_t, 9> longer{};
  std::copy(token.begin(), token.end(), longer.begin());
  EXPECT_FALSE(issuer.accepts(kNow, kPeer, kTarget, longer));
}

TEST_F(TokenTest, WithAnyBitFlippedIsRefused) {
  for (std::size_t bit = 0; bit < 64; ++bit) {
    Token forged = token;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(issuer.accepts(kNow, kPeer, kTarget, forged));
  }
}

// pubky/mainline's CRC32C tokens were forged 10,000 times of 10,000. A checksum is affine:
// for any three addresses a ^ b ^ c = d, token(a) ^ token(b) ^ token(c) is token(d).
TEST_F(TokenTest, WriteTokenCannotBeForged) {
  unsigned forged = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto random_host = [&] { return static_cast<std::uint8_t>(rng.below(256)); };
    const auto at = [](std::uint8_t host) { return SocketAddress::v4(198, 18, 7, host, 6881); };
    const std::uint8_t a = random_host(), b = random_host(), c = random_host();
    const std::uint8_t victim = a ^ b ^ c;
    if (victim == a || victim == b || victim == c) continue;
    Token guess{};
    for (const std::uint8_t host : {a, b, c}) {
      const Token known = issuer.issue(kNow, at(host), kTarget);
      for (std::size_t k = 0; k < guess.size(); ++k) guess[k] ^= known[k];
    }
    forged += issuer.accepts(kNow, at(victim), kTarget, guess);
  }
  EXPECT_EQ(forged, 0u);
}

}  // namespace
}  // namespace boxgram::test
