#include <map>
#include <set>

#include <gtest/gtest.h>

#include <boxgram/dns/shared_cache.hpp>

#include "dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;
using namespace std::chrono_literals;

constexpr base::Instant kStart = base::Instant{} + 1h;

QueryKey key(std::string_view name, std::uint16_t type = 1, bool dnssec_ok = false) {
  return {labels(name), type, 1, dnssec_ok, false};
}

struct CacheInspectTest : testing::Test {
  AnswerView answer(std::string_view name, std::uint16_t type, std::uint32_t ttl) {
    builder.start(labels(name), type, 1);
    EXPECT_TRUE(builder.add(Section::answer, *Name::from_wire(labels(name)), type, 1, ttl,
                            Octets{1, 2, 3, 4}));
    return builder.finish(Rcode::no_error, false, false);
  }
  AnswerView nxdomain(std::string_view name, std::uint32_t ttl) {
    builder.start(labels(name), 1, 1);
    EXPECT_TRUE(builder.add(Section::authority, *Name::from_text("example.com"), rrtype::soa, 1,
                            ttl, soa("ns.example.com", ttl)));
    return builder.finish(Rcode::nx_domain, false, false);
  }
  template <class AnyCache>
  CacheHit peeked(const AnyCache& of, const QueryKey& k, base::Instant now) {
    auto hit = CacheHit::miss;
    of.peek(k, now, [&](const QueryKey& found, const CacheEntryView& view) {
      hit = view.hit;
      found_at = Name::from_wire(found.name())->to_text();
      return true;
    });
    return hit;
  }

  AnswerBuilder builder;
  SeededRng rng{1};
  Cache cache{CacheOptions{}, rng};
  SharedCache shared{CacheOptions{}, rng};
  std::string found_at;
};

TEST_F(CacheInspectTest, PeekLeavesNoTrace) {
  cache.store(key("a.b"), answer("a.b", 1, 60), kStart);
  cache.store_failure(key("f.b"), Rcode::server_failure, {}, kStart);
  EXPECT_EQ(peeked(cache, key("A.b"), kStart + 1s), CacheHit::fresh);
  EXPECT_EQ(peeked(cache, key("a.b"), kStart + 61s), CacheHit::stale);
  EXPECT_EQ(peeked(cache, key("a.b"), kStart + 1000h), CacheHit::miss);
  EXPECT_EQ(peeked(cache, key("a.b", 28), kStart), CacheHit::miss);
  EXPECT_EQ(peeked(cache, key("f.b"), kStart), CacheHit::failure);
  EXPECT_EQ(peeked(cache, key("f.b"), kStart + 2s), CacheHit::miss);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.counters().hits + cache.counters().misses + cache.counters().stale_hits, 0u);
}

TEST_F(CacheInspectTest, PeekFindsTheNxdomainAboveThatWouldAnswer) {  // RFC 8020
  shared.store(key("no.example.com"), nxdomain("no.example.com", 60), kStart);
  EXPECT_EQ(peeked(shared, key("a.b.no.example.com", 28), kStart), CacheHit::fresh);
  EXPECT_EQ(found_at, "no.example.com.");
  EXPECT_EQ(peeked(shared, key("no.example.com", 28), kStart), CacheHit::fresh);
  EXPECT_EQ(peeked(shared, key("a.b.no.example.com"), kStart + 61s), CacheHit::miss)
      << "an expired one says nothing of names below";
  EXPECT_EQ(peeked(shared, key("example.com"), kStart), CacheHit::miss);
}

TEST_F(CacheInspectTest, ShowGivesAllTypesOfAName) {
  for (const std::uint16_t type : {rrtype::a, rrtype::aaaa, rrtype::txt})
    shared.store(key("a.b", type), answer("a.b", type, 60), kStart);
  shared.store(key("a.b", 1, true), answer("a.b", 1, 60), kStart);
  shared.store(key("c.b"), answer("c.b", 1, 60), kStart);
  std::multiset<std::uint16_t> types;
  const auto visit = [&](const QueryKey& k, const CacheEntryView&) {
    types.insert(k.type());
    return true;
  };
  shared.show(*Name::from_text("A.B"), kStart, visit);
  EXPECT_EQ(types, (std::multiset<std::uint16_t>{1, 1, 16, 28}));
  types.clear();
  shared.show(*Name::from_text("A.B"), kStart, [&](const QueryKey& k, const CacheEntryView& v) {
    visit(k, v);
    return false;
  });
  EXPECT_EQ(types.size(), 1u);
}

