// Which size a datagram should have, learnt from the sizes of answers. Source: PROTOCOL.md,
// "Sizes": the answer is exactly as long as its request, so the request must leave room for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <boxgram/packet/datagram.hpp>

namespace boxgram::packet {

/// The smallest class of at least `size` bytes and not below `at_least`; 0 if there is none.
std::size_t size_class_for(std::size_t size, std::size_t at_least);

/// Chooses the smallest class in which all but one answer of 16 would have fit: an answer that does
/// not fit costs one more round trip, a class too high only bytes. Goes down only when it is one of
/// 24, so that it does not swing at the border. Counts decay: it follows a change of traffic within
/// some hundred answers and changes rarely, so the datagrams of a burst have one size and travel as
/// one batch.
class SizePolicy {
 public:
  SizePolicy();

  /// An answer came whose whole MSG would have fit into `size` bytes.
  void answered(std::size_t size) { count(size, 1); }

  /// An answer did not fit: it needs `size` bytes. Weighs as four answers, for it cost two round
  /// trips instead of one and is seen only once at this size.
  void overflowed(std::size_t size) { count(size, 4); }

  [[nodiscard]] std::size_t current() const { return current_; }

 private:
  void count(std::size_t size, std::uint32_t weight);

  std::array<std::uint32_t, kSizeClasses.size()> counts_{};
  std::size_t current_;
};

}  // namespace boxgram::packet
