// The order of local data, rules, cache and flights; malformed and meta queries; delivery.
#include <boxgram/dns/hosts.hpp>
#include <boxgram/dns/record_text.hpp>

#include "dns/forwarder_harness.hpp"

namespace boxgram::test {
namespace {

using Kind = dns::Outcome::Kind;

dns::Name name(std::string_view text) {
  return dns::Name::from_text(text).value();
}

TEST(Forwarder, AnswersFromAnUpstreamWithTheClientsIdAndCase) {
  ForwarderHarness h(plain_upstreams(1));
  h.upstream(0) = answers_after(10ms);
  auto query = query_for("WwW.Example", 1);
  h.time_of("unused");
  const auto tag = h.ask(query);
  EXPECT_EQ(h.last_kind, Kind::pending);
  h.run(1s);
  const auto& got = h.answer(tag);
  EXPECT_EQ(got.id(), 0x1234u);
  EXPECT_EQ(got.flags(), 0x8180u);
  EXPECT_EQ(Octets(got.bytes.begin() + 12, got.bytes.begin() + 25), labels("WwW.Example"));
  EXPECT_EQ(got.lines()[0], "0 WwW.Example. 1 1 300 c0000201");
}

TEST(Forwarder, SendsItsOwnQueryAndNotTheClients) {
  ForwarderHarness h(plain_upstreams(1));
  // Cookie and client-subnet belong to one hop (RFC 7871, RFC 7873).
  h.ask(header(0x1234, 0x0100, 1, 0, 0, 1) + question("a.example", 1) +
        opt(4096, 0x8000, option(10, Octets(8)) + option(8, Octets(8))));
  ASSERT_EQ(h.asked(0).size(), 1u);
  const auto& sent = h.asked(0)[0];
  EXPECT_NE(base::load_be16(sent.data()), 0x1234);
  EXPECT_EQ(question_of(sent), question("a.example", 1));
  EXPECT_EQ(Octets(sent.end() - 11, sent.end()), opt(1232, 0x8000));
}

TEST(Forwarder, DropsWhatHasNoIdOrIsAResponse) {
  ForwarderHarness h(plain_upstreams(1));
  h.ask(Octets(11));
  EXPECT_EQ(h.last_kind, Kind::dropped);
  h.ask(header(1, 0x8100, 1, 0, 0, 0) + question("a.example", 1));
  EXPECT_EQ(h.last_kind, Kind::dropped);
  EXPECT_EQ(h.forwarder().counters().dropped, 2u);
  EXPECT_EQ(h.asked_count(), 0u);
}

TEST(Forwarder, AnswersFormerrToAMalformedQueryAndSendsNothing) {
  ForwarderHarness h(plain_upstreams(1));
  const auto two = header(7, 0x0100, 2, 0, 0, 0) + question("a.", 1) + question("b.", 1);
  EXPECT_EQ(h.answer(h.ask(two)).rcode(), 1u);  // RFC 9619
  const auto two_opts = header(7, 0x0100, 1, 0, 0, 2) + question("a.", 1) + opt(512) + opt(512);
  EXPECT_EQ(h.answer(h.ask(two_opts)).rcode(), 1u);
  const auto got = h.answer(h.ask(header(7, 0x0100, 1, 0, 0, 0)));
  EXPECT_EQ(got.rcode(), 1u);
  EXPECT_EQ(got.id(), 7u);
  EXPECT_EQ(h.asked_count(), 0u);
  EXPECT_EQ(h.forwarder().counters().malformed, 3u);
}

TEST(Forwarder, AnswersNotimpToNotifyAndUpdate) {
  ForwarderHarness h(plain_upstreams(1));
  for (const unsigned opcode : {4u, 5u, 2u, 15u}) {
    const auto got =
        h.answer(h.ask(header(7, opcode << 11, 1, 0, 0, 0) + question("a.example", 6)));
    EXPECT_EQ(got.rcode(), 4u) << opcode;
    EXPECT_EQ(got.flags() >> 11 & 15, opcode);
  }
  EXPECT_EQ(h.asked_count(), 0u);
}

TEST(Forwarder, RefusesTransfersAndNeverSendsThem) {
  ForwarderHarness h(plain_upstreams(1));
  for (const unsigned type : {251u, 252u, 249u, 250u, 41u}) {
    const auto got = h.answer(h.ask("a.example", type));
    EXPECT_EQ(got.rcode(), 5u) << type;
    EXPECT_EQ(got.errors(), std::vector<unsigned>{21});
  }
  EXPECT_EQ(h.asked_count(), 0u);
}

TEST(Forwarder, AnswersAnyWithHinfo) {
  ForwarderHarness h(plain_upstreams(1));
  const auto got = h.answer(h.ask("a.example", 255));
  EXPECT_EQ(got.lines()[0], "0 a.example. 13 1 10800 075246433834383200");
  EXPECT_EQ(h.asked_count(), 0u);
}

TEST(Forwarder, ForwardsAnyWhenToldSo) {
  auto config = plain_upstreams(1);
  config.minimal_any = false;
  ForwarderHarness h(std::move(config));
  h.ask("a.example", 255);
  EXPECT_EQ(h.asked_count(), 1u);
}

TEST(Forwarder, PassesUnknownTypesAndClasses) {
  ForwarderHarness h(plain_upstreams(1));
  h.ask(header(7, 0x0100, 1, 0, 0, 0) + question("version.bind", 16, 3));
  h.ask(header(7, 0x0100, 1, 0, 0, 0) + question("a.example", 65280, 42));
  ASSERT_EQ(h.asked(0).size(), 2u);
  EXPECT_EQ(question_of(h.asked(0)[1]), question("a.example", 65280, 42));
}

TEST(Forwarder, AnswersLocalRecordsBeforeAnythingElse) {
  auto config = plain_upstreams(1);
  ASSERT_EQ(dns::add_records("nas.home.arpa 60 A 192.0.2.7\nwww.home.arpa CNAME nas.home.arpa",
                             config.zone)
                .mistakes,
            0u);
  config.block_list.add(name("home.arpa"), dns::BlockList::Scope::with_subdomains);
  ForwarderHarness h(std::move(config));
  EXPECT_EQ(h.answer(h.ask("nas.HOME.arpa")).lines()[0], "0 nas.HOME.arpa. 1 1 60 c0000207");
  const auto chain = h.answer(h.ask("www.home.arpa")).lines();
  EXPECT_EQ(chain[0], "0 www.home.arpa. 5 1 60 nas.home.arpa.");
  EXPECT_EQ(chain[1], "0 nas.home.arpa. 1 1 60 c0000207");
  // NODATA, not NXDOMAIN, for HTTPS of a local name: browsers give up on the latter.
  const auto https = h.answer(h.ask("nas.home.arpa", 65));
  EXPECT_EQ(https.rcode(), 0u);
  EXPECT_TRUE(https.lines()[0].starts_with("1 nas.home.arpa. 6 1 60 ")) << https.lines()[0];
  EXPECT_EQ(h.forwarder().counters().from_zone, 3u);
  EXPECT_EQ(h.asked_count(), 0u);
}

TEST(Forwarder, BlocksInEachOfTheFourWays) {
  struct Case {
    dns::BlockAnswer answer;
    unsigned type;
    unsigned rcode;
    std::string first_line;
  };
  const std::string opt_line = "2 . 41 1232 0 000f0002000f";
  const std::string soa =
      "1 x.ads.example. 6 1 60 x.ads.example.  nobody.invalid. "
      "0000000100000e10000004b000093a800000003c";
  const Case cases[] = {
      {dns::BlockAnswer::no_domain, 1, 3, soa},
      {dns::BlockAnswer::no_data, 1, 0, soa},
      {dns::BlockAnswer::refused, 1, 5, opt_line},
      {dns::BlockAnswer::null_address, 1, 0, "0 x.ads.example. 1 1 60 00000000"},
      {dns::BlockAnswer::null_address, 28, 0, "0 x.ads.example. 28 1 60 " + std::string(32, '0')},
      {dns::BlockAnswer::null_address, 65, 0, soa},
  };
  for (const auto& c : cases) {
    auto config = plain_upstreams(1);
    config.block_list.add(name("ads.example"), dns::BlockList::Scope::with_subdomains);
    config.block_answer = c.answer;
    ForwarderHarness h(std::move(config));
    const auto got = h.answer(h.ask("x.ads.example", c.type));
    EXPECT_EQ(got.rcode(), c.rcode);
    EXPECT_EQ(got.lines()[0], c.first_line);
    EXPECT_EQ(got.lines().back(), opt_line);
    EXPECT_EQ(h.asked_count(), 0u);
    EXPECT_EQ(h.forwarder().counters().blocked, 1u);
  }
}

TEST(Forwarder, SaysExtendedErrorsOnlyToClientsWithOpt) {
  auto config = plain_upstreams(1);
  config.block_list.add(name("ads.example"), dns::BlockList::Scope::exact);
  ForwarderHarness h(std::move(config));
  const auto got = h.answer(h.ask(query_for("ads.example", 1, false)));
  EXPECT_EQ(got.lines().size(), 1u);
}

TEST(Forwarder, AnswersSpecialUseNamesHere) {
  ForwarderHarness h(plain_upstreams(1));
  EXPECT_EQ(h.answer(h.ask("localhost")).lines()[0], "0 localhost. 1 1 10800 7f000001");
  EXPECT_EQ(h.answer(h.ask("a.b.localhost", 28)).lines()[0],
            "0 a.b.localhost. 28 1 10800 00000000000000000000000000000001");
  EXPECT_EQ(h.answer(h.ask("1.0.0.127.in-addr.arpa", 12)).lines()[0],
            "0 1.0.0.127.in-addr.arpa. 12 1 10800 localhost.");
  for (const auto* text : {"x.onion", "invalid", "a.test", "b.alt", "router.home.arpa",
                           "1.1.168.192.in-addr.arpa", "9.20.172.in-addr.arpa"}) {
    const auto got = h.answer(h.ask(text));
    EXPECT_EQ(got.rcode(), 3u) << text;
    EXPECT_TRUE(got.lines()[0].starts_with("1 ")) << text;
  }
  EXPECT_EQ(h.answer(h.ask("home.arpa", 6)).rcode(), 0u);
  EXPECT_EQ(h.asked_count(), 0u);
}

TEST(Forwarder, ForwardsSpecialUseNamesWhenTheyAreSwitchedOff) {
  auto config = plain_upstreams(1);
  config.special_names = false;
  ForwarderHarness h(std::move(config));
  h.ask("x.onion");
  EXPECT_EQ(h.asked_count(), 1u);
}

TEST(Forwarder, ARuleWinsOverSpecialUseNames) {
  auto config = plain_upstreams(2);
  config.default_group = {0};
  config.rules = {{name("home.arpa"), {1}}};
  ForwarderHarness h(std::move(config));
  h.ask("router.Home.Arpa");
  EXPECT_EQ(h.asked(0).size(), 0u);
  EXPECT_EQ(h.asked(1).size(), 1u);
}

TEST(Forwarder, TheLongestSuffixDecidesTheUpstreams) {
  auto config = plain_upstreams(3);
  config.default_group = {0};
  config.rules = {{name("corp.example"), {1}}, {name("lab.corp.example"), {2}}};
  ForwarderHarness h(std::move(config));
  h.ask("example");
  h.ask("xcorp.example");
  EXPECT_EQ(h.asked(0).size(), 2u);
  h.ask("corp.example");
  h.ask("a.corp.example");
  EXPECT_EQ(h.asked(1).size(), 2u);
  h.ask("lab.corp.example");
  h.ask("a.b.LAB.corp.example");
  EXPECT_EQ(h.asked(2).size(), 2u);
}

TEST(Forwarder, ServfailsAtOnceWithoutUpstreams) {
  ForwarderHarness h(plain_upstreams(0));
  const auto got = h.answer(h.ask("a.example"));
  EXPECT_EQ(got.rcode(), 2u);
  EXPECT_EQ(got.errors(), std::vector<unsigned>{23});
}

TEST(Forwarder, ARulesUpstreamsAreNotAskedForOtherNames) {
  auto config = plain_upstreams(1);
  config.default_group.clear();
  config.rules = {{name("corp.example"), {0}}};
  ForwarderHarness h(std::move(config));
  const auto got = h.answer(h.ask("secret.example"));
  EXPECT_EQ(got.rcode(), 2u);
  EXPECT_EQ(got.errors(), std::vector<unsigned>{23});
  EXPECT_EQ(h.asked_count(), 0u);
  h.ask("a.corp.example");
  EXPECT_EQ(h.asked_count(), 1u);
}

TEST(Forwarder, ARuleForTheRootSendsNoSpecialUseNamesOut) {
  auto config = plain_upstreams(1);
  config.rules = {{name("."), {0}}};
  ForwarderHarness h(std::move(config));
  EXPECT_EQ(h.answer(h.ask("x.onion")).rcode(), 3u);
  EXPECT_EQ(h.asked_count(), 0u);
  h.ask("a.example");
  EXPECT_EQ(h.asked_count(), 1u);
}

TEST(Forwarder, AnNxdomainAboveARuleSaysNothingBelowIt) {  // split horizon against RFC 8020
  auto config = plain_upstreams(2);
  config.default_group = {0};
  config.rules = {{name("svc.internal"), {1}}};
  ForwarderHarness h(std::move(config), true);
  h.upstream(0) = [](const Octets& q) { return std::vector<Reply>{{1ms, nxdomain_reply(q), {}}}; };
  h.upstream(1) = answers_after(1ms);
  h.time_of("internal");
  EXPECT_EQ(h.answer(h.last).rcode(), 3u);
  h.time_of("db.svc.internal");
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
  h.upstream(1) = h.upstream(0);
  h.time_of("no.svc.internal");
  h.ask("below.no.svc.internal");
  h.ask("beside.internal");
  EXPECT_EQ(h.asked(1).size(), 2u) << "below the rule the cut works";
  EXPECT_EQ(h.asked(0).size(), 1u) << "and beside it";
}

TEST(Forwarder, CoalescesIdenticalQueriesAndAnswersEach) {
  ForwarderHarness h(plain_upstreams(1));
  h.upstream(0) = answers_after(10ms);
  const auto a = h.ask(query_for("a.example", 1));
  auto other = query_for("A.Example", 1, false);
  other[0] = 0x77;
  const auto b = h.ask(other);
  EXPECT_EQ(h.asked(0).size(), 1u);
  EXPECT_EQ(h.forwarder().counters().coalesced, 1u);
  h.run(1s);
  EXPECT_EQ(h.answer(a).id(), 0x1234u);
  EXPECT_EQ(h.answer(b).id(), 0x7734u);
  EXPECT_EQ(h.answer(b).lines()[0], "0 A.Example. 1 1 300 c0000201");
  EXPECT_EQ(h.answer(b).lines().size(), 1u) << "no OPT in the query, none in the answer";
}

TEST(Forwarder, DoesNotCoalesceAcrossTypeClassDoOrCd) {
  ForwarderHarness h(plain_upstreams(1));
  h.ask(query_for("a.example", 1));
  h.ask(query_for("a.example", 28));
  h.ask(query_for("a.example", 1, true, true));
  h.ask(query_for("a.example", 1, true, false, 0x0110));
  EXPECT_EQ(h.asked(0).size(), 4u);
  EXPECT_EQ(base::load_be16(&h.asked(0)[3][2]) & 0x0010, 0x0010) << "CD goes upstream";
}

TEST(Forwarder, ReturnsAdOnlyFromATrustedUpstreamAndOnlyToWhoAsked) {
  for (const bool trusted : {false, true}) {
    auto config = plain_upstreams(1);
    config.upstreams[0].trusted_ad = trusted;
    ForwarderHarness h(std::move(config));
    h.upstream(0) = [](const Octets& q) {
      auto reply = address_reply(q);
      reply[3] |= 0x20;
      return std::vector<Reply>{{1ms, reply, {}}};
    };
    const auto plain = h.ask(query_for("a.example", 1));
    const auto with_ad = h.ask(query_for("a.example", 1, true, false, 0x0120));
    const auto with_do = h.ask(query_for("a.example", 1, true, true));
    h.run(1s);
    EXPECT_FALSE(h.answer(plain).flags() & 0x20);
    EXPECT_EQ((h.answer(with_ad).flags() & 0x20) != 0, trusted);
    EXPECT_EQ((h.answer(with_do).flags() & 0x20) != 0, trusted);
  }
}

TEST(Forwarder, CutsForUdpButNotForTcpAndNeverForSealed) {
  ForwarderHarness h(plain_upstreams(1));
  h.upstream(0) = [](const Octets& q) {
    Octets records;
    for (unsigned i = 0; i < 40; ++i)
      records = records + record(pointer(12), 16, 60, Octets{60} + Octets(60, 'x') + Octets{});
    return std::vector<Reply>{{1ms, reply_with(q, 0, records, 40), {}}};
  };
  const auto query = query_for("big.example", 16);
  const auto udp = h.ask(query);
  const auto plain = h.ask(query_for("big.example", 16, false));
  const auto tcp = h.ask(query, {dns::Transport::tcp, 65535});
  const auto sealed = h.ask(query, {dns::Transport::sealed, 700});
  h.run(1s);
  EXPECT_EQ(h.asked(0).size(), 1u);
  EXPECT_TRUE(h.answer(udp).truncated());
  EXPECT_LE(h.answer(udp).size, 1232u);
  EXPECT_LE(h.answer(plain).size, 512u);
  EXPECT_FALSE(h.answer(tcp).truncated());
  EXPECT_TRUE(h.answer(sealed).too_large);
  EXPECT_EQ(h.answer(sealed).size, h.answer(tcp).size) << "says what it needs";
}

TEST(Forwarder, PassesUpstreamsExtendedErrorsThrough) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = rcode_after(1ms, 2, option(15, {0, 6, 'b', 'o', 'g', 'u', 's'}));
  h.time_of("a.example");
  EXPECT_EQ(h.answer(h.last).rcode(), 2u);
  EXPECT_EQ(h.answer(h.last).errors(), std::vector<unsigned>{6});
  // The failure is cached, says so, and keeps the reason (RFC 9520, RFC 8914).
  const auto again = h.answer(h.ask("a.example"));
  EXPECT_EQ(again.rcode(), 2u);
  EXPECT_EQ(again.errors(), (std::vector<unsigned>{13, 6}));
  EXPECT_EQ(h.asked(0).size(), 1u);
}

TEST(Forwarder, ServesTheSecondQueryFromTheCache) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = answers_after(10ms);
  h.time_of("a.example");
  h.run(100s);
  EXPECT_EQ(h.answer(h.ask("a.example")).lines()[0], "0 a.example. 1 1 200 c0000201");
  EXPECT_EQ(h.asked(0).size(), 1u);
  EXPECT_EQ(h.forwarder().counters().cache_hits, 1u);
}

