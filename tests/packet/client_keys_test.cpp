// Which certificates a client believes, and when it asks for them.
#include <gtest/gtest.h>

#include <boxgram/packet/client_keys.hpp>

#include "packet/fake_gateway.hpp"

namespace boxgram::packet {
namespace {

using namespace std::chrono_literals;
using test::Datagram;

constexpr std::uint64_t kNowS = 1767225600;

struct Identity {
  explicit Identity(std::uint64_t seed = 1) : rng(seed), key(draw(rng)) {}
  static crypto::SigningKey draw(test::SeededRng& rng) {
    crypto::SigningSeed seed;
    rng.fill(seed.bytes());
    return crypto::SigningKey(seed);
  }
  CertificateBytes certify(std::uint32_t serial, std::int64_t from, std::int64_t to) {
    Certificate certificate;
    certificate.serial = serial;
    certificate.not_before = kNowS + static_cast<std::uint64_t>(from);
    certificate.not_after = kNowS + static_cast<std::uint64_t>(to);
    rng.fill(certificate.server_key);
    return sign_certificate(certificate, key);
  }
  test::SeededRng rng;
  crypto::SigningKey key;
};

Datagram join(std::initializer_list<CertificateBytes> certificates) {
  Datagram bytes;
  for (const auto& one : certificates) bytes.insert(bytes.end(), one.begin(), one.end());
  return bytes;
}

class ClientKeysTest : public testing::Test {
 protected:
  ClientKeys make(std::uint32_t highest = 0, std::int64_t clock_error_s = 0) {
    ClientConfig config;
    config.identity = identity.key.verify_key();
    config.highest_serial = highest;
    const auto ms = (kNowS + static_cast<std::uint64_t>(clock_error_s)) * 1000;
    return ClientKeys(config, base::WallClock{now, ms}, now);
  }
  std::uint32_t serial(const ClientKeys& keys) const {
    const auto key = keys.current(now);
    return key ? key->serial : 0;
  }
  Identity identity;
  base::Instant now = base::Instant{} + 1000s;
};

TEST_F(ClientKeysTest, OfThoseValidNowTheHighestSerialWins) {
  auto keys = make();
  const auto shown =
      keys.show(now, join({identity.certify(5, -3600, 3600), identity.certify(7, -60, 7200),
                           identity.certify(6, -60, 7200)}));
  EXPECT_TRUE(shown.newer);
  EXPECT_EQ(shown.verified, 3u);
  EXPECT_EQ(serial(keys), 7u);
}

TEST_F(ClientKeysTest, AValidOneWinsOverAHigherSerialThatIsNotValidYet) {
  auto keys = make();
  keys.show(now, join({identity.certify(9, 3600, 7200), identity.certify(5, -60, 3600)}));
  EXPECT_EQ(serial(keys), 5u);
  EXPECT_FALSE(keys.show(now, join({identity.certify(10, 3600, 7200)})).newer);
  EXPECT_EQ(serial(keys), 5u);
}

TEST_F(ClientKeysTest, ASerialBelowTheHighestSeenIsNeverTaken) {
  auto keys = make();
  const auto old = identity.certify(5, -60, 7200);
  keys.show(now, join({identity.certify(7, -60, 7200)}));
  EXPECT_FALSE(keys.show(now, join({old})).newer);
  EXPECT_EQ(serial(keys), 7u);
  now += 3h;
  EXPECT_EQ(serial(keys), 0u) << "expired";
  EXPECT_FALSE(keys.show(now, join({identity.certify(6, 0, 100000)})).newer);
  EXPECT_EQ(serial(keys), 0u);

  auto later_run = make(8);
  EXPECT_FALSE(later_run.show(now, join({identity.certify(7, -60, 100000)})).newer);
  EXPECT_TRUE(later_run.show(now, join({identity.certify(8, -60, 100000)})).newer);
}

TEST_F(ClientKeysTest, AClockThatDisagreesWithAllTakesTheHighestSerial) {
  for (const std::int64_t error : {-315360000, 315360000}) {
    auto keys = make(4, error);
    keys.show(now, join({identity.certify(5, -3600, 3600), identity.certify(6, -60, 7200),
                         identity.certify(3, -60, 7200)}));
    EXPECT_EQ(serial(keys), 6u);
    keys.learn_time(now, kNowS * 1000);
    now += 30min;
    EXPECT_EQ(serial(keys), 6u);
    EXPECT_TRUE(keys.show(now, join({identity.certify(7, -60, 7200)})).newer);
    EXPECT_EQ(serial(keys), 7u);
  }
}

TEST_F(ClientKeysTest, ATurnedBackClockDoesNotProlongAKeyThatWasValidByOurs) {
  auto keys = make();
  keys.show(now, join({identity.certify(5, -3600, 3600)}));
  keys.learn_time(now, (kNowS - 3000) * 1000);
  now += 3602s;
  EXPECT_EQ(serial(keys), 0u);
}

TEST_F(ClientKeysTest, ForgedAndForeignCertificatesAreCounted) {
  auto keys = make();
  Identity stranger(2);
  auto forged = identity.certify(5, -60, 3600);
  forged[20] ^= 1;
  const auto shown = keys.show(now, join({stranger.certify(9, -60, 3600), forged}));
  EXPECT_EQ(shown.verified, 0u);
  EXPECT_EQ(shown.bad, 2u);
  EXPECT_FALSE(keys.current(now));
  EXPECT_EQ(keys.highest_serial(), 0u) << "a forged serial must not lock the client out";
}

TEST_F(ClientKeysTest, ACertificateOfAnEarlierRunIsVerifiedAndMustBeValid) {
  ClientConfig config;
  config.identity = identity.key.verify_key();
  config.certificate = identity.certify(5, -60, 3600);
  EXPECT_EQ(serial(ClientKeys(config, {now, kNowS * 1000}, now)), 5u);
  EXPECT_EQ(serial(ClientKeys(config, {now, (kNowS + 4000) * 1000}, now)), 0u);
  (*config.certificate)[70] ^= 1;
  EXPECT_EQ(serial(ClientKeys(config, {now, kNowS * 1000}, now)), 0u);
}

TEST_F(ClientKeysTest, AsksForASuccessorBeforeTheEndAndNotAfterIt) {
  auto keys = make();
  EXPECT_FALSE(keys.refresh_at({}));
  keys.show(now, join({identity.certify(5, 0, 7200)}));
  const auto at = keys.refresh_at({});
  ASSERT_TRUE(at);
  EXPECT_GE(*at, now + 5000s);
  EXPECT_LE(*at, now + 5600s);
  EXPECT_FALSE(keys.refresh_at(now + 7300s));
}

/// A whole client, whose KEYREQ the test answers.
class ClientFetchTest : public ClientKeysTest {
 protected:
  void SetUp() override {
    ClientConfig config;
    config.identity = identity.key.verify_key();
    client = std::make_unique<Client>(config, rng, base::WallClock{now, kNowS * 1000}, now);
  }
  Datagram transmit() {
    Datagram out(kMaxDatagram);
    out.resize(client->poll_transmit(now, out));
    return out;
  }
  static bool is_keyreq(const Datagram& datagram) {
    return datagram.size() >= 4 && datagram[3] == static_cast<std::uint8_t>(DatagramType::keyreq);
  }
  CertificateBytes certify_gateway(std::uint32_t serial) {
    Certificate certificate;
    certificate.serial = serial;
    certificate.not_before = kNowS - 60;
    certificate.not_after = kNowS + 7200;
    certificate.server_key = gateway.key();
    return sign_certificate(certificate, identity.key);
  }
  void show(const Datagram& keyreq, base::Bytes certificates) {
    Datagram keys(kKeysClear + certificates.size());
    write_keys(keys, {*parse_keyreq(keyreq), certificates});
    client->handle_datagram(now, keys);
  }

