#include <gtest/gtest.h>

#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>
#include <boxgram/dns/record_text.hpp>
#include <boxgram/gateway/worker.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/packet/key_rotation.hpp>

#include "dns/dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::gateway {
namespace {

using namespace std::chrono_literals;
using base::Instant;
using test::Octets;
using test::operator+;

/// A worker with one resolver and one client that has its pinned key.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest()
      : pinned_(crypto::generate_key_pair(rng_)),
        worker_({}, keys(), rules(), &cache_, rng_, wall_, now_ - 1h),
        client_(client_config(), rng_, wall_, now_) {}

  std::shared_ptr<const packet::ServerKeys> keys() {
    return packet::KeyRotation({}, rng_, wall_, now_, std::nullopt, pinned_.secret_key.copy(),
                               crypto::SharedKey())
        .snapshot();
  }
  static std::shared_ptr<const dns::ForwarderConfig> rules() {
    auto rules = std::make_shared<dns::ForwarderConfig>();
    rules->upstreams = {{"resolver", false, false}};
    rules->default_group = {0};
    dns::add_records("local.example 60 A 192.0.2.7\n", rules->zone);
    return rules;
  }
  packet::ClientConfig client_config() const {
    packet::ClientConfig config;
    config.pinned_key = pinned_.public_key;
    return config;
  }

  /// Moves datagrams until both sides are silent; answers come back over `path_`.
  void exchange() {
    std::array<std::uint8_t, packet::kMaxDatagram> up;
    std::array<std::uint8_t, packet::kMaxDatagram> down;
    while (const std::size_t size = client_.poll_transmit(now_, up)) {
      const auto handled = worker_.receive(now_, path_, base::MutableBytes(up).first(size), down);
      if (handled.kind != Worker::Handled::Kind::transmit) continue;
      EXPECT_LE(handled.size, size);
      give_client(base::MutableBytes(down).first(handled.size));
    }
    Worker::Transmit transmit;
    while (worker_.poll_transmit(now_, transmit, down)) {
      EXPECT_EQ(transmit.path.from, path_.from);
      EXPECT_EQ(transmit.path.local, path_.local);
      EXPECT_EQ(transmit.path.socket, path_.socket);
      give_client(base::MutableBytes(down).first(transmit.size));
    }
  }
  void give_client(base::MutableBytes datagram) {
    client_.handle_datagram(now_, datagram);
    packet::ClientEvent event;
    while (client_.poll_event(event)) {
      if (const auto* answer = std::get_if<packet::Answer>(&event)) {
        answers_.emplace_back(answer->payload.begin(), answer->payload.end());
        sizes_.push_back(answer->datagram_size);
      } else {
        failures_.push_back(std::get<packet::Failed>(event));
      }
    }
  }
  void ask(const Octets& query) {
    client_.request(now_, packet::FrameType::dns, query, ++tag_);
    exchange();
  }
  /// The one query that waits for the resolver.
  UpstreamAction upstream_query() {
    UpstreamAction action;
    EXPECT_TRUE(worker_.lines().poll_action(action));
    EXPECT_EQ(action.action.kind, dns::Action::Kind::send);
    asked_ = Octets(action.action.query.begin(), action.action.query.end());
    return action;
  }
  /// The resolver's answer: TXT data of so many bytes.
  Octets resolved(std::size_t size) const {
    Octets text;
    for (; size > 0; size -= std::min<std::size_t>(size, 256)) {
      const auto part = std::min<std::size_t>(size, 256);
      text.push_back(static_cast<std::uint8_t>(part - 1));
      text.insert(text.end(), part - 1, 'x');
    }
    return test::header(base::load_be16(asked_.data()), 0x8180, 1, 1, 0, 1) +
           Octets(asked_.begin() + 12, asked_.end() - 11) +
           test::record(test::pointer(12), dns::rrtype::txt, 300, text) + test::opt(1232);
  }

  Instant now_ = Instant{} + 10h;
  test::SeededRng rng_{1};
  base::WallClock wall_{now_, 1'800'000'000'000};
  crypto::KeyPair pinned_;
  dns::SharedCache cache_{{}, rng_, 1};
  Worker worker_;
  packet::Client client_;
  Path path_{base::SocketAddress::v4(192, 0, 2, 50, 4000), base::SocketAddress::v4(10, 0, 0, 1, 0),
             3};
  std::uint64_t tag_ = 0;
  Octets asked_;
  std::vector<Octets> answers_;
  std::vector<std::size_t> sizes_;
  std::vector<packet::Failed> failures_;
};

TEST_F(WorkerTest, AnswersALocalNameAtOnce) {
  ask(test::query_for("local.example", dns::rrtype::a));
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(base::load_be16(answers_[0].data()), 0x1234);
  EXPECT_EQ(answers_[0][7], 1);
  EXPECT_EQ(worker_.pending(), 0u);
  EXPECT_EQ(worker_.counters().answered_at_once, 1u);
}

TEST_F(WorkerTest, AMissWaitsForTheResolverAndThenComesFromTheCache) {
  const auto query = test::query_for("far.example", dns::rrtype::txt);
  ask(query);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(worker_.pending(), 1u);
  const auto action = upstream_query();
  worker_.lines().upstream_answer(now_, action.generation, action.action.id, resolved(20));
  exchange();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(worker_.pending(), 0u);
  ask(query);
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[0], answers_[1]);
  UpstreamAction none;
  EXPECT_FALSE(worker_.lines().poll_action(none));
}

