// Lost datagrams, dead upstreams, failures against answers, hedges, the deadline.
#include "dns/forwarder_harness.hpp"

namespace boxgram::test {
namespace {

using dns::TryFailure;
using Health = dns::UpstreamState::Health;

/// Fresh names, so that nothing coalesces.
struct Names {
  std::uint64_t n = 0;
  std::string next() { return "n" + std::to_string(n++) + ".example"; }
};

void warm_up(ForwarderHarness& h, Names& names, int queries = 40) {
  for (int i = 0; i < queries; ++i) h.time_of(names.next());
}

TEST(ForwarderUpstream, ALostFirstDatagramCostsAtMost400ms) {
  ForwarderHarness h(plain_upstreams(1));
  int n = 0;
  h.upstream(0) = [&](const Octets& q) {
    return n++ == 0 ? std::vector<Reply>{} : answers_after(10ms)(q);
  };
  EXPECT_LE(h.time_of("a.example"), 400ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, RetriesByTheMeasuredRoundTrip) {
  ForwarderHarness h(plain_upstreams(1));
  Names names;
  h.upstream(0) = answers_after(5ms);
  warm_up(h, names);
  int n = 0;
  h.upstream(0) = [&](const Octets& q) {
    return n++ == 0 ? std::vector<Reply>{} : answers_after(5ms)(q);
  };
  EXPECT_LE(h.time_of(names.next()), 70ms);
}

TEST(ForwarderUpstream, ALateAnswerToTheFirstTryCounts) {
  ForwarderHarness h(plain_upstreams(1));
  int n = 0;
  h.upstream(0) = [&](const Octets& q) {
    return n++ == 0 ? answers_after(600ms)(q) : std::vector<Reply>{};
  };
  EXPECT_EQ(h.time_of("a.example"), 600ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, EachTryHasItsOwnId) {
  ForwarderHarness h(plain_upstreams(1));
  h.time_of("a.example");
  std::set<unsigned> ids;
  for (const auto& query : h.asked(0)) ids.insert(base::load_be16(query.data()));
  EXPECT_GE(h.asked(0).size(), 3u);
  EXPECT_EQ(ids.size(), h.asked(0).size());
}

TEST(ForwarderUpstream, ABlackHoledFirstUpstreamCostsOneRetryAndThenNothing) {
  ForwarderHarness h(plain_upstreams(2));
  h.upstream(1) = answers_after(20ms);
  EXPECT_LE(h.time_of("first.example"), 420ms);
  Names names;
  for (int i = 0; i < 50; ++i) {
    h.run(1s);
    EXPECT_LE(h.time_of(names.next()), 30ms) << "query " << i;
  }
}

TEST(ForwarderUpstream, ProbesADownUpstreamWithBackOffAndTakesItBack) {
  ForwarderHarness h(plain_upstreams(2));
  Names names;
  h.upstream(0) = answers_after(5ms);
  h.upstream(1) = answers_after(50ms);
  warm_up(h, names);
  h.upstream(0) = silent();
  for (int i = 0; i < 10; ++i) {
    h.time_of(names.next());
    h.run(500ms);
  }
  EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::down);
  const auto before = h.asked(0).size();
  for (int i = 0; i < 240; ++i) {
    EXPECT_LE(h.time_of(names.next()), 60ms);
    h.run(500ms);
  }
  EXPECT_LE(h.asked(0).size() - before, 8u) << "1, 2, 4 .. 60 s apart";
  EXPECT_GE(h.asked(0).size() - before, 3u);
  h.upstream(0) = answers_after(5ms);
  for (int i = 0; i < 130; ++i) {
    h.time_of(names.next());
    h.run(500ms);
  }
  EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::healthy);
  EXPECT_EQ(h.time_of(names.next()), 5ms);
}

TEST(ForwarderUpstream, TheFastestHealthyUpstreamIsFoundAndUsed) {
  ForwarderHarness h(plain_upstreams(3));
  Names names;
  h.upstream(0) = answers_after(80ms);
  h.upstream(1) = answers_after(10ms);
  h.upstream(2) = answers_after(40ms);
  warm_up(h, names, 10);
  h.run(3s);
  EXPECT_EQ(h.time_of(names.next()), 10ms);
  EXPECT_EQ(h.forwarder().upstream_state(1).health, Health::healthy);
}

TEST(ForwarderUpstream, AllDeadEndsInServfailWithin3s) {
  for (const std::size_t n : {1u, 2u, 5u}) {
    ForwarderHarness h(plain_upstreams(n));
    const auto time = h.time_of("a.example");
    EXPECT_GE(time, 2s);
    EXPECT_LT(time, 3s);
    EXPECT_EQ(h.answer(h.last).rcode(), 2u);
    EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{22});
    h.run(5s);
    EXPECT_EQ(h.forwarder().in_flight(), 0u);
  }
}

TEST(ForwarderUpstream, AFailureGoesToTheNextUpstreamAtOnce) {
  ForwarderHarness h(plain_upstreams(2));
  h.upstream(0) = fails_after(1ms, TryFailure::refused);
  h.upstream(1) = answers_after(10ms);
  EXPECT_LE(h.time_of("a.example"), 11ms);
  EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::down);
}

