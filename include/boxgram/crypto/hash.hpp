// BLAKE2b for names and tokens, SipHash for tables; SHA-512 and SHA-1 where a format asks for them.
// Source: libsodium (crypto_generichash, crypto_shorthash, crypto_hash_sha512) and libmd.
#pragma once

#include <array>
#include <initializer_list>

#include <boxgram/crypto/keys.hpp>

namespace boxgram::crypto {

/// BLAKE2b of the concatenated parts, unkeyed when `key` is empty.
/// REQUIRES: 1 <= out.size() <= 64; key.size() <= 64.
void blake2b(base::MutableBytes out, std::initializer_list<base::Bytes> parts,
             base::Bytes key = {});

/// SHA-512 of the concatenated parts.
std::array<std::uint8_t, 64> sha512(std::initializer_list<base::Bytes> parts);

/// SHA-1 of the concatenated parts. Broken for whoever may choose two inputs; here it only names
/// what BEP 44 names by it.
std::array<std::uint8_t, 20> sha1(std::initializer_list<base::Bytes> parts);

/// A secret for SipHash, drawn once for each table so that peers cannot aim at one bucket.
class ShortHashKey {
 public:
  explicit ShortHashKey(base::Rng& rng) { rng.fill(key_.bytes()); }

  /// SipHash-2-4, 64 bits. Cost: about 0.04 us for 48 bytes.
  [[nodiscard]] std::uint64_t operator()(base::Bytes bytes) const;

 private:
  Secret<16> key_;
};

}  // namespace boxgram::crypto
