// A token bucket as one number.
#pragma once

#include <boxgram/base/time.hpp>

namespace boxgram::base {

/// Keeps the time at which it will be full again: GCRA (ITU-T I.371, the virtual scheduling form).
/// A new one is full. Cost: a comparison and an addition; 8 bytes.
class TokenBucket {
 public:
  /// Takes what refills in `cost` if it is there; `depth` is how long the whole bucket takes to
  /// fill. For one token at a rate, cost is 1 / rate and depth is burst / rate.
  bool take(Instant now, Duration cost, Duration depth) {
    const Instant full = full_at_ > now ? full_at_ : now;
    if (full + cost - now > depth) return false;
    full_at_ = full + cost;
    return true;
  }
  [[nodiscard]] Instant full_at() const { return full_at_; }

 private:
  Instant full_at_ = Instant::min();
};

}  // namespace boxgram::base
