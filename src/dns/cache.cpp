#include <algorithm>
#include <new>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/cache.hpp>

#include "ancestor_walk.hpp"
#include "cache_entry.hpp"
#include "record.hpp"

namespace boxgram::dns {
namespace {

constexpr std::size_t kFirstTableSize = 64;
/// Entries of one name: types by DO and CD. A name that is asked for thousands of types must not
/// make every lookup of it long.
constexpr int kMaxPerName = 32;
/// Steps of the hand for one eviction: bounds the time of a store when everything was hit.
constexpr int kMaxHandSteps = 64;

std::uint32_t clamp_ttl(std::uint32_t ttl, const CacheOptions& options) {
  if (options.max_ttl != 0) ttl = std::min(ttl, options.max_ttl);
  return std::max(ttl, options.min_ttl);
}

base::Duration failure_hold(std::uint8_t failures) {
  const auto hold = kFirstFailureHold * (1u << std::min<unsigned>(failures - 1u, 9));
  return std::min<base::Duration>(hold, kMaxFailureHold);
}

}  // namespace

Cache::Cache(const CacheOptions& options, base::Rng& rng)
    : options_(options),
      hash_key_(rng),
      table_(std::make_unique<Entry*[]>(kFirstTableSize)),
      table_size_(kFirstTableSize) {}

Cache::~Cache() {
  while (oldest_ != nullptr) remove(oldest_);
}

std::uint32_t Cache::hash_of(base::Bytes lowered_name) const {
  return static_cast<std::uint32_t>(hash_key_(lowered_name));
}

std::size_t Cache::bytes() const {
  return entry_bytes_ + table_size_ * sizeof(Entry*);
}

bool Cache::is_gone(const Entry& entry, base::Instant now) const {
  // A failure is remembered past its end, so that the next one in a row holds longer.
  if (entry.kind == AnswerKind::failure) return now >= entry.retry_at + kMaxFailureHold;
  return now >= entry.stored + std::chrono::seconds(entry.lifetime) + options_.max_stale;
}

CacheEntryView Cache::view_of(const Entry& entry, base::Instant now) const {
  CacheEntryView view;
  AnswerView& answer = view.answer;
  answer.rcode = static_cast<Rcode>(entry.rcode);
  answer.kind = entry.kind;
  answer.authentic = entry.authentic;
  answer.answers = entry.answers;
  answer.authorities = entry.authorities;
  answer.additionals = entry.additionals;
  answer.lifetime = entry.lifetime;
  answer.body = {entry.body(), entry.body_size};
  answer.ttl_offsets = {entry.ttl_offsets(), entry.ttl_count};
  answer.ede_options = {entry.body() + entry.body_size, entry.ede_size};
  // Workers read the clock on their own: the one that stored may be ahead of the one that asks.
  if (now > entry.stored)
    view.age = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - entry.stored).count());
  if (entry.kind == AnswerKind::failure)
    view.hit = CacheHit::failure;
  else
    view.hit = entry.is_fresh(now) ? CacheHit::fresh : CacheHit::stale;
  view.may_try = now >= entry.retry_at;
  return view;
}

Cache::Entry* Cache::find(const QueryKey& key, std::uint32_t hash) const {
  for (Entry* entry = table_[hash & (table_size_ - 1)]; entry != nullptr; entry = entry->next) {
    if (entry->hash == hash && (entry->type == key.type() || entry->whole_name) &&
        entry->is_same_name(key))
      return entry;
  }
  return nullptr;
}

CacheEntryView Cache::lookup_hashed(const QueryKey& key, std::uint32_t hash, base::Instant now) {
  Entry* entry = find(key, hash);
  if (entry == nullptr) return {};
  if (is_gone(*entry, now)) {
    remove(entry);
    ++counters_.expirations;
    return {};
  }
  if (entry->kind == AnswerKind::failure && now >= entry->retry_at) return {};
  entry->visited = true;
  return view_of(*entry, now);
}

CacheEntryView Cache::lookup_below(const QueryKey& key, std::size_t ancestor, std::uint32_t hash,
                                   base::Instant now) {
  const QueryKey above(key.name().subspan(ancestor), key.type(), key.rr_class(), key.dnssec_ok(),
                       key.checking_disabled());
  Entry* entry = find(above, hash);
  if (entry == nullptr || !entry->whole_name || !entry->is_fresh(now)) return {};
  entry->visited = true;
  CacheEntryView view = view_of(*entry, now);
  // Its pointers count from a header, which is not stored: what stands there is not read.
  const base::Bytes message{entry->body() - kHeaderSize, kHeaderSize + entry->body_size};
  std::size_t offset = kHeaderSize + entry->name_size + 4;
  scratch_.start(key.name(), key.type(), key.rr_class());
  Record record;
  for (std::size_t i = 0; i < view.answer.ttl_offsets.size(); ++i) {
    BOXGRAM_CHECK(read_record(message, offset, record));
    const Section section = i < view.answer.authorities ? Section::authority : Section::additional;
    if (!scratch_.add(section, record.owner, record.type, record.rr_class, record.ttl, message,
                      record.rdata, record.size) ||
        !scratch_.fits())
      return {};
  }
  const base::Bytes ede = view.answer.ede_options;
  view.answer = scratch_.finish(Rcode::nx_domain, entry->authentic, false);
  view.answer.ede_options = ede;
  ++counters_.nxdomain_cut_hits;
  return view;
}

