#include "routing_table.hpp"

#include <algorithm>
#include <cstring>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/address_policy.hpp>

#include "network.hpp"

namespace boxgram::dht {
namespace {

std::uint64_t head_of(const NodeId& id) {
  return base::load_be64(id.bytes.data());
}

/// IPv4 addresses as they are, IPv6 ones folded: equal for equal addresses, and seldom otherwise.
std::uint64_t shortened(const base::SocketAddress& address) {
  return base::load_be64(address.ip.data()) * 3 ^ base::load_be64(address.ip.data() + 8);
}

bool bit(const NodeId& id, std::size_t index) {
  return (id.bytes[index / 8] >> (7 - index % 8) & 1) != 0;
}

}  // namespace

/// The k nearest seen so far, nearest first.
class RoutingTable::Nearest {
 public:
  Nearest(const NodeId& target, std::span<const Entry*> out)
      : target_(target), head_(head_of(target)), out_(out) {}

  [[nodiscard]] std::size_t size() const { return size_; }

  /// Takes from a bucket that lies farther than all that were offered before. True when full.
  bool offer(const Bucket& bucket, const base::SocketAddress& except) {
    const std::size_t first = size_;
    for (std::size_t i = 0; i < bucket.heads.size(); ++i) {
      const std::uint64_t distance = bucket.heads[i] ^ head_;
      if (size_ == out_.size() && distance > distances_[size_ - 1]) continue;
      const Entry& entry = bucket.live[i];
      if (entry.failures == 0 && entry.node.address != except) insert(first, distance, entry);
    }
    return size_ == out_.size();
  }

 private:
  void insert(std::size_t first, std::uint64_t distance, const Entry& entry) {
    const auto before = [&](std::size_t k) {
      return distance != distances_[k] ? distance < distances_[k]
                                       : closer(target_, entry.node.id, out_[k]->node.id);
    };
    std::size_t place = size_;
    while (place > first && before(place - 1)) --place;
    if (place == out_.size()) return;
    if (size_ < out_.size()) ++size_;
    for (std::size_t k = size_ - 1; k > place; --k) {
      distances_[k] = distances_[k - 1];
      out_[k] = out_[k - 1];
    }
    distances_[place] = distance;
    out_[place] = &entry;
  }

  const NodeId& target_;
  std::uint64_t head_;
  std::span<const Entry*> out_;
  std::array<std::uint64_t, kMaxClosest> distances_;
  std::size_t size_ = 0;
};

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
  addresses_.clear();
  deepest_ = size_ = 0;
  for (const Entry& entry : all) {
    const std::size_t index = bucket_of(entry.node.id);
    if (entry.node.id == self_ || refusal(entry)) continue;
    make_way(entry);
    if (buckets_[index].live.size() < capacity_of(index))
      add(index, entry);
    else
      add_spare(buckets_[index], entry);
  }
}

std::size_t RoutingTable::index_of(const Bucket& bucket, const NodeId& id) {
  const std::uint64_t head = head_of(id);
  std::size_t i = 0;
  while (i < bucket.heads.size() && (bucket.heads[i] != head || bucket.live[i].node.id != id)) ++i;
  return i;
}

const RoutingTable::Entry* RoutingTable::find(const NodeId& id,
                                              const base::SocketAddress& address) const {
  const Bucket& bucket = buckets_[bucket_of(id)];
  const std::size_t index = index_of(bucket, id);
  if (index == bucket.live.size()) return nullptr;
  const Entry& entry = bucket.live[index];
  return entry.node.address == address ? &entry : nullptr;
}

/// Whether `other`, which is in the table, stands in the way of `entry`, which has another id.
std::optional<Admission> RoutingTable::rival(const Entry& other, const Entry& entry) {
  if (other.network != entry.network || is_local(entry.node.address)) return std::nullopt;
  // At this very endpoint there was another id until now: the answer shows that it is gone.
  if (other.node.address == entry.node.address) return std::nullopt;
  return other.node.address.ip == entry.node.address.ip ? Admission::same_address
                                                        : Admission::same_network;
}

