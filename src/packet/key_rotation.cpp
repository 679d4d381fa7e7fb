#include <algorithm>
#include <limits>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/key_rotation.hpp>

namespace boxgram::packet {
namespace {

constexpr base::Duration kCookieKeyLife = std::chrono::seconds(60);
/// How long a key works on after its certificate has ended: what is on its way then still opens.
constexpr base::Duration kGrace = std::chrono::seconds(60);
/// A client's clock may be this much behind ours without making a new certificate look early.
constexpr std::uint64_t kBackdateSeconds = 60;
/// What KEYS has room for, and what two hours of validity make by themselves.
constexpr std::size_t kMaxRotating = 3;

/// The clock makes serials rise over a restart even where the last one was not kept. A clock that
/// is far in the future may not use up the numbers: the last 2^28 are counted one by one.
std::uint32_t next_serial(std::uint32_t last, std::uint64_t seconds) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
  const std::uint32_t counted = last == kMax ? kMax : last + 1;
  if (seconds > kMax - (1u << 28)) return counted;
  return std::max(counted, static_cast<std::uint32_t>(seconds));
}

}  // namespace

KeyRotation::KeyRotation(const KeyRotationConfig& config, base::Rng& rng, base::WallClock wall,
                         base::Instant now, std::optional<crypto::SigningKey> identity,
                         std::optional<crypto::SecretKey> pinned, crypto::SharedKey reset_key)
    : config_(config),
      rng_(rng),
      wall_(wall),
      identity_(std::move(identity)),
      reset_key_(std::move(reset_key)),
      last_serial_(config.last_serial),
      next_cookie_key_at_(now + kCookieKeyLife) {
  BOXGRAM_CHECK(config.interval > base::Duration::zero() && config.interval <= config.validity &&
                config.validity <= 2 * config.interval);
  rng_.fill(cookie_key_.bytes());
  if (pinned) {
    auto key = std::make_shared<BoxKey>();
    key->public_key = crypto::public_key_of(*pinned);
    key->id = key_id(key->public_key);
    key->secret_key = std::move(*pinned);
    pinned_ = std::move(key);
  }
  if (identity_) add_key(now);
  publish();
}

bool KeyRotation::handle_timeout(base::Instant now) {
  bool changed = false;
  if (now >= next_cookie_key_at_) {
    // After a long sleep the last key is no key of "the minute before".
    if (now < next_cookie_key_at_ + kCookieKeyLife)
      previous_cookie_key_ = std::move(cookie_key_);
    else
      previous_cookie_key_.reset();
    rng_.fill(cookie_key_.bytes());
    next_cookie_key_at_ = now + kCookieKeyLife;
    changed = true;
  }
  while (!rotating_.empty() && rotating_.front().destroy_at <= now) {
    rotating_.erase(rotating_.begin());
    changed = true;
  }
  if (identity_ && now >= next_key_at_) {
    add_key(now);
    changed = true;
  }
  if (changed) publish();
  return changed;
}

bool KeyRotation::rotate(base::Instant now) {
  if (!identity_) return false;
  add_key(now);
  publish();
  return true;
}

base::Instant KeyRotation::next_timeout() const {
  base::Instant next = next_cookie_key_at_;
  if (identity_) next = std::min(next, next_key_at_);
  if (!rotating_.empty()) next = std::min(next, rotating_.front().destroy_at);
  return next;
}

void KeyRotation::add_key(base::Instant now) {
  const auto taken = [this](const KeyId& id) {
    return (pinned_ && pinned_->id == id) ||
           std::any_of(rotating_.begin(), rotating_.end(),
                       [&](const Rotating& other) { return other.key->id == id; });
  };
  auto key = std::make_shared<BoxKey>();
  do {
    crypto::KeyPair pair = crypto::generate_key_pair(rng_);
    key->public_key = pair.public_key;
    key->secret_key = std::move(pair.secret_key);
    key->id = key_id(key->public_key);
  } while (taken(key->id));
  const std::uint64_t seconds = wall_(now) / 1000;
  const std::uint64_t validity = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(config_.validity).count());
  last_serial_ = next_serial(last_serial_, seconds);
  key->serial = last_serial_;
  const Certificate certificate{key->serial, seconds - std::min(seconds, kBackdateSeconds),
                                seconds + validity, key->public_key};
  key->certificate = sign_certificate(certificate, *identity_);
  rotating_.push_back({std::move(key), now + config_.validity + kGrace});
  if (rotating_.size() > kMaxRotating) rotating_.erase(rotating_.begin());
  next_key_at_ = now + config_.interval;
}

void KeyRotation::publish() {
  auto keys = std::make_shared<ServerKeys>();
  if (pinned_) keys->live.push_back(pinned_);
  for (const Rotating& rotating : rotating_) keys->live.push_back(rotating.key);
  keys->cookie_key = cookie_key_.copy();
  if (previous_cookie_key_) keys->previous_cookie_key = previous_cookie_key_->copy();
  keys->reset_key = reset_key_.copy();
  snapshot_ = std::move(keys);
}

}  // namespace boxgram::packet