void Cache::count(CacheHit hit) {
  switch (hit) {
    case CacheHit::miss:
      ++counters_.misses;
      break;
    case CacheHit::fresh:
      ++counters_.hits;
      break;
    case CacheHit::stale:
      ++counters_.stale_hits;
      break;
    case CacheHit::failure:
      ++counters_.failure_hits;
      break;
  }
}

CacheEntryView Cache::lookup(const QueryKey& key, base::Instant now) {
  CacheEntryView view = lookup_hashed(key, hash_of(key.name()), now);
  if (view.hit == CacheHit::miss && options_.nxdomain_cut) {
    AncestorWalk walk(key.name());
    while (view.hit == CacheHit::miss && walk.next())
      view = lookup_below(key, walk.offset(), hash_of(key.name().subspan(walk.offset())), now);
  }
  count(view.hit);
  return view;
}

void Cache::store(const QueryKey& key, const AnswerView& answer, base::Instant now) {
  store_hashed(key, hash_of(key.name()), answer, now);
}

void Cache::store_hashed(const QueryKey& key, std::uint32_t hash, const AnswerView& answer,
                         base::Instant now) {
  if (answer.kind == AnswerKind::failure)
    return store_failure_hashed(key, hash, answer.rcode, answer.ede_options, now, FailureOf::name);
  if (answer.truncated || answer.lifetime == 0) {
    ++counters_.refused;
    return;
  }
  BOXGRAM_CHECK(answer.body.size() >= key.name().size() + 4);
  const bool whole_name = answer.kind == AnswerKind::nxdomain && answer.answers == 0;
  replace(key, hash, whole_name);
  Entry* entry = insert(key, hash, answer, now);
  if (entry == nullptr) return;
  entry->whole_name = whole_name;
  entry->lifetime = clamp_ttl(answer.lifetime, options_);
  if (options_.min_ttl != 0 || options_.max_ttl != 0) {
    for (std::size_t i = 0; i < entry->ttl_count; ++i) {
      std::uint8_t* ttl = entry->body() + entry->ttl_offsets()[i];
      base::store_be32(ttl, clamp_ttl(base::load_be32(ttl), options_));
    }
  }
  ++counters_.stores;
}

void Cache::store_failure(const QueryKey& key, Rcode rcode, base::Bytes ede_options,
                          base::Instant now, FailureOf of) {
  store_failure_hashed(key, hash_of(key.name()), rcode, ede_options, now, of);
}

void Cache::store_failure_hashed(const QueryKey& key, std::uint32_t hash, Rcode rcode,
                                 base::Bytes ede_options, base::Instant now, FailureOf of) {
  ++counters_.failures_stored;
  std::uint8_t failures = 1;
  if (Entry* entry = find(key, hash); entry != nullptr && !is_gone(*entry, now)) {
    if (entry->kind != AnswerKind::failure) {
      entry->retry_at = now + options_.stale_recheck;
      return;
    }
    const int more = of == FailureOf::name ? 1 : 0;
    failures = static_cast<std::uint8_t>(std::min(entry->failures + more, 255));
  }
  std::uint8_t question[Name::kMaxSize + 4];
  const std::size_t name_size = key.name().size();
  std::memcpy(question, key.name().data(), name_size);
  base::store_be16(question + name_size, key.type());
  base::store_be16(question + name_size + 2, key.rr_class());
  AnswerView answer;
  answer.rcode = rcode;
  answer.body = {question, name_size + 4};
  answer.ede_options = ede_options;
  replace(key, hash, false);
  Entry* entry = insert(key, hash, answer, now);
  if (entry == nullptr) return;
  entry->failures = failures;
  entry->retry_at = now + (of == FailureOf::name ? failure_hold(failures) : kFirstFailureHold);
}

