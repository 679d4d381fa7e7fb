// The cache as people look at it and carry it from one process to the next: off the data path.
#include <algorithm>

#include <boxgram/dns/cache.hpp>

#include "cache_entry.hpp"

namespace boxgram::dns {
namespace {

std::uint32_t reversed(std::uint32_t bits) {
  std::uint32_t out = 0;
  for (int i = 0; i < 32; ++i) out |= (bits >> i & 1) << (31 - i);
  return out;
}

/// The bucket after `bucket` in an order that counts from the highest bit of the mask down: when
/// the table doubles, what a bucket is split into lies on the same side of the walk.
std::uint32_t next_bucket(std::uint32_t bucket, std::uint32_t mask) {
  return reversed(reversed(bucket | ~mask) + 1);
}

}  // namespace

bool Cache::is_hidden(const Entry& entry, base::Instant now) const {
  return is_gone(entry, now) || (entry.kind == AnswerKind::failure && now >= entry.retry_at);
}

bool Cache::restore(const QueryKey& key, const AnswerView& answer, base::Duration age,
                    base::Instant now) {
  return restore_hashed(key, hash_of(key.name()), answer, age, now);
}

bool Cache::restore_hashed(const QueryKey& key, std::uint32_t hash, const AnswerView& answer,
                           base::Duration age, base::Instant now) {
  if (answer.kind == AnswerKind::failure || age < base::Duration::zero()) return false;
  // An answer lives for 2^32 s at most, so that no sum below can overflow.
  if (age > std::chrono::seconds(0xffff'ffff) + options_.max_stale) return false;
  const base::Instant learned = now - age;
  if (now >= learned + std::chrono::seconds(answer.lifetime) + options_.max_stale) return false;
  const bool whole_name = answer.kind == AnswerKind::nxdomain && answer.answers == 0;
  for (const Entry* held = table_[hash & (table_size_ - 1)]; held != nullptr; held = held->next) {
    const bool would_go = held->hash == hash && held->is_same_name(key) &&
                          (whole_name || held->whole_name || held->type == key.type());
    if (would_go && held->kind != AnswerKind::failure && held->stored >= learned) return false;
  }
  const std::uint64_t before = counters_.stores;
  store_hashed(key, hash, answer, learned);
  if (counters_.stores == before) return false;
  --counters_.stores;
  ++counters_.restored;
  return true;
}

void Cache::peek(const QueryKey& key, base::Instant now, const CacheVisit& visit) const {
  peek_hashed(key, hash_of(key.name()), false, now, visit);
}

bool Cache::peek_hashed(const QueryKey& key, std::uint32_t hash, bool whole_name_only,
                        base::Instant now, const CacheVisit& visit) const {
  const Entry* entry = find(key, hash);
  if (entry == nullptr || is_hidden(*entry, now)) return false;
  if (whole_name_only && (!entry->whole_name || !entry->is_fresh(now))) return false;
  visit(entry->key(), view_of(*entry, now));
  return true;
}

void Cache::show(const Name& name, base::Instant now, const CacheVisit& visit) const {
  const Name lowered = name.lowered();
  show_hashed(lowered.wire(), hash_of(lowered.wire()), now, visit);
}

void Cache::show_hashed(base::Bytes lowered_name, std::uint32_t hash, base::Instant now,
                        const CacheVisit& visit) const {
  for (const Entry* entry = table_[hash & (table_size_ - 1)]; entry != nullptr;
       entry = entry->next) {
    if (entry->hash != hash || is_hidden(*entry, now) ||
        !std::ranges::equal(entry->name(), lowered_name))
      continue;
    if (!visit(entry->key(), view_of(*entry, now))) return;
  }
}

bool Cache::walk(CacheWalk& walk, std::size_t buckets, base::Instant now,
                 const CacheVisit& visit) const {
  const auto mask = static_cast<std::uint32_t>(table_size_ - 1);
  for (std::size_t done = 0; done < buckets; ++done) {
    std::uint32_t seen = 0;
    for (const Entry* entry = table_[walk.bucket & mask]; entry != nullptr; entry = entry->next) {
      if (seen++ < walk.skip || is_hidden(*entry, now)) continue;
      if (!visit(entry->key(), view_of(*entry, now))) {
        walk.skip = seen - 1;
        return false;
      }
    }
    walk.skip = 0;
    walk.bucket = next_bucket(walk.bucket & mask, mask);
    if (walk.bucket == 0) return true;
  }
  return false;
}

}  // namespace boxgram::dns
