// Serve-stale (RFC 8767) and cached failures (RFC 9520), as a client of the forwarder sees them.
#include "dns/forwarder_harness.hpp"

namespace boxgram::test {
namespace {

using Kind = dns::Outcome::Kind;

/// One answer in the cache, expired, and a silent upstream.
struct Expired : ForwarderHarness {
  explicit Expired(std::size_t upstreams = 1) : ForwarderHarness(plain_upstreams(upstreams), true) {
    upstream(0) = answers_after(10ms, 60);
    time_of("a.example");
    run(100s);
    for (std::size_t i = 0; i < upstreams; ++i) {
      upstream(i) = silent();
      asked(i).clear();
    }
  }
};

TEST(ForwarderStale, ComesAfterTheClientResponseTimer) {
  Expired h;
  const auto time = h.time_of("a.example");
  EXPECT_GE(time, 1800ms);
  EXPECT_LE(time, 1810ms);
  EXPECT_EQ(h.answer(h.last).lines()[0], "0 a.example. 1 1 30 c0000201");
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{3});
  EXPECT_EQ(h.forwarder().counters().stale_answers, 1u);
}

TEST(ForwarderStale, NxdomainHasItsOwnExtendedError) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = [](const Octets& q) {
    return std::vector<Reply>{{1ms, nxdomain_reply(q, 60), {}}};
  };
  h.time_of("a.example");
  h.run(100s);
  h.upstream(0) = silent();
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).rcode(), 3u);
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{19});
}

TEST(ForwarderStale, AFreshAnswerWithinTheTimerIsPreferred) {
  Expired h;
  h.upstream(0) = [](const Octets& q) {
    return std::vector<Reply>{{1500ms, address_reply(q, 60, {192, 0, 2, 2}), {}}};
  };
  EXPECT_EQ(h.time_of("a.example"), 1500ms);
  EXPECT_EQ(h.answer(h.last).lines()[0], "0 a.example. 1 1 60 c0000202");
  EXPECT_TRUE(h.answer(h.last).errors().empty());
}

TEST(ForwarderStale, TheRefreshGoesOnAndIsStored) {
  Expired h;
  h.upstream(0) = [](const Octets& q) {
    return std::vector<Reply>{{2500ms, address_reply(q, 60, {192, 0, 2, 2}), {}}};
  };
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{3});
  h.run(2s);
  const auto fresh = h.ask("a.example");
  EXPECT_EQ(h.last_kind, Kind::answered);
  EXPECT_TRUE(h.answer(fresh).lines()[0].ends_with("c0000202"));
  EXPECT_EQ(h.forwarder().in_flight(), 0u);
}

TEST(ForwarderStale, ALaterClientDoesNotWaitForTheTimerAgain) {
  Expired h;
  h.time_of("a.example");
  const auto tag = h.ask("a.example");
  EXPECT_EQ(h.last_kind, Kind::answered);
  EXPECT_EQ(h.answer(tag).errors(), std::vector<unsigned>{3});
}

TEST(ForwarderStale, AFailedRefreshIsNotRepeatedFor30s) {
  Expired h;
  h.time_of("a.example");
  h.run(2s);
  const auto before = h.asked_count();
  for (int i = 0; i < 27; ++i) {
    const auto tag = h.ask("a.example");
    EXPECT_EQ(h.last_kind, Kind::answered) << "stale at once, " << i;
    EXPECT_EQ(h.answer(tag).errors(), std::vector<unsigned>{3});
    h.run(1s);
  }
  EXPECT_EQ(h.asked_count(), before);
  h.run(5s);
  h.ask("a.example");
  EXPECT_EQ(h.last_kind, Kind::pending);
  EXPECT_EQ(h.asked_count(), before + 1);
}

TEST(ForwarderStale, FailingUpstreamsLeadToItAtOnce) {
  Expired h(2);
  h.upstream(0) = fails_after(1ms, dns::TryFailure::unreachable);
  h.upstream(1) = rcode_after(1ms, 2);
  EXPECT_LE(h.time_of("a.example"), 10ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{3});
}

TEST(ForwarderStale, ServfailDoesNotEvictGoodData) {
  Expired h;
  h.upstream(0) = rcode_after(1ms, 2);
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).lines()[0], "0 a.example. 1 1 30 c0000201");
}

TEST(ForwarderStale, NxdomainReplacesIt) {
  Expired h;
  h.upstream(0) = [](const Octets& q) {
    return std::vector<Reply>{{1ms, nxdomain_reply(q, 60), {}}};
  };
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).rcode(), 3u);
  h.run(100s);
  h.upstream(0) = silent();
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).rcode(), 3u);
}

TEST(ForwarderStale, KeepsIdCaseAndBufferSizeOfTheClient) {
  Expired h;
  auto query = query_for("A.ExamplE", 1, false);
  query[0] = 0x55;
  const auto tag = h.ask(query);
  h.run(2s);
  EXPECT_EQ(h.answer(tag).id(), 0x5534u);
  EXPECT_EQ(h.answer(tag).lines(), std::vector<std::string>{"0 A.ExamplE. 1 1 30 c0000201"});
}

TEST(ForwarderStale, CanBeSwitchedOff) {
  auto config = plain_upstreams(1);
  config.stale.enabled = false;
  ForwarderHarness h(std::move(config), true);
  h.upstream(0) = answers_after(10ms, 60);
  h.time_of("a.example");
  h.run(100s);
  h.upstream(0) = silent();
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).rcode(), 2u);
}

TEST(ForwarderFailure, IsCachedWithBackOff) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = rcode_after(1ms, 2);
  h.time_of("a.example");
  h.ask("a.example");
  EXPECT_EQ(h.last_kind, Kind::answered);
  h.run(1500ms);
  h.time_of("a.example");
  h.run(1500ms);
  h.ask("a.example");
  EXPECT_EQ(h.last_kind, Kind::answered) << "the second hold is 2 s";
  EXPECT_EQ(h.asked(0).size(), 2u);
}

TEST(ForwarderFailure, OfTheNetworkIsHeldForASecondOnly) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = fails_after(0ms, dns::TryFailure::unreachable);
  for (int i = 0; i < 10; ++i) {
    h.time_of("a.example");
    h.ask("a.example");
    EXPECT_EQ(h.last_kind, Kind::answered) << "held for a second (RFC 9520)";
    h.run(1s);
  }
  h.upstream(0) = answers_after(5ms);
  EXPECT_EQ(h.time_of("a.example"), 5ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

}  // namespace
}  // namespace boxgram::test
