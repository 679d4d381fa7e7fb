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
///
/// At its end a piece may be in the making: nobody who takes bytes out sees it before it is
/// finished, so that a record cannot leave before it is sealed.
class ByteQueue {
 public:
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] base::MutableBytes held() { return {memory_.get() + begin_, size()}; }
  [[nodiscard]] base::Bytes held() const { return {memory_.get() + begin_, size()}; }
  /// True if nothing is held and nothing in the making.
  [[nodiscard]] bool empty() const { return begin_ == filled_; }

  /// At least `n` bytes of room at the end. Moves what is there; views of it end here.
  base::MutableBytes room(std::size_t n) {
    if (capacity_ - filled_ < n) make_room(n);
    return {memory_.get() + filled_, capacity_ - filled_};
  }

  /// The first `n` bytes of room() are held now. REQUIRES: nothing is in the making.
  void added(std::size_t n) {
    BOXGRAM_CHECK(filled_ == end_);
    extended(n);
    finish();
  }

  /// The first `n` bytes of room() belong to the piece in the making now.
  void extended(std::size_t n) {
    BOXGRAM_CHECK(n <= capacity_ - filled_);
    filled_ += n;
  }
  [[nodiscard]] base::MutableBytes unfinished() { return {memory_.get() + end_, filled_ - end_}; }
  /// The piece is held now.
  void finish() { end_ = filled_; }

  /// The first `n` held bytes are gone; views of the others stay good.
  void dropped(std::size_t n) {
    BOXGRAM_CHECK(n <= size());
    begin_ += n;
    if (empty()) begin_ = end_ = filled_ = 0;
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
    const std::size_t all = filled_ - begin_;
    if (capacity_ < all + n) {
      const std::size_t wanted = std::max(all + n, capacity_ * 2);
      auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
      if (all > 0) std::memcpy(larger.get(), memory_.get() + begin_, all);
      memory_ = std::move(larger);
      capacity_ = wanted;
    } else {
      std::memmove(memory_.get(), memory_.get() + begin_, all);
    }
    begin_ = 0;
    end_ = held;
    filled_ = all;
  }

  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;     // of what is held
  std::size_t filled_ = 0;  // of what is in the making
};

}  // namespace boxgram::stream
