// Which key of the gateway a client uses: the pinned one, or the newest one that its identity
// signed. Source: PROTOCOL.md, "Server keys".
#pragma once

#include <cstdint>
#include <optional>

#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/certificate.hpp>
#include <boxgram/packet/client.hpp>

namespace boxgram::packet {

/// A certificate that was verified, and how long it is good for by what we know of the time.
struct KnownCertificate {
  Certificate certificate;
  CertificateBytes bytes{};
  base::Instant usable_until{};
  base::Instant refresh_at{};
};

class ClientKeys {
 public:
  ClientKeys(const ClientConfig& config, base::WallClock wall, base::Instant start);

  struct Key {
    crypto::PublicKey server_key{};
    std::uint32_t serial = 0;    ///< 0: pinned
    base::Instant usable_until;  ///< far away for a pinned key
  };

  /// The certified key while it is usable, else the pinned one, else nothing.
  [[nodiscard]] std::optional<Key> current(base::Instant now) const;

  struct Shown {
    std::size_t verified = 0;
    std::size_t bad = 0;
    bool newer = false;  ///< another key than before is in use now
  };

  /// Certificates that a gateway shows. Of those that the identity signed and whose serial is not
  /// below the highest seen: the highest serial among those valid now, or, if the clock disagrees
  /// with every one of them, the highest serial. Those known already cost no verification.
  /// REQUIRES: certificates.size() is a multiple of 124.
  Shown show(base::Instant now, base::Bytes certificates);

  /// When a successor should be asked for, not before `not_before`. None without a certificate, and
  /// none after its end: then the next request asks.
  [[nodiscard]] std::optional<base::Instant> refresh_at(base::Instant not_before) const;

  /// The time by our clock, corrected by what the gateway told us.
  [[nodiscard]] base::UnixMillis unix_ms(base::Instant now) const { return wall_(now) + offset_; }

  /// The gateway's time, learnt inside a box. It corrects the stamps of INITIALs, and judges those
  /// certificates only that our own clock finds invalid: a gateway cannot prolong a key's life by
  /// turning our clock back.
  void learn_time(base::Instant now, base::UnixMillis server_ms);

  [[nodiscard]] bool has_identity() const { return identity_.has_value(); }
  [[nodiscard]] std::uint32_t serial() const { return known_ ? known_->certificate.serial : 0; }
  [[nodiscard]] std::uint32_t highest_serial() const { return highest_serial_; }
  [[nodiscard]] std::optional<CertificateBytes> bytes() const;

 private:
  void take(base::Instant now, const Certificate& certificate, base::Bytes bytes);
  [[nodiscard]] bool valid_at(base::Instant now, const Certificate& certificate) const;
  void judge(base::Instant now, KnownCertificate& known) const;

  std::optional<crypto::VerifyKey> identity_;
  std::optional<crypto::PublicKey> pinned_;
  std::optional<KnownCertificate> known_;
  std::uint32_t highest_serial_;
  base::WallClock wall_;
  base::UnixMillis offset_ = 0;  // added modulo 2^64, so it may stand for a negative one
};

}  // namespace boxgram::packet