TEST(ForwarderUpstream, AllUnreachableEndsSoonWithNetworkError) {
  ForwarderHarness h(plain_upstreams(2));
  for (std::size_t i = 0; i < 2; ++i) h.upstream(i) = fails_after(0ms, TryFailure::unreachable);
  EXPECT_LE(h.time_of("a.example"), 600ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 2u);
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{23});
}

TEST(ForwarderUpstream, ABusyTransportTakesNoUpstreamDownAndIsNotRememberedOfTheName) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = fails_after(0ms, TryFailure::busy);
  EXPECT_LE(h.time_of("a.example"), 300ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 2u);
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{14});
  EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::healthy);
  h.upstream(0) = answers_after(5ms);
  EXPECT_EQ(h.time_of("a.example"), 5ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, AnUpstreamThatComesBackWithinTheQueryAnswersIt) {
  ForwarderHarness h(plain_upstreams(1));
  int n = 0;
  h.upstream(0) = [&](const Octets& q) {
    return n++ == 0 ? fails_after(0ms, TryFailure::refused)(q) : answers_after(5ms)(q);
  };
  EXPECT_LE(h.time_of("a.example"), 400ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, AFastServfailNeverBeatsASlowerNoerror) {
  ForwarderHarness h(plain_upstreams(2));
  h.upstream(0) = rcode_after(1ms, 2);
  h.upstream(1) = answers_after(700ms);
  EXPECT_LE(h.time_of("a.example"), 710ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, AFastRefusedNeverBeatsASlowerNxdomain) {
  ForwarderHarness h(plain_upstreams(2));
  h.upstream(0) = rcode_after(1ms, 5);
  h.upstream(1) = [](const Octets& q) {
    return std::vector<Reply>{{300ms, nxdomain_reply(q), {}}};
  };
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).rcode(), 3u);
}

TEST(ForwarderUpstream, ServfailOfAllIsGivenAsSoonAsAllHaveSaidIt) {
  ForwarderHarness h(plain_upstreams(2));
  h.upstream(0) = rcode_after(5ms, 2, option(15, {0, 6}));
  h.upstream(1) = rcode_after(9ms, 5);
  EXPECT_LE(h.time_of("a.example"), 15ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 2u) << "the first one is kept";
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{6});
}

TEST(ForwarderUpstream, ADeadUpstreamDoesNotDelayAServfail) {
  ForwarderHarness h(plain_upstreams(2));
  Names names;
  h.upstream(0) = answers_after(5ms);
  warm_up(h, names, 10);
  h.run(5s);
  warm_up(h, names, 3);
  h.run(5s);
  EXPECT_EQ(h.forwarder().upstream_state(1).health, Health::down);
  h.upstream(0) = rcode_after(5ms, 2);
  EXPECT_LE(h.time_of(names.next()), 10ms);
}