  test::SeededRng rng{3};
  test::FakeGateway gateway;
  std::unique_ptr<Client> client;
};

TEST_F(ClientFetchTest, WithoutACertificateKeyreqComesFirst) {
  EXPECT_TRUE(transmit().empty()) << "nothing is asked for before anybody asks";
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  const Datagram keyreq = transmit();
  ASSERT_TRUE(is_keyreq(keyreq));
  EXPECT_GE(keyreq.size(), 16 + 3 * kCertificateSize) << "room for three certificates";
  EXPECT_TRUE(transmit().empty());
  show(keyreq, certify_gateway(5));
  const auto heard = gateway.hear(transmit());
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->type, DatagramType::initial);
}

TEST_F(ClientFetchTest, KeysWithAnotherEchoAreNothing) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  Datagram keyreq = transmit();
  keyreq[5] ^= 1;
  show(keyreq, certify_gateway(5));
  EXPECT_TRUE(transmit().empty());
  EXPECT_EQ(client->counters().not_ours, 1u);
}

TEST_F(ClientFetchTest, ForgedKeysDoNotStopTheSearchNorCostWithoutEnd) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  const Datagram keyreq = transmit();
  auto forged = certify_gateway(9);
  forged[40] ^= 1;
  for (int i = 0; i < 3; ++i) show(keyreq, forged);
  EXPECT_EQ(client->counters().certificates_bad, 3u);
  show(keyreq, certify_gateway(5));
  EXPECT_FALSE(transmit().empty());

  SetUp();
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  const Datagram second = transmit();
  for (int i = 0; i < 100; ++i) show(second, forged);
  EXPECT_EQ(client->counters().certificates_bad, 4u);
}

