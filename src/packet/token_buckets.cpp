#include <algorithm>
#include <bit>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/token_buckets.hpp>

namespace boxgram::packet {

TokenBuckets::TokenBuckets(std::size_t capacity, Rate rate, base::Rng& rng)
    : key_(rng),
      interval_(static_cast<base::Duration::rep>(1e9 / rate.per_second)),
      depth_(static_cast<base::Duration::rep>(1e9 / rate.per_second * rate.burst)),
      sets_(std::bit_ceil(std::max(capacity / kWays, std::size_t{1}))) {
  BOXGRAM_CHECK(rate.per_second > 0 && rate.burst >= 1);
}

bool TokenBuckets::take(base::Instant now, const base::SocketAddress& from) {
  const std::uint64_t network = key_(from.prefix());
  auto& set = sets_[network & (sets_.size() - 1)];
  Entry* idlest = &set[0];
  for (Entry& entry : set) {
    if (entry.network == network) return entry.bucket.take(now, interval_, depth_);
    if (entry.bucket.full_at() < idlest->bucket.full_at()) idlest = &entry;
  }
  *idlest = Entry{network, {}};
  return idlest->bucket.take(now, interval_, depth_);
}

}  // namespace boxgram::packet
