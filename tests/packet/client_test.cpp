// The client against a gateway whose every move the test decides.
#include <algorithm>

#include <gtest/gtest.h>

#include "packet/fake_gateway.hpp"

namespace boxgram::packet {
namespace {

using namespace std::chrono_literals;
using test::Datagram;
using test::FakeGateway;
using test::Heard;

constexpr base::UnixMillis kNowMs = 1767225600000;

class ForkableRng final : public base::Rng {
 public:
  void fill(base::MutableBytes out) override { seeded_.fill(out); }
  [[nodiscard]] std::uint64_t generation() const override { return forks; }
  std::uint64_t forks = 0;

 private:
  test::SeededRng seeded_{5};
};

class ClientTest : public testing::Test {
 protected:
  void make(const std::function<void(ClientConfig&)>& change = {}) {
    ClientConfig config;
    config.pinned_key = gateway.key();
    if (change) change(config);
    client = std::make_unique<Client>(config, rng, base::WallClock{now, kNowMs}, now);
  }
  void SetUp() override { make(); }

  base::Handle ask(std::uint64_t tag = 1, std::string_view text = "question") {
    return client->request(now, FrameType::dns, base::as_bytes(text), tag);
  }

  /// The next datagram, as raw bytes; empty if there is none.
  Datagram transmit() {
    Datagram out(kMaxDatagram);
    out.resize(client->poll_transmit(now, out));
    return out;
  }
  /// The next datagram, opened by the gateway. REQUIRES: there is one.
  Heard sent() {
    const Datagram datagram = transmit();
    EXPECT_FALSE(datagram.empty());
    const auto heard = gateway.hear(datagram);
    EXPECT_TRUE(heard.has_value()) << "does not open";
    return heard.value_or(Heard{});
  }

  void receive(Datagram datagram) {
    received = std::move(datagram);
    client->handle_datagram(now, received);
  }
  std::optional<ClientEvent> event() {
    ClientEvent next;
    if (!client->poll_event(next)) return std::nullopt;
    return next;
  }
  std::string answer_text() {
    const auto next = event();
    if (!next || !std::holds_alternative<Answer>(*next)) return "(no answer)";
    return std::string(base::as_text(std::get<Answer>(*next).payload));
  }
  std::optional<Failed> failure() {
    const auto next = event();
    if (!next || !std::holds_alternative<Failed>(*next)) return std::nullopt;
    return std::get<Failed>(*next);
  }
  void wait(base::Duration duration) {
    now += duration;
    client->handle_timeout(now);
  }
  /// One request and its answer with an ASSOC: SHORT from here on.
  Heard establish() {
    ask(1000);
    const Heard heard = sent();
    receive(gateway.associate(heard, base::as_bytes("yes")));
    EXPECT_EQ(answer_text(), "yes");
    return heard;
  }

