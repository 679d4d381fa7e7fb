// NaCl's boxes, in place. Source: libsodium, crypto_box_easy_afternm and crypto_secretbox_easy:
// XSalsa20-Poly1305, the 16-byte tag before the ciphertext.
#pragma once

#include <string_view>

#include <boxgram/crypto/keys.hpp>

namespace boxgram::crypto {

inline constexpr std::size_t kTagSize = 16;

/// label(8) | tail(16). The label names version, mode, message and direction (PROTOCOL.md,
/// "Nonces"), so a box opened as anything but what it is fails.
using Nonce = std::array<std::uint8_t, 24>;

/// REQUIRES: label is 8 bytes, tail 16.
inline Nonce make_nonce(std::string_view label, base::Bytes tail) {
  Nonce nonce;
  std::memcpy(nonce.data(), label.data(), 8);
  std::memcpy(nonce.data() + 8, tail.data(), 16);
  return nonce;
}

/// Seals in place: `boxed` holds 16 bytes of room, then the plaintext; afterwards tag | ciphertext.
/// REQUIRES: boxed.size() >= 16; (key, nonce) never used before.
void box(base::MutableBytes boxed, const Nonce& nonce, const SharedKey& key);

/// Opens in place: on success the plaintext stands at boxed[16..]. On failure nothing is changed.
[[nodiscard]] bool box_open(base::MutableBytes boxed, const Nonce& nonce, const SharedKey& key);

/// SecretBox[..](key): the same construction under a symmetric key.
inline void secret_box(base::MutableBytes boxed, const Nonce& nonce, const SharedKey& key) {
  box(boxed, nonce, key);
}
[[nodiscard]] inline bool secret_box_open(base::MutableBytes boxed, const Nonce& nonce,
                                          const SharedKey& key) {
  return box_open(boxed, nonce, key);
}

}  // namespace boxgram::crypto