// Who can read one echo could otherwise end the search for as long as requests keep coming.
TEST_F(ClientFetchTest, AForgersShareIsCountedForEachKeyreqAnew) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  const Datagram first = transmit();
  auto forged = certify_gateway(9);
  forged[40] ^= 1;
  for (int i = 0; i < 100; ++i) show(first, forged);
  now = *client->next_timeout();
  client->handle_timeout(now);
  const Datagram second = transmit();
  ASSERT_TRUE(is_keyreq(second));
  show(second, certify_gateway(5));
  const auto heard = gateway.hear(transmit());
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->type, DatagramType::initial);
}

TEST_F(ClientFetchTest, KeysLongerThanTheKeyreqAreNothing) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  const Datagram keyreq = transmit();
  auto forged = certify_gateway(9);
  forged[40] ^= 1;
  Datagram many;
  for (int i = 0; i < 5; ++i) many.insert(many.end(), forged.begin(), forged.end());
  show(keyreq, many);
  EXPECT_EQ(client->counters().certificates_bad, 0u);
  EXPECT_EQ(client->counters().not_ours, 1u);
}

TEST_F(ClientFetchTest, AnEchoDoesNotLinkTwoAddresses) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  const Datagram first = transmit();
  client->address_changed(now);
  const Datagram second = transmit();
  ASSERT_TRUE(is_keyreq(first) && is_keyreq(second));
  EXPECT_NE(parse_keyreq(first), parse_keyreq(second));
  show(first, certify_gateway(5));
  EXPECT_EQ(client->counters().not_ours, 1u);
  show(second, certify_gateway(5));
  EXPECT_TRUE(client->state(now).has_key);
}

TEST_F(ClientFetchTest, KeyreqIsRepeatedWhileARequestWaitsAndNotAfter) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  int keyreqs = 0;
  const auto end = now + 60s;
  while (now < end) {
    while (!transmit().empty()) ++keyreqs;
    const auto next = client->next_timeout();
    if (!next) break;
    ASSERT_GT(*next, now) << "a deadline in the past";
    now = *next;
    client->handle_timeout(now);
    ClientEvent event;
    while (client->poll_event(event)) {
      ASSERT_TRUE(std::holds_alternative<Failed>(event));
      EXPECT_EQ(std::get<Failed>(event).reason, FailReason::no_key);
    }
  }
  EXPECT_GE(keyreqs, 4);
  EXPECT_LE(keyreqs, 6);
  EXPECT_FALSE(client->next_timeout());
}

TEST_F(ClientFetchTest, AKeysFrameInsideAMsgIsTaken) {
  client->request(now, FrameType::dns, base::as_bytes("q"), 1);
  show(transmit(), certify_gateway(5));
  const auto heard = gateway.hear(transmit());
  ASSERT_TRUE(heard);
  auto msg = gateway.msg(*heard, [&](FrameWriter& w) {
    w.put(heard->service, true, heard->id, base::as_bytes("a"));
    w.put(FrameType::keys, false, 0, certify_gateway(6));
  });
  client->handle_datagram(now, msg);
  ClientEvent event;
  ASSERT_TRUE(client->poll_event(event));
  EXPECT_EQ(client->state(now).highest_serial, 6u);
  EXPECT_EQ(*client->certificate(), certify_gateway(6));
}

}  // namespace
}  // namespace boxgram::packet
