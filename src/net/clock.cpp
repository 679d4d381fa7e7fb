#include <chrono>

#include <time.h>

#include <boxgram/net/clock.hpp>

namespace boxgram::net {

base::Instant now() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return base::Instant(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

base::WallClock wall_clock() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return {now(), static_cast<base::UnixMillis>(
                     std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count())};
}

}  // namespace boxgram::net