TEST_F(WorkerTest, TellsTheClientTheSizeThatAnAnswerNeeds) {
  ask(test::query_for("large.example", dns::rrtype::txt));
  const auto action = upstream_query();
  worker_.lines().upstream_answer(now_, action.generation, action.action.id, resolved(900));
  exchange();
  exchange();  // the client asks again in a class that fits, and the cache has it
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_GE(sizes_[0], 1024u);
  EXPECT_EQ(worker_.counters().too_large, 1u);
}

TEST_F(WorkerTest, AnAnswerBeyondAnyDatagramFailsWithItsSize) {
  ask(test::query_for("huge.example", dns::rrtype::txt));
  const auto action = upstream_query();
  worker_.lines().upstream_answer(now_, action.generation, action.action.id, resolved(3000));
  exchange();
  ASSERT_EQ(failures_.size(), 1u);
  EXPECT_EQ(failures_[0].reason, packet::FailReason::too_large);
  EXPECT_GE(failures_[0].size, 3000);
  EXPECT_TRUE(answers_.empty());
}

TEST_F(WorkerTest, AMalformedQueryGetsFormerrAndGoesNowhere) {
  auto query = test::query_for("broken.example", dns::rrtype::a);
  query[5] = 2;  // two questions
  ask(query);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0][3] & 0x0f, 1);
  UpstreamAction none;
  EXPECT_FALSE(worker_.lines().poll_action(none));
}

TEST_F(WorkerTest, WhatIsNoQueryGetsAnErrorAndNoAnswer) {
  ask(Octets{1, 2, 3});
  ASSERT_EQ(failures_.size(), 1u);
  EXPECT_EQ(failures_[0].reason, packet::FailReason::malformed);
  EXPECT_EQ(worker_.pending(), 0u);
}

TEST_F(WorkerTest, OneNetworkCannotTakeEveryPlaceOfThoseWhoWait) {
  ask(test::query_for("local.example", dns::rrtype::a));  // makes the association
  answers_.clear();
  for (std::size_t i = 0; i < Worker::kMaxPendingOfNetwork; ++i)
    ask(test::query_for("slow" + std::to_string(i) + ".example", dns::rrtype::txt));
  EXPECT_EQ(worker_.pending(), Worker::kMaxPendingOfNetwork);
  ask(test::query_for("one-more.example", dns::rrtype::txt));
  ASSERT_EQ(failures_.size(), 1u);
  EXPECT_EQ(failures_[0].reason, packet::FailReason::refused);
  EXPECT_EQ(worker_.counters().over_share, 1u);
  path_.from = base::SocketAddress::v4(192, 0, 2, 51, 4000);
  ask(test::query_for("somebody-else.example", dns::rrtype::txt));
  EXPECT_EQ(worker_.pending(), Worker::kMaxPendingOfNetwork + 1) << "another network has its own";
  const auto first = upstream_query();
  path_.from = base::SocketAddress::v4(192, 0, 2, 50, 4000);
  worker_.lines().upstream_answer(now_, first.generation, first.action.id, resolved(20));
  exchange();
  EXPECT_EQ(answers_.size(), 1u);
  ask(test::query_for("one-more.example", dns::rrtype::txt));
  EXPECT_EQ(failures_.size(), 1u) << "a place of its share is free again";
}

TEST_F(WorkerTest, ADrainRefusesWhatIsNewAndAnswersWhatWaits) {
  ask(test::query_for("waiting.example", dns::rrtype::txt));
  const auto action = upstream_query();
  worker_.drain();
  ask(test::query_for("local.example", dns::rrtype::a));
  ASSERT_EQ(failures_.size(), 1u);
  EXPECT_EQ(failures_[0].reason, packet::FailReason::shutdown);
  worker_.lines().upstream_answer(now_, action.generation, action.action.id, resolved(20));
  exchange();
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(WorkerTest, AReloadEndsOldRequestsUnderOldRules) {
  ask(test::query_for("old.example", dns::rrtype::txt));
  const auto old = upstream_query();
  EXPECT_EQ(worker_.lines().reload(now_, rules()), 2u);
  EXPECT_EQ(worker_.lines().oldest_generation(), 1u) << "it owes an answer";
  ask(test::query_for("new.example", dns::rrtype::txt));
  const auto old_asked = asked_;
  const auto fresh = upstream_query();
  EXPECT_EQ(fresh.generation, 2u);
  worker_.lines().upstream_answer(now_, fresh.generation, fresh.action.id, resolved(20));
  asked_ = old_asked;
  worker_.lines().upstream_answer(now_, old.generation, old.action.id, resolved(20));
  exchange();
  EXPECT_EQ(answers_.size(), 2u);
  EXPECT_EQ(worker_.lines().oldest_generation(), 2u);
  worker_.lines().upstream_answer(now_, old.generation, old.action.id,
                                  resolved(20));  // late: ignored
}

TEST_F(WorkerTest, ASilentResolverGivesServfailWithinThreeSeconds) {
  ask(test::query_for("silent.example", dns::rrtype::txt));
  const Instant asked = now_;
  while (answers_.empty() && worker_.next_timeout() && now_ < asked + 10s) {
    now_ = std::max(now_, *worker_.next_timeout());
    worker_.handle_timeout(now_);
    UpstreamAction action;
    while (worker_.lines().poll_action(action))
      if (action.action.kind == dns::Action::Kind::send)
        worker_.lines().upstream_failed(now_, action.generation, action.action.id,
                                        dns::TryFailure::timed_out);
    std::array<std::uint8_t, packet::kMaxDatagram> down;
    Worker::Transmit transmit;
    while (worker_.poll_transmit(now_, transmit, down))
      give_client(base::MutableBytes(down).first(transmit.size));
  }
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0][3] & 0x0f, 2);
  EXPECT_LE(now_ - asked, 3s);
}

}  // namespace
}  // namespace boxgram::gateway