/// False: certainly nobody in the table has this IP address.
bool RoutingTable::may_have(const base::SocketAddress& address) const {
  return std::ranges::find(addresses_, shortened(address)) != addresses_.end();
}

std::optional<Admission> RoutingTable::refusal(const Entry& entry) const {
  const std::size_t index = bucket_of(entry.node.id);
  const Bucket& bucket = buckets_[index];
  if (const std::size_t place = index_of(bucket, entry.node.id); place < bucket.live.size())
    if (bucket.live[place].failures < kBad && bucket.live[place].node.address != entry.node.address)
      return Admission::id_taken;
  for (const Entry& other : bucket.live)
    if (const auto reason = rival(other, entry); reason && other.failures < kBad) return reason;
  if (!may_have(entry.node.address)) return std::nullopt;
  for (std::size_t i = 0; i <= deepest_; ++i)
    for (const Entry& other : buckets_[i].live)
      if (rival(other, entry) == Admission::same_address && other.failures < kBad)
        return Admission::same_address;
  return std::nullopt;
}

/// Removes who stands in the way and is bad, and who was at this endpoint before.
/// REQUIRES: !refusal(entry).
void RoutingTable::make_way(const Entry& entry) {
  Bucket& bucket = buckets_[bucket_of(entry.node.id)];
  if (const std::size_t place = index_of(bucket, entry.node.id); place < bucket.live.size())
    erase(bucket, place);
  for (std::size_t k = bucket.live.size(); k-- > 0;)
    if (rival(bucket.live[k], entry)) erase(bucket, k);
  if (!may_have(entry.node.address)) return;
  for (std::size_t i = 0; i <= deepest_; ++i) {
    std::vector<Entry>& live = buckets_[i].live;
    for (std::size_t k = live.size(); k-- > 0;)
      if (live[k].node.address == entry.node.address ||
          rival(live[k], entry) == Admission::same_address)
        erase(buckets_[i], k);
  }
}

/// The same id or key has shown up elsewhere: what we have of it is checked next.
void RoutingTable::suspect(const RemoteNode& node) {
  const auto check_next = [](Entry& entry) {
    entry.replied = entry.heard = entry.asked = base::Instant{};
  };
  Bucket& bucket = buckets_[bucket_of(node.id)];
  if (const std::size_t place = index_of(bucket, node.id); place < bucket.live.size())
    check_next(bucket.live[place]);
  if (node.key == crypto::PublicKey{}) return;
  for (std::size_t i = 0; i <= deepest_; ++i)
    for (Entry& entry : buckets_[i].live)
      if (entry.node.key == node.key) check_next(entry);
}

Admission RoutingTable::answered(base::Instant now, const RemoteNode& node) {
  if (node.id == self_) return Admission::own_id;
  const std::size_t index = bucket_of(node.id);
  Bucket& bucket = buckets_[index];
  const std::size_t place = index_of(bucket, node.id);
  if (place < bucket.live.size() && bucket.live[place].node == node) {
    bucket.live[place].replied = bucket.live[place].heard = now;
    bucket.live[place].failures = 0;
    return Admission::known;
  }
  const Entry entry{node, network_of(node.address), now, now, {}, 0};
  suspect(node);
  if (const auto reason = refusal(entry)) return *reason;
  make_way(entry);
  std::erase_if(bucket.spare, [&](const Entry& spare) {
    return spare.node.id == node.id || spare.node.address == node.address;
  });
  if (bucket.live.size() < capacity_of(index)) {
    add(index, entry);
    return Admission::entered;
  }
  const auto worst = std::ranges::max_element(bucket.live, {}, &Entry::failures);
  if (worst->failures >= kBad) {
    erase(bucket, static_cast<std::size_t>(worst - bucket.live.begin()));
    add(index, entry);
    return Admission::replaced;
  }
  add_spare(bucket, entry);
  return Admission::spare;
}

void RoutingTable::queried(base::Instant now, const NodeId& id, const base::SocketAddress& from) {
  Bucket& bucket = buckets_[bucket_of(id)];
  const std::size_t place = index_of(bucket, id);
  if (place == bucket.live.size()) return;
  Entry& entry = bucket.live[place];
  // A source address can be forged, so this makes no failing node good.
  if (entry.node.address == from && entry.failures == 0) entry.heard = now;
}

