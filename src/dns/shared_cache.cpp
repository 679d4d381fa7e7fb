#include <boxgram/base/check.hpp>
#include <boxgram/dns/shared_cache.hpp>

#include "ancestor_walk.hpp"

namespace boxgram::dns {
namespace {

/// More errors than these of the caller's do not go with a cached answer.
constexpr std::size_t kMaxErrors = 4;

CacheAnswer write_hit(const CacheEntryView& view, const Query& query, AnswerOptions options,
                      ServeStale serve_stale, std::uint32_t stale_ttl, base::MutableBytes out) {
  CacheAnswer answer;
  answer.hit = view.hit;
  answer.rcode = view.answer.rcode;
  if (view.hit == CacheHit::miss) return answer;
  Age age{view.age, 0};
  if (view.hit == CacheHit::fresh) {
    answer.written = write_answer(view.answer, query, options, age, out);
    return answer;
  }
  ExtendedError own{ede::cached_error, {}};
  if (view.hit == CacheHit::stale) {
    if (serve_stale == ServeStale::never) return answer;
    if (serve_stale == ServeStale::unless_refresh_is_due && view.may_try) return answer;
    own.code = view.answer.kind == AnswerKind::nxdomain ? ede::stale_nx_domain : ede::stale_answer;
    age.stale_ttl = stale_ttl;
  }
  ExtendedError errors[kMaxErrors + 1] = {own};
  std::size_t count = 1;
  for (const ExtendedError& error : options.errors)
    if (count <= kMaxErrors) errors[count++] = error;
  options.errors = {errors, count};
  answer.written = write_answer(view.answer, query, options, age, out);
  return answer;
}

}  // namespace

SharedCache::SharedCache(const CacheOptions& options, base::Rng& rng, std::size_t shards)
    : hash_key_(rng), options_(options) {
  BOXGRAM_CHECK(shards >= 1 && shards <= 256 && (shards & (shards - 1)) == 0);
  CacheOptions part = options;
  part.max_bytes /= shards;
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>(part, rng));
}

SharedCache::Shard& SharedCache::shard_of(std::uint64_t hash) const {
  // The low half places the entry inside of the shard.
  return *shards_[hash >> 56 & (shards_.size() - 1)];
}

CacheAnswer SharedCache::answer(const QueryKey& key, const Query& query,
                                const AnswerOptions& options, ServeStale serve_stale,
                                base::Instant now, base::MutableBytes out, std::size_t zone_size) {
  const std::uint64_t hash = hash_key_(key.name());
  Shard& own = shard_of(hash);
  {
    const std::lock_guard lock(own.mutex);
    const auto view = own.cache.lookup_hashed(key, static_cast<std::uint32_t>(hash), now);
    if (view.hit != CacheHit::miss) {
      own.cache.count(view.hit);
      return write_hit(view, query, options, serve_stale, options_.stale_ttl, out);
    }
  }
  AncestorWalk walk(key.name(), zone_size);
  while (options_.nxdomain_cut && walk.next()) {
    const std::uint64_t above = hash_key_(key.name().subspan(walk.offset()));
    Shard& shard = shard_of(above);
    const std::lock_guard lock(shard.mutex);
    const auto view =
        shard.cache.lookup_below(key, walk.offset(), static_cast<std::uint32_t>(above), now);
    if (view.hit == CacheHit::miss) continue;
    shard.cache.count(view.hit);
    return write_hit(view, query, options, serve_stale, options_.stale_ttl, out);
  }
  const std::lock_guard lock(own.mutex);
  own.cache.count(CacheHit::miss);
  return {};
}

void SharedCache::store(const QueryKey& key, const AnswerView& answer, base::Instant now) {
  const std::uint64_t hash = hash_key_(key.name());
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  shard.cache.store_hashed(key, static_cast<std::uint32_t>(hash), answer, now);
}

void SharedCache::store_failure(const QueryKey& key, Rcode rcode, base::Bytes ede_options,
                                base::Instant now, FailureOf of) {
  const std::uint64_t hash = hash_key_(key.name());
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  shard.cache.store_failure_hashed(key, static_cast<std::uint32_t>(hash), rcode, ede_options, now,
                                   of);
}

bool SharedCache::restore(const QueryKey& key, const AnswerView& answer, base::Duration age,
                          base::Instant now) {
  const std::uint64_t hash = hash_key_(key.name());
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  return shard.cache.restore_hashed(key, static_cast<std::uint32_t>(hash), answer, age, now);
}

void SharedCache::show(const Name& name, base::Instant now, const CacheVisit& visit) const {
  const Name lowered = name.lowered();
  const std::uint64_t hash = hash_key_(lowered.wire());
  const Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  shard.cache.show_hashed(lowered.wire(), static_cast<std::uint32_t>(hash), now, visit);
}

bool SharedCache::walk(SharedCacheWalk& walk, std::size_t buckets, base::Instant now,
                       const CacheVisit& visit) const {
  if (walk.shard >= shards_.size()) return true;
  {
    const Shard& shard = *shards_[walk.shard];
    const std::lock_guard lock(shard.mutex);
    if (!shard.cache.walk(walk.inside, buckets, now, visit)) return false;
  }
  ++walk.shard;
  walk.inside = {};
  return walk.shard == shards_.size();
}

void SharedCache::peek(const QueryKey& key, base::Instant now, const CacheVisit& visit,
                       std::size_t zone_size) const {
  const auto look = [&](std::size_t ancestor) {
    const QueryKey above(key.name().subspan(ancestor), key.type(), key.rr_class(), key.dnssec_ok(),
                         key.checking_disabled());
    const std::uint64_t hash = hash_key_(above.name());
    const Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    return shard.cache.peek_hashed(above, static_cast<std::uint32_t>(hash), ancestor != 0, now,
                                   visit);
  };
  if (look(0) || !options_.nxdomain_cut) return;
  AncestorWalk walk(key.name(), zone_size);
  while (walk.next())
    if (look(walk.offset())) return;
}

std::size_t SharedCache::flush(const Name& name) {
  const Name lowered = name.lowered();
  const std::uint64_t hash = hash_key_(lowered.wire());
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  return shard.cache.flush_hashed(lowered.wire(), static_cast<std::uint32_t>(hash));
}

std::size_t SharedCache::flush_suffix(const Name& suffix) {
  return sum([&](Cache& cache) { return cache.flush_suffix(suffix); });
}

std::size_t SharedCache::flush_all() {
  return sum([](Cache& cache) { return cache.flush_all(); });
}

std::size_t SharedCache::size() const {
  return sum([](const Cache& cache) { return cache.size(); });
}

std::size_t SharedCache::bytes() const {
  return sum([](const Cache& cache) { return cache.bytes(); });
}

template <class F>
std::size_t SharedCache::sum(F&& f) const {
  std::size_t total = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    total += f(shard->cache);
  }
  return total;
}

CacheCounters SharedCache::counters() const {
  CacheCounters total;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    const CacheCounters& part = shard->cache.counters();
    total.hits += part.hits;
    total.stale_hits += part.stale_hits;
    total.failure_hits += part.failure_hits;
    total.nxdomain_cut_hits += part.nxdomain_cut_hits;
    total.misses += part.misses;
    total.stores += part.stores;
    total.refused += part.refused;
    total.failures_stored += part.failures_stored;
    total.restored += part.restored;
    total.evictions += part.evictions;
    total.expirations += part.expirations;
    total.flushed += part.flushed;
  }
  return total;
}

}  // namespace boxgram::dns
