#include "rate_budget.hpp"

#include <algorithm>
#include <bit>

#include <boxgram/base/check.hpp>

#include "network.hpp"

namespace boxgram::dht {
namespace {

base::Duration seconds(double s) {
  return base::Duration(static_cast<base::Duration::rep>(s * 1e9));
}

}  // namespace

RateBudget::RateBudget(const RateLimits& limits, std::size_t capacity, base::Rng& rng)
    : hash_(rng),
      query_cost_(seconds(1 / limits.queries_per_second)),
      query_depth_(seconds(limits.query_burst / limits.queries_per_second)),
      byte_cost_(seconds(1 / limits.unproven_bytes_per_second)),
      byte_depth_(seconds(limits.unproven_byte_burst / limits.unproven_bytes_per_second)),
      sets_(std::bit_ceil(std::max(capacity / kWays, std::size_t{1}))) {
  BOXGRAM_CHECK(limits.queries_per_second > 0 && limits.query_burst >= 1);
  BOXGRAM_CHECK(limits.unproven_bytes_per_second > 0 && limits.unproven_byte_burst >= 1);
}

RateBudget::Entry& RateBudget::entry_of(const base::SocketAddress& address) {
  std::uint8_t bytes[8];
  base::store_be64(bytes, network_of(address));
  const std::uint64_t network = hash_(bytes);
  auto& set = sets_[network & (sets_.size() - 1)];
  const auto busy_until = [](const Entry& entry) {
    return std::max(
        {entry.queries.full_at(), entry.proven_queries.full_at(), entry.bytes.full_at()});
  };
  Entry* idlest = &set[0];
  for (Entry& entry : set) {
    if (entry.network == network) return entry;
    if (busy_until(entry) < busy_until(*idlest)) idlest = &entry;
  }
  *idlest = Entry{};
  idlest->network = network;
  return *idlest;
}

bool RateBudget::take_query(base::Instant now, const base::SocketAddress& from, bool proven) {
  Entry& entry = entry_of(from);
  return (proven ? entry.proven_queries : entry.queries).take(now, query_cost_, query_depth_);
}

bool RateBudget::take_bytes(base::Instant now, const base::SocketAddress& to, std::size_t bytes) {
  return entry_of(to).bytes.take(now, static_cast<base::Duration::rep>(bytes) * byte_cost_,
                                 byte_depth_);
}

}  // namespace boxgram::dht
