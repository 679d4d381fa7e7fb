// A domain name in wire form. Source: RFC 1035, sections 2.3.4, 3.1 and 4.1.4; RFC 2181, section
// 11 (a label is any octets); RFC 4343 (case).
#pragma once

#include <compare>
#include <cstring>
#include <string>
#include <string_view>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/crypto/hash.hpp>

namespace boxgram::dns {

enum class NameError : std::uint8_t {
  truncated,       ///< the message ends inside the name
  bad_label_type,  ///< the two top bits of a length byte are 01 or 10
  bad_pointer,     ///< a pointer not strictly backwards, into the header, or one too many
  too_long,        ///< more than 255 bytes
  empty_label,     ///< text only: two dots in a row, a dot in front, or no text at all
  label_too_long,  ///< text only: a label of more than 63 octets
  bad_escape,      ///< text only: a backslash without a character or without DDD <= 255
};

/// ASCII only, as DNS compares (RFC 4343). A length byte (at most 63) is no letter, so a whole name
/// in wire form may be lowered byte by byte.
constexpr std::uint8_t lower(std::uint8_t c) {
  return static_cast<std::uint8_t>(c | (static_cast<std::uint8_t>(c - 'A') < 26 ? 0x20 : 0));
}

/// Lowers `from` into `to`. REQUIRES: to.size() >= from.size(). Cost: vectorised, a few ns.
void lower_into(base::Bytes from, base::MutableBytes to);

/// Compares two names in wire form without regard to case.
bool equal_names(base::Bytes a, base::Bytes b);

/// The size of an uncompressed name at the front of `bytes`, its root byte included, or 0 if there
/// is none: cut short, too long, a pointer or an unknown label type. Copies nothing.
std::size_t uncompressed_name_size(base::Bytes bytes);

/// Length-prefixed labels, a zero byte at the end, at most 255 bytes (so at most 127 labels), kept
/// inline: no heap. Keeps the case it was given; ==, <=> and hash do not see it.
class Name {
 public:
  static constexpr std::size_t kMaxSize = 255;
  static constexpr std::size_t kMaxLabel = 63;
  /// One behind each label is the most that compression can need. 16 KiB of pointers to pointers,
  /// walked again by each of thousands of records, would cost 0.2 s.
  static constexpr std::size_t kMaxPointers = 127;

  Name() : size_(1) { wire_[0] = 0; }  ///< the root
  Name(const Name& other) : size_(other.size_) { std::memcpy(wire_, other.wire_, size_); }
  Name& operator=(const Name& other) {
    if (this != &other) std::memcpy(wire_, other.wire_, size_ = other.size_);
    return *this;
  }

  /// Reads the name at `offset` of a whole message and moves `offset` behind it (behind the first
  /// pointer, if there is one). A pointer must point before the name or label run that holds it
  /// and not into the header, so every jump goes strictly backwards and the walk ends; there may be
  /// kMaxPointers of them.
  /// On an error `offset` is as it was.
  static base::expected<Name, NameError> read(base::Bytes message, std::size_t& offset);

  /// Takes an uncompressed name, exactly. Errors: truncated (also for bytes left over),
  /// bad_label_type (also for a pointer), too_long.
  static base::expected<Name, NameError> from_wire(base::Bytes wire);

  /// "www.example.com", with or without the dot at the end; "." is the root. `\.` is a dot inside
  /// a label, `\DDD` an octet in decimal, any other `\c` is c.
  static base::expected<Name, NameError> from_text(std::string_view text);

  /// Always ends with a dot; octets outside of '!'..'~' as \DDD, dots and backslashes escaped.
  [[nodiscard]] std::string to_text() const;

  [[nodiscard]] base::Bytes wire() const { return {wire_, size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool is_root() const { return size_ == 1; }
  [[nodiscard]] std::size_t label_count() const;  ///< without the root
  /// The first label without its length; empty for the root.
  [[nodiscard]] base::Bytes first_label() const { return {wire_ + 1, wire_[0]}; }

  [[nodiscard]] Name lowered() const;
  [[nodiscard]] Name parent() const;  ///< without the first label; the root's parent is the root
  /// True for equal names too; everything is under the root.
  [[nodiscard]] bool is_subdomain_of(const Name& ancestor) const;

  /// SipHash of the lowered wire form.
  [[nodiscard]] std::uint64_t hash(const crypto::ShortHashKey& key) const;

  friend bool operator==(const Name& a, const Name& b) { return equal_names(a.wire(), b.wire()); }
  /// An order for sorted tables: bytes of the lowered wire form, not DNSSEC's canonical order.
  friend std::weak_ordering operator<=>(const Name& a, const Name& b);

 private:
  std::uint8_t size_;
  std::uint8_t wire_[kMaxSize];
};

}  // namespace boxgram::dns
