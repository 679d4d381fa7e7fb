#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boxgram/dns/cache.hpp>

#include "dns_message.hpp"
#include "support/allocation_count.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;
using namespace std::chrono_literals;

constexpr base::Instant kStart = base::Instant{} + 1h;

QueryKey key(std::string_view name, std::uint16_t type = 1, bool dnssec_ok = false, bool cd = false,
             std::uint16_t rr_class = 1) {
  return QueryKey(labels(name), type, rr_class, dnssec_ok, cd);
}

struct CacheTest : testing::Test {
  /// A record of `size` bytes (or none) and, for negative answers, an SOA of example.com.
  AnswerView answer(std::string_view name, unsigned type, std::uint32_t ttl, std::size_t size = 4) {
    builder.start(labels(name), static_cast<std::uint16_t>(type), 1);
    EXPECT_TRUE(builder.add(Section::answer, *Name::from_wire(labels(name)),
                            static_cast<std::uint16_t>(type), 1, ttl, Octets(size, 1)));
    return builder.finish(Rcode::no_error, false, false);
  }
  AnswerView negative(std::string_view name, unsigned type, Rcode rcode, std::uint32_t ttl = 60) {
    builder.start(labels(name), static_cast<std::uint16_t>(type), 1);
    EXPECT_TRUE(builder.add(Section::authority, *Name::from_text("example.com"), rrtype::soa, 1,
                            ttl, soa("ns.example.com", 3'600)));
    return builder.finish(rcode, false, false);
  }
  CacheHit hit(Cache& cache, const QueryKey& k, base::Instant now) {
    return cache.lookup(k, now).hit;
  }

  AnswerBuilder builder;
  SeededRng rng{1};
  CacheOptions options;
};

TEST_F(CacheTest, ReturnsWhatWasStoredUntilItsTtlEnds) {
  Cache cache(options, rng);
  const auto view = answer("www.example.com", 1, 60);
  const Octets body(view.body.begin(), view.body.end());
  cache.store(key("www.example.com"), view, kStart);
  const auto found = cache.lookup(key("WWW.example.com"), kStart + 59'999ms);
  EXPECT_EQ(found.hit, CacheHit::fresh);
  EXPECT_EQ(found.age, 59u);
  EXPECT_TRUE(std::ranges::equal(found.answer.body, body));
  EXPECT_EQ(found.answer.answers, 1);
  EXPECT_EQ(found.answer.kind, AnswerKind::positive);
  EXPECT_EQ(hit(cache, key("www.example.com"), kStart + 60s), CacheHit::stale);
  EXPECT_EQ(cache.counters().hits, 1u);
  EXPECT_EQ(cache.counters().stale_hits, 1u);
}

TEST_F(CacheTest, SeparatesTypesClassesDoAndCd) {  // RFC 4035, 6840
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  EXPECT_EQ(hit(cache, key("a.b"), kStart), CacheHit::fresh);
  EXPECT_EQ(hit(cache, key("a.b", 28), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("a.b", 1, true), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("a.b", 1, false, true), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("a.b", 1, false, false, 3), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("a.c"), kStart), CacheHit::miss);
}

TEST_F(CacheTest, NeverServesAnAnswerToCdToAQueryWithoutIt) {  // RFC 4035, section 4.7
  Cache cache(options, rng);
  cache.store(key("a.b", 1, false, true), answer("a.b", 1, 60), kStart);
  EXPECT_EQ(hit(cache, key("a.b"), kStart), CacheHit::miss);
  cache.store(key("c.b", 1, false, true), negative("c.b", 1, Rcode::nx_domain), kStart);
  EXPECT_EQ(hit(cache, key("c.b"), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("x.c.b"), kStart), CacheHit::miss);
}

TEST_F(CacheTest, DoesNotKeepTtlZero) {
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 0), kStart);
  EXPECT_EQ(hit(cache, key("a.b"), kStart), CacheHit::miss);
  EXPECT_EQ(cache.counters().refused, 1u);
}

TEST_F(CacheTest, DoesNotKeepTruncatedAnswers) {  // RFC 2181, section 9
  Cache cache(options, rng);
  auto view = answer("a.b", 1, 60);
  view.truncated = true;
  cache.store(key("a.b"), view, kStart);
  EXPECT_EQ(hit(cache, key("a.b"), kStart), CacheHit::miss);
}

TEST_F(CacheTest, DoesNotKeepNegativeAnswersWithoutSoa) {  // RFC 2308, section 5
  Cache cache(options, rng);
  for (const Rcode rcode : {Rcode::nx_domain, Rcode::no_error}) {
    builder.start(labels("a.b"), 1, 1);
    cache.store(key("a.b"), builder.finish(rcode, false, false), kStart);
    EXPECT_EQ(hit(cache, key("a.b"), kStart), CacheHit::miss);
  }
}

TEST_F(CacheTest, KeepsNxdomainForEveryTypeOfTheName) {  // RFC 2308, section 5
  Cache cache(options, rng);
  cache.store(key("a.b"), negative("a.b", 1, Rcode::nx_domain), kStart);
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{1, 28, 65, 65'280}) {
    const auto found = cache.lookup(key("a.b", type), kStart + 59s);
    EXPECT_EQ(found.hit, CacheHit::fresh);
    EXPECT_EQ(found.answer.rcode, Rcode::nx_domain);
  }
  EXPECT_EQ(hit(cache, key("a.b"), kStart + 60s), CacheHit::stale);
}

TEST_F(CacheTest, KeepsNodataForItsTypeOnly) {  // RFC 2308, section 5
  Cache cache(options, rng);
  cache.store(key("a.b"), negative("a.b", 1, Rcode::no_error), kStart);
  EXPECT_EQ(cache.lookup(key("a.b"), kStart).answer.kind, AnswerKind::nodata);
  EXPECT_EQ(hit(cache, key("a.b", 28), kStart), CacheHit::miss);
}

TEST_F(CacheTest, KeepsNxdomainBehindACnameForItsTypeOnly) {
  Cache cache(options, rng);
  builder.start(labels("a.b"), 1, 1);
  ASSERT_TRUE(builder.add(Section::answer, *Name::from_text("a.b"), rrtype::cname, 1, 60,
                          labels("gone.example.com")));
  ASSERT_TRUE(builder.add(Section::authority, *Name::from_text("example.com"), rrtype::soa, 1, 60,
                          soa("ns.example.com", 60)));
  cache.store(key("a.b"), builder.finish(Rcode::nx_domain, false, false), kStart);
  EXPECT_EQ(hit(cache, key("a.b"), kStart), CacheHit::fresh);
  EXPECT_EQ(hit(cache, key("a.b", 5), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("x.a.b"), kStart), CacheHit::miss);  // a.b itself exists
}

TEST_F(CacheTest, LetsNxdomainReplaceAllDataOfTheName) {
  Cache cache(options, rng);
  cache.store(key("a.b", 1), answer("a.b", 1, 600), kStart);
  cache.store(key("a.b", 28), answer("a.b", 28, 600, 16), kStart);
  cache.store(key("a.b", 16), negative("a.b", 16, Rcode::nx_domain), kStart + 1s);
  EXPECT_EQ(cache.lookup(key("a.b", 28), kStart + 2s).answer.rcode, Rcode::nx_domain);
  EXPECT_EQ(cache.size(), 1u);
  cache.store(key("a.b", 1), answer("a.b", 1, 600), kStart + 3s);
  EXPECT_EQ(cache.lookup(key("a.b", 1), kStart + 3s).answer.rcode, Rcode::no_error);
  EXPECT_EQ(hit(cache, key("a.b", 28), kStart + 3s), CacheHit::miss);
}

TEST_F(CacheTest, AnswersBelowNxdomain) {  // RFC 8020
  Cache cache(options, rng);
  cache.store(key("foo.example.com"), negative("foo.example.com", 1, Rcode::nx_domain), kStart);
  const auto found = cache.lookup(key("a.b.foo.example.com", 28), kStart + 10s);
  ASSERT_EQ(found.hit, CacheHit::fresh);
  EXPECT_EQ(found.age, 10u);
  EXPECT_EQ(found.answer.rcode, Rcode::nx_domain);
  EXPECT_EQ(lines_of(header(0, 0, 1, 0, found.answer.authorities, 0) +
                     Octets(found.answer.body.begin(), found.answer.body.end())),
            std::vector<std::string>{"1 example.com. 6 1 60 ns.example.com.  admin.example. "
                                     "0000000100000002000000030000000400000e10"});
  EXPECT_TRUE(std::ranges::equal(found.answer.body.first(25), question("a.b.foo.example.com", 28)));
  EXPECT_EQ(hit(cache, key("xfoo.example.com"), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("example.com"), kStart), CacheHit::miss);
  EXPECT_EQ(hit(cache, key("a.foo.example.com"), kStart + 60s), CacheHit::miss);
  EXPECT_EQ(cache.counters().nxdomain_cut_hits, 1u);
}

TEST_F(CacheTest, DoesNotAnswerBelowNxdomainWhenSwitchedOff) {
  options.nxdomain_cut = false;
  Cache cache(options, rng);
  cache.store(key("foo.example.com"), negative("foo.example.com", 1, Rcode::nx_domain), kStart);
  EXPECT_EQ(hit(cache, key("a.foo.example.com"), kStart), CacheHit::miss);
}

TEST_F(CacheTest, KeepsExpiredAnswersUntilMaxStale) {  // RFC 8767
  options.max_stale = 100s;
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  const auto stale = cache.lookup(key("a.b"), kStart + 159s);
  EXPECT_EQ(stale.hit, CacheHit::stale);
  EXPECT_TRUE(stale.may_try);
  EXPECT_EQ(stale.age, 159u);
  EXPECT_EQ(hit(cache, key("a.b"), kStart + 160s), CacheHit::miss);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.counters().expirations, 1u);
}

TEST_F(CacheTest, KeepsNothingStaleWhenSwitchedOff) {
  options.max_stale = 0s;
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  EXPECT_EQ(hit(cache, key("a.b"), kStart + 60s), CacheHit::miss);
}

TEST_F(CacheTest, FailuresNeverEvictGoodData) {  // RFC 8767, section 5
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  cache.store_failure(key("a.b"), Rcode::server_failure, {}, kStart + 61s);
  auto found = cache.lookup(key("a.b"), kStart + 90s);
  EXPECT_EQ(found.hit, CacheHit::stale);
  EXPECT_FALSE(found.may_try);
  EXPECT_EQ(found.answer.rcode, Rcode::no_error);
  found = cache.lookup(key("a.b"), kStart + 91s);  // 30 s after the failure
  EXPECT_TRUE(found.may_try);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart + 92s);
  EXPECT_EQ(hit(cache, key("a.b"), kStart + 93s), CacheHit::fresh);
}

