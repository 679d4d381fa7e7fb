// Bodies as they come in, each behind its 2-byte length: of the handshake, and then records.
#pragma once

#include <optional>

#include "byte_queue.hpp"
#include "record.hpp"

namespace boxgram::stream {

/// The body that was taken last stays where it is until the next one is taken: who reads it may
/// stop in the middle and go on later. Meanwhile nothing can be added.
class BodyQueue {
 public:
  /// Bytes that have come and are not taken.
  [[nodiscard]] std::size_t size() const { return bytes_.size() - taken_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// A body is being read.
  [[nodiscard]] bool reading() const { return taken_ > 0; }

  /// REQUIRES: !reading().
  base::MutableBytes room(std::size_t n) {
    BOXGRAM_CHECK(!reading());
    return bytes_.room(n);
  }
  void added(std::size_t n) { bytes_.added(n); }

  /// The body taken last has been read.
  void read() {
    bytes_.dropped(taken_);
    taken_ = 0;
  }
  /// What the next body's length will be. REQUIRES, here and below: !reading().
  [[nodiscard]] std::optional<std::size_t> announced() const {
    if (bytes_.size() < kLengthSize) return std::nullopt;
    return base::load_be16(bytes_.held().data());
  }
  /// The next body, if it is whole.
  std::optional<base::MutableBytes> take() {
    const auto size = announced();
    if (!size || bytes_.size() < kLengthSize + *size) return std::nullopt;
    taken_ = kLengthSize + *size;
    return bytes_.held().subspan(kLengthSize, *size);
  }

  /// Gives the memory back. REQUIRES: empty().
  void release() { bytes_.release(); }

 private:
  ByteQueue bytes_;
  std::size_t taken_ = 0;
};

}  // namespace boxgram::stream
