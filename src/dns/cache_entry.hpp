// The one heap block of a cached answer: this header, then TTL offsets, body, EDE options.
#pragma once

#include <boxgram/dns/cache.hpp>

namespace boxgram::dns {

struct Cache::Entry {
  Entry* next;   // in the chain of its table place
  Entry* newer;  // in order of arrival
  Entry* older;
  base::Instant stored;
  base::Instant retry_at;  // no new try before: the end of a failure's back-off
  std::uint32_t hash;
  std::uint32_t lifetime;  // seconds
  std::uint16_t type;
  std::uint16_t rr_class;
  std::uint16_t rcode;
  std::uint16_t answers;
  std::uint16_t authorities;
  std::uint16_t additionals;
  std::uint16_t body_size;
  std::uint16_t ttl_count;
  std::uint16_t ede_size;
  AnswerKind kind;
  std::uint8_t bits;  // DO + 2 * CD
  std::uint8_t name_size;
  std::uint8_t failures;  // in a row
  bool whole_name;        // an NXDOMAIN that answers for every type
  bool authentic;
  bool visited;  // hit since the hand came by

  [[nodiscard]] std::uint16_t* ttl_offsets() { return reinterpret_cast<std::uint16_t*>(this + 1); }
  [[nodiscard]] const std::uint16_t* ttl_offsets() const {
    return reinterpret_cast<const std::uint16_t*>(this + 1);
  }
  [[nodiscard]] std::uint8_t* body() {
    return reinterpret_cast<std::uint8_t*>(ttl_offsets() + ttl_count);
  }
  [[nodiscard]] const std::uint8_t* body() const {
    return reinterpret_cast<const std::uint8_t*>(ttl_offsets() + ttl_count);
  }

  /// The question's name stands, lowered, at the front of the body.
  [[nodiscard]] base::Bytes name() const { return {body(), name_size}; }
  [[nodiscard]] QueryKey key() const {
    return {name(), type, rr_class, (bits & 1) != 0, (bits & 2) != 0};
  }
  [[nodiscard]] bool is_same_name(const QueryKey& key) const {
    return name_size == key.name().size() &&
           std::memcmp(body(), key.name().data(), name_size) == 0 && rr_class == key.rr_class() &&
           bits == key.bits();
  }
  [[nodiscard]] std::size_t payload_size() const {
    return 2u * ttl_count + body_size + std::size_t{ede_size};
  }
  [[nodiscard]] std::size_t memory() const { return memory_for(payload_size()); }
  /// A heap block costs 8 bytes more and is a multiple of 16.
  static std::size_t memory_for(std::size_t payload) {
    return (sizeof(Entry) + payload + 8 + 15) / 16 * 16;
  }
  [[nodiscard]] bool is_fresh(base::Instant now) const {
    return now < stored + std::chrono::seconds(lifetime);
  }
};

}  // namespace boxgram::dns
