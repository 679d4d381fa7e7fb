#include <algorithm>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <boxgram/net/clock.hpp>
#include <boxgram/net/deadline_timer.hpp>

namespace boxgram::net {
namespace {

// The kernel's timer stands still while the machine sleeps (CLOCK_MONOTONIC) and ours does not, so
// no wait is longer than this: a deadline is met at most a minute of waking time late.
constexpr base::Duration kLongestWait = std::chrono::minutes(1);

}  // namespace

struct DeadlineTimer::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, std::function<void()> due) : timer(io), on_due(std::move(due)) {}

  void arm(base::Instant at, base::Instant time) {
    armed = std::min(at, time + kLongestWait);
    ++arms;
    timer.expires_after(std::max(base::Duration::zero(), *armed - time));
    timer.async_wait([self = shared_from_this(), arm = arms](const asio::error_code&) {
      if (!self->closed && arm == self->arms) self->wake();
    });
  }

  void wake() {
    armed.reset();
    if (!wanted) return;
    const auto time = now();
    if (*wanted > time) {
      arm(*wanted, time);
      return;
    }
    wanted.reset();
    on_due();
  }

  asio::steady_timer timer;
  std::function<void()> on_due;
  std::optional<base::Instant> wanted;
  std::optional<base::Instant> armed;
  std::uint64_t arms = 0;
  bool closed = false;
};

DeadlineTimer::DeadlineTimer(asio::io_context& io, std::function<void()> on_due)
    : state_(std::make_shared<State>(io, std::move(on_due))) {}

DeadlineTimer::~DeadlineTimer() {
  state_->closed = true;
  state_->timer.cancel();
}

void DeadlineTimer::want(std::optional<base::Instant> deadline) {
  state_->wanted = deadline;
  if (!deadline || (state_->armed && *state_->armed <= *deadline)) return;
  state_->arm(*deadline, now());
}

std::uint64_t DeadlineTimer::arms() const {
  return state_->arms;
}

}  // namespace boxgram::net
