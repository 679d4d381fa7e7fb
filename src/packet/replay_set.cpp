#include "replay_set.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::packet {
namespace {

constexpr std::size_t kFirstSlots = 64;

}  // namespace

ReplaySet::ReplaySet(std::size_t capacity, base::Rng& rng, base::Instant now)
    : key_(rng), capacity_(capacity), started_(now) {
  BOXGRAM_CHECK(capacity >= kFirstSlots && (capacity & (capacity - 1)) == 0);
}

bool ReplaySet::Generation::contains(std::uint64_t key) const {
  if (slots.empty()) return false;
  const std::size_t mask = slots.size() - 1;
  for (std::size_t i = key & mask; slots[i] != 0; i = (i + 1) & mask)
    if (slots[i] == key) return true;
  return false;
}

void ReplaySet::Generation::add(std::uint64_t key) {
  const std::size_t mask = slots.size() - 1;
  std::size_t i = key & mask;
  while (slots[i] != 0) i = (i + 1) & mask;
  slots[i] = key;
  ++count;
}

void ReplaySet::Generation::grow() {
  std::vector<std::uint64_t> old(std::max(kFirstSlots, slots.size() * 2));
  old.swap(slots);
  count = 0;
  for (const std::uint64_t key : old)
    if (key != 0) add(key);
}

void ReplaySet::Generation::clear() {
  std::fill(slots.begin(), slots.end(), 0);
  count = 0;
}

ReplaySet::Insert ReplaySet::insert(base::Instant now, base::Bytes tag) {
  advance(now);
  const std::uint64_t key = std::max<std::uint64_t>(key_(tag), 1);
  if (current_.contains(key) || previous_.contains(key)) return Insert::seen;
  // At seven eighths a search for a new key still looks at about 32 neighbours, half a page line.
  if (current_.count >= current_.slots.size() / 8 * 7) {
    if (current_.slots.size() >= capacity_) return Insert::full;
    current_.grow();
  }
  current_.add(key);
  return Insert::fresh;
}

void ReplaySet::advance(base::Instant now) {
  if (now < next()) return;
  std::swap(current_, previous_);
  current_.clear();
  if (now >= next() + kGeneration) previous_.clear();
  started_ = now;
}

}  // namespace boxgram::packet