  ForkableRng rng;
  FakeGateway gateway;
  base::Instant now = base::Instant{} + 1000s;
  std::unique_ptr<Client> client;
  Datagram received;
};

TEST_F(ClientTest, TheFirstRequestIsAnInitialThatAsksForAnAssociation) {
  ask();
  const Heard heard = sent();
  EXPECT_EQ(heard.type, DatagramType::initial);
  EXPECT_EQ(heard.raw.size(), 512u);
  EXPECT_EQ(heard.n, 0u);
  EXPECT_EQ(heard.ts, kNowMs);
  EXPECT_TRUE(heard.assoc_req);
  EXPECT_EQ(base::as_text(heard.payload), "question");
  EXPECT_TRUE(transmit().empty());
}

TEST_F(ClientTest, OnlyOneAssocReqIsUnderWay) {
  ask(1);
  ask(2);
  EXPECT_TRUE(sent().assoc_req);
  const Heard second = sent();
  EXPECT_FALSE(second.assoc_req);
  EXPECT_EQ(second.n, 1u);
  receive(gateway.answer(second, base::as_bytes("b")));
  EXPECT_EQ(answer_text(), "b");
  wait(404ms);
  EXPECT_TRUE(sent().assoc_req) << "the one that carried it was lost";
}

TEST_F(ClientTest, AnAnswerEndsTheRequestWithItsMeasures) {
  ask(77);
  const Heard heard = sent();
  now += 30ms;
  receive(gateway.answer(heard, base::as_bytes("answer")));
  const auto next = event();
  ASSERT_TRUE(next && std::holds_alternative<Answer>(*next));
  const Answer& answer = std::get<Answer>(*next);
  EXPECT_EQ(answer.tag, 77u);
  EXPECT_EQ(base::as_text(answer.payload), "answer");
  EXPECT_EQ(answer.round_trip, 30ms);
  EXPECT_EQ(answer.datagram_size, 512u);
  EXPECT_EQ(answer.transmissions, 1u);
  EXPECT_TRUE(answer.initial);
  EXPECT_FALSE(event());
  EXPECT_EQ(client->state(now).outstanding, 0u);
}

TEST_F(ClientTest, ShortsFollowTheAssociation) {
  const Heard first = establish();
  ask(2);
  const Heard heard = sent();
  EXPECT_EQ(heard.type, DatagramType::short_);
  EXPECT_EQ(heard.sid, gateway.sid);
  EXPECT_EQ(heard.n, first.n + 1);
  receive(gateway.answer(heard, base::as_bytes("two")));
  EXPECT_EQ(answer_text(), "two");
}

TEST_F(ClientTest, ARetransmissionIsANewBoxWithANewCounter) {
  ask();
  const Heard first = sent();
  wait(399ms);
  EXPECT_TRUE(transmit().empty());
  wait(5ms);
  const Heard second = sent();
  EXPECT_EQ(second.n, first.n + 1);
  EXPECT_EQ(second.ec, first.ec);
  EXPECT_EQ(second.payload, first.payload);
  EXPECT_NE(second.raw, first.raw);
  wait(499ms);
  EXPECT_TRUE(transmit().empty());
  wait(5ms);
  EXPECT_EQ(sent().n, first.n + 2);
}

TEST_F(ClientTest, AnAnswerToAnEarlierTransmissionIsTaken) {
  ask();
  const Heard first = sent();
  wait(404ms);
  const Heard second = sent();
  receive(gateway.answer(first, base::as_bytes("late but good")));
  EXPECT_EQ(answer_text(), "late but good");
  receive(gateway.answer(second, base::as_bytes("again")));
  EXPECT_FALSE(event());
  EXPECT_EQ(client->counters().late, 1u);
}

TEST_F(ClientTest, ADuplicateAnswerIsIgnored) {
  ask();
  const Heard heard = sent();
  const Datagram answer = gateway.answer(heard, base::as_bytes("once"));
  receive(answer);
  EXPECT_EQ(answer_text(), "once");
  receive(answer);
  EXPECT_FALSE(event());
  EXPECT_EQ(client->counters().late, 1u);
}

TEST_F(ClientTest, AnAnswerAfterCancelOrTimeOutIsIgnored) {
  const base::Handle handle = ask(1);
  const Heard first = sent();
  client->cancel(handle);
  receive(gateway.answer(first, base::as_bytes("x")));
  EXPECT_FALSE(event());
  EXPECT_FALSE(client->next_timeout() && *client->next_timeout() < now + 1s);

  ask(2);
  const Heard second = sent();
  wait(2804ms);
  const auto failed = failure();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->tag, 2u);
  EXPECT_EQ(failed->reason, FailReason::timed_out);
  receive(gateway.answer(second, base::as_bytes("x")));
  EXPECT_FALSE(event());
}

TEST_F(ClientTest, CancelAfterTheFailureButBeforeItsEventMeansNoEvent) {
  const base::Handle handle = ask(1);
  sent();
  wait(2804ms);
  client->cancel(handle);
  EXPECT_FALSE(event());
  EXPECT_EQ(client->state(now).outstanding, 0u);
  client->cancel(handle);  // a handle that has ended does nothing
}

TEST_F(ClientTest, EveryFlippedByteOfAnAnswerMakesItNothing) {
  ask();
  const Heard heard = sent();
  const Datagram good = gateway.associate(heard, base::as_bytes("good"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    Datagram bad = good;
    bad[i] ^= static_cast<std::uint8_t>(1 << i % 8);
    receive(bad);
    ASSERT_FALSE(event()) << "byte " << i;
  }
  for (const std::size_t size : {0, 3, 4, 28, 44, 511}) {
    Datagram cut = good;
    cut.resize(size);
    receive(cut);
    ASSERT_FALSE(event());
  }
  EXPECT_FALSE(client->state(now).established);
  receive(good);
  EXPECT_EQ(answer_text(), "good");
  EXPECT_TRUE(client->state(now).established);
}

TEST_F(ClientTest, ItsOwnDatagramsReflectedAreNothing) {
  ask(1);
  receive(sent().raw);
  EXPECT_FALSE(event());
  establish();
  ask(2);
  receive(sent().raw);
  EXPECT_FALSE(event());
  EXPECT_EQ(client->counters().not_ours, 2u);
}

TEST_F(ClientTest, AnAnswerOfAnotherLengthBreaksTheRulesAndLeavesTheRequestOpen) {
  ask();
  const Heard heard = sent();
  const auto write = [&](FrameWriter& w) { w.put(heard.service, true, heard.id); };
  receive(gateway.msg(heard, write, 768));
  receive(gateway.msg(heard, write, 256));
  EXPECT_FALSE(event());
  EXPECT_EQ(client->counters().violations, 2u);
  receive(gateway.msg(heard, write));
  EXPECT_EQ(answer_text(), "");
}

TEST_F(ClientTest, AResponseMustNameItsRequestAndService) {
  ask();
  const Heard heard = sent();
  const std::vector<test::Write> wrong{
      [&](FrameWriter& w) { w.put(heard.service, true, heard.id + 1); },
      [&](FrameWriter& w) { w.put(FrameType::dht, true, heard.id); },
      [&](FrameWriter& w) { w.put(heard.service, false, heard.id); },
      [&](FrameWriter&) {},
  };
  Heard current = heard;
  for (const auto& write : wrong) {
    receive(gateway.msg(current, write));
    EXPECT_FALSE(event());
    while (true) {
      wait(4ms);
      const Datagram next = transmit();
      if (next.empty()) continue;
      current = *gateway.hear(next);
      break;
    }
  }
  receive(gateway.answer(current, base::as_bytes("right")));
  EXPECT_EQ(answer_text(), "right");
}

TEST_F(ClientTest, PaddingThatIsNotZeroBreaksTheRules) {
  ask();
  const Heard heard = sent();
  receive(gateway.msg(heard, [&](FrameWriter& w) {
    w.put(heard.service, true, heard.id);
    const auto rest = w.reserve(static_cast<FrameType>(0), false, 0, w.left() - kFrameHeaderSize);
    std::ranges::fill(*rest, std::uint8_t{1});
  }));
  EXPECT_FALSE(event());
  EXPECT_EQ(client->counters().violations, 1u);
}

TEST_F(ClientTest, ErrorsEndARequestWithTheirReason) {
  const std::pair<ErrorCode, FailReason> cases[] = {
      {ErrorCode::unknown_service, FailReason::unknown_service},
      {ErrorCode::refused, FailReason::refused},
      {ErrorCode::malformed, FailReason::malformed},
      {ErrorCode::shutdown, FailReason::shutdown},
      {ErrorCode::auth, FailReason::refused},
      {static_cast<ErrorCode>(4711), FailReason::refused},
  };
  for (const auto& [code, reason] : cases) {
    ask(9);
    receive(gateway.error(sent(), code));
    const auto failed = failure();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->tag, 9u);
    EXPECT_EQ(failed->reason, reason);
    EXPECT_FALSE(event());
  }
}

TEST_F(ClientTest, ARequestThatNoDatagramHoldsFailsAtOnce) {
  const std::string text(kMaxRequestPayload + 1, 'x');
  EXPECT_NE(ask(5, text), 0u);
  const auto failed = failure();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, FailReason::too_large);
  EXPECT_EQ(failed->transmissions, 0u);
  EXPECT_TRUE(transmit().empty());
}

