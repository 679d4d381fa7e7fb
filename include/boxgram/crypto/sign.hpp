// Ed25519 for the long-lived identity, which signs certificates and nothing else.
#pragma once

#include <boxgram/crypto/keys.hpp>

namespace boxgram::crypto {

using VerifyKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;
using SigningSeed = Secret<32>;

class SigningKey {
 public:
  explicit SigningKey(const SigningSeed& seed);
  [[nodiscard]] const VerifyKey& verify_key() const { return verify_key_; }
  [[nodiscard]] Signature sign(base::Bytes message) const;

 private:
  VerifyKey verify_key_{};
  Secret<64> secret_;
};

[[nodiscard]] bool verify(const Signature& signature, base::Bytes message, const VerifyKey& key);

}  // namespace boxgram::crypto