TEST(ForwarderUpstream, AnUpstreamThatOnlyFailsIsNotPreferredForBeingFast) {
  ForwarderHarness h(plain_upstreams(2));
  Names names;
  h.upstream(0) = answers_after(1ms);
  h.upstream(1) = answers_after(30ms);
  warm_up(h, names, 10);
  h.upstream(0) = rcode_after(1ms, 2);
  warm_up(h, names, 3);
  EXPECT_EQ(h.time_of(names.next()), 30ms) << "no detour over the first";
  EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::down);
}

TEST(ForwarderUpstream, AMismatchingAnswerIsIgnoredAndTheQueryGoesOn) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = [](const Octets& q) {
    auto wrong_id = address_reply(q, 300, {6, 6, 6, 6});
    wrong_id[0] ^= 1;
    auto wrong_name = address_reply(q, 300, {6, 6, 6, 6});
    wrong_name[13] ^= 1;
    auto no_response = q;
    return std::vector<Reply>{{1ms, wrong_id, {}},
                              {2ms, wrong_name, {}},
                              {3ms, no_response, {}},
                              {4ms, Octets(5), {}},
                              {20ms, address_reply(q), {}}};
  };
  EXPECT_EQ(h.time_of("a.example"), 20ms);
  EXPECT_EQ(h.answer(h.last).lines()[0], "0 a.example. 1 1 300 c0000201");
  EXPECT_EQ(h.forwarder().counters().mismatches, 4u);
  EXPECT_EQ(h.asked(0).size(), 1u);
}

