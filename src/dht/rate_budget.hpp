// Queries answered and bytes sent, counted for each network.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/base/token_bucket.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/rate_limits.hpp>

namespace boxgram::dht {

/// Sets of four networks, chosen by SipHash. A network that is not there takes the place of the
/// least busy of its set and begins with full buckets. Proven addresses have buckets of their own,
/// so what is forged in the name of their neighbours takes nothing from them.
/// Memory: 40 bytes for each network of `capacity`, whatever comes.
class RateBudget {
 public:
  RateBudget(const RateLimits& limits, std::size_t capacity, base::Rng& rng);

  /// Whether a query may be answered. `proven`: its source has answered a request of ours lately.
  /// Cost: one SipHash, at most four comparisons.
  bool take_query(base::Instant now, const base::SocketAddress& from, bool proven);

  /// Whether so many bytes may go to an address that has not proven itself.
  bool take_bytes(base::Instant now, const base::SocketAddress& to, std::size_t bytes);

  [[nodiscard]] std::size_t capacity() const { return sets_.size() * kWays; }

 private:
  static constexpr std::size_t kWays = 4;
  struct Entry {
    std::uint64_t network = 0;
    base::TokenBucket queries;
    base::TokenBucket proven_queries;
    base::TokenBucket bytes;
  };

  Entry& entry_of(const base::SocketAddress& address);

  crypto::ShortHashKey hash_;
  base::Duration query_cost_, query_depth_;
  base::Duration byte_cost_, byte_depth_;
  std::vector<std::array<Entry, kWays>> sets_;
};

}  // namespace boxgram::dht
