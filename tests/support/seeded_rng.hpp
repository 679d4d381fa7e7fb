// Randomness that a seed decides: the same on every compiler. SplitMix64; not for secrets.
#pragma once

#include <boxgram/base/rng.hpp>

namespace boxgram::test {

class SeededRng final : public base::Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : state_(seed) {}

  void fill(base::MutableBytes out) override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word_ = next();
      out[i] = static_cast<std::uint8_t>(word_ >> (i % 8 * 8));
    }
  }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  std::uint64_t state_;
  std::uint64_t word_ = 0;
};

}  // namespace boxgram::test
