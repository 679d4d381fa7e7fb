// The nodes that we know, dense around our own id and thin elsewhere. Source: BEP 5 "Routing
// Table"; extended buckets and replacement cache as in libtorrent.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <boxgram/base/time.hpp>
#include <boxgram/dht/remote_node.hpp>

#include "network.hpp"

namespace boxgram::dht {

/// What became of a node that has answered us.
enum class Admission : std::uint8_t {
  entered,       ///< new, in its bucket
  known,         ///< was there already
  replaced,      ///< new, in the place of one that fails
  spare,         ///< its bucket is full of nodes that answer: kept to replace one of them
  own_id,        ///< refused: claims our id
  same_address,  ///< refused: another node that answers has its IP address
  same_network,  ///< refused: another node in its bucket that answers has its network
  id_taken,      ///< refused: another node that answers has its id at another address
  count_
};

/// Buckets by the length of the prefix shared with our id: 128, 64, 32 and 16 entries in the first
/// four, which make a lookup's first step a long one, then k = 8. Beside each, up to 8 spares.
/// For one overlay and one address family.
///
/// Who may enter: only a node that has answered a request of our own (the caller's duty), one for
/// an IP address in the table and one for a network in a bucket; local addresses are exempt from
/// the last two, because whoever is there is inside already.
/// State of a node: good if it answered, or was heard of again, within 15 minutes; questionable
/// otherwise; failing, and not handed out, after an unanswered request; bad after two: then any
/// other takes its place; after four it is removed anyway.
class RoutingTable {
 public:
  static constexpr std::size_t kK = 8;
  static constexpr std::size_t kSpares = 8;
  static constexpr std::uint8_t kBad = 2;
  static constexpr std::uint8_t kRemoved = 4;
  static constexpr std::size_t kMaxClosest = 32;
  /// From this bucket on nobody knows the nodes there better than we.
  static constexpr std::size_t kNear = 4;
  static constexpr base::Duration kGood = std::chrono::minutes(15);

  struct Entry {
    RemoteNode node;
    Network network = 0;
    base::Instant replied{};  ///< last answer to a request of ours
    base::Instant heard{};    ///< that or, later, a query of it
    base::Instant asked{};    ///< last try to refresh it
    std::uint8_t failures = 0;

    [[nodiscard]] bool good(base::Instant now) const {
      return failures == 0 && now - heard < kGood;
    }
  };

  explicit RoutingTable(const NodeId& self);

  [[nodiscard]] const NodeId& self() const { return self_; }
  /// Our id has changed: files every node anew.
  void rebase(const NodeId& self);

  /// A node answered us. Cost: O(bucket) if it is known, else O(table).
  Admission answered(base::Instant now, const RemoteNode& node);

  /// A node that may be known sent a query from this very address.
  void queried(base::Instant now, const NodeId& id, const base::SocketAddress& from);

  /// A request to it was not answered. True if it was removed for it.
  bool failed(const NodeId& id, const base::SocketAddress& address);

  /// It is not what it was taken for: removed at once, from the spares too.
  bool remove(const NodeId& id, const base::SocketAddress& address);

  /// Whether a node would enter if it answered; for deciding whom to ping.
  [[nodiscard]] bool wants(const RemoteNode& node) const;

  /// The node of this id at this address, or nullptr. Cost: O(bucket).
  [[nodiscard]] const Entry* find(const NodeId& id, const base::SocketAddress& address) const;

  /// The nodes nearest to `target` that do not fail, nearest first; never the one at `except`.
  /// Gives how many were written; the pointers are good until the table changes.
  /// REQUIRES: 1 <= out.size() <= kMaxClosest. Cost: O(k) buckets and 8 bytes for each of their
  /// entries; no allocation.
  std::size_t closest(const NodeId& target, std::span<const Entry*> out,
                      const base::SocketAddress& except = {}) const;

  /// The entry that most needs a sign of life: one that fails, or whose last answer is the oldest.
  /// None if all have answered, or been asked, within `age` (a quarter of it for those that fail).
  /// The caller then asks it; it counts as asked from now on. Queries do not count: forged ones
  /// could keep a dead node for ever.
  /// Looks at buckets from `first` on only.
  const Entry* take_stalest(base::Instant now, base::Duration age, std::size_t first = 0);

  /// A random id in the bucket that `id` falls into.
  [[nodiscard]] NodeId random_in_bucket_of(const NodeId& id, base::Rng& rng) const;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t spares() const;
  /// Entries that a bucket of this index has room for.
  static constexpr std::size_t capacity_of(std::size_t bucket) {
    return bucket < kNear ? std::size_t{128} >> bucket : kK;
  }

  /// Calls f(bucket, entry) for every node but the spares, far ones first.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      for (const Entry& entry : buckets_[i].live) f(i, entry);
  }

 private:
  /// `heads` are the first 64 bits of the ids in `live`, side by side: searches read these, and the
  /// entries behind only where they matter.
  struct Bucket {
    std::vector<Entry> live;
    std::vector<std::uint64_t> heads;
    std::vector<Entry> spare;  // the latest last
  };
  class Nearest;

  [[nodiscard]] std::size_t bucket_of(const NodeId& id) const;
  /// Where the id stands in its bucket's `live`, or the end.
  [[nodiscard]] static std::size_t index_of(const Bucket& bucket, const NodeId& id);
  [[nodiscard]] static std::optional<Admission> rival(const Entry& other, const Entry& entry);
  [[nodiscard]] bool may_have(const base::SocketAddress& address) const;
  /// Why the node may not enter, because of nodes that answer.
  [[nodiscard]] std::optional<Admission> refusal(const Entry& entry) const;
  void make_way(const Entry& entry);
  void suspect(const RemoteNode& node);
  void erase(Bucket& bucket, std::size_t index);
  void add(std::size_t bucket, const Entry& entry);
  void add_spare(Bucket& bucket, const Entry& entry);
  void fill_from_spares(std::size_t bucket);

  NodeId self_;
  std::array<Bucket, NodeId::kBits> buckets_;
  std::vector<std::uint64_t> addresses_;  // of all entries, shortened; in no order
  std::size_t deepest_ = 0;               // no bucket beyond it has an entry
  std::size_t size_ = 0;
};

}  // namespace boxgram::dht