TEST(ForwarderUpstream, AMalformedAnswerSendsTheQueryToTheNextUpstream) {
  ForwarderHarness h(plain_upstreams(2));
  h.upstream(0) = [](const Octets& q) {
    auto reply = address_reply(q);
    reply.pop_back();
    return std::vector<Reply>{{1ms, reply, {}}};
  };
  h.upstream(1) = answers_after(10ms);
  EXPECT_LE(h.time_of("a.example"), 11ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, RandomCaseIsRequiredBack) {
  auto config = plain_upstreams(1);
  config.random_case = true;
  ForwarderHarness h(std::move(config));
  const std::string name = "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.example";
  h.upstream(0) = [&](const Octets& q) {
    EXPECT_NE(question_of(q), question(name, 1)) << "1 in 2^59";
    auto forged = header(base::load_be16(q.data()), 0x8180, 1, 1, 0, 0) + question(name, 1) +
                  record(pointer(12), 1, 300, {6, 6, 6, 6});
    return std::vector<Reply>{{1ms, forged, {}}, {5ms, address_reply(q), {}}};
  };
  EXPECT_EQ(h.time_of(name), 5ms);
  EXPECT_EQ(h.answer(h.last).lines()[0], "0 " + name + ". 1 1 300 c0000201");
}

TEST(ForwarderUpstream, HedgesAfterTheMeasuredP95WithinTheBudget) {
  ForwarderHarness h(plain_upstreams(2));
  Names names;
  // One in 25 is slow at the first upstream; the second answers all in 30 ms.
  std::uint64_t n = 0;
  h.upstream(0) = [&](const Octets& q) { return answers_after(n++ % 25 == 24 ? 300ms : 5ms)(q); };
  h.upstream(1) = answers_after(30ms);
  warm_up(h, names, 100);
  int slow = 0;
  for (int i = 0; i < 1000; ++i) slow += h.time_of(names.next()) > 60ms;
  EXPECT_EQ(slow, 0) << "every slow one was hedged";
  const auto& counters = h.forwarder().counters();
  EXPECT_GE(counters.hedges, 20u);
  EXPECT_LE(counters.hedges + counters.probes, 1100u / 10 + 8);
}

TEST(ForwarderUpstream, HedgesNeverExceedTenPercentEvenIfAllQueriesAreSlow) {
  ForwarderHarness h(plain_upstreams(2));
  Names names;
  h.upstream(0) = answers_after(5ms);
  h.upstream(1) = answers_after(30ms);
  warm_up(h, names, 60);
  const auto before = h.forwarder().counters();
  h.upstream(0) = answers_after(25ms);
  std::uint64_t queries = 0;
  for (; queries < 500; ++queries) {
    h.ask(names.next());
    h.run(1ms);
  }
  h.run(5s);
  const auto& after = h.forwarder().counters();
  EXPECT_LE(after.hedges + after.probes - before.hedges - before.probes, queries / 10 + 8);
  EXPECT_GE(after.hedges - before.hedges, 8u);
}

TEST(ForwarderUpstream, ARetransmittingUpstreamGetsOneOpenTryPerFlight) {
  ForwarderHarness h(sealed_upstreams(1));
  EXPECT_LT(h.time_of("a.example"), 3s);
  EXPECT_EQ(h.asked(0).size(), 1u);
  EXPECT_EQ(h.answer(h.last).rcode(), 2u);

  ForwarderHarness two(sealed_upstreams(2));
  two.time_of("a.example");
  EXPECT_EQ(two.asked(0).size(), 1u);
  EXPECT_EQ(two.asked(1).size(), 1u);
}

TEST(ForwarderUpstream, ARetransmittingUpstreamIsAskedAgainAfterItsTransportGaveUp) {
  ForwarderHarness h(sealed_upstreams(1));
  int n = 0;
  h.upstream(0) = [&](const Octets& q) {
    return n++ == 0 ? fails_after(30ms, TryFailure::unreachable)(q) : answers_after(5ms)(q);
  };
  EXPECT_LE(h.time_of("a.example"), 600ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, ADeadGatewayIsFailedOverInTheTimeOfARetry) {
  ForwarderHarness h(sealed_upstreams(2));
  h.upstream(1) = answers_after(20ms);
  EXPECT_LE(h.time_of("a.example"), 420ms);
  Names names;
  for (int i = 0; i < 20; ++i) EXPECT_LE(h.time_of(names.next()), 30ms);
}

TEST(ForwarderUpstream, TooLargeForASealedPathIsSaidToEachAskerItsWay) {
  ForwarderHarness h(sealed_upstreams(1), true);
  h.upstream(0) = fails_after(10ms, TryFailure::too_large);
  const auto query = query_for("big.example", 16);
  const auto udp = h.ask(query);
  const auto tcp = h.ask(query, {dns::Transport::tcp, 65535});
  const auto sealed = h.ask(query, {dns::Transport::sealed, 700});
  h.run(1s);
  EXPECT_TRUE(h.answer(udp).truncated());
  EXPECT_EQ(h.answer(udp).rcode(), 0u);
  EXPECT_EQ(h.answer(tcp).rcode(), 2u);
  EXPECT_EQ(h.answer(tcp).errors(), std::vector<unsigned>{0});
  EXPECT_TRUE(h.answer(sealed).too_large);
  // Nothing of it is cached.
  h.ask(query);
  EXPECT_EQ(h.asked(0).size(), 2u);
  EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::healthy);
}

const dns::Asker kTcp{dns::Transport::tcp, 65535};

TEST(ForwarderUpstream, TooLargeForOneGatewayIsAskedOfTheNext) {
  ForwarderHarness h(sealed_upstreams(2));
  h.upstream(0) = fails_after(10ms, TryFailure::too_large);
  h.upstream(1) = answers_after(10ms);
  EXPECT_LE(h.time_of("a.example"), 20ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
  h.upstream(1) = silent();
  const auto tag = h.ask(query_for("b.example", 16), kTcp);
  h.run(3s);
  EXPECT_EQ(h.answer(tag).errors(), std::vector<unsigned>{0}) << "it is there, and cannot be had";
}

TEST(ForwarderUpstream, ADeferredTryIsAskedOnceAndCountsTheDatagramOnly) {
  ForwarderHarness h(sealed_upstreams(2));
  Names names;
  for (int i : {0, 1}) h.upstream(static_cast<std::size_t>(i)) = answers_after(20ms);
  warm_up(h, names);
  const auto before = h.forwarder().upstream_state(0);
  const auto other = h.forwarder().counters().tries;
  h.upstream(0) = h.upstream(1) = defers_after(20ms, answers_after(100ms));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(h.time_of(names.next()), 120ms);
  EXPECT_EQ(h.forwarder().counters().deferred, 20u);
  EXPECT_LE(h.forwarder().counters().tries - other, 22u) << "no hedge and no retry beside it";
  const auto after = h.forwarder().upstream_state(0);
  EXPECT_EQ(after.health, Health::healthy);
  EXPECT_EQ(after.srtt, before.srtt);
  EXPECT_EQ(after.silent, before.silent);
}

TEST(ForwarderUpstream, AnotherWayThatFailsSaysNothingOfTheDatagrams) {
  for (const auto why : {TryFailure::unreachable, TryFailure::timed_out, TryFailure::refused,
                         TryFailure::rejected}) {
    ForwarderHarness h(sealed_upstreams(1), true);
    h.upstream(0) = defers_after(10ms, fails_after(20ms, why));
    const auto udp = h.ask(query_for("big.example", 16));
    const auto tcp = h.ask(query_for("big.example", 16), kTcp);
    h.run(3s);
    for (const auto tag : {udp, tcp}) {
      EXPECT_EQ(h.answer(tag).rcode(), 2u);
      EXPECT_EQ(h.answer(tag).errors(), std::vector<unsigned>{23});
    }
    EXPECT_EQ(h.asked(0).size(), 2u) << "once more a quarter of a second later";
    EXPECT_EQ(h.forwarder().upstream_state(0).health, Health::healthy);
    h.upstream(0) = answers_after(10ms);
    EXPECT_EQ(h.time_of("small.example"), 10ms);
    h.run(1s);
    EXPECT_EQ(h.time_of("big.example", 16), 10ms) << "no long back-off for the name";
  }
}

TEST(ForwarderUpstream, AnotherWayThatFailsIsNoReasonNotToAskTheNextGateway) {
  ForwarderHarness h(sealed_upstreams(2));
  h.upstream(0) = defers_after(10ms, fails_after(20ms, TryFailure::unreachable));
  h.upstream(1) = defers_after(10ms, answers_after(30ms));
  EXPECT_EQ(h.time_of("a.example"), 70ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, AnotherWayThatHangsLeavesTimeForTheNextGateway) {
  ForwarderHarness h(sealed_upstreams(2));
  h.upstream(0) = defers_after(300ms, silent());
  h.upstream(1) = defers_after(300ms, answers_after(900ms));
  EXPECT_LE(h.time_of("a.example"), 2700ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
}

TEST(ForwarderUpstream, ADeferredProbeHasMeasuredAndEnds) {
  ForwarderHarness h(sealed_upstreams(2));
  Names names;
  h.upstream(0) = answers_after(10ms);
  h.upstream(1) = defers_after(15ms, silent());
  warm_up(h, names);
  h.run(5s);
  EXPECT_GT(h.forwarder().counters().probes, 0u);
  EXPECT_EQ(h.forwarder().in_flight(), 0u);
  const auto state = h.forwarder().upstream_state(1);
  EXPECT_EQ(state.answered, state.sent);
  EXPECT_EQ(state.silent, 0u);
}

TEST(ForwarderUpstream, ADeferredProbeGoesOnWhereNothingElseIsLeft) {
  ForwarderHarness h(sealed_upstreams(2));
  h.upstream(0) = fails_after(10ms, TryFailure::too_large);
  h.upstream(1) = defers_after(20ms, answers_after(30ms));
  EXPECT_EQ(h.time_of("a.example"), 50ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
  EXPECT_EQ(h.forwarder().counters().probes, 1u);
}

TEST(ForwarderUpstream, OneSlowNameDoesNotTakeABusyUpstreamDown) {
  ForwarderHarness h(plain_upstreams(2));
  Names names;
  h.upstream(0) = [](const Octets& q) {
    const bool slow = q[13] == 's';
    return slow ? std::vector<Reply>{} : answers_after(5ms)(q);
  };
  h.upstream(1) = answers_after(100ms);
  warm_up(h, names, 20);
  for (int i = 0; i < 20; ++i) {
    h.ask("slow" + std::to_string(i) + ".example");
    for (int k = 0; k < 10; ++k) h.time_of(names.next());
    EXPECT_NE(h.forwarder().upstream_state(0).health, Health::down);
  }
}

}  // namespace
}  // namespace boxgram::test
