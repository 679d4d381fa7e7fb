// How many nodes there are, from how close to their targets lookups have come.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace boxgram::dht {

/// Of N nodes with random ids the k-th closest to a target stands at about k / N of the id space.
/// The median of 16 lookups is within a fifth of the truth, and nodes placed around a few targets
/// do not move it: that is what shows them.
class NetworkSize {
 public:
  static constexpr std::size_t kMemory = 16;
  static constexpr std::size_t kEnough = 4;

  /// A lookup ended: the `rank`-th closest node stands at `distance` (its first 64 bits).
  void add(std::size_t rank, std::uint64_t distance) {
    const double share = static_cast<double>(std::max<std::uint64_t>(distance, 1)) / kSpace;
    estimates_[count_++ % kMemory] = static_cast<double>(rank) / share;
  }

  /// 0 before enough lookups have ended.
  [[nodiscard]] double nodes() const {
    const std::size_t known = std::min(count_, kMemory);
    if (known < kEnough) return 0;
    auto sorted = estimates_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(known / 2);
    std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(known));
    return *middle;
  }

  /// The distance (first 64 bits) within which `rank` nodes are to be expected; 0 if unknown.
  [[nodiscard]] std::uint64_t radius(std::size_t rank) const {
    const double all = nodes();
    if (all == 0) return 0;
    const double distance = static_cast<double>(rank) / all * kSpace;
    return distance >= kSpace / 2 ? std::uint64_t{1} << 63 : static_cast<std::uint64_t>(distance);
  }

 private:
  static constexpr double kSpace = 18446744073709551616.0;  // 2^64

  std::array<double, kMemory> estimates_{};
  std::size_t count_ = 0;
};

}  // namespace boxgram::dht
