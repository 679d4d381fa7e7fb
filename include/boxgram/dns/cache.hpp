// Answers kept until their TTL ends, and a while longer for bad days. Pure: one thread, time as an
// argument. Source: RFC 2308 (negative), 8020 (below NXDOMAIN), 8767 (stale), 9520 (failures).
#pragma once

#include <functional>
#include <memory>

#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dns/answer_builder.hpp>
#include <boxgram/dns/query_key.hpp>

namespace boxgram::dns {

struct CacheOptions {
  std::size_t max_bytes = std::size_t{64} << 20;
  std::uint32_t min_ttl = 0;  ///< seconds; 0: off, TTLs are exact
  std::uint32_t max_ttl = 0;  ///< seconds; 0: off
  /// How long an expired answer may still be served; 0: never (RFC 8767: 1 to 3 days).
  std::chrono::seconds max_stale{86'400};
  std::uint32_t stale_ttl = 30;  ///< in a stale answer (RFC 8767, section 4)
  /// A refresh that failed is not tried again for this long (RFC 8767, section 5: at least 30 s).
  std::chrono::seconds stale_recheck{30};
  bool nxdomain_cut = true;  ///< RFC 8020
};

enum class CacheHit : std::uint8_t {
  miss,
  fresh,
  stale,    ///< expired, but may be served when no upstream helps
  failure,  ///< the last try failed and its back-off has not ended
};

/// What the cache holds for a key; the view is valid until the next call that is not const.
struct CacheEntryView {
  CacheHit hit = CacheHit::miss;
  AnswerView answer;
  std::uint32_t age = 0;  ///< seconds
  bool may_try = true;    ///< stale only: false until stale_recheck after a failed refresh
};

/// Looks at an entry; false ends the walk. The view is valid inside the call only.
using CacheVisit = std::function<bool(const QueryKey&, const CacheEntryView&)>;

/// A place in a walk over a table that may grow meanwhile; zeros: the beginning.
struct CacheWalk {
  std::uint32_t bucket = 0;
  std::uint32_t skip = 0;  ///< entries of the bucket that were seen
};

struct CacheCounters {
  std::uint64_t hits = 0;
  std::uint64_t stale_hits = 0;  ///< found expired, whether served or not
  std::uint64_t failure_hits = 0;
  std::uint64_t nxdomain_cut_hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t stores = 0;
  std::uint64_t refused = 0;  ///< not cacheable: TTL 0, TC, no SOA, too large for the cache
  std::uint64_t failures_stored = 0;
  std::uint64_t restored = 0;
  std::uint64_t evictions = 0;
  std::uint64_t expirations = 0;
  std::uint64_t flushed = 0;
};

/// The back-off of a failure: 1 s, doubled for each failure in a row, at most 5 min (RFC 9520,
/// section 3.2).
inline constexpr std::chrono::seconds kFirstFailureHold{1};
inline constexpr std::chrono::seconds kMaxFailureHold{300};

/// What has failed. A broken network says nothing about a name: it holds for 1 s only, so that
/// nobody waits for a back-off once the network is back.
enum class FailureOf : std::uint8_t { name, network };

/// A hash table of entries, each one heap block that holds header, TTL offsets, body and extended
/// errors. Bytes are bounded (the allocator's and the table's own counted in); beyond, SIEVE
/// evicts: a queue in order of arrival whose hand passes over what was hit since its last visit,
/// so that a hit costs one byte and not a move in a list.
class Cache {
 public:
  Cache(const CacheOptions& options, base::Rng& rng);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  /// Cost: one SipHash and a short chain; a miss also looks for an NXDOMAIN of the 16 nearest
  /// ancestors. No allocation on a hit.
  CacheEntryView lookup(const QueryKey& key, base::Instant now);

  /// Keeps an answer if it may be kept. NXDOMAIN without a CNAME is kept for all types of the name
  /// (RFC 2308, section 5) and takes the place of what was known of it. kind == failure is the
  /// same as store_failure.
  void store(const QueryKey& key, const AnswerView& answer, base::Instant now);

  /// Notes that asking failed: good data stays and is served stale without a new try for
  /// stale_recheck, else the failure itself is kept with its RCODE and extended errors.
  void store_failure(const QueryKey& key, Rcode rcode, base::Bytes ede_options, base::Instant now,
                     FailureOf of = FailureOf::name);