TEST(Forwarder, TheCacheGivesTheUpstreamsBytes) {
  ForwarderHarness h(plain_upstreams(1), true);
  h.upstream(0) = [](const Octets& q) {
    const auto records = record(pointer(12), 5, 60, labels("Target.example")) +
                         record(labels("target.example"), 65'280, 60, {1, 2, 0xc0, 0x0c}) +
                         record(labels("target.EXAMPLE"), 16, 60, {2, 'h', 'i'});
    return std::vector<Reply>{{1ms, reply_with(q, 0, records, 3, {}, option(15, {0, 6, 'x'})), {}}};
  };
  for (const unsigned flags : {0x0100u, 0x0110u}) {
    for (const bool dnssec_ok : {false, true}) {
      const auto query = query_for("A.Example", 16, true, dnssec_ok, flags);
      const auto first = h.ask(query);
      h.run(2ms);
      EXPECT_EQ(h.answer(h.ask(query)).bytes, h.answer(first).bytes);
      const auto tcp = h.answer(h.ask(query, {dns::Transport::tcp, 65'535}));
      EXPECT_EQ(tcp.bytes, h.answer(first).bytes);
    }
  }
  EXPECT_EQ(h.asked(0).size(), 4u);
}

TEST(Forwarder, AnEndedTrustEndsTheCachedAdToo) {
  SeededRng rng(1);
  dns::SharedCache cache({}, rng, 1);
  Octets out(65'535);
  for (const bool trusted : {true, false}) {
    auto config = plain_upstreams(1);
    config.upstreams[0].trusted_ad = trusted;
    const Instant now = Instant{} + 1h;
    dns::Forwarder forwarder(std::make_shared<const dns::ForwarderConfig>(config), &cache, rng,
                             now);
    const auto query = query_for("a.example", 1, true, false, 0x0120);
    const auto outcome = forwarder.query(now, 1, query, {}, out);
    dns::Action action;
    dns::Answered answered;
    if (outcome.kind == dns::Outcome::Kind::pending && forwarder.poll_action(action)) {
      auto reply = address_reply({action.query.begin(), action.query.end()});
      reply[3] |= 0x20;
      forwarder.upstream_answer(now, action.id, reply);
      EXPECT_TRUE(forwarder.poll_answer(now, answered, out));
    }
    EXPECT_EQ((out[3] & 0x20) != 0, trusted);
  }
  EXPECT_EQ(cache.counters().hits, 1u);
}

TEST(Forwarder, ExplainsWithoutTouchingAnything) {
  auto config = plain_upstreams(3);
  config.default_group = {0, 2};
  config.rules = {{name("corp.example"), {1}}};
  config.block_list.add(name("ads.example"), dns::BlockList::Scope::exact);
  config.block_list.add(name("tracker.example"), dns::BlockList::Scope::with_subdomains);
  config.zone.add({name("nas.home.example"), dns::rrtype::a, 60, {192, 0, 2, 7}});
  config.zone.add_local(name("home.example"));
  ForwarderHarness h(std::move(config));
  const auto explain = [&](std::string_view text, unsigned type = 1) {
    return h.forwarder().explain(query_for(text, type));
  };
  const auto blocked = explain("Ads.example");
  EXPECT_EQ(blocked.source, dns::Source::block_list);
  EXPECT_EQ(blocked.entry, name("ads.example"));
  EXPECT_TRUE(blocked.entry_is_exact);
  const auto below = explain("x.tracker.example");
  EXPECT_EQ(below.entry, name("tracker.example"));
  EXPECT_FALSE(below.entry_is_exact);
  EXPECT_EQ(explain("nas.home.example").entry, name("nas.home.example"));
  EXPECT_EQ(explain("other.home.example").entry, name("home.example"));
  EXPECT_EQ(explain("other.home.example").source, dns::Source::zone);
  EXPECT_EQ(explain("x.onion").source, dns::Source::special_name);
  EXPECT_EQ(explain("x.onion").entry, name("onion"));
  EXPECT_EQ(explain("a.example", 252).source, dns::Source::refused);
  EXPECT_EQ(explain("a.example", 255).source, dns::Source::minimal_any);
  const auto rule = explain("a.corp.example");
  EXPECT_EQ(rule.source, dns::Source::upstream);
  EXPECT_EQ(rule.entry, name("corp.example"));
  EXPECT_EQ(rule.upstreams, std::vector<dns::UpstreamIndex>{1});
  EXPECT_EQ(h.forwarder().counters().queries, 0u);
}

TEST(Forwarder, ExplainsInWhichOrderUpstreamsWouldBeAsked) {
  ForwarderHarness h(plain_upstreams(3));
  const auto order = [&] { return h.forwarder().explain(query_for("a.example", 1)).upstreams; };
  EXPECT_EQ(order(), (std::vector<dns::UpstreamIndex>{0, 1, 2}));
  h.upstream(0) = fails_after(1ms, dns::TryFailure::refused);
  h.upstream(1) = answers_after(5ms);
  h.time_of("b.example");
  EXPECT_EQ(order(), (std::vector<dns::UpstreamIndex>{1, 2, 0})) << "a down one is the last";
}

TEST(Forwarder, MeasuresHowLongThoseWaitWhoHaveTo) {
  auto config = plain_upstreams(1);
  config.zone.add({name("nas.example"), dns::rrtype::a, 60, {192, 0, 2, 7}});
  ForwarderHarness h(std::move(config), true);
  h.upstream(0) = answers_after(20ms);
  h.time_of("a.example");
  h.ask("a.example");
  h.ask("nas.example");
  const auto& waits = h.forwarder().waits();
  EXPECT_EQ(waits.count(), 1u) << "cache and zone answer at once";
  EXPECT_EQ(waits.sum(), 20ms);
  EXPECT_GE(waits.percentile(0.5), 20ms);
  EXPECT_LE(waits.percentile(0.5), 25ms);
  const auto began = h.now;
  h.ask("b.example");
  h.run(5ms);
  h.ask("b.example");
  h.run(began + 30ms - h.now);
  EXPECT_EQ(waits.sum(), 20ms + 20ms + 15ms) << "each from its own question on";
}

}  // namespace
}  // namespace boxgram::test
