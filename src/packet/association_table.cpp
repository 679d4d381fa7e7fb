#include "association_table.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::packet {

AssociationTable::AssociationTable(const ServerConfig& config, base::Rng& rng,
                                   ServerCounters& counters)
    : prefix_key_(rng),
      lifetime_(config.association_lifetime),
      per_prefix_(config.probation_per_prefix),
      counters_(counters),
      index_(64),
      per_prefix_count_(kPrefixSlots),
      per_prefix_confirmed_(kPrefixSlots) {
  BOXGRAM_CHECK(config.max_associations >= 2 && config.max_associations < kNone);
  probation_.capacity = std::max<std::size_t>(config.max_associations / 4, 1);
  confirmed_.capacity = config.max_associations - probation_.capacity;
  confirmed_share_ = std::max<std::size_t>(confirmed_.capacity / 4, 1);
}

std::uint32_t AssociationTable::prefix_slot(const base::SocketAddress& from) const {
  return static_cast<std::uint32_t>(prefix_key_(from.prefix()) % kPrefixSlots);
}

// A sid is random, and its first byte names the worker: its last bytes are as good as a hash.
std::size_t AssociationTable::home(const SessionId& sid) const {
  return base::load_be32(sid.data() + 4) & (index_.size() - 1);
}

Association* AssociationTable::find(base::Instant now, const SessionId& sid) {
  for (std::size_t i = home(sid); index_[i] != 0; i = (i + 1) & (index_.size() - 1)) {
    Association& association = slots_[index_[i] - 1];
    if (association.sid != sid) continue;
    if (now < association.made_at + lifetime_ + kGrace) return &association;
    release(association);
    ++counters_.associations_expired;
    return nullptr;
  }
  return nullptr;
}

bool AssociationTable::crowded(const base::SocketAddress& from) const {
  return probation_.size >= probation_.capacity ||
         per_prefix_count_[prefix_slot(from)] >= per_prefix_;
}

Association& AssociationTable::make(base::Instant now, const NewAssociation& with,
                                    const crypto::SharedKey& key) {
  if (probation_.size >= probation_.capacity) {
    release(slots_[probation_.head]);
    ++counters_.associations_evicted;
  }
  Association& association = take_slot();
  association.key = key.copy();
  association.sid = with.sid;
  association.cid = with.cid;
  association.key_id = with.key_id;
  association.window = {};
  association.peer = with.peer;
  association.made_at = now;
  association.last_seen = now;
  association.offered_serial = with.key_serial;
  association.offers = 0;
  association.confirmed = false;
  association.used_ = true;
  association.prefix_slot_ = prefix_slot(with.peer);
  ++per_prefix_count_[association.prefix_slot_];
  push_back(probation_, association);
  index_insert(association);
  ++counters_.associations_made;
  return association;
}

void AssociationTable::touch(base::Instant now, Association& association) {
  association.last_seen = now;
  if (association.confirmed) {
    unlink(confirmed_, association);
    push_back(confirmed_, association);
    return;
  }
  if (confirmed_.size >= confirmed_.capacity) {
    Association& oldest = slots_[confirmed_.head];
    if (per_prefix_confirmed_[association.prefix_slot_] >= confirmed_share_ &&
        oldest.prefix_slot_ != association.prefix_slot_)
      return;
    release(oldest);
    ++counters_.associations_evicted;
  }
  leave_probation(association);
  association.confirmed = true;
  push_back(confirmed_, association);
  ++per_prefix_confirmed_[association.prefix_slot_];
  ++counters_.associations_confirmed;
}

void AssociationTable::expire(base::Instant now) {
  while (probation_.size > 0 && slots_[probation_.head].made_at + kProbation <= now) {
    release(slots_[probation_.head]);
    ++counters_.associations_expired;
  }
  while (confirmed_.size > 0 && slots_[confirmed_.head].last_seen + lifetime_ + kGrace <= now) {
    release(slots_[confirmed_.head]);
    ++counters_.associations_expired;
  }
}

std::optional<base::Instant> AssociationTable::next() const {
  std::optional<base::Instant> next;
  if (probation_.size > 0) next = slots_[probation_.head].made_at + kProbation;
  if (confirmed_.size > 0) {
    const base::Instant at = slots_[confirmed_.head].last_seen + lifetime_ + kGrace;
    if (!next || at < *next) next = at;
  }
  return next;
}

void AssociationTable::push_back(List& list, Association& association) {
  association.prev_ = list.tail;
  association.next_ = kNone;
  (list.tail == kNone ? list.head : slots_[list.tail].next_) = association.index_;
  list.tail = association.index_;
  ++list.size;
}

void AssociationTable::unlink(List& list, Association& association) {
  (association.prev_ == kNone ? list.head : slots_[association.prev_].next_) = association.next_;
  (association.next_ == kNone ? list.tail : slots_[association.next_].prev_) = association.prev_;
  --list.size;
}

void AssociationTable::leave_probation(Association& association) {
  unlink(probation_, association);
  --per_prefix_count_[association.prefix_slot_];
}

void AssociationTable::release(Association& association) {
  if (association.confirmed) {
    unlink(confirmed_, association);
    --per_prefix_confirmed_[association.prefix_slot_];
  } else {
    leave_probation(association);
  }
  index_erase(association);
  crypto::wipe(association.key.bytes());
  association.used_ = false;
  free_.push_back(association.index_);
}

Association& AssociationTable::take_slot() {
  if (!free_.empty()) {
    Association& association = slots_[free_.back()];
    free_.pop_back();
    return association;
  }
  if ((slots_.size() + 1) * 2 > index_.size()) index_grow();
  Association& association = slots_.emplace_back();
  association.index_ = static_cast<std::uint32_t>(slots_.size() - 1);
  free_.reserve(slots_.size());  // release() never allocates
  return association;
}

void AssociationTable::index_insert(const Association& association) {
  std::size_t i = home(association.sid);
  while (index_[i] != 0) i = (i + 1) & (index_.size() - 1);
  index_[i] = association.index_ + 1;
}

// Closes the gap by moving later members of the same run back, so that no marker is left behind.
void AssociationTable::index_erase(const Association& association) {
  const std::size_t mask = index_.size() - 1;
  std::size_t gap = home(association.sid);
  while (index_[gap] != association.index_ + 1) gap = (gap + 1) & mask;
  for (std::size_t i = (gap + 1) & mask; index_[i] != 0; i = (i + 1) & mask) {
    const std::size_t wanted = home(slots_[index_[i] - 1].sid);
    if (((i - wanted) & mask) < ((i - gap) & mask)) continue;
    index_[gap] = index_[i];
    gap = i;
  }
  index_[gap] = 0;
}

void AssociationTable::index_grow() {
  index_.assign(index_.size() * 2, 0);
  for (const Association& association : slots_)
    if (association.used_) index_insert(association);
}

}  // namespace boxgram::packet
