// Who has announced which infohash to us. Source: BEP 5 "announce_peer", BEP 32, BEP 33.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/contact.hpp>

#include "id_hash.hpp"
#include "network_share.hpp"

namespace boxgram::dht {

struct PeerStoreLimits {
  std::size_t hashes = 16384;
  /// In each family. A reply carries 50 of them; 500 keep the choice wide.
  std::size_t peers_of_hash = 500;
  /// Of all hashes together, 32 bytes each: 4 MiB.
  std::size_t peers = 131072;
  /// Ports of one address in one hash: hosts behind one NAT, but not a whole list.
  std::size_t peers_of_address = 8;
};

struct PeerStoreCounters {
  std::uint64_t stored = 0, refreshed = 0, expired = 0;
  std::uint64_t displaced = 0;   ///< peers that gave way to newer ones of their hash
  std::uint64_t evicted = 0;     ///< hashes that gave way to one nearer to our id
  std::uint64_t too_far = 0;     ///< refused: full of nearer hashes
  std::uint64_t over_share = 0;  ///< refused: its network has an eighth of all hashes
};

/// Bounded, expiring. When it is full of hashes or of peers, the hash farthest from our id goes,
/// because it is the least ours to keep; a network may bring in an eighth of the hashes, so that
/// nobody alone can push out the rest with hashes made up near our id.
class PeerStore {
 public:
  /// BEP 5 has clients announce again every 30 minutes at the latest; half as much for a late one.
  static constexpr base::Duration kLifetime = std::chrono::minutes(45);

  PeerStore(const NodeId& self, const PeerStoreLimits& limits, base::Rng& rng);
  PeerStore(const PeerStore&) = delete;
  PeerStore& operator=(const PeerStore&) = delete;

  void rebase(const NodeId& self) { self_ = self; }

  /// True if it is kept now. `from` is whoever announced, at the port he named.
  bool announce(base::Instant now, const NodeId& infohash, const base::SocketAddress& from,
                bool seed);

  /// Calls f(compact address) for up to `count` peers of the family, from a random place on, so
  /// that over many replies all are named equally often. With `no_seeds` only for those that still
  /// download. Gives how many there were. Cost: O(count) without `no_seeds`; no allocation.
  template <class F>
  std::size_t sample(base::Instant now, const NodeId& infohash, Family family, bool no_seeds,
                     std::size_t count, base::Rng& rng, F&& f) const {
    const auto found = hashes_.find(infohash);
    if (found == hashes_.end()) return 0;
    const std::vector<Peer>& peers = found->second.of(family);
    if (peers.empty()) return 0;
    std::size_t given = 0;
    const std::size_t start = peers.size() <= count ? 0 : rng.below(peers.size());
    for (std::size_t i = 0; i < peers.size() && given < count; ++i) {
      const Peer& peer = peers[(start + i) % peers.size()];
      if (peer.expires <= now || (no_seeds && peer.seed)) continue;
      f(base::Bytes(peer.compact).first(compact_address_size(family)));
      ++given;
    }
    return given;
  }

  /// Drops what has expired. Cost: O(hashes); once a minute is plenty, since sample() looks too.
  void expire(base::Instant now);

  [[nodiscard]] std::size_t hashes() const { return hashes_.size(); }
  [[nodiscard]] std::size_t peers() const { return peers_; }
  [[nodiscard]] const PeerStoreCounters& counters() const { return counters_; }

 private:
  struct Peer {
    std::array<std::uint8_t, 18> compact{};
    bool seed = false;
    base::Instant expires{};
  };
  struct Hash {
    std::vector<Peer> v4, v6;  // the next to expire first
    NetworkShare::Slot brought_by = 0;

    [[nodiscard]] const std::vector<Peer>& of(Family family) const {
      return family == Family::v4 ? v4 : v6;
    }
    [[nodiscard]] std::vector<Peer>& of(Family family) { return family == Family::v4 ? v4 : v6; }
  };
  using Hashes = std::unordered_map<NodeId, Hash, IdHash>;

  bool refresh(const NodeId& infohash, Family family, const Peer& peer);
  void displace(std::vector<Peer>& peers, const Peer& peer, Family family);
  Hash* place_for(base::Instant now, const NodeId& infohash, const base::SocketAddress& from);
  bool evict_farther_than(const NodeId& infohash);
  Hashes::iterator erase(Hashes::iterator hash);

  NodeId self_;
  PeerStoreLimits limits_;
  crypto::ShortHashKey hash_;
  Hashes hashes_;
  NetworkShare share_;
  std::size_t peers_ = 0;
  PeerStoreCounters counters_;
};

}  // namespace boxgram::dht
