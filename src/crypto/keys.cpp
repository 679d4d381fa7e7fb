#include <algorithm>

#include <sodium.h>

#include <boxgram/crypto/keys.hpp>

namespace boxgram::crypto {

void wipe(base::MutableBytes bytes) {
  sodium_memzero(bytes.data(), bytes.size());
}

bool equal_constant_time(base::Bytes a, base::Bytes b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

KeyPair generate_key_pair(base::Rng& rng) {
  KeyPair pair;
  rng.fill(pair.secret_key.bytes());
  pair.public_key = public_key_of(pair.secret_key);
  return pair;
}

PublicKey public_key_of(const SecretKey& secret_key) {
  PublicKey public_key;
  crypto_scalarmult_base(public_key.data(), secret_key.data());
  return public_key;
}

std::optional<PublicKeyFault> fault_of(const PublicKey& public_key) {
  // Little-endian: the prime is ed ff .. ff 7f, and so is the beginning of all that is not below
  // it.
  const bool is_large =
      public_key[0] >= 0xed && public_key[31] == 0x7f &&
      std::all_of(public_key.begin() + 1, public_key.end() - 1, [](auto b) { return b == 0xff; });
  if (public_key[31] > 0x7f || is_large) return PublicKeyFault::not_canonical;
  // Scalars are multiples of 8, so whichever is taken, a point of low order ends at zero.
  if (!shared_key(public_key, SecretKey())) return PublicKeyFault::low_order;
  return std::nullopt;
}

std::optional<SharedKey> shared_key(const PublicKey& public_key, const SecretKey& secret_key) {
  std::optional<SharedKey> key(std::in_place);
  if (crypto_box_beforenm(key->data(), public_key.data(), secret_key.data()) != 0) key.reset();
  return key;
}

}  // namespace boxgram::crypto
