// Flights and waiters: found by what is asked, bounded, without allocation once grown.
#pragma once

#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/crypto/hash.hpp>

#include "flight.hpp"

namespace boxgram::dns {

class FlightTable {
 public:
  FlightTable(std::size_t max_flights, std::size_t max_waiters, base::Rng& rng);

  [[nodiscard]] std::uint64_t hash_of(const QueryKey& key) const { return hash_key_(key.bytes()); }

  /// The flight that still takes waiters for this key, or nullptr.
  Flight* find(const QueryKey& key, std::uint64_t hash);
  Flight* find(base::Handle handle) { return flights_.find(handle); }

  /// A new flight, in the index; nullptr at capacity.
  Flight* start(const QueryKey& key, std::uint64_t hash);
  /// Takes it out of the index, so that nobody joins any more.
  void close(Flight& flight);
  /// REQUIRES: closed, without waiters, its timer not set.
  void release(Flight& flight);

  /// A new waiter at the end of the flight's list; nullptr at capacity.
  Waiter* add_waiter(Flight& flight);
  /// The first waiter. REQUIRES: there is one.
  Waiter& front(Flight& flight);
  void pop_waiter(Flight& flight);

  [[nodiscard]] std::size_t flight_count() const { return flights_.size(); }
  [[nodiscard]] std::size_t waiter_count() const { return waiters_.size(); }

 private:
  base::Handle& bucket(std::uint64_t hash) { return buckets_[hash & (buckets_.size() - 1)]; }

  crypto::ShortHashKey hash_key_;
  base::Slab<Flight> flights_;
  base::Slab<Waiter> waiters_;
  std::vector<base::Handle> buckets_;
};

}  // namespace boxgram::dns