TEST_F(ClientTest, TheLargestRequestFitsEvenBehindACookie) {
  ask(5, std::string(kMaxRequestPayload, 'x'));
  receive(gateway.retry(sent()));
  const Heard heard = sent();
  EXPECT_EQ(heard.type, DatagramType::initial_c);
  EXPECT_EQ(heard.raw.size(), kMaxDatagram);
  EXPECT_EQ(heard.payload.size(), kMaxRequestPayload);
}

TEST_F(ClientTest, AnAnswerTooLargeIsAskedForAgainInAClassThatHoldsIt) {
  for (const std::size_t size : {453u, 700u, 900u, 1136u, 1172u}) {
    make();
    ask(1);
    std::uint8_t detail[2];
    base::store_be16(detail, static_cast<std::uint16_t>(size));
    receive(gateway.error(sent(), ErrorCode::too_large, detail));
    EXPECT_FALSE(event());
    const Heard again = sent();
    EXPECT_GE(again.raw.size(), size + kMsgOverhead + kFrameHeaderSize +
                                    (again.assoc_req ? kFrameHeaderSize + kAssocPayloadSize : 0));
    receive(gateway.answer(again, Datagram(size, 'x')));
    EXPECT_EQ(answer_text().size(), size);
  }
}

TEST_F(ClientTest, AnAnswerThatNoDatagramHoldsFailsAtOnceWithItsSize) {
  ask(1);
  std::uint8_t detail[2];
  base::store_be16(detail, 1173);
  receive(gateway.error(sent(), ErrorCode::too_large, detail));
  const auto failed = failure();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, FailReason::too_large);
  EXPECT_EQ(failed->size, 1173u);
}