  /// Takes an answer that was learned `age` ago and kept elsewhere. False, and nothing is changed,
  /// if it may not be kept, is too old to be served, or a younger one is here.
  bool restore(const QueryKey& key, const AnswerView& answer, base::Duration age,
               base::Instant now);

  /// These three look without a trace: no counter, no mark of use, nothing removed. What is too old
  /// to be served, and failures whose back-off has ended, they do not see.
  /// The entry that lookup() would find for this very name, at most one.
  void peek(const QueryKey& key, base::Instant now, const CacheVisit& visit) const;
  /// All types of a name.
  void show(const Name& name, base::Instant now, const CacheVisit& visit) const;
  /// Everything, from `walk` on until `visit` says false (it will be asked about the same entry
  /// again) or `buckets` table places are done. True at the end. What is held all the while is seen
  /// at least once, however the table grows meanwhile, unless its own bucket changes.
  bool walk(CacheWalk& walk, std::size_t buckets, base::Instant now, const CacheVisit& visit) const;

  /// Removes every type of one name; everything at and below a suffix; everything. They return how
  /// many entries went. The suffix one walks the whole cache.
  std::size_t flush(const Name& name);
  std::size_t flush_suffix(const Name& suffix);
  std::size_t flush_all();

  [[nodiscard]] std::size_t size() const { return size_; }  ///< entries
  [[nodiscard]] std::size_t bytes() const;                  ///< of memory, never > max_bytes
  [[nodiscard]] const CacheCounters& counters() const { return counters_; }

 private:
  friend class SharedCache;
  struct Entry;

  [[nodiscard]] std::uint32_t hash_of(base::Bytes lowered_name) const;
  CacheEntryView lookup_hashed(const QueryKey& key, std::uint32_t hash, base::Instant now);
  [[nodiscard]] Entry* find(const QueryKey& key, std::uint32_t hash) const;
  CacheEntryView lookup_below(const QueryKey& key, std::size_t ancestor, std::uint32_t hash,
                              base::Instant now);
  void store_hashed(const QueryKey& key, std::uint32_t hash, const AnswerView& answer,
                    base::Instant now);
  void store_failure_hashed(const QueryKey& key, std::uint32_t hash, Rcode rcode,
                            base::Bytes ede_options, base::Instant now, FailureOf of);
  bool restore_hashed(const QueryKey& key, std::uint32_t hash, const AnswerView& answer,
                      base::Duration age, base::Instant now);
  bool peek_hashed(const QueryKey& key, std::uint32_t hash, bool whole_name_only, base::Instant now,
                   const CacheVisit& visit) const;
  void show_hashed(base::Bytes lowered_name, std::uint32_t hash, base::Instant now,
                   const CacheVisit& visit) const;
  [[nodiscard]] bool is_hidden(const Entry& entry, base::Instant now) const;
  Entry* insert(const QueryKey& key, std::uint32_t hash, const AnswerView& answer,
                base::Instant now);
  void link(Entry* entry);
  void count(CacheHit hit);
  void replace(const QueryKey& key, std::uint32_t hash, bool whole_name);
  std::size_t flush_hashed(base::Bytes lowered_name, std::uint32_t hash);
  void remove(Entry* entry);
  void evict_one(base::Instant now);
  [[nodiscard]] bool make_room(std::size_t bytes, base::Instant now);
  void grow();
  [[nodiscard]] bool is_gone(const Entry& entry, base::Instant now) const;
  [[nodiscard]] CacheEntryView view_of(const Entry& entry, base::Instant now) const;

  CacheOptions options_;
  crypto::ShortHashKey hash_key_;
  std::unique_ptr<Entry*[]> table_;
  std::size_t table_size_ = 0;  // a power of two
  Entry* newest_ = nullptr;
  Entry* oldest_ = nullptr;
  Entry* hand_ = nullptr;
  std::size_t size_ = 0;
  std::size_t entry_bytes_ = 0;
  AnswerBuilder scratch_;  // for answers made from an ancestor's NXDOMAIN
  CacheCounters counters_;
};

}  // namespace boxgram::dns
