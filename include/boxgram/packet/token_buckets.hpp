// A token bucket for each network, in a table that cannot grow.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/base/token_bucket.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/packet/server_types.hpp>

namespace boxgram::packet {

/// A single bucket with its measures.
class RateLimit {
 public:
  explicit RateLimit(Rate rate)
      : interval_(static_cast<base::Duration::rep>(1e9 / rate.per_second)),
        depth_(static_cast<base::Duration::rep>(1e9 / rate.per_second * rate.burst)) {}
  bool take(base::Instant now) { return bucket_.take(now, interval_, depth_); }

 private:
  base::TokenBucket bucket_;
  base::Duration interval_;
  base::Duration depth_;
};

/// Sets of four buckets, chosen by the SipHash of the network. A network that is not there takes
/// the place of the one that has been idle for longest and begins with a full bucket: a flood from
/// very many networks is not held here but by the server-wide rate.
class TokenBuckets {
 public:
  /// REQUIRES: per_second > 0, burst >= 1.
  TokenBuckets(std::size_t capacity, Rate rate, base::Rng& rng);

  /// Takes a token of the network that `from` is in.
  bool take(base::Instant now, const base::SocketAddress& from);

  [[nodiscard]] std::size_t capacity() const { return sets_.size() * kWays; }

 private:
  static constexpr std::size_t kWays = 4;
  struct Entry {
    std::uint64_t network = 0;
    base::TokenBucket bucket;
  };

  crypto::ShortHashKey key_;
  base::Duration interval_;
  base::Duration depth_;
  std::vector<std::array<Entry, kWays>> sets_;
};

}  // namespace boxgram::packet
