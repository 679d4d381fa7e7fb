// How many requests of each network wait for an upstream, so that one network's slow names cannot
// take every place.
#pragma once

#include <array>
#include <cstdint>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/crypto/hash.hpp>

namespace boxgram::gateway {

/// Counts by a keyed hash of SocketAddress::prefix(). Two networks that share a slot share its
/// allowance: with 4,096 slots rare, never unsafe, and not to be aimed at without the key.
/// Memory: 8 KiB, whatever comes.
class NetworkShare {
 public:
  using Slot = std::uint16_t;

  explicit NetworkShare(base::Rng& rng) : hash_(rng) {}

  [[nodiscard]] Slot slot_of(const base::SocketAddress& from) const {
    return static_cast<Slot>(hash_(from.prefix()) % kSlots);
  }
  [[nodiscard]] std::size_t waiting(Slot slot) const { return waiting_[slot]; }
  void add(Slot slot) { ++waiting_[slot]; }
  void remove(Slot slot) { --waiting_[slot]; }

 private:
  static constexpr std::size_t kSlots = 4096;

  crypto::ShortHashKey hash_;
  std::array<std::uint16_t, kSlots> waiting_{};
};

}  // namespace boxgram::gateway
