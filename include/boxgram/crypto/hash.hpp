// BLAKE2b for names and tokens, SipHash for tables. Source: libsodium, crypto_generichash and
// crypto_shorthash.
#pragma once

#include <initializer_list>

#include <boxgram/crypto/keys.hpp>

namespace boxgram::crypto {

/// BLAKE2b of the concatenated parts, unkeyed when `key` is empty.
/// REQUIRES: 1 <= out.size() <= 64; key.size() <= 64.
void blake2b(base::MutableBytes out, std::initializer_list<base::Bytes> parts,
             base::Bytes key = {});

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
