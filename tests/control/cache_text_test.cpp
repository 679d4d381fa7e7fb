#include <set>

#include <gtest/gtest.h>

#include <boxgram/control/cache_text.hpp>
#include <boxgram/crypto/base64url.hpp>

#include "dns/dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::control {
namespace {

using namespace boxgram::test;
using namespace std::chrono_literals;

constexpr base::Instant kStart = base::Instant{} + 1h;

struct CacheText : ::testing::Test {
  /// An answer of one record with so many bytes of data.
  void store(std::string_view name, std::uint32_t ttl, std::size_t size = 4,
             base::Instant now = kStart) {
    builder.start(labels(name), 16, 1);
    ASSERT_TRUE(builder.add(dns::Section::answer, *dns::Name::from_wire(labels(name)), 16, 1, ttl,
                            Octets(size, 7)));
    cache.store(key_of(name), builder.finish(dns::Rcode::no_error, false, false), now);
  }
  static dns::QueryKey key_of(std::string_view name) { return {labels(name), 16, 1, false, false}; }

  std::vector<std::string> dump(base::Instant now = kStart) {
    std::vector<std::string> lines;
    std::string cursor;
    pages = left_out = 0;
    do {
      const auto page = dump_page(cache, cursor, now);
      EXPECT_TRUE(page);
      std::size_t size = 0;
      for (const auto& line : page->lines) {
        lines.push_back(line);
        size += line.size();
      }
      EXPECT_LE(size, 36u * 1024);
      cursor = page->cursor;
      left_out += page->left_out;
      ++pages;
    } while (!cursor.empty() && pages < 1'000);
    return lines;
  }
  base::expected<Loaded, std::string> load(std::string_view line, base::Instant now = kStart) {
    return load_line(line, other, builder, now);
  }
  /// What `other` holds for a name: hit and age.
  std::pair<dns::CacheHit, std::uint32_t> held(std::string_view name, base::Instant now) {
    std::pair<dns::CacheHit, std::uint32_t> found{};
    other.peek(key_of(name), now, [&](const auto&, const dns::CacheEntryView& view) {
      found = {view.hit, view.age};
      authentic = view.answer.authentic;
      return true;
    });
    return found;
  }

  SeededRng rng{1};
  dns::SharedCache cache{dns::CacheOptions{}, rng};
  dns::SharedCache other{dns::CacheOptions{}, rng};
  dns::AnswerBuilder builder;
  std::size_t pages = 0;
  std::uint64_t left_out = 0;
  bool authentic = false;
};

TEST_F(CacheText, ALineHasQuestionAgeAndMessage) {
  store("ex ample.org", 60);
  const auto lines = dump(kStart + 12s);
  ASSERT_EQ(lines.size(), 1u);
  const std::string front = "ex\\032ample.org. TXT IN - 12 ";
  ASSERT_EQ(lines[0].substr(0, front.size()), front);
  const auto message = crypto::from_base64url(lines[0].substr(front.size()));
  ASSERT_TRUE(message);
  EXPECT_EQ(lines_of(*message)[0], "0 ex\\032ample.org. 16 1 60 07070707")
      << "the TTL it came with";
}

TEST_F(CacheText, WhatIsDumpedCanBeLoadedWithItsAge) {
  for (int i = 0; i < 3'000; ++i) store("h" + std::to_string(i) + ".example", 100);
  const auto lines = dump(kStart + 30s);
  EXPECT_EQ(std::set(lines.begin(), lines.end()).size(), 3'000u);
  EXPECT_GT(pages, 3u);
  for (const auto& line : lines) ASSERT_EQ(load(line, kStart + 1000s), Loaded::taken) << line;
  EXPECT_EQ(other.size(), 3'000u);
  EXPECT_EQ(held("h7.example", kStart + 1000s), std::pair(dns::CacheHit::fresh, 30u));
  EXPECT_EQ(held("h7.example", kStart + 1070s).first, dns::CacheHit::stale);
  EXPECT_EQ(other.counters().restored, 3'000u);
}

TEST_F(CacheText, LargeAnswersFillTheirPagesAndTooLargeOnesAreCounted) {
  for (int i = 0; i < 20; ++i) store("m" + std::to_string(i) + ".example", 100, 20'000);
  store("large.example", 100, 40'000);
  EXPECT_EQ(dump().size(), 20u);
  EXPECT_EQ(pages, 20u) << "one each";
  EXPECT_EQ(left_out, 1u);
}

TEST_F(CacheText, FailuresAndWhatIsTooOldAreNotDumped) {
  cache.store_failure(key_of("fails.example"), dns::Rcode::server_failure, {}, kStart);
  store("old.example", 1);
  EXPECT_EQ(dump(kStart).size(), 1u);
  EXPECT_EQ(dump(kStart + 2s).size(), 1u) << "expired answers may still be served";
  EXPECT_EQ(dump(kStart + 50h).size(), 0u);
}

TEST_F(CacheText, AYoungerAnswerIsNotReplacedByAnOlder) {
  store("a.example", 100);
  const auto line = dump(kStart + 30s).at(0);
  ASSERT_EQ(load(line, kStart + 30s), Loaded::taken);
  EXPECT_EQ(load(line, kStart + 40s), Loaded::taken) << "counts as learned 30 s before now";
  EXPECT_EQ(held("a.example", kStart + 40s).second, 30u);
  EXPECT_EQ(load(line, kStart + 20s), Loaded::passed_over);
  EXPECT_EQ(held("a.example", kStart + 40s).second, 30u);
}

TEST_F(CacheText, AnOldNxdomainDoesNotEndAYoungerAnswer) {
  builder.start(labels("a.example"), 1, 1);
  ASSERT_TRUE(builder.add(dns::Section::authority, *dns::Name::from_text("example"),
                          dns::rrtype::soa, 1, 100, soa("ns.example", 100)));
  cache.store(dns::QueryKey(labels("a.example"), 1, 1, false, false),
              builder.finish(dns::Rcode::nx_domain, false, false), kStart);
  const auto line = dump(kStart + 10s).at(0);
  store("a.example", 100);
  const auto answer = dump(kStart + 5s).at(0);
  ASSERT_EQ(load(answer, kStart + 15s), Loaded::taken);
  EXPECT_EQ(load(line, kStart + 15s), Loaded::passed_over);
  EXPECT_EQ(held("a.example", kStart + 15s).first, dns::CacheHit::fresh);
}

TEST_F(CacheText, LoadChecksAMessageLikeAnUpstreams) {
  store("a.example", 100);
  const auto line = dump().at(0);
  const auto message = line.substr(line.rfind(' ') + 1);
  const auto replaced = [&](const char* front, const std::string& m) {
    return load(std::string(front) + " " + m);
  };
  EXPECT_FALSE(replaced("b.example. TXT IN - 0", message)) << "another name";
  EXPECT_FALSE(replaced("a.example. A IN - 0", message)) << "another type";
  EXPECT_FALSE(replaced("a.example. TXT CLASS3 - 0", message));
  EXPECT_FALSE(replaced("a.example. TXT IN - 0", message.substr(0, message.size() - 4)));
  EXPECT_FALSE(replaced("a.example. TXT IN - 0", message + "AAAA"));
  EXPECT_FALSE(replaced("a.example. TXT IN - 0", "!"));
  auto bytes = *crypto::from_base64url(message);
  bytes[2] &= 0x7f;  // a query
  EXPECT_FALSE(replaced("a.example. TXT IN - 0", crypto::to_base64url(bytes)));
  EXPECT_EQ(other.size(), 0u);
}

TEST_F(CacheText, LoadNeverBelievesThatAnAnswerIsAuthentic) {
  store("a.example", 100);
  const auto line = dump().at(0);
  auto bytes = *crypto::from_base64url(line.substr(line.rfind(' ') + 1));
  bytes[3] |= 0x20;  // AD
  ASSERT_EQ(load("a.example. TXT IN - 0 " + crypto::to_base64url(bytes)), Loaded::taken);
  EXPECT_EQ(held("a.example", kStart).first, dns::CacheHit::fresh);
  EXPECT_FALSE(authentic);
}

TEST_F(CacheText, LinesThatAreNoneSayWhatWasExpected) {
  const struct {
    const char* line;
    const char* message;
  } cases[] = {
      {"", "expected NAME TYPE CLASS FLAGS AGE MESSAGE"},
      {"a. A IN - 0", "expected NAME TYPE CLASS FLAGS AGE MESSAGE"},
      {"a. A IN - 0 AAAA ", "expected NAME TYPE CLASS FLAGS AGE MESSAGE"},
      {"a.  A IN - 0 AAAA", "expected NAME TYPE CLASS FLAGS AGE MESSAGE"},
      {"a..b A IN - 0 AAAA", "'a..b' is not a domain name"},
      {"a. Q IN - 0 AAAA", "Q"},
      {"a. A XX - 0 AAAA", "'XX' is not a class"},
      {"a. A IN x 0 AAAA", "expected -, do, cd or do+cd"},
      {"a. A IN - -1 AAAA", "expected an age in seconds"},
      {"a. A IN - 4294967296 AAAA", "expected an age in seconds"},
      {"a. A IN - 0 AAAA", "no answer for 'a.'"},
  };
  for (const auto& c : cases) {
    const auto loaded = load(c.line);
    ASSERT_FALSE(loaded) << c.line;
    EXPECT_NE(loaded.error().find(c.message), std::string::npos) << loaded.error();
  }
}

TEST_F(CacheText, AnAgeBeyondAllLifetimesIsPassedOver) {
  store("a.example", 100);
  auto line = dump().at(0);
  line.replace(line.find(" - 0 "), 5, " - 4294967295 ");
  EXPECT_EQ(load(line), Loaded::passed_over);
}

TEST_F(CacheText, ACursorThatIsNoneIsRefused) {
  for (const auto* cursor : {"x", "1", "1.2", "1.2.x", "1.2.3.4", "-1.0.0", "1..3"})
    EXPECT_FALSE(dump_page(cache, cursor, kStart)) << cursor;
  const auto beyond = dump_page(cache, "99.0.0", kStart);
  ASSERT_TRUE(beyond);
  EXPECT_TRUE(beyond->cursor.empty() && beyond->lines.empty());
  store("a.example", 100);
  EXPECT_TRUE(dump_page(cache, "0.4294967295.4294967295", kStart));
}

TEST_F(CacheText, GrowthOfTheTableBetweenPagesHidesNothing) {
  for (int i = 0; i < 500; ++i) store("a" + std::to_string(i) + ".example", 100, 1'000);
  std::set<std::string> names;
  std::string cursor;
  int more = 0;
  do {
    const auto page = dump_page(cache, cursor, kStart);
    for (const auto& line : page->lines) names.insert(line.substr(0, line.find(' ')));
    cursor = page->cursor;
    for (int i = 0; i < 400; ++i) store("b" + std::to_string(more++) + ".example", 100);
  } while (!cursor.empty());
  int found = 0;
  for (int i = 0; i < 500; ++i) found += names.contains("a" + std::to_string(i) + ".example.");
  // A page that ends inside a bucket that then grows may lose what that bucket held.
  EXPECT_GE(found, 495);
}

}  // namespace
}  // namespace boxgram::control
