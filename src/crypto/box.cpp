#include <sodium.h>

#include <boxgram/base/check.hpp>
#include <boxgram/crypto/box.hpp>

namespace boxgram::crypto {

void box(base::MutableBytes boxed, const Nonce& nonce, const SharedKey& key) {
  BOXGRAM_CHECK(boxed.size() >= kTagSize);
  std::uint8_t* text = boxed.data() + kTagSize;
  crypto_box_detached_afternm(text, boxed.data(), text, boxed.size() - kTagSize, nonce.data(),
                              key.data());
}

bool box_open(base::MutableBytes boxed, const Nonce& nonce, const SharedKey& key) {
  if (boxed.size() < kTagSize) return false;
  std::uint8_t* text = boxed.data() + kTagSize;
  return crypto_box_open_detached_afternm(text, text, boxed.data(), boxed.size() - kTagSize,
                                          nonce.data(), key.data()) == 0;
}

}  // namespace boxgram::crypto