TEST_F(CacheTest, NxdomainEvictsStaleData) {  // RFC 8767, section 5
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  cache.store(key("a.b"), negative("a.b", 1, Rcode::nx_domain), kStart + 100s);
  EXPECT_EQ(cache.lookup(key("a.b"), kStart + 101s).answer.rcode, Rcode::nx_domain);
}

TEST_F(CacheTest, HoldsFailuresFromOneSecondDoubledUpToFiveMinutes) {  // RFC 9520, section 3.2
  Cache cache(options, rng);
  base::Instant now = kStart;
  for (const auto hold : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
    cache.store_failure(key("a.b"), Rcode::server_failure, {}, now);
    EXPECT_EQ(hit(cache, key("a.b"), now + hold - 1ms), CacheHit::failure);
    EXPECT_EQ(hit(cache, key("a.b"), now + hold), CacheHit::miss);
    EXPECT_EQ(hit(cache, key("a.b", 28), now), CacheHit::miss);
    now += hold;
  }
  cache.store(key("a.b"), answer("a.b", 1, 60), now);
  EXPECT_EQ(hit(cache, key("a.b"), now), CacheHit::fresh);
}

TEST_F(CacheTest, StartsTheBackOffAgainAfterQuietTime) {
  Cache cache(options, rng);
  cache.store_failure(key("a.b"), Rcode::server_failure, {}, kStart);
  cache.store_failure(key("a.b"), Rcode::server_failure, {}, kStart + 1s);
  cache.store_failure(key("a.b"), Rcode::server_failure, {}, kStart + 1h);
  EXPECT_EQ(hit(cache, key("a.b"), kStart + 1h + 1s), CacheHit::miss);
}

