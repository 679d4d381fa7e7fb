// Whatever upstreams do, every query ends exactly once, in time, and nothing is left behind.
#include "dns/forwarder_harness.hpp"
#include "support/allocation_count.hpp"

namespace boxgram::test {
namespace {

/// Upstreams that do anything at all, decided by the seed.
Script chaos(SeededRng& rng) {
  return [&rng](const Octets& q) {
    std::vector<Reply> replies;
    for (auto n = rng.below(3); n > 0; --n) {
      const auto after =
          std::chrono::milliseconds(rng.below(10) == 0 ? rng.below(4000) : rng.below(60));
      switch (rng.below(10)) {
        case 0:
          replies.push_back({after, reply_with(q, static_cast<unsigned>(rng.below(16))), {}});
          break;
        case 1:
          replies.push_back({after, nxdomain_reply(q, 5), {}});
          break;
        case 2: {
          auto reply = address_reply(q, 2);
          reply[rng.below(reply.size())] ^= static_cast<std::uint8_t>(1 + rng.below(255));
          replies.push_back({after, reply, {}});
          break;
        }
        case 3: {
          auto reply = address_reply(q, 2);
          reply.resize(rng.below(reply.size()));
          replies.push_back({after, reply, {}});
          break;
        }
        case 4:
          replies.push_back({after, {}, static_cast<dns::TryFailure>(rng.below(5))});
          break;
        case 5:
          replies.push_back({after, {}, {}, true});
          break;
        default:
          replies.push_back(
              {after, address_reply(q, static_cast<std::uint32_t>(rng.below(4))), {}});
          break;
      }
    }
    return replies;
  };
}

Octets any_query(SeededRng& rng) {
  const std::string name = "n" + std::to_string(rng.below(12)) + ".example";
  auto query = query_for(name, rng.below(2) == 0 ? 1 : 28, rng.below(2) == 0, false,
                         static_cast<unsigned>(rng.u16() & 0x0130));
  query[0] = static_cast<std::uint8_t>(rng.u16());
  if (rng.below(20) == 0) query.resize(rng.below(query.size()));
  return query;
}

class Chaos : public testing::TestWithParam<int> {};

TEST_P(Chaos, EveryQueryEndsExactlyOnceWithin3s) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  SeededRng rng(seed);
  auto config =
      rng.below(2) == 0 ? plain_upstreams(1 + rng.below(4)) : sealed_upstreams(1 + rng.below(4));
  config.random_case = rng.below(2) == 0;
  config.max_flights = 8;
  config.max_waiters = 20;
  config.max_waiters_per_flight = 4;
  const std::size_t upstreams = config.upstreams.size();
  ForwarderHarness h(std::move(config), rng.below(2) == 0, seed);
  for (std::size_t i = 0; i < upstreams; ++i) h.upstream(i) = chaos(rng);
  h.after_step = [&] {
    EXPECT_LE(h.forwarder().in_flight(), 8u);
    EXPECT_LE(h.forwarder().waiting(), 20u);
    EXPECT_EQ(h.forwarder().waiting(), h.open_count());
  };

