// One EC of a client: its key, its counter, and what it has in flight.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>

namespace boxgram::packet {

/// A datagram in flight: what an answer that names its n belongs to.
struct InFlight {
  base::Handle request = 0;  ///< 0: nothing, or answered
  std::uint64_t n = 0;
  base::Instant at{};
  std::uint16_t size = 0;
  bool initial = false;
  bool retried = false;  ///< its one RETRY has been taken
  bool asked = false;    ///< it carried ASSOC_REQ, so an ASSOC takes room in its answer
};

/// Datagrams in flight by n: a ring that doubles while a slot is wanted by two live datagrams, up
/// to `max`. Then the older one is given up: its answer will count as late.
/// Cost: O(1); allocation only to grow, and a reused ring keeps its size.
class InFlightRing {
 public:
  /// REQUIRES: max is a power of two.
  void reset(std::size_t max) {
    max_ = max;
    if (slots_.empty()) slots_.resize(std::min(max, kFirstSize));
    std::fill(slots_.begin(), slots_.end(), InFlight{});
  }

  /// Adds; `alive(handle)` says whether a request still waits. True if a live one was given up.
  template <class Alive>
  bool add(const InFlight& sent, Alive&& alive) {
    while (true) {
      InFlight& slot = at(sent.n);
      const bool conflict = slot.request != 0 && alive(slot.request);
      if (!conflict || slots_.size() >= max_) {
        slot = sent;
        return conflict;
      }
      grow();
    }
  }

  /// The datagram with this n, or nullptr if it is not in flight.
  InFlight* find(std::uint64_t n) {
    InFlight& slot = at(n);
    return slot.request != 0 && slot.n == n ? &slot : nullptr;
  }

  [[nodiscard]] std::size_t size() const { return slots_.size(); }

 private:
  static constexpr std::size_t kFirstSize = 16;

  InFlight& at(std::uint64_t n) { return slots_[n & (slots_.size() - 1)]; }

  void grow() {
    // Two n that differ modulo the old size differ modulo the new one: no conflict can appear.
    std::vector<InFlight> old(slots_.size() * 2);
    std::swap(old, slots_);
    for (const InFlight& sent : old)
      if (sent.request != 0) at(sent.n) = sent;
  }

  std::size_t max_ = kFirstSize;
  std::vector<InFlight> slots_;
};

/// Lives in a Slab: reset() before use, wipe() before release.
struct ClientAssociation {
  base::Handle self = 0;
  base::Handle next_same_bucket = 0;  ///< chain of the index by cid
  crypto::PublicKey ec{};
  crypto::SharedKey key;
  std::array<std::uint8_t, 8> skid{};
  std::uint32_t key_serial = 0;  ///< 0: pinned
  std::uint64_t next_n = 0;      ///< used once each, by INITIAL and SHORT alike; never goes back
  base::Instant created{};
  base::Instant expires{};

  bool established = false;  ///< ASSOC has come: sid and reset_token are set
  std::array<std::uint8_t, 8> sid{};
  crypto::Secret<16> reset_token;
  bool asked = false;  ///< an ASSOC_REQ has been sent, last at asked_at
  base::Instant asked_at{};

  bool has_cookie = false;  ///< from a RETRY at cookie_at
  std::array<std::uint8_t, 96> cookie{};
  base::Instant cookie_at{};

  std::uint32_t initials_in_flight = 0;
  std::uint32_t losses = 0;      ///< generations of datagrams lost since the last answer
  std::uint64_t loss_floor = 0;  ///< n below it belong to a generation that is counted already
  InFlightRing sent;

  [[nodiscard]] base::Bytes cid() const { return base::Bytes(ec).first(8); }

  void reset(std::size_t max_in_flight) {
    wipe();
    next_same_bucket = 0;
    key_serial = 0;
    next_n = 0;
    established = asked = has_cookie = false;
    initials_in_flight = losses = 0;
    loss_floor = 0;
    sent.reset(max_in_flight);
  }

  void wipe() {
    crypto::wipe(key.bytes());
    crypto::wipe(reset_token.bytes());
  }

  /// An answer came on it: whatever was sent before says nothing about a loss any more.
  void answered() {
    losses = 0;
    loss_floor = next_n;
  }

  /// Datagram n was not answered in time. True if that begins a new generation: everything in
  /// flight when a loss is found is lost together and counts once.
  bool lost(std::uint64_t n) {
    if (n < loss_floor) return false;
    ++losses;
    loss_floor = next_n;
    return true;
  }
};

}  // namespace boxgram::packet