bool RoutingTable::failed(const NodeId& id, const base::SocketAddress& address) {
  const std::size_t index = bucket_of(id);
  Bucket& bucket = buckets_[index];
  const std::size_t place = index_of(bucket, id);
  if (place == bucket.live.size() || bucket.live[place].node.address != address) return false;
  const std::uint8_t failures = ++bucket.live[place].failures;
  if (failures < kRemoved && (failures < kBad || bucket.spare.empty())) return false;
  erase(bucket, place);
  fill_from_spares(index);
  return true;
}

bool RoutingTable::remove(const NodeId& id, const base::SocketAddress& address) {
  const std::size_t index = bucket_of(id);
  Bucket& bucket = buckets_[index];
  std::erase_if(bucket.spare, [&](const Entry& entry) {
    return entry.node.id == id && entry.node.address == address;
  });
  const std::size_t place = index_of(bucket, id);
  if (place == bucket.live.size() || bucket.live[place].node.address != address) return false;
  erase(bucket, place);
  fill_from_spares(index);
  return true;
}

bool RoutingTable::wants(const RemoteNode& node) const {
  const std::size_t index = bucket_of(node.id);
  const Bucket& bucket = buckets_[index];
  // Where there are spares no bad node waits to be replaced, so nothing else makes room.
  if (bucket.live.size() == capacity_of(index) && bucket.spare.size() == kSpares) return false;
  if (node.id == self_ || find(node.id, node.address) != nullptr) return false;
  if (std::ranges::any_of(bucket.spare, [&](const Entry& e) { return e.node.id == node.id; }))
    return false;
  return !refusal(Entry{node, network_of(node.address), {}, {}, {}, 0});
}

std::size_t RoutingTable::closest(const NodeId& target, std::span<const Entry*> out,
                                  const base::SocketAddress& except) const {
  BOXGRAM_CHECK(!out.empty() && out.size() <= kMaxClosest);
  Nearest nearest(target, out);
  const auto visit = [&](std::size_t index) { return nearest.offer(buckets_[index], except); };
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

const RoutingTable::Entry* RoutingTable::take_stalest(base::Instant now, base::Duration age,
                                                      std::size_t first) {
  Entry* stalest = nullptr;
  // One that fails is asked again sooner, so that it is soon gone or good.
  const auto order = [](const Entry& e) {
    return std::pair(e.failures == 0, e.failures == 0 ? std::max(e.replied, e.asked) : e.asked);
  };
  for (std::size_t i = first; i <= deepest_; ++i) {
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
  const auto address = std::ranges::find(addresses_, shortened(bucket.live[index].node.address));
  *address = addresses_.back();
  addresses_.pop_back();
  bucket.live[index] = bucket.live.back();
  bucket.live.pop_back();
  bucket.heads[index] = bucket.heads.back();
  bucket.heads.pop_back();
  --size_;
}

void RoutingTable::add(std::size_t bucket, const Entry& entry) {
  buckets_[bucket].live.push_back(entry);
  buckets_[bucket].heads.push_back(head_of(entry.node.id));
  addresses_.push_back(shortened(entry.node.address));
  deepest_ = std::max(deepest_, bucket);
  ++size_;
}

void RoutingTable::add_spare(Bucket& bucket, const Entry& entry) {
  if (!is_local(entry.node.address))
    std::erase_if(bucket.spare, [&](const Entry& e) { return e.network == entry.network; });
  if (bucket.spare.size() == kSpares) bucket.spare.erase(bucket.spare.begin());
  bucket.spare.push_back(entry);
}

void RoutingTable::fill_from_spares(std::size_t bucket) {
  std::vector<Entry>& spare = buckets_[bucket].spare;
  while (!spare.empty() && buckets_[bucket].live.size() < capacity_of(bucket)) {
    const Entry entry = spare.back();
    spare.pop_back();
    if (refusal(entry)) continue;
    make_way(entry);
    add(bucket, entry);
  }
}

}  // namespace boxgram::dht
