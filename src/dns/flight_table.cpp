#include "flight_table.hpp"

#include <bit>

#include <boxgram/base/check.hpp>

namespace boxgram::dns {

namespace {

/// A slot must not hold on to the memory of one huge answer for ever.
constexpr std::size_t kKeptCapacity = 4096;

}  // namespace

FlightTable::FlightTable(std::size_t max_flights, std::size_t max_waiters, base::Rng& rng)
    : hash_key_(rng),
      flights_(max_flights),
      waiters_(max_waiters),
      buckets_(std::bit_ceil(max_flights + 1)) {
  // A TryId puts the number of a try above the index of its flight.
  BOXGRAM_CHECK(max_flights < std::size_t{1} << 24);
}

Flight* FlightTable::find(const QueryKey& key, std::uint64_t hash) {
  for (base::Handle handle = bucket(hash); handle != 0;) {
    Flight* flight = flights_.find(handle);
    if (flight->hash == hash && flight->key == key) return flight;
    handle = flight->next_in_bucket;
  }
  return nullptr;
}

Flight* FlightTable::start(const QueryKey& key, std::uint64_t hash) {
  base::Handle handle = 0;
  Flight* flight = flights_.acquire(handle);
  if (flight == nullptr) return nullptr;
  flight->reset();
  flight->key = key;
  flight->handle = handle;
  flight->timer.tag = handle;
  flight->hash = hash;
  flight->next_in_bucket = bucket(hash);
  bucket(hash) = handle;
  return flight;
}

void FlightTable::close(Flight& flight) {
  base::Handle* link = &bucket(flight.hash);
  while (*link != flight.handle) {
    BOXGRAM_CHECK(*link != 0);
    link = &flights_.find(*link)->next_in_bucket;
  }
  *link = flight.next_in_bucket;
}

void FlightTable::release(Flight& flight) {
  BOXGRAM_CHECK(flight.waiter_count == 0 && !flight.timer.is_set());
  if (flight.saved.body.capacity() > kKeptCapacity) flight.saved = {};
  flights_.release(flight.handle);
}

Waiter* FlightTable::add_waiter(Flight& flight) {
  base::Handle handle = 0;
  Waiter* waiter = waiters_.acquire(handle);
  if (waiter == nullptr) return nullptr;
  waiter->next = 0;
  if (flight.last_waiter == 0)
    flight.first_waiter = handle;
  else
    waiters_.find(flight.last_waiter)->next = handle;
  flight.last_waiter = handle;
  ++flight.waiter_count;
  return waiter;
}

Waiter& FlightTable::front(Flight& flight) {
  return *waiters_.find(flight.first_waiter);
}

void FlightTable::pop_waiter(Flight& flight) {
  const base::Handle handle = flight.first_waiter;
  flight.first_waiter = waiters_.find(handle)->next;
  if (flight.first_waiter == 0) flight.last_waiter = 0;
  --flight.waiter_count;
  waiters_.release(handle);
}

}  // namespace boxgram::dns
