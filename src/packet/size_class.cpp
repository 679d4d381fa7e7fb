#include "size_class.hpp"

#include <algorithm>
#include <numeric>

namespace boxgram::packet {

namespace {

// Halving at 256 makes an answer's weight fade after some hundred more.
constexpr std::uint32_t kDecayAt = 256;
constexpr std::uint32_t kUpShare = 16;
constexpr std::uint32_t kDownShare = 24;

std::size_t index_for(std::size_t size) {
  std::size_t i = 0;
  while (i + 1 < kSizeClasses.size() && kSizeClasses[i] < size) ++i;
  return i;
}

}  // namespace

std::size_t size_class_for(std::size_t size, std::size_t at_least) {
  for (const std::size_t candidate : kSizeClasses)
    if (candidate >= size && candidate >= at_least) return candidate;
  return 0;
}

// Two answers' worth of belief in 512, where nearly every DNS answer fits: 46 small answers in a
// row lead to 256.
SizePolicy::SizePolicy() : counts_{0, 2, 0, 0, 0}, current_(512) {}

void SizePolicy::count(std::size_t size, std::uint32_t weight) {
  counts_[index_for(size)] += weight;
  const auto total = std::accumulate(counts_.begin(), counts_.end(), 0U);
  std::uint32_t above = total;
  for (std::size_t i = 0; i < kSizeClasses.size(); ++i) {
    above -= counts_[i];
    const std::uint32_t share = kSizeClasses[i] < current_ ? kDownShare : kUpShare;
    if (above * share <= total) {
      current_ = kSizeClasses[i];
      break;
    }
  }
  if (total >= kDecayAt)
    for (std::uint32_t& c : counts_) c /= 2;
}

}  // namespace boxgram::packet