TEST_F(CacheTest, KeepsRcodeAndExtendedErrorsOfAFailure) {
  Cache cache(options, rng);
  const Octets ede = option(15, u16(22));
  cache.store_failure(key("A.b"), Rcode::refused, ede, kStart);
  const auto found = cache.lookup(key("a.b"), kStart);
  EXPECT_EQ(found.answer.rcode, Rcode::refused);
  EXPECT_TRUE(std::ranges::equal(found.answer.ede_options, ede));
  EXPECT_TRUE(std::ranges::equal(found.answer.body, question("a.b", 1)));
}

TEST_F(CacheTest, KeepsUpstreamsExtendedErrorsOnHits) {  // RFC 8914
  Cache cache(options, rng);
  builder.start(labels("a.b"), 16, 1);
  ASSERT_TRUE(builder.add(Section::answer, *Name::from_text("a.b"), 16, 1, 60, Octets{0}));
  builder.add_extended_error(17, base::as_bytes("why"));
  cache.store(key("a.b", 16), builder.finish(Rcode::no_error, false, false), kStart);
  const auto found = cache.lookup(key("a.b", 16), kStart);
  EXPECT_TRUE(
      std::ranges::equal(found.answer.ede_options, option(15, u16(17) + Octets{'w', 'h', 'y'})));
}

