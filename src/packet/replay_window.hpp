// Which counters of one association have been seen. Source: RFC 6479, a ring of words instead of a
// shifted bitmap.
#pragma once

#include <array>
#include <cstdint>

#include <boxgram/packet/datagram.hpp>

namespace boxgram::packet {

/// 16 words of 64 bits. The word that the highest counter is in is being filled, so 960 counters
/// behind it are always told apart: more than a burst that a network reorders.
class ReplayWindow {
 public:
  static constexpr std::uint64_t kWords = 16;
  static constexpr std::uint64_t kSize = (kWords - 1) * 64;

  /// True if n would be accepted. Changes nothing: ask before a box is opened to save the work.
  [[nodiscard]] bool would_accept(std::uint64_t n) const {
    if (n >= kMaxCounter) return false;
    if (n > top_) return true;
    return top_ - n < kSize && (ring_[n / 64 % kWords] >> n % 64 & 1) == 0;
  }

  /// Marks n as seen. Call only after the box opened.
  /// REQUIRES: would_accept(n).
  void accept(std::uint64_t n) {
    if (n / 64 > top_ / 64) {
      const std::uint64_t fresh = n / 64 - top_ / 64;
      for (std::uint64_t i = 1; i <= (fresh < kWords ? fresh : kWords); ++i)
        ring_[(top_ / 64 + i) % kWords] = 0;
    }
    if (n > top_) top_ = n;
    ring_[n / 64 % kWords] |= std::uint64_t{1} << n % 64;
  }

 private:
  std::uint64_t top_ = 0;  // 0 is unseen until its bit is set
  std::array<std::uint64_t, kWords> ring_{};
};

}  // namespace boxgram::packet
