// Which INITIALs have been processed. Source: PROTOCOL.md, "Replay".
#pragma once

#include <cstdint>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>

namespace boxgram::packet {

/// An exact set of box tags with a time to live. Keyed on the tag and not on the client's public
/// key, because sixteen encodings of one point give the same box. Each tag is kept as its SipHash
/// under a key of this set: nobody can aim at a slot, and a wrong match has odds of 2^-43.
///
/// Memory: two generations that grow by doubling up to `capacity` slots of 8 bytes each.
class ReplaySet {
 public:
  /// An INITIAL is accepted while -5 s <= age <= 30 s, so a copy can be accepted for 35 s after the
  /// first; one second more because times on the wire are cut to milliseconds.
  static constexpr base::Duration kGeneration = std::chrono::seconds(36);

  enum class Insert : std::uint8_t { fresh, seen, full };

  /// REQUIRES: capacity is a power of two, at least 64.
  ReplaySet(std::size_t capacity, base::Rng& rng, base::Instant now);

  /// Adds a tag. `full` means that it could not be told and was not added.
  Insert insert(base::Instant now, base::Bytes tag);

  /// True once three quarters are taken: from here on newcomers should prove their address, so that
  /// the last part is left for those who have.
  [[nodiscard]] bool crowded(base::Instant now) {
    advance(now);
    return current_.count >= capacity_ / 4 * 3;
  }

  /// Forgets what is older than it needs to be.
  void advance(base::Instant now);
  /// When advance() has something to do.
  [[nodiscard]] base::Instant next() const { return started_ + kGeneration; }
  [[nodiscard]] bool empty() const { return current_.count + previous_.count == 0; }

  [[nodiscard]] std::size_t size() const { return current_.count + previous_.count; }
  [[nodiscard]] std::size_t slots() const { return current_.slots.size() + previous_.slots.size(); }

 private:
  struct Generation {
    std::vector<std::uint64_t> slots;  // 0 = free; linear probing
    std::size_t count = 0;

    [[nodiscard]] bool contains(std::uint64_t key) const;
    void add(std::uint64_t key);
    void grow();
    void clear();
  };

  crypto::ShortHashKey key_;
  std::size_t capacity_;
  base::Instant started_;
  Generation current_;
  Generation previous_;
};

}  // namespace boxgram::packet