TEST_F(CacheTest, KeepsUnknownRdataByteIdentical) {  // RFC 3597
  Cache cache(options, rng);
  builder.start(labels("A.b"), 65'280, 1);
  const Octets rdata = {0xc0, 12, 0xff, 0, 'A'};
  ASSERT_TRUE(builder.add(Section::answer, *Name::from_text("A.b"), 65'280, 1, 60, rdata));
  cache.store(key("A.b", 65'280), builder.finish(Rcode::no_error, false, false), kStart);
  const auto found = cache.lookup(key("a.b", 65'280), kStart);
  EXPECT_TRUE(std::ranges::equal(found.answer.body.last(5), rdata));
}

TEST_F(CacheTest, ClampsTtlsOnlyOnDemand) {
  const auto ttl = [&](const CacheOptions& o, std::uint32_t from) {
    Cache cache(o, rng);
    cache.store(key("a.b"), answer("a.b", 1, from), kStart);
    const auto found = cache.lookup(key("a.b"), kStart);
    EXPECT_EQ(found.hit, CacheHit::fresh);
    EXPECT_EQ(found.answer.lifetime,
              base::load_be32(&found.answer.body[found.answer.ttl_offsets[0]]));
    return found.answer.lifetime;
  };
  EXPECT_EQ(ttl(options, 1), 1u);
  EXPECT_EQ(ttl(options, 5'000'000), 5'000'000u);
  options.min_ttl = 20;
  options.max_ttl = 1'000;
  EXPECT_EQ(ttl(options, 1), 20u);
  EXPECT_EQ(ttl(options, 100), 100u);
  EXPECT_EQ(ttl(options, 5'000'000), 1'000u);
}

TEST_F(CacheTest, StaysWithinItsBytesUnderAnyLoad) {
  options.max_bytes = 100'000;
  Cache cache(options, rng);
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = std::to_string(rng.below(5'000)) + ".example.com";
    const auto k = key(name);
    if (rng.below(10) == 0)
      cache.store_failure(k, Rcode::server_failure, {}, kStart + i * 1ms);
    else
      cache.store(k, answer(name, 1, 60, rng.below(rng.below(20) == 0 ? 20'000 : 100)),
                  kStart + i * 1ms);
    ASSERT_LE(cache.bytes(), options.max_bytes);
  }
  EXPECT_GT(cache.counters().evictions, 1'000u);
  EXPECT_GT(cache.size(), 50u);
}

TEST_F(CacheTest, RefusesAnAnswerLargerThanAQuarterOfIt) {
  options.max_bytes = 40'000;
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60, 11'000), kStart);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.counters().refused, 1u);
}

TEST_F(CacheTest, EvictsWhatWasNotHitFirst) {
  options.max_bytes = 60'000;
  Cache cache(options, rng);
  for (int i = 0; i < 2'000; ++i) {
    const std::string name = std::to_string(i) + ".example.com";
    cache.store(key(name), answer(name, 1, 600), kStart);
    if (i >= 1) {
      EXPECT_EQ(hit(cache, key("0.example.com"), kStart), CacheHit::fresh) << i;
    }
  }
  EXPECT_EQ(hit(cache, key("1.example.com"), kStart), CacheHit::miss);
}

TEST_F(CacheTest, BoundsTheEntriesOfOneName) {
  Cache cache(options, rng);
  for (std::uint16_t type = 1'000; type < 2'000; ++type)
    cache.store(key("a.b", type), answer("a.b", type, 600), kStart);
  EXPECT_LE(cache.size(), 32u);
  EXPECT_EQ(hit(cache, key("a.b", 1'999), kStart), CacheHit::fresh);
}

TEST_F(CacheTest, DoesNotAllocateOnAHit) {
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 600), kStart);
  cache.store(key("f.b"), negative("f.b", 1, Rcode::nx_domain), kStart);
  const Octets bytes = query_for("A.b", 1);
  Octets out(1'232);
  const std::size_t before = allocation_count();
  const auto query = parse_query(bytes);
  const auto found = cache.lookup(QueryKey(*query), kStart + 1s);
  const auto written = write_answer(found.answer, *query, {}, {found.age, 0}, out);
  const std::size_t after = allocation_count();
  EXPECT_EQ(after, before);
  EXPECT_EQ(found.hit, CacheHit::fresh);
  EXPECT_GT(written.size, 12u);
  EXPECT_NE(before, 0u);
}

TEST_F(CacheTest, Keeps100000SmallAnswersIn25Megabytes) {
  Cache cache(options, rng);
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = "host-" + std::to_string(100'000 + i) + ".example.com";
    cache.store(key(name), answer(name, 28, 600, 16), kStart);  // 12 + 29 + 28 = 69 bytes
  }
  EXPECT_EQ(cache.size(), 100'000u);
  EXPECT_LE(cache.bytes(), 25'000'000u);
}

TEST_F(CacheTest, FlushesANameASuffixOrEverything) {
  Cache cache(options, rng);
  for (const char* name : {"a.example.com", "b.example.com", "example.com", "badexample.com"}) {
    cache.store(key(name), answer(name, 1, 600), kStart);
    cache.store(key(name, 28, true), answer(name, 28, 600), kStart);
  }
  EXPECT_EQ(cache.flush(*Name::from_text("A.Example.com")), 2u);
  EXPECT_EQ(hit(cache, key("a.example.com"), kStart), CacheHit::miss);
  EXPECT_EQ(cache.flush_suffix(*Name::from_text("Example.com")), 4u);
  EXPECT_EQ(hit(cache, key("badexample.com"), kStart), CacheHit::fresh);
  EXPECT_EQ(cache.flush_all(), 2u);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.counters().flushed, 8u);
}

TEST_F(CacheTest, ToleratesAReaderWhoseClockIsBehind) {
  Cache cache(options, rng);
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  const auto found = cache.lookup(key("a.b"), kStart - 5ms);
  EXPECT_EQ(found.hit, CacheHit::fresh);
  EXPECT_EQ(found.age, 0u);
}

}  // namespace
}  // namespace boxgram::dns
