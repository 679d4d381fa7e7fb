// Views of bytes, big-endian loads and stores, and two bounded cursors.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace boxgram::base {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

/// A view of a text's bytes; the text must outlive it.
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// A view of bytes as text; the bytes must outlive it.
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::uint16_t load_be16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}

inline std::uint32_t load_be32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

inline std::uint64_t load_be64(const std::uint8_t* p) {
  return std::uint64_t{load_be32(p)} << 32 | load_be32(p + 4);
}

inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}

inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  store_be16(p, static_cast<std::uint16_t>(v >> 16));
  store_be16(p + 2, static_cast<std::uint16_t>(v));
}

inline void store_be64(std::uint8_t* p, std::uint64_t v) {
  store_be32(p, static_cast<std::uint32_t>(v >> 32));
  store_be32(p + 4, static_cast<std::uint32_t>(v));
}

/// The N bytes at p as a value.
template <std::size_t N>
std::array<std::uint8_t, N> load_array(const std::uint8_t* p) {
  std::array<std::uint8_t, N> out;
  std::memcpy(out.data(), p, N);
  return out;
}

/// Reads big-endian fields from a view. A read past the end returns zero (or an empty view) and
/// makes the reader fail for good: read a whole structure, then ask ok() once.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - offset_; }
  [[nodiscard]] Bytes rest() const { return bytes_.subspan(offset_); }

  std::uint8_t u8() { return take(1) ? bytes_[offset_ - 1] : std::uint8_t{0}; }
  std::uint16_t u16() { return take(2) ? load_be16(&bytes_[offset_ - 2]) : std::uint16_t{0}; }
  std::uint32_t u32() { return take(4) ? load_be32(&bytes_[offset_ - 4]) : 0; }
  std::uint64_t u64() { return take(8) ? load_be64(&bytes_[offset_ - 8]) : 0; }
  Bytes bytes(std::size_t n) { return take(n) ? bytes_.subspan(offset_ - n, n) : Bytes{}; }
  void skip(std::size_t n) { take(n); }

 private:
  bool take(std::size_t n) {
    if (!ok_ || n > left()) {
      ok_ = false;
      return false;
    }
    offset_ += n;
    return true;
  }

  Bytes bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

/// Writes big-endian fields into a view. A write past the end writes nothing and makes the writer
/// fail for good: write a whole structure, then ask ok() once.
class Writer {
 public:
  explicit Writer(MutableBytes bytes) : bytes_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - size_; }
  [[nodiscard]] Bytes written() const { return bytes_.first(size_); }

  void u8(std::uint8_t v) {
    if (take(1)) bytes_[size_ - 1] = v;
  }
  void u16(std::uint16_t v) {
    if (take(2)) store_be16(&bytes_[size_ - 2], v);
  }
  void u32(std::uint32_t v) {
    if (take(4)) store_be32(&bytes_[size_ - 4], v);
  }
  void u64(std::uint64_t v) {
    if (take(8)) store_be64(&bytes_[size_ - 8], v);
  }
  void bytes(Bytes v) {
    if (take(v.size()) && !v.empty()) std::memcpy(&bytes_[size_ - v.size()], v.data(), v.size());
  }
  void zeros(std::size_t n) {
    if (take(n) && n > 0) std::memset(&bytes_[size_ - n], 0, n);
  }
  /// The place of the next n bytes, to be filled by the caller; empty if they do not fit.
  MutableBytes reserve(std::size_t n) {
    return take(n) ? bytes_.subspan(size_ - n, n) : MutableBytes{};
  }

 private:
  bool take(std::size_t n) {
    if (!ok_ || n > left()) {
      ok_ = false;
      return false;
    }
    size_ += n;
    return true;
  }

  MutableBytes bytes_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace boxgram::base
