// One timer for an object that says "my next deadline is ..." after every input.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <boxgram/base/time.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

/// The kernel's timer is set only when the wanted deadline is earlier than the armed one: a
/// deadline that moves away with each datagram costs no system call. A wake-up that turns out to be
/// early arms the rest of the way without calling the owner.
class DeadlineTimer {
 public:
  /// `on_due` is called on the loop's thread when the wanted deadline has passed; the deadline is
  /// forgotten then, so the owner calls want() again. It may destroy the timer.
  DeadlineTimer(asio::io_context& io, std::function<void()> on_due);

  /// No call after this.
  ~DeadlineTimer();
  DeadlineTimer(const DeadlineTimer&) = delete;
  DeadlineTimer& operator=(const DeadlineTimer&) = delete;

  /// Replaces the wanted deadline; nothing means that none is wanted. A deadline in the past is due
  /// at once, but never inside this call. Cost: a comparison, unless it is earlier than the armed
  /// one.
  void want(std::optional<base::Instant> deadline);

  /// How often the kernel's timer was set.
  [[nodiscard]] std::uint64_t arms() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace boxgram::net
