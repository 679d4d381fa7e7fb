#include "key_ring.hpp"

#include <fmt/format.h>

#include <boxgram/crypto/sign.hpp>
#include <boxgram/packet/certificate.hpp>

#include "log.hpp"

namespace boxgram::tools {

using base::expected;
using base::unexpected;

expected<KeyRing, std::string> KeyRing::open(const std::string& state_dir,
                                             const config::KeysConfig& config, base::Rng& rng,
                                             base::WallClock wall, base::Instant now) {
  auto dir = StateDir::open_or_create(state_dir);
  if (!dir) return unexpected<std::string>(dir.error());
  KeyRing keys(std::move(*dir));
  if (auto claimed = keys.dir_.claim(); !claimed) return unexpected<std::string>(claimed.error());
  auto identity = keys.dir_.identity(rng);
  if (!identity) return unexpected<std::string>(identity.error());
  auto reset_key = keys.dir_.reset_key(rng);
  if (!reset_key) return unexpected<std::string>(reset_key.error());
  auto serial = keys.dir_.serial();
  if (!serial) return unexpected<std::string>(serial.error());
  std::optional<crypto::SecretKey> pinned;
  if (config.pinned) {
    auto key = keys.dir_.pinned(rng);
    if (!key) return unexpected<std::string>(key.error());
    keys.pinned_ = crypto::public_key_of(*key);
    pinned = std::move(*key);
  }
  crypto::SigningKey signing(*identity);
  keys.identity_ = signing.verify_key();
  packet::KeyRotationConfig rotation;
  rotation.interval = config.rotation;
  rotation.validity = config.validity;
  rotation.last_serial = *serial;
  keys.rotation_.emplace(rotation, rng, wall, now, std::move(signing), std::move(pinned),
                         std::move(*reset_key));
  if (auto stored = keys.store_serial(); !stored) return unexpected<std::string>(stored.error());
  return keys;
}

expected<void, std::string> KeyRing::store_serial() {
  if (rotation_->last_serial() == stored_serial_) return {};  // a new cookie key only
  auto stored = dir_.store_serial(rotation_->last_serial());
  if (!stored) return unexpected<std::string>(stored.error());
  stored_serial_ = rotation_->last_serial();
  return {};
}

bool KeyRing::handle_timeout(base::Instant now) {
  if (!rotation_->handle_timeout(now)) return false;
  const auto stored = store_serial();
  if (!stored) log::error("the key's serial was not kept", {{"reason", stored.error()}});
  return true;
}

expected<void, std::string> KeyRing::rotate(base::Instant now) {
  rotation_->rotate(now);  // there is an identity always
  return store_serial();
}

std::vector<KeyRow> KeyRing::rows() const {
  std::vector<KeyRow> rows;
  const auto& keys = *rotation_->snapshot();
  for (const auto& key : keys.live) {
    KeyRow row;
    for (const std::uint8_t byte : key->id) row.id += fmt::format("{:02x}", byte);
    if (key->certificate) {
      const auto certificate = packet::verify_certificate(*key->certificate, identity_);
      row.serial = key->serial;
      row.not_before = certificate ? certificate->not_before : 0;
      row.not_after = certificate ? certificate->not_after : 0;
      row.is_newest = key.get() == keys.newest();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace boxgram::tools
