// What makes two queries the same: to the cache and to queries in flight.
#pragma once

#include <cstring>

#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>

namespace boxgram::dns {

/// (lowered name, type, class, DO, CD). DO and CD change what an upstream answers (RFC 4035,
/// sections 3.2.1 and 4.7); client options do not, because they are not forwarded.
/// Layout: type(2) | class(2) | DO + 2 * CD (1) | name(1..255), kept inline.
class QueryKey {
 public:
  explicit QueryKey(const Query& query)
      : QueryKey(query.name, query.type, query.rr_class, query.dnssec_ok,
                 query.checking_disabled()) {}
  /// REQUIRES: `name` is a name in wire form, uncompressed.
  QueryKey(base::Bytes name, std::uint16_t type, std::uint16_t rr_class, bool dnssec_ok,
           bool checking_disabled)
      : name_size_(static_cast<std::uint8_t>(name.size())) {
    base::store_be16(bytes_, type);
    base::store_be16(bytes_ + 2, rr_class);
    bytes_[4] = static_cast<std::uint8_t>(dnssec_ok | checking_disabled << 1);
    lower_into(name, {bytes_ + kPrefix, name.size()});
  }
  QueryKey(const QueryKey& other) : name_size_(other.name_size_) {
    std::memcpy(bytes_, other.bytes_, kPrefix + name_size_);
  }
  QueryKey& operator=(const QueryKey& other) {
    if (this != &other) {
      name_size_ = other.name_size_;
      std::memcpy(bytes_, other.bytes_, kPrefix + name_size_);
    }
    return *this;
  }

  [[nodiscard]] base::Bytes name() const { return {bytes_ + kPrefix, name_size_}; }
  [[nodiscard]] std::uint16_t type() const { return base::load_be16(bytes_); }
  [[nodiscard]] std::uint16_t rr_class() const { return base::load_be16(bytes_ + 2); }
  [[nodiscard]] bool dnssec_ok() const { return bytes_[4] & 1; }
  [[nodiscard]] bool checking_disabled() const { return bytes_[4] & 2; }
  /// DO + 2 * CD.
  [[nodiscard]] std::uint8_t bits() const { return bytes_[4]; }
  /// All of it, for a hash or a comparison.
  [[nodiscard]] base::Bytes bytes() const { return {bytes_, kPrefix + std::size_t{name_size_}}; }

  friend bool operator==(const QueryKey& a, const QueryKey& b) {
    return a.name_size_ == b.name_size_ &&
           std::memcmp(a.bytes_, b.bytes_, kPrefix + std::size_t{a.name_size_}) == 0;
  }

 private:
  static constexpr std::size_t kPrefix = 5;

  std::uint8_t name_size_;
  std::uint8_t bytes_[kPrefix + Name::kMaxSize];
};

}  // namespace boxgram::dns
