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

std::uint64_t ShortHashKey::operator()(base::Bytes bytes) const {
  std::uint8_t out[8];
  crypto_shorthash(out, bytes.data(), bytes.size(), key_.data());
  return base::load_be64(out);
}

}  // namespace boxgram::crypto
