#include "peer_store.hpp"

#include <algorithm>

namespace boxgram::dht {

PeerStore::PeerStore(const NodeId& self, const PeerStoreLimits& limits, base::Rng& rng)
    : self_(self), limits_(limits), hash_(rng), hashes_(0, IdHash(hash_)), share_(hash_) {}

PeerStore::Hashes::iterator PeerStore::erase(Hashes::iterator hash) {
  share_.remove(hash->second.brought_by);
  peers_ -= hash->second.v4.size() + hash->second.v6.size();
  return hashes_.erase(hash);
}

/// Cost: O(hashes), only when full.
bool PeerStore::evict_farther_than(const NodeId& infohash) {
  const auto farthest = std::max_element(
      hashes_.begin(), hashes_.end(),
      [&](const auto& a, const auto& b) { return closer(self_, a.first, b.first); });
  if (farthest == hashes_.end() || !closer(self_, infohash, farthest->first)) return false;
  erase(farthest);
  ++counters_.evicted;
  return true;
}

PeerStore::Hash* PeerStore::place_for(base::Instant now, const NodeId& infohash,
                                      const base::SocketAddress& from) {
  if (const auto found = hashes_.find(infohash); found != hashes_.end()) return &found->second;
  const NetworkShare::Slot slot = share_.slot_of(from);
  if (share_.held(slot) >= limits_.hashes / 8) {
    ++counters_.over_share;
    return nullptr;
  }
  if (hashes_.size() >= limits_.hashes) expire(now);
  if (hashes_.size() >= limits_.hashes && !evict_farther_than(infohash)) {
    ++counters_.too_far;
    return nullptr;
  }
  Hash& made = hashes_[infohash];
  made.brought_by = slot;
  share_.add(slot);
  return &made;
}

bool PeerStore::refresh(const NodeId& infohash, Family family, const Peer& peer) {
  const auto found = hashes_.find(infohash);
  if (found == hashes_.end()) return false;
  std::vector<Peer>& peers = found->second.of(family);
  const auto known = std::ranges::find(peers, peer.compact, &Peer::compact);
  if (known == peers.end()) return false;
  peers.erase(known);
  peers.push_back(peer);
  ++counters_.refreshed;
  return true;
}

/// Within its hash a new peer displaces another port of its own address when that has many, else
/// the one that expires next.
void PeerStore::displace(std::vector<Peer>& peers, const Peer& peer, Family family) {
  const auto ip_size = static_cast<std::ptrdiff_t>(compact_address_size(family) - 2);
  const auto same_ip = [&](const Peer& other) {
    return std::equal(peer.compact.begin(), peer.compact.begin() + ip_size, other.compact.begin());
  };
  auto displaced = peers.end();
  if (std::ranges::count_if(peers, same_ip) >=
      static_cast<std::ptrdiff_t>(limits_.peers_of_address))
    displaced = std::ranges::find_if(peers, same_ip);
  else if (peers.size() >= limits_.peers_of_hash)
    displaced = peers.begin();
  if (displaced == peers.end()) return;
  peers.erase(displaced);
  --peers_;
  ++counters_.displaced;
}

bool PeerStore::announce(base::Instant now, const NodeId& infohash, const base::SocketAddress& from,
                         bool seed) {
  const Family family = family_of(from);
  Peer peer{{}, seed, now + kLifetime};
  base::Writer compact(peer.compact);
  write_compact(compact, from);
  if (refresh(infohash, family, peer)) return true;

  if (peers_ >= limits_.peers) expire(now);
  if (peers_ >= limits_.peers && !evict_farther_than(infohash)) {
    ++counters_.too_far;
    return false;
  }
  Hash* hash = place_for(now, infohash, from);
  if (hash == nullptr) return false;
  std::vector<Peer>& peers = hash->of(family);
  displace(peers, peer, family);
  peers.push_back(peer);
  ++peers_;
  ++counters_.stored;
  return true;
}

void PeerStore::expire(base::Instant now) {
  for (auto hash = hashes_.begin(); hash != hashes_.end();) {
    for (const Family family : {Family::v4, Family::v6}) {
      std::vector<Peer>& peers = hash->second.of(family);
      const auto live =
          std::ranges::find_if(peers, [&](const Peer& peer) { return peer.expires > now; });
      counters_.expired += static_cast<std::uint64_t>(live - peers.begin());
      peers_ -= static_cast<std::size_t>(live - peers.begin());
      peers.erase(peers.begin(), live);
    }
    hash = hash->second.v4.empty() && hash->second.v6.empty() ? erase(hash) : std::next(hash);
  }
}

}  // namespace boxgram::dht
