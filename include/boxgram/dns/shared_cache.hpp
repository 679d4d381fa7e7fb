// One cache for several workers.
#pragma once

#include <mutex>
#include <vector>

#include <boxgram/dns/cache.hpp>

namespace boxgram::dns {

/// When an expired answer may be written.
enum class ServeStale : std::uint8_t {
  never,
  /// Only while a failed refresh forbids a new try: the caller asks an upstream otherwise.
  unless_refresh_is_due,
  /// Whatever is held: the caller has waited long enough (RFC 8767, section 5: 1.8 s).
  always,
};

struct CacheAnswer {
  CacheHit hit = CacheHit::miss;
  /// written.whole_size == 0: nothing was written, because of a miss or of ServeStale.
  Written written;
  Rcode rcode = Rcode::no_error;
};

/// A place in a walk over all shards; zeros: the beginning.
struct SharedCacheWalk {
  std::uint32_t shard = 0;
  CacheWalk inside;
};

/// Shards by name, each a Cache with a mutex that is held for a lookup and the copy of one answer
/// (well under 1 us), or for one store. Every member may be called from any thread.
class SharedCache {
 public:
  /// REQUIRES: shards is a power of two, 1..256. 16 keep 4 workers from meeting more often than
  /// once in a hundred lookups. Each has its part of max_bytes.
  SharedCache(const CacheOptions& options, base::Rng& rng, std::size_t shards = 16);

  /// Finds and writes at once. Adds extended errors by itself: 3 or 19 to a stale answer, 13 to a
  /// failure (RFC 8914). An NXDOMAIN of a name shorter than `zone_size` bytes says nothing about
  /// the names below it. REQUIRES: key is the query's; out.size() >= 512.
  CacheAnswer answer(const QueryKey& key, const Query& query, const AnswerOptions& options,
                     ServeStale serve_stale, base::Instant now, base::MutableBytes out,
                     std::size_t zone_size = 1);
  CacheAnswer answer(const Query& query, const AnswerOptions& options, ServeStale serve_stale,
                     base::Instant now, base::MutableBytes out) {
    return answer(QueryKey(query), query, options, serve_stale, now, out);
  }

  /// As Cache::store and store_failure.
  void store(const QueryKey& key, const AnswerView& answer, base::Instant now);
  void store_failure(const QueryKey& key, Rcode rcode, base::Bytes ede_options, base::Instant now,
                     FailureOf of = FailureOf::name);

  /// As Cache::restore, show and walk. `visit` runs under a shard's lock: it copies and returns.
  bool restore(const QueryKey& key, const AnswerView& answer, base::Duration age,
               base::Instant now);
  void show(const Name& name, base::Instant now, const CacheVisit& visit) const;
  bool walk(SharedCacheWalk& walk, std::size_t buckets, base::Instant now,
            const CacheVisit& visit) const;
  /// The entry that answer() would use, which may be an NXDOMAIN of a name above; at most one.
  void peek(const QueryKey& key, base::Instant now, const CacheVisit& visit,
            std::size_t zone_size = 1) const;

  std::size_t flush(const Name& name);
  std::size_t flush_suffix(const Name& suffix);
  std::size_t flush_all();

  /// Sums over the shards.
  [[nodiscard]] CacheCounters counters() const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t max_bytes() const { return options_.max_bytes; }

 private:
  struct alignas(64) Shard {  // a cache line of its own for each mutex
    Shard(const CacheOptions& options, base::Rng& rng) : cache(options, rng) {}
    mutable std::mutex mutex;
    Cache cache;
  };

  [[nodiscard]] Shard& shard_of(std::uint64_t hash) const;
  template <class F>
  std::size_t sum(F&& f) const;

  crypto::ShortHashKey hash_key_;
  CacheOptions options_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace boxgram::dns
