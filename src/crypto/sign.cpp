#include <sodium.h>

#include <boxgram/crypto/sign.hpp>

namespace boxgram::crypto {

SigningKey::SigningKey(const SigningSeed& seed) {
  crypto_sign_seed_keypair(verify_key_.data(), secret_.data(), seed.data());
}

Signature SigningKey::sign(base::Bytes message) const {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_.data());
  return signature;
}

bool verify(const Signature& signature, base::Bytes message, const VerifyKey& key) {
  return crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     key.data()) == 0;
}

}  // namespace boxgram::crypto