TEST_F(ClientTest, AGatewayThatAlwaysSaysTooLargeIsBelievedFourTimes) {
  ask(1);
  std::uint8_t detail[2];
  base::store_be16(detail, 1);
  std::size_t last = 0;
  for (int i = 0; i < 10; ++i) {
    const Datagram raw = transmit();
    if (raw.empty()) break;
    EXPECT_GT(raw.size(), last) << "each time a larger class";
    last = raw.size();
    receive(gateway.error(*gateway.hear(raw), ErrorCode::too_large, detail));
  }
  EXPECT_EQ(last, kMaxDatagram);
  ASSERT_TRUE(failure());
}

TEST_F(ClientTest, RetryIsTakenOncePerInitialAndTheMsgStaysWelcome) {
  ask();
  const Heard first = sent();
  const Datagram retry = gateway.retry(first);
  receive(retry);
  const Heard second = sent();
  EXPECT_EQ(second.type, DatagramType::initial_c);
  EXPECT_EQ(second.ec, first.ec);
  EXPECT_EQ(second.n, first.n + 1);
  EXPECT_TRUE(std::ranges::equal(second.cookie, base::Bytes(retry).subspan(20)));
  ASSERT_TRUE(second.echo);
  EXPECT_TRUE(std::ranges::equal(*second.echo, base::Bytes(second.cookie).first(16)));
  receive(retry);
  EXPECT_TRUE(transmit().empty());
  EXPECT_EQ(client->counters().retries_accepted, 1u);
  receive(gateway.answer(first, base::as_bytes("still good")));
  EXPECT_EQ(answer_text(), "still good");
}

TEST_F(ClientTest, RetryWithAnotherCidOrCounterIsNothing) {
  ask();
  const Heard heard = sent();
  const Datagram good = gateway.retry(heard);
  for (std::size_t i = 0; i < 20; ++i) {
    Datagram bad = good;
    bad[i] ^= 1;
    receive(bad);
    EXPECT_TRUE(transmit().empty()) << "byte " << i;
  }
  for (const std::size_t size : {115, 117, 20, 4}) {
    Datagram bad = good;
    bad.resize(size);
    receive(bad);
    EXPECT_TRUE(transmit().empty());
  }
  EXPECT_EQ(client->counters().retries_accepted, 0u);
}

