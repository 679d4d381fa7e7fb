// Round-trip estimate and the retransmission delay that follows from it. Source: RFC 6298, with the
// bounds of PROTOCOL.md, "Client".
#pragma once

#include <optional>

#include <boxgram/base/time.hpp>

namespace boxgram::packet {

class RttEstimator {
 public:
  /// Before the first sample, and at most: one lost datagram must cost no more than 400 ms.
  static constexpr base::Duration kMaxDelay = std::chrono::milliseconds(400);
  /// At least: below it a cache miss at the gateway would look like a loss.
  static constexpr base::Duration kMinDelay = std::chrono::milliseconds(50);

  /// A measured round trip. Samples are unambiguous: each datagram has its own n, which its answer
  /// names, so a retransmission spoils none.
  void sample(base::Duration round_trip);

  /// How long to wait before datagram `transmission` (1 = the first) counts as lost:
  /// clamp(srtt + 4 rttvar), each later one 1.25 times longer.
  [[nodiscard]] base::Duration delay(unsigned transmission) const;

  [[nodiscard]] std::optional<base::Duration> srtt() const { return srtt_; }

 private:
  std::optional<base::Duration> srtt_;
  base::Duration rttvar_{};
};

}  // namespace boxgram::packet
