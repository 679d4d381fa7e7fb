// Nodes that somebody spoke of, to be pinged before they are believed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <boxgram/dht/remote_node.hpp>

namespace boxgram::dht {

/// First in, first out. When it is full new hints are dropped: under a flood of forged ones any
/// choice is as good, and whoever is real comes again.
class HintQueue {
 public:
  static constexpr std::size_t kCapacity = 64;

  /// False if it is there already, or the queue is full.
  bool push(const RemoteNode& node) {
    if (size_ == kCapacity) {
      ++dropped_;
      return false;
    }
    for (std::size_t i = 0; i < size_; ++i)
      if (at(i).address == node.address) return false;
    at(size_++) = node;
    return true;
  }

  std::optional<RemoteNode> pop() {
    if (size_ == 0) return std::nullopt;
    const RemoteNode node = at(0);
    first_ = (first_ + 1) % kCapacity;
    --size_;
    return node;
  }

  [[nodiscard]] bool full() const { return size_ == kCapacity; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  RemoteNode& at(std::size_t index) { return nodes_[(first_ + index) % kCapacity]; }

  std::array<RemoteNode, kCapacity> nodes_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace boxgram::dht
