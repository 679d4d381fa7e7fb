// Many deadlines, each cheap: O(1) to set, move and clear; work only for those that are due.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <boxgram/base/time.hpp>

namespace boxgram::base {

/// A deadline that lives inside the object it belongs to. Not movable while set.
class Timer {
 public:
  Timer() = default;
  explicit Timer(std::uint64_t owner) : tag(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  [[nodiscard]] bool is_set() const { return next_ != nullptr; }

  std::uint64_t tag = 0;  ///< the owner's own: usually its Handle

 private:
  friend class TimerWheel;
  void unlink();

  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  Instant at_{};
};

/// 1,024 slots of 4 ms: about 4 s ahead at full resolution; a later deadline waits in the last slot
/// it can have and is filed again from there. A timer fires at most one slot late, never early.
class TimerWheel {
 public:
  static constexpr Duration kTick = 4ms;
  static constexpr std::size_t kSlots = 1024;

  explicit TimerWheel(Instant start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Sets or moves a timer.
  void set(Timer& timer, Instant at);
  void clear(Timer& timer);

  /// One due timer, cleared, or nullptr when none is due at `now`. Call until nullptr.
  Timer* expire(Instant now);

  /// When to call expire() next: the end of the first slot that holds a timer.
  /// Cost: at most a scan of the 16-word occupancy map.
  [[nodiscard]] std::optional<Instant> next() const;

 private:
  [[nodiscard]] std::int64_t tick_of(Instant at) const;
  void file(Timer& timer);

  Instant start_;
  std::int64_t tick_ = 0;  // every slot before this tick has been emptied
  mutable std::array<std::uint64_t, kSlots / 64> occupied_{};
  std::array<Timer, kSlots> slots_;  // list heads
};

}  // namespace boxgram::base
