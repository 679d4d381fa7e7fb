// How long things take, counted: no allocation, no lock, a few ns each.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <boxgram/base/time.hpp>

namespace boxgram::base {

/// Four buckets an octave from 1 us to 33 s, so a percentile is at most a quarter too high; what is
/// shorter or longer counts in the first or the last. 800 bytes.
class LatencyHistogram {
 public:
  void record(Duration duration) {
    ++counts_[bucket_of(duration)];
    ++count_;
    sum_ += duration;
  }

  void add(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] Duration sum() const { return sum_; }

  /// The upper edge of the bucket that holds the p-th part (0 < p <= 1); zero of nothing.
  [[nodiscard]] Duration percentile(double p) const {
    const double wanted = p * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets && count_ != 0; ++i) {
      seen += counts_[i];
      if (static_cast<double>(seen) >= wanted) return upper_edge(i);
    }
    return {};
  }

 private:
  static constexpr std::size_t kOctaves = 24;
  static constexpr std::size_t kBuckets = kOctaves * 4;

  static constexpr std::size_t bucket_of(Duration duration) {
    const auto us = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count() / 1000);
    // Below 4 us a quarter of an octave is less than a microsecond: whole ones are buckets.
    if (us < 4) return us == 0 ? 0 : us;
    const auto octave = static_cast<std::size_t>(std::bit_width(us)) - 3;
    const std::size_t bucket = octave * 4 + (us >> octave);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  static constexpr Duration upper_edge(std::size_t bucket) {
    if (bucket < 8) return Duration((bucket + 1) * 1000);
    const std::size_t octave = bucket / 4 - 1;
    return Duration(((bucket % 4 + 5) << octave) * 1000);
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  Duration sum_{};
};

}  // namespace boxgram::base
