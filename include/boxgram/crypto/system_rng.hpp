// The operating system's randomness, buffered: the only impure file of this layer.
#pragma once

#include <array>

#include <boxgram/base/rng.hpp>

namespace boxgram::crypto {

/// Draws 4 KiB at a time (a system call costs 0.5 us, a nonce 16 bytes) and wipes what it has given
/// out. After a fork the child throws the buffer away, so two processes never draw the same bytes.
/// One object for each thread. The first one starts libsodium, which picks its fastest code for
/// this machine, and the watch for forks: make it before anything else of this layer is used.
class SystemRng final : public base::Rng {
 public:
  /// Throws std::runtime_error if the system gives no randomness.
  SystemRng();
  ~SystemRng() override;
  SystemRng(const SystemRng&) = delete;
  SystemRng& operator=(const SystemRng&) = delete;

  void fill(base::MutableBytes out) override;
  /// The number of forks between the first SystemRng and this process.
  [[nodiscard]] std::uint64_t generation() const override;

 private:
  std::array<std::uint8_t, 4096> buffer_{};
  std::size_t used_ = 4096;
  unsigned fork_generation_ = 0;
};

}  // namespace boxgram::crypto
