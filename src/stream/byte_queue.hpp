// Bytes that come in at one end and go out at the other, in one piece of memory.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/check.hpp>

namespace boxgram::stream {

/// Grows on demand, never shrinks by itself: whoever owns it calls release() when it is empty and
/// nothing is about to come, so that an idle stream holds no buffer. Never fills memory with zeros.
class ByteQueue {
 public:
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] base::MutableBytes held() { return {memory_.get() + begin_, size()}; }
  [[nodiscard]] base::Bytes held() const { return {memory_.get() + begin_, size()}; }

  /// At least `n` bytes of room at the end. Moves what is held; views of it end here.
  base::MutableBytes room(std::size_t n) {
    if (capacity_ - end_ < n) make_room(n);
    return {memory_.get() + end_, capacity_ - end_};
  }

  /// The first `n` bytes of room() are held now.
  void added(std::size_t n) {
    BOXGRAM_CHECK(n <= capacity_ - end_);
    end_ += n;
  }

  /// The first `n` held bytes are gone; views of the others stay good.
  void dropped(std::size_t n) {
    BOXGRAM_CHECK(n <= size());
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  /// Gives the memory back. REQUIRES: empty().
  void release() {
    BOXGRAM_CHECK(empty());
    memory_.reset();
    capacity_ = 0;
  }

 private:
  void make_room(std::size_t n) {
    const std::size_t held = size();
    if (capacity_ < held + n) {
      const std::size_t wanted = std::max(held + n, capacity_ * 2);
      auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
      if (held > 0) std::memcpy(larger.get(), memory_.get() + begin_, held);
      memory_ = std::move(larger);
      capacity_ = wanted;
    } else {
      std::memmove(memory_.get(), memory_.get() + begin_, held);
    }
    begin_ = 0;
    end_ = held;
  }

  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace boxgram::stream
