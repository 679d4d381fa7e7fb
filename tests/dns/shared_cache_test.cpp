#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include <boxgram/dns/shared_cache.hpp>

#include "dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;
using namespace std::chrono_literals;

constexpr base::Instant kStart = base::Instant{} + 1h;

struct SharedCacheTest : testing::Test {
  void store(std::string_view name, std::uint32_t ttl, Rcode rcode = Rcode::no_error) {
    AnswerBuilder builder;
    builder.start(labels(name), 1, 1);
    if (rcode == Rcode::no_error)
      EXPECT_TRUE(builder.add(Section::answer, *Name::from_wire(labels(name)), 1, 1, ttl,
                              Octets{1, 2, 3, 4}));
    else
      EXPECT_TRUE(builder.add(Section::authority, *Name::from_text("example.com"), rrtype::soa, 1,
                              ttl, soa("ns.example.com", 600)));
    cache.store(QueryKey(labels(name), 1, 1, false, false), builder.finish(rcode, false, false),
                kStart);
  }
  CacheAnswer ask(const Octets& query_bytes, base::Instant now,
                  ServeStale serve_stale = ServeStale::never) {
    const auto query = parse_query(query_bytes);
    out.assign(1'232, 0xee);
    const auto answer = cache.answer(*query, {}, serve_stale, now, out);
    out.resize(answer.written.size);
    return answer;
  }

  SeededRng rng{1};
  CacheOptions options;
  SharedCache cache{options, rng};
  Octets out;
};

TEST_F(SharedCacheTest, WritesAHitWithTheClientsIdCaseAndCountedTtl) {
  store("www.example.com", 60);
  const auto answer = ask(query_for("wWw.Example.com", 1), kStart + 10s);
  EXPECT_EQ(answer.hit, CacheHit::fresh);
  EXPECT_EQ(out, header(0x1234, 0x8180, 1, 1, 0, 1) + question("wWw.Example.com", 1) +
                     record(pointer(12), 1, 50, {1, 2, 3, 4}) + opt(1232));
}

TEST_F(SharedCacheTest, WritesNothingOnAMiss) {
  EXPECT_EQ(ask(query_for("a.b", 1), kStart).hit, CacheHit::miss);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(cache.counters().misses, 1u);
}

TEST_F(SharedCacheTest, AnswersATypeThatAnNxdomainWasNotLearnedFor) {
  store("no.example.com", 60, Rcode::nx_domain);
  EXPECT_EQ(ask(query_for("NO.example.com", 28), kStart).rcode, Rcode::nx_domain);
  EXPECT_EQ(base::load_be16(&out[2]), 0x8183);
  EXPECT_TRUE(std::ranges::equal(base::Bytes(out).subspan(12, 20), question("NO.example.com", 28)));
}

TEST_F(SharedCacheTest, AnswersBelowNxdomainAcrossShards) {  // RFC 8020
  store("no.example.com", 60, Rcode::nx_domain);
  for (int i = 0; i < 100; ++i) {
    const std::string name = "h" + std::to_string(i) + ".x.No.example.com";
    ASSERT_EQ(ask(query_for(name, 28), kStart + 1s).hit, CacheHit::fresh);
    EXPECT_EQ(lines_of(out)[0].substr(0, 24), "1 example.com. 6 1 59 ns");
  }
}

TEST_F(SharedCacheTest, ServesStaleAsTheCallerSays) {  // RFC 8767
  store("a.b", 60);
  const Octets query = query_for("a.b", 1);
  const auto now = kStart + 100s;
  EXPECT_EQ(ask(query, now, ServeStale::never).hit, CacheHit::stale);
  EXPECT_TRUE(out.empty());
  ask(query, now, ServeStale::unless_refresh_is_due);
  EXPECT_TRUE(out.empty());
  const Octets stale = header(0x1234, 0x8180, 1, 1, 0, 1) + question("a.b", 1) +
                       record(pointer(12), 1, 30, {1, 2, 3, 4}) + opt(1232, 0, option(15, u16(3)));
  ask(query, now, ServeStale::always);
  EXPECT_EQ(out, stale);
  cache.store_failure(QueryKey(*parse_query(query)), Rcode::server_failure, {}, now);
  ask(query, now + 29s, ServeStale::unless_refresh_is_due);
  EXPECT_EQ(out, stale);
  ask(query, now + 30s, ServeStale::unless_refresh_is_due);
  EXPECT_TRUE(out.empty());
}

TEST_F(SharedCacheTest, MarksAStaleNxdomain) {  // RFC 8914: 19
  store("a.b", 60, Rcode::nx_domain);
  ask(query_for("a.b", 1), kStart + 100s, ServeStale::always);
  const Octets end = opt(1232, 0, option(15, u16(19)));
  EXPECT_TRUE(std::ranges::equal(base::Bytes(out).last(end.size()), end));
}

TEST_F(SharedCacheTest, AnswersAHeldFailureWithCachedError) {  // RFC 9520, 8914: 13
  const Octets ede = option(15, u16(22) + Octets{'x'});
  const Octets query = query_for("A.b", 1);
  cache.store_failure(QueryKey(*parse_query(query)), Rcode::server_failure, ede, kStart);
  EXPECT_EQ(ask(query, kStart).hit, CacheHit::failure);
  EXPECT_EQ(out, header(0x1234, 0x8182, 1, 0, 0, 1) + question("A.b", 1) +
                     opt(1232, 0, option(15, u16(13)) + ede));
}

TEST_F(SharedCacheTest, HonoursTheClientsBufferSizeOnHits) {  // RFC 6891
  AnswerBuilder builder;
  builder.start(labels("a.b"), 16, 1);
  ASSERT_TRUE(builder.add(Section::answer, *Name::from_text("a.b"), 16, 1, 60, Octets(800, 1)));
  cache.store(QueryKey(labels("a.b"), 16, 1, false, false),
              builder.finish(Rcode::no_error, false, false), kStart);
  ask(query_for("a.b", 16, false), kStart);
  EXPECT_EQ(out, header(0x1234, 0x8380, 1, 0, 0, 0) + question("a.b", 16));
  ask(query_for("a.b", 16, true), kStart);
  EXPECT_EQ(out.size(), 12u + 9 + 12 + 800 + 11);
}

TEST_F(SharedCacheTest, FlushesAcrossShards) {
  for (int i = 0; i < 100; ++i) store(std::to_string(i) + ".example.com", 60);
  store("other.net", 60);
  EXPECT_EQ(cache.size(), 101u);
  EXPECT_EQ(cache.flush(*Name::from_text("7.Example.com")), 1u);
  EXPECT_EQ(cache.flush_suffix(*Name::from_text("example.com")), 99u);
  EXPECT_EQ(cache.flush_all(), 1u);
  EXPECT_EQ(cache.counters().flushed, 101u);
}

TEST_F(SharedCacheTest, StaysWithinItsBytesInAllShards) {
  CacheOptions small;
  small.max_bytes = 400'000;
  SharedCache bounded(small, rng);
  AnswerBuilder builder;
  for (int i = 0; i < 10'000; ++i) {
    const auto name = labels(std::to_string(i) + ".x");
    builder.start(name, 1, 1);
    ASSERT_TRUE(builder.add(Section::answer, *Name::from_wire(name), 1, 1, 60, Octets(4)));
    bounded.store(QueryKey(name, 1, 1, false, false), builder.finish(Rcode::no_error, false, false),
                  kStart);
  }
  EXPECT_LE(bounded.bytes(), small.max_bytes);
  EXPECT_GT(bounded.size(), 1'000u);
}

TEST_F(SharedCacheTest, ServesSeveralThreadsAtOnce) {
  std::atomic<int> wrong = 0;
  const auto work = [&](std::uint64_t seed) {
    SeededRng own(seed);
    AnswerBuilder builder;
    Octets buffer(1'232);
    for (int i = 0; i < 5'000; ++i) {
      const std::string name = std::to_string(own.below(50)) + ".example.com";
      const Octets query_bytes = query_for(name, 1);
      const auto query = parse_query(query_bytes);
      if (own.below(3) == 0) {
        builder.start(query->name, 1, 1);
        if (!builder.add(Section::answer, *Name::from_wire(query->name), 1, 1, 60, Octets(4)))
          ++wrong;
        cache.store(QueryKey(*query), builder.finish(Rcode::no_error, false, false), kStart);
        if (own.below(20) == 0) cache.flush_suffix(Name());
        continue;
      }
      const auto answer = cache.answer(*query, {}, ServeStale::never, kStart, buffer);
      if (answer.hit == CacheHit::fresh &&
          lines_of(base::Bytes(buffer).first(answer.written.size))[0] !=
              "0 " + name + ". 1 1 60 00000000")
        ++wrong;
    }
  };
  std::thread a(work, 1);
  std::thread b(work, 2);
  work(3);
  a.join();
  b.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache.counters().hits + cache.counters().misses + cache.counters().stores, 15'000u);
}

}  // namespace
}  // namespace boxgram::dns