Cache::Entry* Cache::insert(const QueryKey& key, std::uint32_t hash, const AnswerView& answer,
                            base::Instant now) {
  const std::size_t payload =
      2 * answer.ttl_offsets.size() + answer.body.size() + answer.ede_options.size();
  const std::size_t memory = Entry::memory_for(payload);
  if (size_ >= table_size_) grow();
  if (!make_room(memory, now)) {
    ++counters_.refused;
    return nullptr;
  }
  void* block = ::operator new(sizeof(Entry) + payload);
  Entry* entry = new (block) Entry{};
  entry->stored = now;
  entry->retry_at = now;
  entry->hash = hash;
  entry->lifetime = answer.lifetime;
  entry->type = key.type();
  entry->rr_class = key.rr_class();
  entry->rcode = static_cast<std::uint16_t>(answer.rcode);
  entry->answers = answer.answers;
  entry->authorities = answer.authorities;
  entry->additionals = answer.additionals;
  entry->body_size = static_cast<std::uint16_t>(answer.body.size());
  entry->ttl_count = static_cast<std::uint16_t>(answer.ttl_offsets.size());
  entry->ede_size = static_cast<std::uint16_t>(answer.ede_options.size());
  entry->kind = answer.kind;
  entry->bits = key.bits();
  entry->name_size = static_cast<std::uint8_t>(key.name().size());
  entry->authentic = answer.authentic;
  std::copy(answer.ttl_offsets.begin(), answer.ttl_offsets.end(), entry->ttl_offsets());
  std::copy(answer.body.begin(), answer.body.end(), entry->body());
  std::copy(answer.ede_options.begin(), answer.ede_options.end(),
            entry->body() + answer.body.size());
  std::copy(key.name().begin(), key.name().end(), entry->body());
  link(entry);
  entry_bytes_ += memory;
  return entry;
}

void Cache::link(Entry* entry) {
  Entry*& head = table_[entry->hash & (table_size_ - 1)];
  entry->next = head;
  head = entry;
  entry->older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = entry;
  newest_ = entry;
  ++size_;
}

/// Makes way for a new entry of `key`: the one before it, all of its name for an NXDOMAIN, and the
/// oldest of the name when it has too many.
void Cache::replace(const QueryKey& key, std::uint32_t hash, bool whole_name) {
  int same = 0;
  Entry* last = nullptr;
  Entry* next = nullptr;
  for (Entry* entry = table_[hash & (table_size_ - 1)]; entry != nullptr; entry = next) {
    next = entry->next;
    if (entry->hash != hash) continue;
    if (entry->is_same_name(key) &&
        (whole_name || entry->whole_name || entry->type == key.type())) {
      remove(entry);
      continue;
    }
    ++same;
    last = entry;
  }
  if (same >= kMaxPerName) {
    remove(last);
    ++counters_.evictions;
  }
}

void Cache::remove(Entry* entry) {
  Entry** link = &table_[entry->hash & (table_size_ - 1)];
  while (*link != entry) link = &(*link)->next;
  *link = entry->next;
  (entry->newer != nullptr ? entry->newer->older : newest_) = entry->older;
  (entry->older != nullptr ? entry->older->newer : oldest_) = entry->newer;
  if (hand_ == entry) hand_ = entry->newer;
  --size_;
  entry_bytes_ -= entry->memory();
  ::operator delete(entry);
}

void Cache::evict_one(base::Instant now) {
  Entry* entry = hand_ != nullptr ? hand_ : oldest_;
  for (int i = 0; i < kMaxHandSteps && entry->visited && !is_gone(*entry, now); ++i) {
    entry->visited = false;
    entry = entry->newer != nullptr ? entry->newer : oldest_;
  }
  hand_ = entry;
  is_gone(*entry, now) ? ++counters_.expirations : ++counters_.evictions;
  remove(entry);
}

/// False if the entry is too large: one answer may not push out more than a quarter of all.
bool Cache::make_room(std::size_t memory, base::Instant now) {
  if (memory > options_.max_bytes / 4) return false;
  while (size_ != 0 && bytes() + memory > options_.max_bytes) evict_one(now);
  return bytes() + memory <= options_.max_bytes;
}

void Cache::grow() {
  // The table stays below an eighth of the memory: longer chains cost less than lost answers.
  const std::size_t size = 2 * table_size_;
  if (size * sizeof(Entry*) > options_.max_bytes / 8) return;
  table_ = std::make_unique<Entry*[]>(size);
  table_size_ = size;
  for (Entry* entry = oldest_; entry != nullptr; entry = entry->newer) {
    Entry*& head = table_[entry->hash & (size - 1)];
    entry->next = head;
    head = entry;
  }
}

std::size_t Cache::flush(const Name& name) {
  const Name lowered = name.lowered();
  return flush_hashed(lowered.wire(), hash_of(lowered.wire()));
}

std::size_t Cache::flush_hashed(base::Bytes lowered_name, std::uint32_t hash) {
  std::size_t count = 0;
  Entry* next = nullptr;
  for (Entry* entry = table_[hash & (table_size_ - 1)]; entry != nullptr; entry = next) {
    next = entry->next;
    if (entry->hash != hash || !std::ranges::equal(entry->name(), lowered_name)) continue;
    remove(entry);
    ++count;
  }
  counters_.flushed += count;
  return count;
}

std::size_t Cache::flush_suffix(const Name& suffix) {
  std::size_t count = 0;
  Entry* next = nullptr;
  for (Entry* entry = oldest_; entry != nullptr; entry = next) {
    next = entry->newer;
    const auto name = Name::from_wire(entry->name());
    BOXGRAM_CHECK(name.has_value());
    if (!name->is_subdomain_of(suffix)) continue;
    remove(entry);
    ++count;
  }
  counters_.flushed += count;
  return count;
}

std::size_t Cache::flush_all() {
  return flush_suffix(Name());
}

}  // namespace boxgram::dns
