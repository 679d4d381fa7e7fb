#include <sha1.h>
#include <sodium.h>

#include <boxgram/base/check.hpp>
#include <boxgram/crypto/hash.hpp>

namespace boxgram::crypto {

void blake2b(base::MutableBytes out, std::initializer_list<base::Bytes> parts, base::Bytes key) {
  crypto_generichash_state state;
  BOXGRAM_CHECK(crypto_generichash_init(&state, key.data(), key.size(), out.size()) == 0);
  for (const base::Bytes part : parts) crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
}

std::array<std::uint8_t, 64> sha512(std::initializer_list<base::Bytes> parts) {
  std::array<std::uint8_t, 64> hash;
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  for (const base::Bytes part : parts) crypto_hash_sha512_update(&state, part.data(), part.size());
  crypto_hash_sha512_final(&state, hash.data());
  return hash;
}

std::array<std::uint8_t, 20> sha1(std::initializer_list<base::Bytes> parts) {
  std::array<std::uint8_t, 20> hash;
  SHA1_CTX state;
  SHA1Init(&state);
  for (const base::Bytes part : parts) SHA1Update(&state, part.data(), part.size());
  SHA1Final(hash.data(), &state);
  return hash;
}

std::uint64_t ShortHashKey::operator()(base::Bytes bytes) const {
  std::uint8_t out[8];
  crypto_shorthash(out, bytes.data(), bytes.size(), key_.data());
  return base::load_be64(out);
}

}  // namespace boxgram::crypto
