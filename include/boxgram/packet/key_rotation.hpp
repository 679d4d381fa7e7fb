// Makes server keys in memory, certifies them, retires them. Source: PROTOCOL.md, "Server keys".
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/sign.hpp>
#include <boxgram/packet/server_keys.hpp>

namespace boxgram::packet {

struct KeyRotationConfig {
  /// Age at which a key gets a successor. A leak of a live key opens what was recorded under it, so
  /// this and `validity` are the window of packet mode's missing forward secrecy.
  base::Duration interval = std::chrono::hours(1);
  /// How long a certificate is valid. REQUIRES: interval <= validity <= 2 * interval, so that at
  /// most three keys live at once.
  base::Duration validity = std::chrono::hours(2);
  /// The highest serial ever given out, from the state directory: a restart never goes below.
  std::uint32_t last_serial = 0;
};

/// Sans-IO: call handle_timeout() at next_timeout() and give every worker the new snapshot().
/// Without an identity and without a pinned key it holds no key at all: the server then answers
/// nothing.
class KeyRotation {
 public:
  /// `pinned` never expires and has no certificate. `reset_key` is Kr from the state directory.
  KeyRotation(const KeyRotationConfig& config, base::Rng& rng, base::WallClock wall,
              base::Instant now, std::optional<crypto::SigningKey> identity,
              std::optional<crypto::SecretKey> pinned, crypto::SharedKey reset_key);

  /// True if snapshot() is another one than before.
  bool handle_timeout(base::Instant now);

  /// A successor at once, for when a key may have become known. Older keys live on until their
  /// time, but no more than three: the oldest of more goes now. Without an identity: false, and
  /// nothing has changed.
  bool rotate(base::Instant now);
  [[nodiscard]] base::Instant next_timeout() const;

  /// The keys of this moment. Holding an old snapshot keeps retired secrets in memory: install the
  /// new one everywhere, then drop the old.
  [[nodiscard]] const std::shared_ptr<const ServerKeys>& snapshot() const { return snapshot_; }

  /// The highest serial given out so far, to be kept over restarts.
  [[nodiscard]] std::uint32_t last_serial() const { return last_serial_; }

 private:
  struct Rotating {
    std::shared_ptr<const BoxKey> key;
    base::Instant destroy_at{};
  };

  void add_key(base::Instant now);
  void publish();

  KeyRotationConfig config_;
  base::Rng& rng_;
  base::WallClock wall_;
  std::optional<crypto::SigningKey> identity_;
  std::shared_ptr<const BoxKey> pinned_;
  crypto::SharedKey reset_key_;
  crypto::SharedKey cookie_key_;
  std::optional<crypto::SharedKey> previous_cookie_key_;
  std::vector<Rotating> rotating_;  // oldest first
  std::uint32_t last_serial_;
  base::Instant next_key_at_{};
  base::Instant next_cookie_key_at_{};
  std::shared_ptr<const ServerKeys> snapshot_;
};

}  // namespace boxgram::packet
