#include <set>

#include <gtest/gtest.h>

#include <boxgram/packet/key_rotation.hpp>

#include "packet/world.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::KeyRotation;

constexpr base::Instant kStart{};
const base::WallClock kWall{kStart, kVectorTime};

crypto::SigningKey identity() {
  return crypto::SigningKey(crypto::SigningSeed(std::array<std::uint8_t, 32>{1}));
}

KeyRotation rotation(base::Rng& rng, std::uint32_t last_serial = 0,
                     std::optional<crypto::SecretKey> pinned = std::nullopt) {
  packet::KeyRotationConfig config;
  config.last_serial = last_serial;
  return {config, rng, kWall, kStart, identity(), std::move(pinned), crypto::SharedKey{}};
}

packet::Certificate certificate_of(const packet::BoxKey& key) {
  return packet::verify_certificate(*key.certificate, identity().verify_key()).value();
}

TEST(KeyRotation, BeginsWithOneCertifiedKey) {
  SeededRng rng(1);
  const auto keys = rotation(rng);
  ASSERT_EQ(keys.snapshot()->live.size(), 1u);
  const packet::BoxKey& key = *keys.snapshot()->live[0];
  EXPECT_EQ(key.public_key, crypto::public_key_of(key.secret_key));
  EXPECT_EQ(key.id, packet::key_id(key.public_key));
  const auto certificate = certificate_of(key);
  EXPECT_EQ(certificate.server_key, key.public_key);
  EXPECT_EQ(certificate.serial, key.serial);
  EXPECT_EQ(certificate.serial, kVectorTime / 1000);
  EXPECT_TRUE(certificate.valid_at(kVectorTime));
  EXPECT_EQ(certificate.not_after, kVectorTime / 1000 + 7200);
  EXPECT_EQ(keys.snapshot()->newest(), &key);
}

TEST(KeyRotation, OverADayKeysOverlapAndAtMostThreeLive) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  std::set<packet::KeyId> seen;
  std::uint32_t serial = 0;
  for (base::Instant now = keys.next_timeout(); now < kStart + 24h; now = keys.next_timeout()) {
    EXPECT_TRUE(keys.handle_timeout(now));
    ASSERT_GT(keys.next_timeout(), now);
    const auto& live = keys.snapshot()->live;
    ASSERT_GE(live.size(), 1u);
    ASSERT_LE(live.size(), 3u);
    const packet::BoxKey& newest = *keys.snapshot()->newest();
    EXPECT_TRUE(certificate_of(newest).valid_at(kWall(now)));
    // Whoever took the newest one a moment ago has at least an hour left.
    EXPECT_GE(certificate_of(newest).not_after * 1000, kWall(now) + 3'600'000);
    if (seen.insert(newest.id).second) {
      EXPECT_GT(newest.serial, serial);
      serial = newest.serial;
    }
  }
  EXPECT_EQ(seen.size(), 24u);
}

TEST(KeyRotation, KeyLivesAMinuteLongerThanItsCertificate) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  const packet::KeyId first = keys.snapshot()->live[0]->id;
  keys.handle_timeout(kStart + 2h + 59s);
  EXPECT_NE(keys.snapshot()->find(first), nullptr);
  keys.handle_timeout(kStart + 2h + 60s);
  EXPECT_EQ(keys.snapshot()->find(first), nullptr);
}

TEST(KeyRotation, SerialNeverFallsOverARestart) {
  SeededRng rng(1);
  const auto ahead = static_cast<std::uint32_t>(kVectorTime / 1000 + 1000);
  const auto keys = rotation(rng, ahead);
  EXPECT_EQ(keys.last_serial(), ahead + 1);
  EXPECT_EQ(keys.snapshot()->live[0]->serial, ahead + 1);
}

TEST(KeyRotation, SerialAtItsEndStopsNothing) {
  SeededRng rng(1);
  auto keys = rotation(rng, 0xffffffff);
  EXPECT_EQ(keys.last_serial(), 0xffffffffu);
  EXPECT_TRUE(keys.handle_timeout(kStart + 1h));
}

// A clock that has been in the year 2100 once must not use up the serials.
TEST(KeyRotation, ClockFarAheadLeavesSerials) {
  SeededRng rng(1);
  packet::KeyRotationConfig config;
  config.last_serial = 5;
  const base::WallClock far{kStart, std::uint64_t{5'000'000'000'000}};
  const KeyRotation keys(config, rng, far, kStart, identity(), std::nullopt, crypto::SharedKey{});
  EXPECT_EQ(keys.last_serial(), 6u);
}

TEST(KeyRotation, PinnedKeyNeverGoes) {
  SeededRng rng(1);
  auto keys = rotation(rng, 0, crypto::SecretKey(std::array<std::uint8_t, 32>{7}));
  const packet::KeyId pinned = keys.snapshot()->live[0]->id;
  EXPECT_FALSE(keys.snapshot()->live[0]->certificate);
  for (int hour = 1; hour < 100; ++hour) keys.handle_timeout(kStart + hour * 1h);
  EXPECT_NE(keys.snapshot()->find(pinned), nullptr);
  EXPECT_NE(keys.snapshot()->newest()->id, pinned);
}

