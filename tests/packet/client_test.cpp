// Requests and answers of a client, and what a gateway may say instead of an answer.
#include <algorithm>
#include <vector>

#include "packet/client_fixture.hpp"
#include "support/allocation_count.hpp"

namespace boxgram::packet {
namespace {

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

TEST_F(ClientTest, AShortAndItsAnswerAllocateNothing) {
  establish();
  Datagram out(kMaxDatagram);
  const auto round = [&](std::size_t count) {
    std::vector<Heard> heard;
    std::size_t allocated = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::size_t before = test::allocation_count();
      ask(i);
      const std::size_t size = client->poll_transmit(now, out);
      allocated += test::allocation_count() - before;
      heard.push_back(*gateway.hear(base::Bytes(out).first(size)));
      EXPECT_EQ(heard.back().type, DatagramType::short_);
    }
    for (const Heard& one : heard) {
      Datagram answer = gateway.answer(one, base::as_bytes("yes"));
      ClientEvent next;
      const std::size_t before = test::allocation_count();
      client->handle_datagram(now, answer);
      EXPECT_TRUE(client->poll_event(next));
      allocated += test::allocation_count() - before;
    }
    return allocated;
  };
  EXPECT_GT(round(100), 0u) << "slots and the ring grow once";
  EXPECT_EQ(round(100), 0u);
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
    Datagram next;
    for (int i = 0; i < 250 && next.empty(); ++i) {
      wait(4ms);
      next = transmit();
    }
    ASSERT_FALSE(next.empty()) << "the request is still open";
    current = *gateway.hear(next);
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

TEST_F(ClientTest, AnAnswerThatFitsOnlyWithoutAnAssocIsAskedForWithoutOne) {
  ask(1, std::string(kMaxRequestPayload, 'x'));
  const Heard first = sent();
  ASSERT_EQ(first.raw.size(), kMaxDatagram);
  ASSERT_TRUE(first.assoc_req);
  std::uint8_t detail[2];
  base::store_be16(detail, 1144);
  receive(gateway.error(first, ErrorCode::too_large, detail));
  EXPECT_FALSE(event());
  const Heard again = sent();
  EXPECT_FALSE(again.assoc_req);
  receive(gateway.answer(again, Datagram(1144, 'x')));
  EXPECT_EQ(answer_text().size(), 1144u);
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
    EXPECT_GE(raw.size(), last) << "never a smaller class";
    last = raw.size();
    receive(gateway.error(*gateway.hear(raw), ErrorCode::too_large, detail));
  }
  EXPECT_EQ(last, kMaxDatagram);
  ASSERT_TRUE(failure());
}

}  // namespace
}  // namespace boxgram::packet
