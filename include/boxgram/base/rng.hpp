// Randomness as an argument. crypto::SystemRng is the real one; tests bring a seeded one.
#pragma once

#include <boxgram/base/bytes.hpp>

namespace boxgram::base {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(MutableBytes out) = 0;

  /// Changes when the process has been duplicated (fork): whoever keeps a counter under a key has
  /// to take a new key then, for the other process keeps counting under the old one.
  [[nodiscard]] virtual std::uint64_t generation() const { return 0; }

  std::uint64_t u64() {
    std::uint8_t b[8];
    fill(b);
    return load_be64(b);
  }
  std::uint16_t u16() {
    std::uint8_t b[2];
    fill(b);
    return load_be16(b);
  }
  /// Uniform in [0, n), n > 0; the bias of at most n / 2^64 does not matter for its uses.
  std::uint64_t below(std::uint64_t n) { return u64() % n; }

 protected:
  Rng() = default;
  Rng(const Rng&) = default;
  Rng& operator=(const Rng&) = default;
};

}  // namespace boxgram::base