TEST_F(ClientTest, RetryForAShortIsNothing) {
  establish();
  ask(2);
  receive(gateway.retry(sent()));
  EXPECT_TRUE(transmit().empty());
  EXPECT_EQ(client->counters().retries_accepted, 0u);
}

TEST_F(ClientTest, EndlessRetriesDoNotDriveTheClient) {
  ask();
  int datagrams = 0;
  for (int i = 0; i < 100; ++i) {
    const Datagram raw = transmit();
    if (raw.empty()) break;
    ++datagrams;
    receive(gateway.retry(*gateway.hear(raw)));
  }
  EXPECT_EQ(datagrams, 5);
}

TEST_F(ClientTest, ACookieServesTheRequestsThatFollowWhileItIsFresh) {
  ask(1);
  receive(gateway.retry(sent()));
  sent();
  ask(2);
  EXPECT_EQ(sent().type, DatagramType::initial_c);
  wait(26s);
  while (event()) {
  }
  ask(3);
  EXPECT_EQ(sent().type, DatagramType::initial) << "the gateway would not take it any more";
}

TEST_F(ClientTest, StaleTimeCorrectsTheClockAtOnce) {
  ask(1);
  std::uint8_t server_ms[8];
  base::store_be64(server_ms, kNowMs + 1'000'000'000);
  receive(gateway.error(sent(), ErrorCode::stale_time, server_ms));
  const Heard again = sent();
  EXPECT_EQ(again.ts, kNowMs + 1'000'000'000);
  receive(gateway.answer(again, base::as_bytes("now")));
  EXPECT_EQ(answer_text(), "now");
  ask(2);
  EXPECT_EQ(sent().ts, kNowMs + 1'000'000'000);
}

TEST_F(ClientTest, EndlessStaleTimesDoNotDriveTheClient) {
  ask();
  int datagrams = 0;
  std::uint8_t server_ms[8] = {};
  for (int i = 0; i < 100; ++i) {
    const Datagram raw = transmit();
    if (raw.empty()) break;
    ++datagrams;
    receive(gateway.error(*gateway.hear(raw), ErrorCode::stale_time, server_ms));
  }
  EXPECT_EQ(datagrams, 5);
}

TEST_F(ClientTest, ResetNeedsTheToken) {
  const Heard first = establish();
  ask(2);
  ask(3);
  sent();
  sent();
  const Datagram good = gateway.reset();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Datagram bad = good;
    bad[i] ^= 0x40;
    receive(bad);
    EXPECT_TRUE(transmit().empty()) << "byte " << i;
  }
  EXPECT_TRUE(client->state(now).established);
  receive(good);
  EXPECT_EQ(client->counters().resets_accepted, 1u);
  const Heard again = sent();
  EXPECT_EQ(again.type, DatagramType::initial);
  EXPECT_NE(again.ec, first.ec);
  EXPECT_EQ(again.n, 0u);
  EXPECT_TRUE(again.assoc_req);
  EXPECT_FALSE(sent().assoc_req) << "the other one, at once as well";
  receive(good);
  EXPECT_EQ(client->counters().resets_accepted, 1u) << "that association is gone";
}

TEST_F(ClientTest, AResetBeforeAnyAssociationIsNothing) {
  ask();
  sent();
  gateway.sid = {};
  gateway.token = {};
  receive(gateway.reset());  // all zero, as the fields are before ASSOC
  EXPECT_EQ(client->counters().resets_accepted, 0u);
  EXPECT_TRUE(transmit().empty());
}

TEST_F(ClientTest, TwoLostShortsMakeANewKeyAndTheOldAnswersStayWelcome) {
  const Heard first = establish();
  for (int i = 0; i < 10; ++i) {
    ask(2);
    receive(gateway.answer(sent(), base::as_bytes("x")));
    event();
  }
  ask(7);
  const Heard lost = sent();
  wait(60ms);
  EXPECT_EQ(sent().type, DatagramType::short_) << "one loss is weather";
  wait(80ms);
  const Heard renewed = sent();
  EXPECT_EQ(renewed.type, DatagramType::initial);
  EXPECT_NE(renewed.ec, first.ec);
  receive(gateway.answer(lost, base::as_bytes("at last")));
  EXPECT_EQ(answer_text(), "at last");
}

TEST_F(ClientTest, ABurstLostTogetherIsOneLoss) {
  establish();
  for (std::uint64_t i = 0; i < 20; ++i) ask(i);
  for (int i = 0; i < 20; ++i) sent();
  wait(404ms);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(sent().type, DatagramType::short_);
}

TEST_F(ClientTest, AnAssocForAnOldKeyIsNotUsedOnTheNewOne) {
  ask(1);
  const Heard old = sent();
  client->address_changed(now);
  const Heard renewed = sent();
  EXPECT_NE(renewed.ec, old.ec);
  receive(gateway.associate(old, base::as_bytes("old")));
  EXPECT_EQ(answer_text(), "old");
  EXPECT_FALSE(client->state(now).established);
  ask(2);
  EXPECT_EQ(sent().type, DatagramType::initial);
}

TEST_F(ClientTest, ASecondAssocDoesNotReplaceTheFirst) {
  ask(1);
  const Heard first = sent();
  wait(404ms);
  const Heard second = sent();
  ASSERT_TRUE(second.assoc_req);
  receive(gateway.associate(first, base::as_bytes("x")));
  event();
  const SessionId sid = gateway.sid;
  gateway.sid[0] ^= 0xff;
  receive(gateway.associate(second, base::as_bytes("x")));
  ask(2);
  EXPECT_EQ(sent().sid, sid);
}

TEST_F(ClientTest, AtMostSixteenInitialsAreInFlight) {
  for (std::uint64_t i = 0; i < 40; ++i) ask(i);
  std::vector<Heard> initials;
  for (Datagram raw = transmit(); !raw.empty(); raw = transmit())
    initials.push_back(*gateway.hear(raw));
  ASSERT_EQ(initials.size(), 16u);
  receive(gateway.answer(initials[3], base::as_bytes("x")));
  ASSERT_TRUE(event());
  EXPECT_FALSE(transmit().empty());
  EXPECT_TRUE(transmit().empty()) << "one answered, one more";
  receive(gateway.associate(initials[0], base::as_bytes("x")));
  ASSERT_TRUE(event());
  int shorts = 0;
  for (Datagram raw = transmit(); !raw.empty(); raw = transmit()) {
    EXPECT_EQ(gateway.hear(raw)->type, DatagramType::short_);
    ++shorts;
  }
  EXPECT_EQ(shorts, 23);
}

TEST_F(ClientTest, CancelledInitialsMakeRoom) {
  std::vector<base::Handle> handles;
  for (std::uint64_t i = 0; i < 17; ++i) handles.push_back(ask(i));
  while (!transmit().empty()) {
  }
  client->cancel(handles[0]);
  EXPECT_FALSE(transmit().empty());
  EXPECT_TRUE(transmit().empty());
}

TEST_F(ClientTest, AnAssociationEndsWithTheLifetimeThatTheGatewayGave) {
  ask(1);
  const Heard first = sent();
  receive(gateway.associate(first, base::as_bytes("x"), 20));
  event();
  now += 21s;
  ask(2);
  const Heard next = sent();
  EXPECT_EQ(next.type, DatagramType::initial);
  EXPECT_NE(next.ec, first.ec);
}

TEST_F(ClientTest, AnIdleAssociationIsWipedInTime) {
  establish();
  const auto next = client->next_timeout();
  ASSERT_TRUE(next);
  EXPECT_LE(*next, now + 300s);
  now = *next;
  client->handle_timeout(now);
  EXPECT_FALSE(client->state(now).established);
  now = *client->next_timeout();
  client->handle_timeout(now);
  EXPECT_FALSE(client->next_timeout()) << "nothing left to care for";
}

TEST_F(ClientTest, OneKeyCarriesAtMostAMillionDatagrams) {
  const Heard first = establish();
  Datagram out(kMaxDatagram);
  std::uint64_t shorts = 0;
  while (true) {
    const base::Handle handle = ask(2);
    const std::size_t size = client->poll_transmit(now, out);
    if (out[3] != static_cast<std::uint8_t>(DatagramType::short_)) {
      const auto heard = gateway.hear(base::Bytes(out).first(size));
      ASSERT_TRUE(heard);
      EXPECT_NE(heard->ec, first.ec);
      break;
    }
    ++shorts;
    client->cancel(handle);
  }
  EXPECT_EQ(shorts + first.n + 1, std::uint64_t{1} << 20);
}

TEST_F(ClientTest, AForkTakesANewKey) {
  const Heard first = establish();
  ask(2);
  ++rng.forks;
  const Heard heard = sent();
  EXPECT_EQ(heard.type, DatagramType::initial);
  EXPECT_NE(heard.ec, first.ec);
}

TEST_F(ClientTest, ALowOrderKeyFailsEveryRequestAtOnce) {
  make([](ClientConfig& config) { config.pinned_key = crypto::PublicKey{}; });
  ask(1);
  EXPECT_TRUE(transmit().empty());
  const auto failed = failure();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, FailReason::no_key);
}

TEST_F(ClientTest, SmallAnswersLeadToSmallShorts) {
  establish();
  for (int i = 0; i < 60; ++i) {
    ask(2);
    receive(gateway.answer(sent(), base::as_bytes("small")));
    event();
  }
  ask(3);
  EXPECT_EQ(sent().raw.size(), 256u);
  ask(4, std::string(300, 'x'));
  EXPECT_EQ(sent().raw.size(), 512u) << "the request must fit too";
}

TEST_F(ClientTest, APingIsAnsweredByAPong) {
  client->request(now, FrameType::ping, {}, 3);
  const Heard heard = sent();
  EXPECT_EQ(heard.service, FrameType::ping);
  receive(gateway.msg(heard, [&](FrameWriter& w) { w.put(FrameType::pong, true, heard.id); }));
  EXPECT_EQ(answer_text(), "");
}

TEST_F(ClientTest, BeyondCapacityThereIsNoHandleAndNoEvent) {
  make([](ClientConfig& config) { config.capacity = 2; });
  EXPECT_NE(ask(1), 0u);
  EXPECT_NE(ask(2), 0u);
  EXPECT_EQ(ask(3), 0u);
  EXPECT_EQ(client->counters().full, 1u);
  EXPECT_FALSE(event());
}

TEST_F(ClientTest, AKeyForEachQueryLinksNothing) {
  make([](ClientConfig& config) { config.key_per_query = true; });
  ask(1);
  ask(2);
  const Heard first = sent();
  const Heard second = sent();
  EXPECT_NE(first.ec, second.ec);
  EXPECT_FALSE(first.assoc_req || second.assoc_req);
  EXPECT_EQ(first.n, 0u);
  EXPECT_EQ(second.n, 0u);
  receive(gateway.associate(first, base::as_bytes("one")));  // not asked for: not believed
  EXPECT_EQ(answer_text(), "one");
  EXPECT_FALSE(client->state(now).established);
  wait(404ms);
  const Heard again = sent();
  EXPECT_EQ(again.ec, second.ec) << "a retransmission is linked to its request only";
  EXPECT_EQ(again.n, 1u);
  client->address_changed(now);
  EXPECT_NE(sent().ec, second.ec) << "but not over two addresses";
  receive(gateway.answer(second, base::as_bytes("two")));
  EXPECT_FALSE(event()) << "its key is wiped";
}

}  // namespace
}  // namespace boxgram::packet
