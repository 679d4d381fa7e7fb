// A server key signed by the long-lived identity. Source: PROTOCOL.md, "Server keys".
//
//   certificate 124: "BXGC" | 1 0 0 0 | serial 4 | not_before 8 | not_after 8 | S 32 | signature 64
//
// Times are seconds since 1970, both ends included. The signature is Ed25519 over
// "BXG1 server key\0" | the first 60 bytes.
#pragma once

#include <array>
#include <cstdint>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/sign.hpp>

namespace boxgram::packet {

inline constexpr std::size_t kCertificateSize = 124;
using CertificateBytes = std::array<std::uint8_t, kCertificateSize>;

struct Certificate {
  std::uint32_t serial = 0;      ///< rises with every key of one identity
  std::uint64_t not_before = 0;  ///< seconds since 1970
  std::uint64_t not_after = 0;   ///< seconds since 1970
  crypto::PublicKey server_key{};

  /// True while `now` lies between the two times.
  [[nodiscard]] bool valid_at(base::UnixMillis now) const {
    return now / 1000 >= not_before && now / 1000 <= not_after;
  }
};

enum class CertificateError : std::uint8_t {
  bad_format,    ///< not 124 bytes, another magic or version, a reserved byte set
  bad_validity,  ///< ends before it begins
  bad_signature,
};

/// Cost: one signature, about 20 us.
CertificateBytes sign_certificate(const Certificate& certificate, const crypto::SigningKey& key);

/// The serial that stands in the bytes, before any check: lets a reader skip what it knows already.
/// REQUIRES: bytes.size() == kCertificateSize.
std::uint32_t unverified_serial(base::Bytes bytes);

/// Reads and verifies. The validity in time is the caller's question (valid_at), because a caller
/// without a good clock has its own rule for it.
/// Cost: one verification, about 60 us; none if the format is wrong.
base::expected<Certificate, CertificateError> verify_certificate(base::Bytes bytes,
                                                                 const crypto::VerifyKey& identity);

}  // namespace boxgram::packet
