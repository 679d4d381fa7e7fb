#include <algorithm>

#include <boxgram/dns/types.hpp>
#include <boxgram/dns/zone.hpp>

#include "suffix_hashes.hpp"

namespace boxgram::dns {

namespace {

/// The RRset of a type among the sets of a node, or nullptr.
template <class Sets>
auto* set_of(Sets& sets, std::uint16_t type) {
  const auto found =
      std::ranges::find_if(sets, [&](const auto& set) { return set.front().type == type; });
  return found == sets.end() ? nullptr : &*found;
}

/// The node of a name among those that share its hash, or nullptr.
template <class Nodes>
auto* node_of(Nodes& nodes, std::uint64_t hash, const Name& name) {
  const auto [first, last] = nodes.equal_range(hash);
  const auto found =
      std::find_if(first, last, [&](const auto& node) { return node.second.name == name; });
  return found == last ? nullptr : &found->second;
}

std::uint64_t hash_of(const Name& name) {
  return SuffixHashes(name.lowered().wire()).whole();
}

}  // namespace

void Zone::add(ZoneRecord record) {
  const Name lowered = record.owner.lowered();
  const SuffixHashes hashes(lowered.wire());
  for (const auto& suffix : hashes.all().subspan(1)) ancestors_.insert(suffix.hash);
  auto* found = node_of(nodes_, hashes.whole(), record.owner);
  if (found == nullptr) found = &nodes_.emplace(hashes.whole(), Node{record.owner, {}})->second;
  auto* set = set_of(found->sets, record.type);
  if (set == nullptr) set = &found->sets.emplace_back();
  const bool known =
      std::ranges::any_of(*set, [&](const ZoneRecord& r) { return r.rdata == record.rdata; });
  if (known) return;
  set->push_back(std::move(record));
  ++records_;
}

void Zone::add_local(const Name& apex) {
  apexes_.emplace(hash_of(apex), apex);
}

bool Zone::may_hold(const SuffixHashes& hashes) const {
  return !apexes_.empty() || nodes_.contains(hashes.whole());
}

bool Zone::find_apex(const Name& name, Name& apex) const {
  if (apexes_.empty()) return false;
  const Name lowered = name.lowered();
  const SuffixHashes hashes(lowered.wire());
  for (const auto& suffix : hashes.all()) {
    const auto [first, last] = apexes_.equal_range(suffix.hash);
    for (auto i = first; i != last; ++i) {
      if (!name.is_subdomain_of(i->second)) continue;
      apex = i->second;
      return true;
    }
  }
  return false;
}

Zone::Result Zone::find(const Name& name, std::uint16_t type) const {
  Result result;
  Name at = name;
  while (true) {
    const std::uint64_t hash = hash_of(at);
    const Node* here = node_of(nodes_, hash, at);
    if (here == nullptr) {
      // A chain that has left the names with records ends with what was found.
      if (result.set_count > 0) break;
      if (!find_apex(at, result.apex)) return result;
      const bool exists = at == result.apex || ancestors_.contains(hash);
      result.match = exists ? Match::no_data : Match::no_domain;
      return result;
    }
    const auto* set = set_of(here->sets, type);
    const auto* alias = set == nullptr ? set_of(here->sets, rrtype::cname) : nullptr;
    if (set != nullptr || alias != nullptr)
      result.sets[result.set_count++] = set != nullptr ? set : alias;
    if (set != nullptr || result.set_count == result.sets.size()) break;
    if (alias == nullptr) {
      if (result.set_count > 0) break;
      result.match = Match::no_data;
      if (!find_apex(at, result.apex)) result.apex = at;
      return result;
    }
    const auto target = Name::from_wire(alias->front().rdata);
    if (!target) break;
    at = *target;
  }
  result.match = Match::records;
  return result;
}

}  // namespace boxgram::dns
