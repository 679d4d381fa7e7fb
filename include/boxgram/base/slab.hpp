// A table of slots with stable addresses and handles that never name a later tenant.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include <boxgram/base/check.hpp>

namespace boxgram::base {

/// Names one tenant of a Slab slot: index in the low half, generation in the high half. Never 0.
using Handle = std::uint64_t;

/// Slots grow on demand up to `capacity` and are reused; no allocation once grown.
/// T must be default-constructible; a released slot's T is kept and handed out again as it is,
/// so that buffers inside it are reused: the caller resets what must be reset.
template <class T>
class Slab {
 public:
  explicit Slab(std::size_t capacity) : capacity_(capacity) {}

  /// A free slot, or nullptr at capacity.
  T* acquire(Handle& handle) {
    std::uint32_t index = 0;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else if (slots_.size() < capacity_) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      return nullptr;
    }
    Slot& slot = slots_[index];
    slot.used = true;
    ++size_;
    handle = std::uint64_t{slot.generation} << 32 | index;
    return &slot.value;
  }

  /// The tenant, or nullptr if it has been released.
  T* find(Handle handle) {
    const auto index = static_cast<std::uint32_t>(handle);
    if (index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.used && slot.generation == handle >> 32 ? &slot.value : nullptr;
  }

  /// The tenant of this slot now, whoever it is, or nullptr.
  T* find_index(std::size_t index) {
    return index < slots_.size() && slots_[index].used ? &slots_[index].value : nullptr;
  }

  const T* find(Handle handle) const { return const_cast<Slab*>(this)->find(handle); }

  /// The tenant of a slot and its handle, or nullptr if the slot is free.
  T* tenant(std::uint32_t index, Handle& handle) {
    if (index >= slots_.size() || !slots_[index].used) return nullptr;
    handle = std::uint64_t{slots_[index].generation} << 32 | index;
    return &slots_[index].value;
  }

  /// REQUIRES: find(handle) != nullptr.
  void release(Handle handle) {
    BOXGRAM_CHECK(find(handle) != nullptr);
    const auto index = static_cast<std::uint32_t>(handle);
    Slot& slot = slots_[index];
    slot.used = false;
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(index);
    --size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// Calls f(handle, value) for every tenant; f may release the one it is given.
  template <class F>
  void for_each(F&& f) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].used) f(std::uint64_t{slots_[i].generation} << 32 | i, slots_[i].value);
  }

 private:
  struct Slot {
    T value{};
    std::uint32_t generation = 1;
    bool used = false;
  };

  std::size_t capacity_;
  std::size_t size_ = 0;
  std::deque<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace boxgram::base
