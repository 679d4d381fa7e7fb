// When the stub uses a stream, and what becomes of a query when that fails.
#include "stub/harness.hpp"

namespace boxgram::test {
namespace {

using Health = dns::UpstreamState::Health;
using Tcp = MemoryGateway::Tcp;

constexpr unsigned kServfail = 2;
constexpr unsigned kNetworkError = 23;

TEST(StubStream, CarriesWhatFitsNoDatagram) {
  StubHarness h;
  h.start();
  for (const std::size_t size : {1200u, 4000u, 9000u, 64'000u}) {
    const auto answer = h.answer_of(size);
    EXPECT_EQ(answer.rcode(), 0u);
    EXPECT_FALSE(answer.truncated());
    EXPECT_EQ(answer.data_size(), size);
  }
  EXPECT_EQ(h.gateway().connections, 1u);
  EXPECT_EQ(h.gateway().by_stream, 4u);
  EXPECT_EQ(h.core().forwarder().counters().tries, 4u) << "each is one try";
}

TEST(StubStream, IsNotUsedForWhatFitsADatagram) {
  StubHarness h;
  h.start();
  for (std::size_t size = 1; size < 1100; size += 50) EXPECT_EQ(h.answer_of(size).rcode(), 0u);
  EXPECT_EQ(h.gateway().connections, 0u);
}

TEST(StubStream, AUdpClientIsToldToUseTcpAndThenServedFromTheCache) {
  StubHarness h;
  h.start();
  const auto cut = h.answer_of(4000, false);
  EXPECT_TRUE(cut.truncated());
  EXPECT_EQ(cut.rcode(), 0u);
  const auto number = h.ask(4000, true);
  ASSERT_TRUE(h.has_answer(number)) << "at once";
  EXPECT_EQ(h.answer(number).data_size(), 4000u);
  EXPECT_EQ(h.gateway().by_stream, 1u);
}

TEST(StubStream, AnAnswerBetweenTheTwoDatagramSizesReachesAUdpClientWhole) {
  StubHarness h;
  h.start();
  // 38 bytes of header, question, record and OPT beside it: over 1172, within 1232.
  const auto answer = h.answer_of(1170, false);
  EXPECT_FALSE(answer.truncated());
  EXPECT_EQ(answer.data_size(), 1170u);
  EXPECT_EQ(h.gateway().by_stream, 1u);
}

TEST(StubStream, UsesTheCertificateThatThePacketsHaveBrought) {
  StubHarness h;
  h.start();
  h.answer_of(4000);
  EXPECT_EQ(h.gateway().streams().counters().key_requests, 0u);
  EXPECT_EQ(h.gateway().streams().counters().sessions, 1u);
}

TEST(StubStream, AGatewayWithoutTcpInItsStampGetsNone) {
  StubHarness h;
  h.gateway().takes_streams = false;
  h.start();
  EXPECT_EQ(h.core().stream(0), nullptr);
  const auto tcp = h.answer_of(4000);
  EXPECT_EQ(tcp.rcode(), kServfail);
  EXPECT_EQ(tcp.extended_error(), 0u);
  EXPECT_EQ(tcp.took, 0ms);
  EXPECT_TRUE(h.answer_of(4000, false, "udp.example").truncated());
}

TEST(StubStream, AGatewayThatTakesStreamsIsAskedWhatAnotherCannotCarry) {
  StubHarness h(2);
  h.gateway(0).takes_streams = false;
  h.start();
  EXPECT_EQ(h.answer_of(4000).data_size(), 4000u);
  EXPECT_EQ(h.gateway(1).by_stream, 1u);
}

TEST(StubStream, ManyQueriesShareOneConnectionAndAreAnsweredInAnyOrder) {
  StubHarness h;
  h.gateway().holds_answers = true;
  h.start();
  h.answer_of(40);  // an association, so that all questions travel at once
  std::vector<std::uint32_t> numbers;
  for (std::size_t i = 0; i < 100; ++i) numbers.push_back(h.ask(1200 + 37 * i));
  h.settle();
  EXPECT_EQ(h.gateway().held(), 100u);
  h.gateway().release(h.now);
  h.settle();
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(h.answer(numbers[i]).data_size(), 1200 + 37 * i);
  EXPECT_EQ(h.gateway().connections, 1u);
}

TEST(StubStream, WhatADeadConnectionOwedIsAskedAgainOnAnother) {
  StubHarness h;
  h.gateway().holds_answers = true;
  h.start();
  const auto number = h.ask(4000);
  h.settle();
  ASSERT_EQ(h.gateway().held(), 1u);
  h.gateway().holds_answers = false;
  h.gateway().break_connection();
  h.settle();
  EXPECT_EQ(h.answer(number).data_size(), 4000u);
  EXPECT_EQ(h.gateway().connections, 2u);
}

TEST(StubStream, IsClosedAfter30SecondsWithoutUseAndOpenedAgain) {
  StubHarness h;
  h.start();
  h.answer_of(4000);
  h.run(29s);
  EXPECT_TRUE(h.core().stream(0)->ready());
  h.run(2s);
  EXPECT_FALSE(h.core().stream(0)->ready());
  EXPECT_EQ(h.gateway().streams().sessions(), 0u);
  EXPECT_EQ(h.answer_of(5000).data_size(), 5000u);
  EXPECT_EQ(h.gateway().connections, 2u);
}

TEST(StubStream, WithAKeyForEachQueryNoTwoShareAConnection) {
  StubHarness h;
  h.key_per_query = true;
  h.start();
  for (const std::size_t size : {3000u, 4000u, 5000u}) {
    EXPECT_EQ(h.answer_of(size).data_size(), size);
    h.run(10ms);
  }
  EXPECT_EQ(h.gateway().connections, 3u);
}

TEST(StubStream, RefusedTcpFailsWithAnErrorAndLeavesDatagramsAlone) {
  StubHarness h;
  h.gateway().tcp = Tcp::refuses;
  h.start();
  for (const bool tcp : {true, false}) {
    const auto answer = h.answer_of(4000, tcp, tcp ? "tcp.example" : "udp.example");
    EXPECT_EQ(answer.rcode(), kServfail);
    EXPECT_EQ(answer.extended_error(), kNetworkError);
    EXPECT_LE(answer.took, 1s);
  }
  EXPECT_EQ(h.core().forwarder().upstream_state(0).health, Health::healthy);
  EXPECT_EQ(h.answer_of(40).data_size(), 40u);
}

TEST(StubStream, SilentTcpFailsWithAnErrorWithinThreeSecondsAndDelaysNobody) {
  StubHarness h;
  h.gateway().tcp = Tcp::is_silent;
  h.start();
  const auto number = h.ask(4000);
  for (int i = 0; i < 20; ++i) {
    const auto small = h.answer_of(40, false, "n" + std::to_string(i) + ".example");
    EXPECT_EQ(small.data_size(), 40u);
    EXPECT_EQ(small.took, 0ms);
    h.run(150ms);
  }
  ASSERT_TRUE(h.has_answer(number));
  EXPECT_EQ(h.answer(number).rcode(), kServfail);
  EXPECT_EQ(h.answer(number).extended_error(), kNetworkError);
  EXPECT_LE(h.answer(number).took, 3s);
  EXPECT_EQ(h.core().forwarder().upstream_state(0).health, Health::healthy);
  EXPECT_EQ(h.core().stream(0)->outstanding(), 0u);
}

TEST(StubStream, AnotherGatewayIsAskedWhenOnesTcpFails) {
  for (const Tcp how : {Tcp::refuses, Tcp::is_silent}) {
    StubHarness h(2);
    h.gateway(0).tcp = how;
    h.start();
    const auto answer = h.answer_of(4000);
    EXPECT_EQ(answer.data_size(), 4000u);
    EXPECT_LE(answer.took, 1200ms);
    EXPECT_EQ(h.core().stream(0)->outstanding(), 0u) << "nobody waits for it any more";
  }
}

TEST(StubStream, AGatewayThatComesBackIsFoundWithinTheQuery) {
  StubHarness h;
  h.gateway().tcp = Tcp::refuses;
  h.start();
  const auto number = h.ask(4000);
  h.run(100ms);
  h.gateway().tcp = Tcp::works;
  h.run(500ms);
  ASSERT_TRUE(h.has_answer(number));
  EXPECT_EQ(h.answer(number).data_size(), 4000u);
}

TEST(StubStream, ARestartedGatewayWithNewKeysIsFoundOut) {
  StubHarness h;
  h.start();
  h.answer_of(4000);
  h.run(40s);
  h.gateway().restart(h.now);
  EXPECT_EQ(h.answer_of(5000).data_size(), 5000u);
}

}  // namespace
}  // namespace boxgram::test
