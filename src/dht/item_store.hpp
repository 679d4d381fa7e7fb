// Items that others have put here. Source: BEP 44.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/item.hpp>

#include "id_hash.hpp"
#include "network_share.hpp"

namespace boxgram::dht {

struct ItemStoreCounters {
  std::uint64_t stored = 0, replaced = 0, refreshed = 0, expired = 0;
  std::uint64_t evicted = 0;     ///< gave way to one nearer to our id
  std::uint64_t too_far = 0;     ///< refused: full of nearer ones
  std::uint64_t over_share = 0;  ///< refused: its network has an eighth of the items
  std::uint64_t cas_mismatch = 0, sequence_too_low = 0;
};

/// Bounded and expiring, with the eviction rule of PeerStore. Each item takes up to 1.2 KiB.
class ItemStore {
 public:
  /// BEP 44 has owners put again every hour.
  static constexpr base::Duration kLifetime = std::chrono::hours(2);
  /// 5 MiB when full.
  static constexpr std::size_t kCapacity = 4096;

  ItemStore(const NodeId& self, base::Rng& rng, std::size_t capacity = kCapacity);
  ItemStore(const ItemStore&) = delete;
  ItemStore& operator=(const ItemStore&) = delete;

  void rebase(const NodeId& self) { self_ = self; }

  /// Why an item of this target may not replace what is here: cas_mismatch, sequence_too_low (also
  /// the same number with another value). Costs a lookup: ask before a signature is verified.
  std::optional<ErrorCode> conflict(base::Instant now, const NodeId& target, const Item& item,
                                    std::optional<std::int64_t> cas);

  /// Keeps a copy; one that is here already lives on. Nothing on success, else the error:
  /// cas_mismatch, sequence_too_low, or server: full of items nearer to us, or of this network's.
  /// REQUIRES: target == target_of(item); check(item) found nothing.
  std::optional<ErrorCode> put(base::Instant now, const NodeId& target, const Item& item,
                               std::optional<std::int64_t> cas, const base::SocketAddress& from);

  /// A view of the item, good until the store changes; the salt is empty. Cost: one lookup.
  [[nodiscard]] std::optional<Item> find(base::Instant now, const NodeId& target) const;

  /// Drops what has expired. Cost: O(items).
  void expire(base::Instant now);

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] const ItemStoreCounters& counters() const { return counters_; }

 private:
  struct Stored {
    std::vector<std::uint8_t> value;
    std::optional<Authorship> author;  // its salt empty: the target stands for it
    base::Instant expires{};
    NetworkShare::Slot brought_by = 0;
  };
  using Items = std::unordered_map<NodeId, Stored, IdHash>;

  bool make_room(base::Instant now, const NodeId& target);
  Items::iterator erase(Items::iterator item);

  NodeId self_;
  std::size_t capacity_;
  crypto::ShortHashKey hash_;
  Items items_;
  NetworkShare share_;
  ItemStoreCounters counters_;
};

}  // namespace boxgram::dht