  std::map<std::uint64_t, std::pair<Octets, Instant>> asked;
  for (int i = 0; i < 300; ++i) {
    auto query = any_query(rng);
    const dns::Asker asker{static_cast<dns::Transport>(rng.below(3)), 512 + rng.below(1000)};
    const auto tag = h.ask(query, asker);
    if (h.last_kind != dns::Outcome::Kind::dropped) asked[tag] = {query, h.now};
    h.run(std::chrono::milliseconds(rng.below(5) == 0 ? rng.below(1500) : rng.below(20)));
  }
  h.run(6s);
  EXPECT_EQ(h.open_count(), 0u);
  EXPECT_EQ(h.forwarder().in_flight(), 0u);
  EXPECT_FALSE(h.forwarder().next_timeout().has_value());
  for (const auto& [tag, query] : asked) {
    const auto& got = h.answer(tag);
    EXPECT_LT(got.at - query.second, 3s);
    if (got.too_large) continue;
    EXPECT_EQ(got.id(), base::load_be16(query.first.data()));
    EXPECT_TRUE(got.flags() & 0x8000);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, Chaos, testing::Range(1, 201));

TEST(ForwarderFlood, BeyondCapacityIsAnsweredServfailAndMemoryStays) {
  auto config = plain_upstreams(1);
  config.max_flights = 16;
  config.max_waiters = 24;
  ForwarderHarness h(std::move(config));
  for (int i = 0; i < 1000; ++i) {
    const auto tag = h.ask("n" + std::to_string(i) + ".example");
    if (i < 16) continue;
    EXPECT_EQ(h.answer(tag).rcode(), 2u);
    EXPECT_EQ(h.answer(tag).errors(), std::vector<unsigned>{14});
  }
  for (int i = 0; i < 20; ++i) h.ask("n0.example");
  EXPECT_EQ(h.forwarder().in_flight(), 16u);
  EXPECT_EQ(h.forwarder().waiting(), 24u);
  EXPECT_EQ(h.forwarder().counters().over_capacity, 984u + 12);
  h.run(5s);
  EXPECT_EQ(h.open_count(), 0u);
  h.upstream(0) = answers_after(5ms);
  EXPECT_EQ(h.time_of("later.example"), 5ms) << "serves again";
}

TEST(ForwarderFlood, ADeadGroupCannotTakeAllPlaces) {
  auto config = plain_upstreams(2);
  config.default_group = {0};
  config.rules = {{*dns::Name::from_text("dead.example"), {1}}};
  config.max_flights = 16;
  ForwarderHarness h(std::move(config));
  h.upstream(0) = answers_after(5ms);
  h.time_of("a.dead.example");
  for (int i = 0; i < 100; ++i) {
    h.ask("n" + std::to_string(i) + ".dead.example");
    EXPECT_LE(h.forwarder().in_flight(), 8u);
  }
  EXPECT_EQ(h.time_of("alive.example"), 5ms);
  EXPECT_EQ(h.answer(h.last).rcode(), 0u);
  h.upstream(1) = answers_after(5ms);
  h.run(5s);
  EXPECT_EQ(h.time_of("b.dead.example"), 5ms) << "found alive again";
}

TEST(ForwarderFlood, OneNameCannotTakeAllPlaces) {
  auto config = plain_upstreams(1);
  config.max_waiters_per_flight = 4;
  ForwarderHarness h(std::move(config));
  for (int i = 0; i < 10; ++i) h.ask("a.example");
  EXPECT_EQ(h.forwarder().waiting(), 4u);
  h.ask("b.example");
  EXPECT_EQ(h.last_kind, dns::Outcome::Kind::pending);
  h.run(5s);
}

TEST(ForwarderFlood, AnswersSurviveADriverThatDrainsLate) {
  SeededRng rng(1);
  auto config = std::make_shared<const dns::ForwarderConfig>(plain_upstreams(1));
  const Instant now = Instant{} + 1h;
  dns::Forwarder forwarder(config, nullptr, rng, now);
  Octets out(65535);
  std::vector<std::pair<dns::TryId, Octets>> tries;
  for (std::uint64_t tag = 1; tag <= 3; ++tag)
    forwarder.query(now, tag, query_for("n" + std::to_string(tag) + ".example", 1), {}, out);
  dns::Action action;
  while (forwarder.poll_action(action))
    tries.emplace_back(action.id, Octets(action.query.begin(), action.query.end()));
  ASSERT_EQ(tries.size(), 3u);
  for (std::uint8_t i = 0; i < 3; ++i)
    forwarder.upstream_answer(now, tries[i].first,
                              address_reply(tries[i].second, 60, {192, 0, 2, i}));
  dns::Answered answered;
  for (std::uint64_t tag = 1; tag <= 3; ++tag) {
    ASSERT_TRUE(forwarder.poll_answer(now, answered, out));
    EXPECT_EQ(answered.tag, tag);
    const auto lines = lines_of(Bytes(out).first(answered.size));
    EXPECT_EQ(lines[0],
              "0 n" + std::to_string(tag) + ".example. 1 1 60 c000020" + std::to_string(tag - 1));
  }
  EXPECT_FALSE(forwarder.poll_answer(now, answered, out));
  EXPECT_EQ(forwarder.in_flight(), 0u);
}

TEST(ForwarderCost, AWarmForwarderDoesNotAllocate) {
  SeededRng rng(1);
  dns::SharedCache cache(dns::CacheOptions{}, rng, 1);
  for (dns::SharedCache* used : {static_cast<dns::SharedCache*>(nullptr), &cache}) {
    auto config = std::make_shared<const dns::ForwarderConfig>(plain_upstreams(2));
    Instant now = Instant{} + 1h;
    dns::Forwarder forwarder(config, used, rng, now);
    Octets out(65535);
    const auto query = query_for("a.example", 1);
    std::array<std::uint8_t, 512> reply;
    const Octets record_bytes = record(pointer(12), dns::rrtype::a, 0, {192, 0, 2, 1});
    std::size_t before = 0;
    for (int i = 0; i < 200; ++i) {
      if (i == 100) before = allocation_count();
      forwarder.query(now, 1, query, {}, out);
      dns::Action action;
      while (forwarder.poll_action(action)) {
        if (action.kind == dns::Action::Kind::cancel) continue;
        // The query turned around, its OPT replaced by one record.
        const std::size_t size = action.query.size() - 11;
        std::copy_n(action.query.begin(), size, reply.begin());
        std::copy(record_bytes.begin(), record_bytes.end(), reply.begin() + size);
        reply[2] |= 0x80;
        reply[7] = 1;
        reply[11] = 0;
        const dns::TryId id = action.id;
        forwarder.upstream_answer(now + 5ms, id, Bytes(reply).first(size + record_bytes.size()));
      }
      dns::Answered answered;
      ASSERT_TRUE(forwarder.poll_answer(now, answered, out));
      EXPECT_FALSE(forwarder.poll_answer(now, answered, out));
      now += 10ms;
      forwarder.handle_timeout(now);
    }
    EXPECT_EQ(allocation_count(), before);
    EXPECT_EQ(forwarder.counters().upstream_answers, 200u) << "TTL 0 is not cached";
  }
}

}  // namespace
}  // namespace boxgram::test
