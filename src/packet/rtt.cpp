#include "rtt.hpp"

#include <algorithm>

namespace boxgram::packet {

void RttEstimator::sample(base::Duration round_trip) {
  // A clock that stood still or a suspend inside the round trip must not poison the estimate.
  round_trip = std::clamp(round_trip, base::Duration{0}, base::Duration{std::chrono::seconds(10)});
  if (!srtt_) {
    srtt_ = round_trip;
    rttvar_ = round_trip / 2;
    return;
  }
  const auto error = *srtt_ > round_trip ? *srtt_ - round_trip : round_trip - *srtt_;
  rttvar_ += (error - rttvar_) / 4;
  *srtt_ += (round_trip - *srtt_) / 8;
}

base::Duration RttEstimator::delay(unsigned transmission) const {
  auto delay = srtt_ ? std::clamp(*srtt_ + 4 * rttvar_, kMinDelay, kMaxDelay) : kMaxDelay;
  // 16 steps are 35 times the first delay: more than any request's lifetime.
  for (unsigned i = 1; i < std::min(transmission, 16U); ++i) delay += delay / 4;
  return delay;
}

}  // namespace boxgram::packet
