#include "item_store.hpp"

#include <algorithm>

namespace boxgram::dht {

ItemStore::ItemStore(const NodeId& self, base::Rng& rng, std::size_t capacity)
    : self_(self), capacity_(capacity), hash_(rng), items_(0, IdHash(hash_)), share_(hash_) {}

ItemStore::Items::iterator ItemStore::erase(Items::iterator item) {
  share_.remove(item->second.brought_by);
  return items_.erase(item);
}

std::optional<ErrorCode> ItemStore::conflict(base::Instant now, const NodeId& target,
                                             const Item& item, std::optional<std::int64_t> cas) {
  if (!item.author) return std::nullopt;
  const auto found = items_.find(target);
  const bool here = found != items_.end() && found->second.expires > now && found->second.author;
  if (!here) return std::nullopt;
  const Stored& stored = found->second;
  const std::int64_t sequence = stored.author->sequence;
  if (cas && *cas != sequence) {
    ++counters_.cas_mismatch;
    return ErrorCode::cas_mismatch;
  }
  const bool same_value = std::ranges::equal(stored.value, item.value);
  if (item.author->sequence < sequence || (item.author->sequence == sequence && !same_value)) {
    ++counters_.sequence_too_low;
    return ErrorCode::sequence_too_low;
  }
  return std::nullopt;
}

bool ItemStore::make_room(base::Instant now, const NodeId& target) {
  if (items_.size() < capacity_) return true;
  expire(now);
  if (items_.size() < capacity_) return true;
  const auto farthest = std::max_element(
      items_.begin(), items_.end(),
      [&](const auto& a, const auto& b) { return closer(self_, a.first, b.first); });
  if (!closer(self_, target, farthest->first)) return false;
  erase(farthest);
  ++counters_.evicted;
  return true;
}

std::optional<ErrorCode> ItemStore::put(base::Instant now, const NodeId& target, const Item& item,
                                        std::optional<std::int64_t> cas,
                                        const base::SocketAddress& from) {
  if (const auto error = conflict(now, target, item, cas)) return error;
  auto place = items_.find(target);
  if (place == items_.end()) {
    const NetworkShare::Slot slot = share_.slot_of(from);
    if (share_.held(slot) >= std::max<std::size_t>(capacity_ / 8, 1)) {
      ++counters_.over_share;
      return ErrorCode::server;
    }
    if (!make_room(now, target)) {
      ++counters_.too_far;
      return ErrorCode::server;
    }
    place = items_.try_emplace(target).first;
    place->second.brought_by = slot;
    share_.add(slot);
    ++counters_.stored;
  } else {
    ++(std::ranges::equal(place->second.value, item.value) ? counters_.refreshed
                                                           : counters_.replaced);
  }
  Stored& stored = place->second;
  stored.value.assign(item.value.begin(), item.value.end());
  stored.author = item.author;
  if (stored.author) stored.author->salt = {};
  stored.expires = now + kLifetime;
  return std::nullopt;
}

std::optional<Item> ItemStore::find(base::Instant now, const NodeId& target) const {
  const auto found = items_.find(target);
  if (found == items_.end() || found->second.expires <= now) return std::nullopt;
  return Item{found->second.value, found->second.author};
}

void ItemStore::expire(base::Instant now) {
  for (auto item = items_.begin(); item != items_.end();) {
    const bool over = item->second.expires <= now;
    counters_.expired += over;
    item = over ? erase(item) : std::next(item);
  }
}

}  // namespace boxgram::dht
