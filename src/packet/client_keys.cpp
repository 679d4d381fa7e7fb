#include <algorithm>

#include <boxgram/packet/client_keys.hpp>

namespace boxgram::packet {

namespace {

// A certificate may claim any span; a key is not kept longer than a day without a new look.
constexpr std::uint64_t kMaxSpanSeconds = 24 * 60 * 60;

}  // namespace

ClientKeys::ClientKeys(const ClientConfig& config, base::WallClock wall, base::Instant start)
    : identity_(config.identity),
      pinned_(config.pinned_key),
      highest_serial_(config.highest_serial),
      wall_(wall) {
  // Kept from an earlier run: good only while valid, for nobody shows it as the gateway's newest.
  if (!config.certificate || !identity_) return;
  const auto certificate = verify_certificate(*config.certificate, *identity_);
  if (certificate && certificate->serial >= highest_serial_ && certificate->valid_at(wall_(start)))
    take(start, *certificate, *config.certificate);
}

std::optional<ClientKeys::Key> ClientKeys::current(base::Instant now) const {
  if (known_ && now < known_->usable_until)
    return Key{known_->certificate.server_key, known_->certificate.serial, known_->usable_until};
  if (pinned_) return Key{*pinned_, 0, base::Instant::max()};
  return std::nullopt;
}

bool ClientKeys::valid_at(base::Instant now, const Certificate& certificate) const {
  return certificate.valid_at(wall_(now)) || certificate.valid_at(unix_ms(now));
}

ClientKeys::Shown ClientKeys::show(base::Instant now, base::Bytes certificates) {
  Shown shown;
  if (!identity_) return shown;
  std::optional<Certificate> best;
  base::Bytes best_bytes;
  for (; certificates.size() >= kCertificateSize;
       certificates = certificates.subspan(kCertificateSize)) {
    const base::Bytes bytes = certificates.first(kCertificateSize);
    if (known_ && std::ranges::equal(bytes, known_->bytes)) {
      ++shown.verified;
      if (now >= known_->usable_until && !best) {
        best = known_->certificate;
        best_bytes = bytes;
      }
      continue;
    }
    // Known keys' serials are skipped before the signature: the older key of an overlap is in
    // every KEYS and would cost a verification each time.
    if (unverified_serial(bytes) < highest_serial_) continue;
    const auto certificate = verify_certificate(bytes, *identity_);
    if (!certificate) {
      ++shown.bad;
      continue;
    }
    ++shown.verified;
    const bool valid = valid_at(now, *certificate);
    const bool best_valid = best && valid_at(now, *best);
    if (!best || valid > best_valid ||
        (valid == best_valid && certificate->serial > best->serial)) {
      best = *certificate;
      best_bytes = bytes;
    }
  }
  if (!best) return shown;
  const bool usable = known_ && now < known_->usable_until;
  // While our own key is valid, one that is not valid (yet) does not replace it.
  if (usable && !valid_at(now, *best) && valid_at(now, known_->certificate)) return shown;
  if (usable && best->serial <= known_->certificate.serial) return shown;
  shown.newer = !known_ || best->server_key != known_->certificate.server_key;
  take(now, *best, best_bytes);
  return shown;
}

void ClientKeys::take(base::Instant now, const Certificate& certificate, base::Bytes bytes) {
  KnownCertificate& known = known_.emplace();
  known.certificate = certificate;
  std::ranges::copy(bytes, known.bytes.begin());
  highest_serial_ = std::max(highest_serial_, certificate.serial);
  judge(now, known);
}

void ClientKeys::judge(base::Instant now, KnownCertificate& known) const {
  const Certificate& certificate = known.certificate;
  const std::uint64_t span =
      std::min(certificate.not_after - certificate.not_before, kMaxSpanSeconds);
  // Where the clock disagrees, the key's age is unknown: half its span, then look again.
  std::uint64_t left = span / 2;
  if (certificate.valid_at(wall_(now)))
    left = certificate.not_after - wall_(now) / 1000;
  else if (certificate.valid_at(unix_ms(now)))
    left = certificate.not_after - unix_ms(now) / 1000;
  left = std::min(left, span);
  known.usable_until = now + std::chrono::seconds(left + 1);
  // A quarter of the span before the end: its successor has been out for a while by then.
  known.refresh_at = known.usable_until - std::chrono::seconds(std::min(left, span / 4));
}

std::optional<base::Instant> ClientKeys::refresh_at(base::Instant not_before) const {
  if (!known_ || not_before >= known_->usable_until) return std::nullopt;
  return std::max(known_->refresh_at, not_before);
}

void ClientKeys::learn_time(base::Instant now, base::UnixMillis server_ms) {
  offset_ = server_ms - wall_(now);
  if (known_ && !known_->certificate.valid_at(wall_(now)) && now < known_->usable_until)
    judge(now, *known_);
}

std::optional<CertificateBytes> ClientKeys::bytes() const {
  if (!known_) return std::nullopt;
  return known_->bytes;
}

}  // namespace boxgram::packet
