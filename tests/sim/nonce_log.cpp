#include "sim/nonce_log.hpp"

#include <array>
#include <cstring>
#include <set>

extern "C" {
int __real_crypto_box_detached_afternm(unsigned char* cipher, unsigned char* mac,
                                       const unsigned char* message, unsigned long long size,
                                       const unsigned char* nonce, const unsigned char* key);
int __wrap_crypto_box_detached_afternm(unsigned char* cipher, unsigned char* mac,
                                       const unsigned char* message, unsigned long long size,
                                       const unsigned char* nonce, const unsigned char* key);
}

namespace {

std::set<std::array<std::uint8_t, 56>> seen;
std::uint64_t sealed = 0;
std::uint64_t reused = 0;

}  // namespace

int __wrap_crypto_box_detached_afternm(unsigned char* cipher, unsigned char* mac,
                                       const unsigned char* message, unsigned long long size,
                                       const unsigned char* nonce, const unsigned char* key) {
  std::array<std::uint8_t, 56> pair;
  std::memcpy(pair.data(), key, 32);
  std::memcpy(pair.data() + 32, nonce, 24);
  ++sealed;
  if (!seen.insert(pair).second) ++reused;
  return __real_crypto_box_detached_afternm(cipher, mac, message, size, nonce, key);
}

namespace boxgram::sim {

void start_nonce_log() {
  seen.clear();
  sealed = reused = 0;
}
std::uint64_t boxes_sealed() {
  return sealed;
}
std::uint64_t nonces_reused() {
  return reused;
}

}  // namespace boxgram::sim