TEST_F(CacheInspectTest, AWalkInStepsSeesEverythingOnce) {
  for (int i = 0; i < 1'000; ++i) {
    const auto name = "n" + std::to_string(i) + ".example";
    shared.store(key(name), answer(name, 1, 60), kStart);
  }
  std::multiset<std::string> names;
  SharedCacheWalk walk;
  int calls = 0;
  bool pause = false;
  while (!shared.walk(walk, 7, kStart, [&](const QueryKey& k, const CacheEntryView&) {
    pause = !pause;
    if (pause) return false;  // this entry again, please
    names.insert(Name::from_wire(k.name())->to_text());
    return true;
  }))
    ASSERT_LT(++calls, 10'000);
  EXPECT_EQ(names.size(), 1'000u);
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), 1'000u);
}

TEST_F(CacheInspectTest, AWalkSeesWhatWasThereThoughTheTableGrows) {
  const auto store = [&](const std::string& name) {
    cache.store(key(name), answer(name, 1, 60), kStart);
  };
  for (int i = 0; i < 60; ++i) store("old" + std::to_string(i));
  std::map<std::string, int> seen;
  CacheWalk walk;
  int added = 0;
  while (!cache.walk(walk, 1, kStart, [&](const QueryKey& k, const CacheEntryView&) {
    ++seen[Name::from_wire(k.name())->to_text()];
    return true;
  }))
    for (int i = 0; i < 20 && added < 2'000; ++i) store("new" + std::to_string(added++));
  EXPECT_EQ(added, 2'000) << "the table of 64 places has grown several times";
  for (int i = 0; i < 60; ++i) EXPECT_GE(seen["old" + std::to_string(i) + "."], 1) << i;
}

TEST_F(CacheInspectTest, RestoreKeepsTheAge) {
  EXPECT_TRUE(cache.restore(key("a.b"), answer("a.b", 1, 60), 20s, kStart));
  EXPECT_EQ(cache.lookup(key("a.b"), kStart).age, 20u);
  EXPECT_EQ(cache.lookup(key("a.b"), kStart + 40s).hit, CacheHit::stale);
  EXPECT_EQ(cache.counters().restored, 1u);
  EXPECT_EQ(cache.counters().stores, 0u);
}

TEST_F(CacheInspectTest, RestoreTakesOnlyWhatMayBeKept) {
  EXPECT_FALSE(cache.restore(key("a.b"), answer("a.b", 1, 0), 0s, kStart)) << "TTL 0";
  EXPECT_FALSE(cache.restore(key("a.b"), answer("a.b", 1, 60), 30h, kStart)) << "too old";
  EXPECT_FALSE(cache.restore(key("a.b"), answer("a.b", 1, 60), -1s, kStart)) << "of the future";
  auto failure = answer("a.b", 1, 60);
  failure.kind = AnswerKind::failure;
  EXPECT_FALSE(cache.restore(key("a.b"), failure, 0s, kStart));
  auto cut = answer("a.b", 1, 60);
  cut.truncated = true;
  EXPECT_FALSE(cache.restore(key("a.b"), cut, 0s, kStart));
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(CacheInspectTest, RestoreLeavesWhatIsYounger) {
  cache.store(key("a.b"), answer("a.b", 1, 600), kStart);
  EXPECT_FALSE(cache.restore(key("a.b"), answer("a.b", 1, 60), 20s, kStart + 10s));
  EXPECT_FALSE(cache.restore(key("a.b"), nxdomain("a.b", 60), 20s, kStart + 10s));
  EXPECT_EQ(cache.lookup(key("a.b"), kStart + 10s).age, 10u);
  EXPECT_TRUE(cache.restore(key("a.b"), answer("a.b", 1, 60), 5s, kStart + 10s));
  EXPECT_EQ(cache.lookup(key("a.b"), kStart + 10s).age, 5u);
  cache.store_failure(key("f.b"), Rcode::server_failure, {}, kStart);
  EXPECT_TRUE(cache.restore(key("f.b"), answer("f.b", 1, 60), 20s, kStart))
      << "old data is better than a failure";
}

}  // namespace
}  // namespace boxgram::dns
