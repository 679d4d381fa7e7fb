#include <algorithm>
#include <bit>

#include <boxgram/base/check.hpp>
#include <boxgram/base/timer_wheel.hpp>

namespace boxgram::base {

Timer::~Timer() {
  if (next_ != nullptr && next_ != this) unlink();
}

void Timer::unlink() {
  prev_->next_ = next_;
  next_->prev_ = prev_;
  prev_ = next_ = nullptr;
}

TimerWheel::TimerWheel(Instant start) : start_(start) {
  for (Timer& head : slots_) head.prev_ = head.next_ = &head;
}

TimerWheel::~TimerWheel() {
  for (Timer& head : slots_) {
    while (head.next_ != &head) head.next_->unlink();
    head.prev_ = head.next_ = nullptr;
  }
}

std::int64_t TimerWheel::tick_of(Instant at) const {
  // Rounded up, so that a slot that has passed holds only timers that are due.
  const auto since = at - start_;
  return since <= Duration::zero() ? 0 : (since + kTick - Duration{1}) / kTick;
}

void TimerWheel::file(Timer& timer) {
  const auto last = tick_ + static_cast<std::int64_t>(kSlots) - 1;
  const auto tick = std::clamp(tick_of(timer.at_), tick_, last);
  const auto slot = static_cast<std::size_t>(tick) % kSlots;
  Timer& head = slots_[slot];
  timer.prev_ = head.prev_;
  timer.next_ = &head;
  head.prev_->next_ = &timer;
  head.prev_ = &timer;
  occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
}

void TimerWheel::set(Timer& timer, Instant at) {
  if (timer.is_set()) timer.unlink();
  timer.at_ = at;
  file(timer);
}

void TimerWheel::clear(Timer& timer) {
  if (timer.is_set()) timer.unlink();
}

Timer* TimerWheel::expire(Instant now) {
  if (now < start_) return nullptr;
  const std::int64_t now_tick = (now - start_) / kTick;
  while (true) {
    const auto due = next();
    if (!due || *due > now) {
      tick_ = std::max(tick_, now_tick);
      return nullptr;
    }
    tick_ = std::max(tick_, (*due - start_) / kTick);
    Timer& timer = *slots_[static_cast<std::size_t>(tick_) % kSlots].next_;
    timer.unlink();
    if (timer.at_ <= now) return &timer;
    file(timer);  // was further ahead than the wheel reaches
    BOXGRAM_CHECK(tick_of(timer.at_) > tick_);
  }
}

std::optional<Instant> TimerWheel::next() const {
  const auto first = static_cast<std::size_t>(tick_) % kSlots;
  for (std::size_t i = 0; i <= kSlots / 64; ++i) {
    const std::size_t word = (first / 64 + i) % (kSlots / 64);
    std::uint64_t bits = occupied_[word];
    if (i == 0) bits &= ~std::uint64_t{0} << (first % 64);
    if (i == kSlots / 64) bits &= (std::uint64_t{1} << (first % 64)) - 1;
    for (; bits != 0; bits &= bits - 1) {
      const std::size_t slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      const Timer& head = slots_[slot];
      if (head.next_ == &head) {
        occupied_[word] &= ~(std::uint64_t{1} << (slot % 64));
        continue;
      }
      const std::size_t ahead = (slot + kSlots - first) % kSlots;
      return start_ + (tick_ + static_cast<std::int64_t>(ahead)) * kTick;
    }
  }
  return std::nullopt;
}

}  // namespace boxgram::base