TEST(KeyRotation, PinnedKeyNeedsNoIdentity) {
  SeededRng rng(1);
  KeyRotation keys({}, rng, kWall, kStart, std::nullopt,
                   crypto::SecretKey(std::array<std::uint8_t, 32>{7}), crypto::SharedKey{});
  EXPECT_EQ(keys.snapshot()->live.size(), 1u);
  EXPECT_EQ(keys.snapshot()->newest(), nullptr);
  keys.handle_timeout(kStart + 100h);
  EXPECT_EQ(keys.snapshot()->live.size(), 1u);
}

TEST(KeyRotation, NoTwoLiveKeysShareAName) {
  QueuedRng rng(1);
  Buffer secret(32, 5);
  rng.queue(Buffer(32, 1));  // the cookie key
  rng.queue(secret);
  rng.queue(secret);
  auto keys = rotation(rng);
  rng.queue(Buffer(32, 2));  // the next cookie key
  rng.queue(secret);         // the very same key again, which must not be taken
  keys.handle_timeout(kStart + 1h);
  ASSERT_EQ(keys.snapshot()->live.size(), 2u);
  EXPECT_NE(keys.snapshot()->live[0]->id, keys.snapshot()->live[1]->id);
}

TEST(KeyRotation, CookieKeyChangesEachMinuteAndTheLastIsKept) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  const auto first = keys.snapshot();
  EXPECT_FALSE(first->previous_cookie_key);
  EXPECT_FALSE(keys.handle_timeout(kStart + 59s));
  EXPECT_TRUE(keys.handle_timeout(kStart + 60s));
  const auto second = keys.snapshot();
  ASSERT_TRUE(second->previous_cookie_key);
  EXPECT_TRUE(std::ranges::equal(second->previous_cookie_key->bytes(), first->cookie_key.bytes()));
  EXPECT_FALSE(std::ranges::equal(second->cookie_key.bytes(), first->cookie_key.bytes()));
}

TEST(KeyRotation, AfterALongSleepNoOldCookieKeyIsKept) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  keys.handle_timeout(kStart + 10min);
  EXPECT_FALSE(keys.snapshot()->previous_cookie_key);
}

TEST(KeyRotation, ResetKeyStays) {
  SeededRng rng(1);
  packet::KeyRotationConfig config;
  KeyRotation keys(config, rng, kWall, kStart, identity(), std::nullopt,
                   crypto::SharedKey(std::array<std::uint8_t, 32>{42}));
  keys.handle_timeout(kStart + 5h);
  EXPECT_EQ(keys.snapshot()->reset_key.bytes()[0], 42);
}

TEST(KeyRotation, RetiredKeyIsGoneWhenItsSnapshotsAre) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  auto snapshot = keys.snapshot();
  const std::weak_ptr<const packet::BoxKey> first = snapshot->live[0];
  keys.handle_timeout(kStart + 3h);
  EXPECT_FALSE(first.expired());
  snapshot = keys.snapshot();
  EXPECT_TRUE(first.expired());
}

TEST(KeyRotation, ARotationOnDemandMakesASuccessorAtOnceAndKeepsAtMostThree) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  const packet::KeyId first = keys.snapshot()->newest()->id;
  std::uint32_t serial = keys.last_serial();
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(keys.rotate(kStart + 1min));
    EXPECT_GT(keys.snapshot()->newest()->serial, serial);
    serial = keys.last_serial();
    EXPECT_LE(keys.snapshot()->live.size(), 3u);
    EXPECT_EQ(keys.snapshot()->find(first) != nullptr, i < 2) << "the oldest goes first";
  }
  EXPECT_EQ(certificate_of(*keys.snapshot()->newest()).serial, serial);
}

TEST(KeyRotation, NoMoreThanThreeLiveWhateverIsRotatedByHand) {
  SeededRng rng(1);
  auto keys = rotation(rng);
  base::Instant now = kStart;
  for (int hour = 0; hour < 4; ++hour) {
    for (int i = 0; i < 3; ++i) keys.rotate(now += 1min);
    for (const base::Instant end = now + 1h; keys.next_timeout() <= end;) {
      keys.handle_timeout(now = keys.next_timeout());
      ASSERT_LE(keys.snapshot()->live.size(), 3u);
    }
  }
}

TEST(KeyRotation, WithoutAnIdentityThereIsNothingToRotate) {
  SeededRng rng(1);
  KeyRotation keys({}, rng, kWall, kStart, std::nullopt, crypto::generate_key_pair(rng).secret_key,
                   crypto::SharedKey{});
  const auto before = keys.snapshot();
  EXPECT_FALSE(keys.rotate(kStart + 1min));
  EXPECT_EQ(keys.snapshot(), before);
}

}  // namespace
}  // namespace boxgram::test
