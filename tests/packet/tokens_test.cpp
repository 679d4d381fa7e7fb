#include "packet/tokens.hpp"

#include <gtest/gtest.h>

#include "packet/world.hpp"

namespace boxgram::test {
namespace {

struct Made {
  std::shared_ptr<packet::ServerKeys> keys = vector_keys();
  QueuedRng rng{1};
  crypto::PublicKey client{9};
  packet::Cookie cookie = make();

  packet::Cookie make() {
    return packet::make_cookie(keys->cookie_key, rng, 1'000'000, kClientAddress, client);
  }
};

TEST(Cookie, IsGoodForThirtySeconds) {
  const Made m;
  EXPECT_TRUE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, kClientAddress, m.client));
  EXPECT_TRUE(packet::cookie_valid(*m.keys, m.cookie, 1'030'000, kClientAddress, m.client));
  EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 1'030'001, kClientAddress, m.client));
  EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 999'999, kClientAddress, m.client));
}

TEST(Cookie, IsBoundToAddressPortAndClientKey) {
  const Made m;
  auto port = kClientAddress;
  ++port.port;
  auto ip = kClientAddress;
  ip.ip[15] ^= 1;
  EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, port, m.client));
  EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, ip, m.client));
  for (std::size_t i = 0; i < 32; ++i) {
    auto client = m.client;
    client[i] ^= 1;
    EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, kClientAddress, client));
  }
}

TEST(Cookie, EveryFlippedByteIsRefused) {
  const Made m;
  for (std::size_t i = 0; i < m.cookie.size(); ++i) {
    auto changed = m.cookie;
    changed[i] ^= 0x10;
    EXPECT_FALSE(packet::cookie_valid(*m.keys, changed, 1'000'000, kClientAddress, m.client)) << i;
  }
  EXPECT_FALSE(packet::cookie_valid(*m.keys, base::Bytes(m.cookie).first(95), 1'000'000,
                                    kClientAddress, m.client));
  EXPECT_FALSE(packet::cookie_valid(*m.keys, {}, 1'000'000, kClientAddress, m.client));
}

TEST(Cookie, SurvivesOneRotationOfItsKeyAndNotTwo) {
  Made m;
  m.keys->previous_cookie_key = std::move(m.keys->cookie_key);
  m.keys->cookie_key = crypto::SharedKey(std::array<std::uint8_t, 32>{1});
  EXPECT_TRUE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, kClientAddress, m.client));
  m.keys->previous_cookie_key = crypto::SharedKey(std::array<std::uint8_t, 32>{2});
  EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, kClientAddress, m.client));
  m.keys->previous_cookie_key.reset();
  EXPECT_FALSE(packet::cookie_valid(*m.keys, m.cookie, 1'000'000, kClientAddress, m.client));
}

TEST(Cookie, TwoNeverShareANonce) {
  Made m;
  const auto other = m.make();
  EXPECT_NE(Buffer(m.cookie.begin(), m.cookie.begin() + 16),
            Buffer(other.begin(), other.begin() + 16));
}

TEST(ResetToken, DependsOnKeyAndSession) {
  const crypto::SharedKey key(std::array<std::uint8_t, 32>{1});
  const crypto::SharedKey other(std::array<std::uint8_t, 32>{2});
  EXPECT_NE(packet::reset_token(key, {1}), packet::reset_token(key, {2}));
  EXPECT_NE(packet::reset_token(key, {1}), packet::reset_token(other, {1}));
}

}  // namespace
}  // namespace boxgram::test
