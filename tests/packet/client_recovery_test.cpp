// Retries, resets, losses, renewals: how a client keeps its association, and how it leaves it.
#include <algorithm>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <boxgram/crypto/system_rng.hpp>

#include "packet/client_fixture.hpp"

namespace boxgram::packet {
namespace {

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

// A box with an ECHO is fresh by its cookie alone: where the cookie was no good, the time helps
// only without it.
TEST_F(ClientTest, StaleTimeEndsTheUseOfACookie) {
  ask(1);
  receive(gateway.retry(sent()));
  const Heard with = sent();
  ASSERT_EQ(with.type, DatagramType::initial_c);
  std::uint8_t server_ms[8];
  base::store_be64(server_ms, kNowMs);
  receive(gateway.error(with, ErrorCode::stale_time, server_ms));
  const Heard without = sent();
  EXPECT_EQ(without.type, DatagramType::initial);
  EXPECT_FALSE(without.echo);
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

TEST_F(ClientTest, ADuplicateErrorPromptsOnce) {
  ask();
  std::uint8_t detail[2];
  base::store_be16(detail, 700);
  const Datagram error = gateway.error(sent(), ErrorCode::too_large, detail);
  receive(error);
  EXPECT_FALSE(transmit().empty());
  receive(error);
  EXPECT_TRUE(transmit().empty());
  EXPECT_EQ(client->counters().late, 1u);
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

TEST_F(ClientTest, ParentAndChildOfARealForkUseDifferentKeys) {
  crypto::SystemRng system;
  ClientConfig config;
  config.pinned_key = gateway.key();
  client = std::make_unique<Client>(config, system, base::WallClock{now, kNowMs}, now);
  const Heard first = establish();
  ask(2);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  const Datagram datagram = transmit();
  if (child == 0) {
    const ssize_t written = write(pipe_ends[1], datagram.data(), datagram.size());
    _exit(written == static_cast<ssize_t>(datagram.size()) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  Datagram from_child(kMaxDatagram);
  from_child.resize(static_cast<std::size_t>(read(pipe_ends[0], from_child.data(), kMaxDatagram)));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  const auto parents = gateway.hear(datagram);
  const auto childs = gateway.hear(from_child);
  ASSERT_TRUE(parents && childs);
  EXPECT_EQ(parents->type, DatagramType::short_) << "the parent goes on as before";
  EXPECT_EQ(childs->type, DatagramType::initial);
  EXPECT_NE(childs->ec, first.ec);
}

TEST_F(ClientTest, ALowOrderKeyFailsEveryRequestAtOnce) {
  make([](ClientConfig& config) { config.pinned_key = crypto::PublicKey{}; });
  ask(1);
  EXPECT_TRUE(transmit().empty());
  const auto failed = failure();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, FailReason::no_key);
}

// poll_transmit() may be the last call of an owner that then sleeps until next_timeout().
TEST_F(ClientTest, AnEventThatWaitsIsDueAtOnce) {
  make([](ClientConfig& config) { config.pinned_key = crypto::PublicKey{}; });
  ask(1);
  EXPECT_TRUE(transmit().empty());
  const auto next = client->next_timeout();
  ASSERT_TRUE(next);
  EXPECT_LE(*next, now);
  ASSERT_TRUE(failure());
  EXPECT_FALSE(client->next_timeout());
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
