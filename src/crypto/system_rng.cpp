#include <atomic>
#include <stdexcept>

#include <pthread.h>
#include <sodium.h>

#include <boxgram/crypto/keys.hpp>
#include <boxgram/crypto/system_rng.hpp>

namespace boxgram::crypto {
namespace {

std::atomic<unsigned> forks{0};

void start() {
  if (sodium_init() < 0)
    throw std::runtime_error("the system gives no randomness (is /dev/urandom there?)");
  [[maybe_unused]] static const int once =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
}

}  // namespace

SystemRng::SystemRng() {
  start();
  fork_generation_ = forks.load(std::memory_order_relaxed);
}

SystemRng::~SystemRng() {
  wipe(buffer_);
}

std::uint64_t SystemRng::generation() const {
  return forks.load(std::memory_order_relaxed);
}

void SystemRng::fill(base::MutableBytes out) {
  if (const unsigned now = forks.load(std::memory_order_relaxed); now != fork_generation_) {
    fork_generation_ = now;
    used_ = buffer_.size();
  }
  if (out.size() > buffer_.size() / 4) {
    randombytes_buf(out.data(), out.size());
    return;
  }
  if (out.size() > buffer_.size() - used_) {
    randombytes_buf(buffer_.data(), buffer_.size());
    used_ = 0;
  }
  std::memcpy(out.data(), buffer_.data() + used_, out.size());
  wipe({buffer_.data() + used_, out.size()});
  used_ += out.size();
}

}  // namespace boxgram::crypto
