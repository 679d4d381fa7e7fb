#include "routing_table.hpp"

#include <algorithm>
#include <cstring>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/address_policy.hpp>

#include "network.hpp"

namespace boxgram::dht {
namespace {

bool has_key(const RemoteNode& node) {
  return node.key != crypto::PublicKey{};
}

/// The k nearest seen so far, nearest first.
class Nearest {
 public:
  Nearest(const NodeId& target, std::span<const RoutingTable::Entry*> out)
      : target_(target), out_(out) {}

  [[nodiscard]] bool full() const { return size_ == out_.size(); }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Whatever comes next is farther than everything that has been offered.
  void close_bucket() { first_ = size_; }

  void offer(const RoutingTable::Entry& entry) {
    if (full() && !closer(target_, entry.node.id, out_[size_ - 1]->node.id)) return;
    if (!full()) ++size_;
    std::size_t i = size_ - 1;
    for (; i > first_ && closer(target_, entry.node.id, out_[i - 1]->node.id); --i)
      out_[i] = out_[i - 1];
    out_[i] = &entry;
  }

 private:
  const NodeId& target_;
  std::span<const RoutingTable::Entry*> out_;
  std::size_t size_ = 0;
  std::size_t first_ = 0;  // where the current bucket begins
};

bool bit(const NodeId& id, std::size_t index) {
  return (id.bytes[index / 8] >> (7 - index % 8) & 1) != 0;
}

}  // namespace

RoutingTable::RoutingTable(const NodeId& self) : self_(self) {}

std::size_t RoutingTable::bucket_of(const NodeId& id) const {
  return std::min<std::size_t>(common_prefix(self_, id), NodeId::kBits - 1);
}

void RoutingTable::rebase(const NodeId& self) {
  std::vector<Entry> all;
  for (Bucket& bucket : buckets_) {
    all.insert(all.end(), bucket.live.begin(), bucket.live.end());
    all.insert(all.end(), bucket.spare.begin(), bucket.spare.end());
    bucket = Bucket{};
  }
  self_ = self;
  deepest_ = size_ = 0;
  for (const Entry& entry : all) {
    const std::size_t index = bucket_of(entry.node.id);
    if (entry.node.id == self_ || refusal(entry.node)) continue;
    if (buckets_[index].live.size() < capacity_of(index))
      add(index, entry);
    else
      add_spare(buckets_[index], entry);
  }
}

const RoutingTable::Entry* RoutingTable::find(const NodeId& id,
                                              const base::SocketAddress& address) const {
  for (const Entry& entry : buckets_[bucket_of(id)].live)
    if (entry.node.id == id) return entry.node.address == address ? &entry : nullptr;
  return nullptr;
}

/// How `other`, which is in the table, stands in the way of `node`.
std::optional<Admission> RoutingTable::rival(const Entry& other, const RemoteNode& node,
                                             bool same_bucket) const {
  // At this very endpoint there was another id until now: the answer shows that it is gone.
  if (other.node.address == node.address) return std::nullopt;
  if (other.node.id == node.id) return Admission::id_taken;
  if (is_local(node.address)) return std::nullopt;
  if (other.node.address.ip == node.address.ip) return Admission::same_address;
  if (same_bucket && network_of(other.node.address) == network_of(node.address))
    return Admission::same_network;
  return std::nullopt;
}

std::optional<Admission> RoutingTable::refusal(const RemoteNode& node) const {
  const std::size_t index = bucket_of(node.id);
  for (std::size_t i = 0; i <= deepest_; ++i)
    for (const Entry& entry : buckets_[i].live)
      if (entry.failures < kBad)
        if (const auto reason = rival(entry, node, i == index)) return reason;
  return std::nullopt;
}

/// Removes who stands in the way and is bad, and who was at this endpoint before.
/// REQUIRES: !refusal(node).
void RoutingTable::make_way(const RemoteNode& node) {
  const std::size_t index = bucket_of(node.id);
  for (std::size_t i = 0; i <= deepest_; ++i) {
    std::vector<Entry>& live = buckets_[i].live;
    for (std::size_t k = live.size(); k-- > 0;)
      if (live[k].node.address == node.address || rival(live[k], node, i == index))
        erase(buckets_[i], k);
  }
}

/// The same id or key has shown up elsewhere: what we have of it is checked next.
void RoutingTable::suspect(const RemoteNode& node) {
  for (std::size_t i = 0; i <= deepest_; ++i)
    for (Entry& entry : buckets_[i].live)
      if (entry.node.address != node.address &&
          (entry.node.id == node.id || (has_key(node) && entry.node.key == node.key)))
        entry.heard = entry.asked = base::Instant{};
}

Admission RoutingTable::answered(base::Instant now, const RemoteNode& node) {
  if (node.id == self_) return Admission::own_id;
  const std::size_t index = bucket_of(node.id);
  Bucket& bucket = buckets_[index];
  for (Entry& entry : bucket.live) {
    if (entry.node != node) continue;
    entry.replied = entry.heard = now;
    entry.failures = 0;
    return Admission::known;
  }
  suspect(node);
  if (const auto reason = refusal(node)) return *reason;
  make_way(node);
  std::erase_if(bucket.spare, [&](const Entry& spare) {
    return spare.node.id == node.id || spare.node.address == node.address;
  });
  const Entry entry{node, now, now, {}, 0};
  if (bucket.live.size() < capacity_of(index)) {
    add(index, entry);
    return Admission::entered;
  }
  const auto worst = std::ranges::max_element(bucket.live, {}, &Entry::failures);
  if (worst->failures >= kBad) {
    *worst = entry;
    return Admission::replaced;
  }
  add_spare(bucket, entry);
  return Admission::spare;
}

void RoutingTable::queried(base::Instant now, const NodeId& id, const base::SocketAddress& from) {
  for (Entry& entry : buckets_[bucket_of(id)].live) {
    if (entry.node.id != id) continue;
    // A source address can be forged, so this makes no failing node good.
    if (entry.node.address == from && entry.failures == 0) entry.heard = now;
    return;
  }
}

bool RoutingTable::failed(const NodeId& id, const base::SocketAddress& address) {
  const std::size_t index = bucket_of(id);
  Bucket& bucket = buckets_[index];
  for (std::size_t i = 0; i < bucket.live.size(); ++i) {
    Entry& entry = bucket.live[i];
    if (entry.node.id != id || entry.node.address != address) continue;
    ++entry.failures;
    if (entry.failures < kRemoved && (entry.failures < kBad || bucket.spare.empty())) return false;
    erase(bucket, i);
    fill_from_spares(index);
    return true;
  }
  return false;
}

bool RoutingTable::remove(const NodeId& id, const base::SocketAddress& address) {
  const std::size_t index = bucket_of(id);
  Bucket& bucket = buckets_[index];
  const auto is_it = [&](const Entry& entry) {
    return entry.node.id == id && entry.node.address == address;
  };
  std::erase_if(bucket.spare, is_it);
  const auto found = std::ranges::find_if(bucket.live, is_it);
  if (found == bucket.live.end()) return false;
  erase(bucket, static_cast<std::size_t>(found - bucket.live.begin()));
  fill_from_spares(index);
  return true;
}

bool RoutingTable::wants(const RemoteNode& node) const {
  if (node.id == self_ || find(node.id, node.address) != nullptr) return false;
  const std::size_t index = bucket_of(node.id);
  const Bucket& bucket = buckets_[index];
  const bool room =
      bucket.live.size() < capacity_of(index) ||
      std::ranges::any_of(bucket.live, [](const Entry& e) { return e.failures >= kBad; });
  const bool spare_room =
      bucket.spare.size() < kSpares &&
      std::ranges::none_of(bucket.spare, [&](const Entry& e) { return e.node.id == node.id; });
  return (room || spare_room) && !refusal(node);
}

std::size_t RoutingTable::closest(const NodeId& target, std::span<const Entry*> out,
                                  const base::SocketAddress& except) const {
  Nearest nearest(target, out);
  const auto visit = [&](std::size_t index) {
    for (const Entry& entry : buckets_[index].live)
      if (entry.failures == 0 && entry.node.address != except) nearest.offer(entry);
    nearest.close_bucket();
    return nearest.full();
  };
  // In the target's own bucket ids share more bits with it than anywhere else. The buckets below it
  // differ from it first at its index, and among themselves as the rest of the target says: one
  // whose bit agrees with the target after the flip is nearer than all that lie deeper. The
  // buckets above are the farther, the fewer bits they share.
  const NodeId distance = self_ ^ target;
  const std::size_t own = common_prefix(self_, target);
  if (own <= deepest_ && visit(own)) return nearest.size();
  for (std::size_t i = own + 1; i <= deepest_; ++i)
    if (bit(distance, i) && visit(i)) return nearest.size();
  for (std::size_t i = deepest_; i > own; --i)
    if (!bit(distance, i) && visit(i)) return nearest.size();
  for (std::size_t i = std::min(own, deepest_ + 1); i-- > 0;)
    if (visit(i)) return nearest.size();
  return nearest.size();
}

const RoutingTable::Entry* RoutingTable::take_stalest(base::Instant now, base::Duration age) {
  Entry* stalest = nullptr;
  // One that fails is asked again sooner, so that it is soon gone or good.
  const auto order = [](const Entry& e) {
    return std::pair(e.failures == 0, e.failures == 0 ? std::max(e.heard, e.asked) : e.asked);
  };
  for (std::size_t i = 0; i <= deepest_; ++i) {
    for (Entry& entry : buckets_[i].live) {
      const auto [answers, since] = order(entry);
      if (now - since >= (answers ? age : age / 4) &&
          (stalest == nullptr || order(entry) < order(*stalest)))
        stalest = &entry;
    }
  }
  if (stalest != nullptr) stalest->asked = now;
  return stalest;
}

NodeId RoutingTable::random_in_bucket_of(const NodeId& id, base::Rng& rng) const {
  NodeId random = NodeId::random(rng);
  const std::size_t shared = bucket_of(id) + 1;
  for (std::size_t i = 0; i < shared; ++i) {
    const std::uint8_t mask = static_cast<std::uint8_t>(0x80 >> i % 8);
    random.bytes[i / 8] =
        static_cast<std::uint8_t>((random.bytes[i / 8] & ~mask) | (id.bytes[i / 8] & mask));
  }
  return random;
}

std::size_t RoutingTable::spares() const {
  std::size_t sum = 0;
  for (const Bucket& bucket : buckets_) sum += bucket.spare.size();
  return sum;
}

void RoutingTable::erase(Bucket& bucket, std::size_t index) {
  bucket.live[index] = bucket.live.back();
  bucket.live.pop_back();
  --size_;
}

void RoutingTable::add(std::size_t bucket, const Entry& entry) {
  buckets_[bucket].live.push_back(entry);
  deepest_ = std::max(deepest_, bucket);
  ++size_;
}

void RoutingTable::add_spare(Bucket& bucket, const Entry& entry) {
  const Network network = network_of(entry.node.address);
  if (!is_local(entry.node.address))
    std::erase_if(bucket.spare,
                  [&](const Entry& e) { return network_of(e.node.address) == network; });
  if (bucket.spare.size() == kSpares) bucket.spare.erase(bucket.spare.begin());
  bucket.spare.push_back(entry);
}

void RoutingTable::fill_from_spares(std::size_t bucket) {
  std::vector<Entry>& spare = buckets_[bucket].spare;
  while (!spare.empty() && buckets_[bucket].live.size() < capacity_of(bucket)) {
    const Entry entry = spare.back();
    spare.pop_back();
    if (refusal(entry.node)) continue;
    make_way(entry.node);
    add(bucket, entry);
  }
}

}  // namespace boxgram::dht
