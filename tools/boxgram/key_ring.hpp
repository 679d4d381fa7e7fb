// The keys of a program that takes sealed bytes: its state directory, and the rotation that begins
// with what lies there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/config/gateway_config.hpp>
#include <boxgram/packet/key_rotation.hpp>

#include "control/host.hpp"
#include "state_dir.hpp"

namespace boxgram::tools {

class KeyRing {
 public:
  /// Claims the directory, makes what is missing there, and the first box key. The error is a line
  /// for people. `rng` outlives this.
  static base::expected<KeyRing, std::string> open(const std::string& state_dir,
                                                   const config::KeysConfig& config, base::Rng& rng,
                                                   base::WallClock wall, base::Instant now);

  [[nodiscard]] const crypto::VerifyKey& identity() const { return identity_; }
  [[nodiscard]] const std::optional<crypto::PublicKey>& pinned() const { return pinned_; }
  [[nodiscard]] const std::shared_ptr<const packet::ServerKeys>& snapshot() const {
    return rotation_->snapshot();
  }
  [[nodiscard]] base::Instant next_timeout() const { return rotation_->next_timeout(); }

  /// True if there is another snapshot.
  bool handle_timeout(base::Instant now);
  /// A new key at once. The error is a line for people: the key is in use, but its serial could not
  /// be kept.
  base::expected<void, std::string> rotate(base::Instant now);

  [[nodiscard]] std::vector<KeyRow> rows() const;

 private:
  explicit KeyRing(StateDir dir) : dir_(std::move(dir)) {}
  base::expected<void, std::string> store_serial();

  StateDir dir_;
  std::optional<packet::KeyRotation> rotation_;
  crypto::VerifyKey identity_{};
  std::optional<crypto::PublicKey> pinned_;
  std::uint32_t stored_serial_ = 0;
};

}  // namespace boxgram::tools
