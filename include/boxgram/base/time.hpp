// Time as an argument. Nothing below net/ can ask what time it is: there is no now() here.
#pragma once

#include <chrono>
#include <cstdint>

namespace boxgram::base {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// The monotonic clock's type without the clock. The epoch is arbitrary.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};

/// A point on the monotonic clock.
using Instant = Monotonic::time_point;

/// Milliseconds since 1970-01-01 UTC.
using UnixMillis = std::uint64_t;

/// Wall time derived from the monotonic clock: the wall clock is read once, at start, so a later
/// step of it (NTP, an attacker) moves nothing (PROTOCOL.md, "Freshness").
struct WallClock {
  Instant at{};            ///< when it was read, monotonic
  UnixMillis unix_ms = 0;  ///< what it said

  [[nodiscard]] UnixMillis operator()(Instant now) const {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - at).count();
    return unix_ms + static_cast<UnixMillis>(since);
  }
};

}  // namespace boxgram::base
