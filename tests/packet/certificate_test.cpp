#include <gtest/gtest.h>

#include <boxgram/packet/certificate.hpp>

#include "packet/vectors.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using packet::Certificate;
using packet::CertificateError;

crypto::SigningKey identity(std::uint64_t seed) {
  SeededRng rng(seed);
  crypto::SigningSeed bytes;
  rng.fill(bytes.bytes());
  return crypto::SigningKey(bytes);
}

TEST(Certificate, EveryFlippedByteIsRefused) {
  const auto key = identity(1);
  const auto bytes = packet::sign_certificate({7, 100, 200, {9}}, key);
  ASSERT_TRUE(packet::verify_certificate(bytes, key.verify_key()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(packet::verify_certificate(changed, key.verify_key())) << i;
  }
}

TEST(Certificate, AnotherIdentityIsRefused) {
  const auto bytes = packet::sign_certificate({7, 100, 200, {9}}, identity(1));
  EXPECT_EQ(packet::verify_certificate(bytes, identity(2).verify_key()).error(),
            CertificateError::bad_signature);
}

TEST(Certificate, WrongSizeIsRefused) {
  const auto key = identity(1);
  const auto made = packet::sign_certificate({7, 100, 200, {9}}, key);
  Buffer bytes(made.begin(), made.end());
  bytes.push_back(0);
  EXPECT_EQ(packet::verify_certificate(bytes, key.verify_key()).error(),
            CertificateError::bad_format);
  bytes.resize(123);
  EXPECT_EQ(packet::verify_certificate(bytes, key.verify_key()).error(),
            CertificateError::bad_format);
  EXPECT_EQ(packet::verify_certificate({}, key.verify_key()).error(), CertificateError::bad_format);
}

TEST(Certificate, EndBeforeBeginningIsRefusedEvenIfSigned) {
  const auto key = identity(1);
  const auto bytes = packet::sign_certificate({7, 200, 100, {9}}, key);
  EXPECT_EQ(packet::verify_certificate(bytes, key.verify_key()).error(),
            CertificateError::bad_validity);
}

TEST(Certificate, IsValidFromItsFirstToItsLastSecond) {
  const Certificate certificate{1, 100, 200, {}};
  EXPECT_FALSE(certificate.valid_at(99'999));
  EXPECT_TRUE(certificate.valid_at(100'000));
  EXPECT_TRUE(certificate.valid_at(200'999));
  EXPECT_FALSE(certificate.valid_at(201'000));
}

TEST(Certificate, SerialCanBeReadWithoutVerifying) {
  EXPECT_EQ(packet::unverified_serial(packet::sign_certificate({77, 1, 2, {}}, identity(1))), 77u);
}

}  // namespace
}  // namespace boxgram::test
