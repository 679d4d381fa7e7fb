// How much of a table each network has filled, so that one cannot fill it alone.
#pragma once

#include <array>
#include <cstdint>

#include <boxgram/crypto/hash.hpp>

#include "network.hpp"

namespace boxgram::dht {

/// Counts by a keyed hash of the network. Two networks that share a slot share its allowance: with
/// 1,024 slots seldom, never unsafe, and not to be aimed at without the key. Memory: 2 KiB.
class NetworkShare {
 public:
  using Slot = std::uint16_t;

  explicit NetworkShare(const crypto::ShortHashKey& key) : key_(&key) {}

  [[nodiscard]] Slot slot_of(const base::SocketAddress& from) const {
    std::uint8_t bytes[8];
    base::store_be64(bytes, network_of(from));
    return static_cast<Slot>((*key_)(bytes) % kSlots);
  }
  [[nodiscard]] std::size_t held(Slot slot) const { return held_[slot]; }
  void add(Slot slot) { ++held_[slot]; }
  void remove(Slot slot) { --held_[slot]; }

 private:
  static constexpr std::size_t kSlots = 1024;

  const crypto::ShortHashKey* key_;
  std::array<std::uint16_t, kSlots> held_{};
};

}  // namespace boxgram::dht
