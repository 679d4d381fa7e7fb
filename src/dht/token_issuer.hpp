// Write tokens: proof that whoever asks us to store something receives what we send to his address.
#pragma once

#include <array>
#include <cstdint>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>

namespace boxgram::dht {

/// 8 bytes: as many as a forger has to guess, and short in every reply.
using Token = std::array<std::uint8_t, 8>;

/// token = SipHash-2-4(ip 16 | port 2 | target 20 | epoch 8) under a key of this process. Nothing
/// is stored for a token. A keyed hash, not a checksum: CRC32C tokens were forged at will because
/// they are affine in the address. Source: BEP 5, "the token".
class TokenIssuer {
 public:
  /// BEP 5 wants tokens of up to 10 minutes to be taken: this epoch and the one before.
  static constexpr base::Duration kEpoch = std::chrono::minutes(5);

  explicit TokenIssuer(base::Rng& rng) : hash_(rng) {}

  /// REQUIRES: target is 20 bytes. Cost: one SipHash of 46 bytes.
  [[nodiscard]] Token issue(base::Instant now, const base::SocketAddress& to,
                            base::Bytes target) const;

  /// True for what issue() gave for this address, port and target in this epoch or the one before.
  /// Compares in constant time; any length is allowed in.
  [[nodiscard]] bool accepts(base::Instant now, const base::SocketAddress& from, base::Bytes target,
                             base::Bytes token) const;

 private:
  [[nodiscard]] Token make(std::int64_t epoch, const base::SocketAddress& address,
                           base::Bytes target) const;

  crypto::ShortHashKey hash_;
};

}  // namespace boxgram::dht
