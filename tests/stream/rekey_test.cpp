// New keys for a running session, and its end, in every order that the two can meet in.
#include <gtest/gtest.h>

#include "stream/session_pair.hpp"

namespace boxgram::test {
namespace {

using packet::FrameType;
using stream::CloseCode;
using stream::SessionEnd;

/// Small enough to be reached at once.
constexpr stream::EpochLimits kFewRecords{10min, std::uint64_t{1} << 30, 32};
constexpr stream::EpochLimits kFewBytes{10min, 1 << 18, std::uint64_t{1} << 20};

Buffer numbered(std::uint64_t n, std::size_t size = 8) {
  Buffer payload(std::max<std::size_t>(size, 8));
  base::store_be64(payload.data(), n);
  return payload;
}

void expect_numbered(const std::vector<RawFrame>& messages, std::uint64_t count) {
  ASSERT_EQ(messages.size(), count);
  for (std::uint64_t i = 0; i < count; ++i)
    EXPECT_EQ(base::load_be64(messages[i].payload.data()), i);
}

TEST(StreamRekey, TheLimitsAreTheProtocols) {
  const stream::EpochLimits limits;
  EXPECT_EQ(limits.time, 10min);
  EXPECT_EQ(limits.bytes, 1u << 30);
  EXPECT_EQ(limits.records, 1u << 20);
}

TEST(StreamRekey, ComesAfterTenMinutes) {
  SessionPair pair;
  pair.now += 10min - 1ns;
  pair.client.session.handle_timeout(pair.now);
  EXPECT_FALSE(pair.carry());
  EXPECT_EQ(pair.client.session.next_timeout(), base::Instant{} + 10min);
  pair.now += 1ns;
  pair.client.session.handle_timeout(pair.now);
  EXPECT_TRUE(pair.carry());
  EXPECT_EQ(pair.client.session.epoch(), 1u);
  EXPECT_EQ(pair.server.session.epoch(), 1u);
  EXPECT_EQ(pair.client.session.next_timeout(), pair.now + 10min);
}

TEST(StreamRekey, TimeCountsInASessionThatIsBusy) {
  SessionPair pair;
  for (std::uint64_t i = 0; i < 100; ++i) {
    pair.now += 30s;
    pair.client.session.send(FrameType::dns, false, 1, numbered(i));
    pair.carry();
    pair.server.session.send(FrameType::dns, true, 1, numbered(i));
    pair.carry();
  }
  EXPECT_EQ(pair.client.session.epoch(), 5u) << "in fifty minutes";
  expect_numbered(pair.client.messages, 100);
  expect_numbered(pair.server.messages, 100);
}

/// Messages in one direction only, until so many epochs have gone by; each carried by itself.
void renew_by_traffic(const stream::EpochLimits& limits, std::size_t size, bool to_server) {
  SessionPair pair(limits);
  End& from = to_server ? pair.client : pair.server;
  End& to = to_server ? pair.server : pair.client;
  std::uint64_t sent = 0;
  while (pair.client.session.epoch() < 5 && sent < 10000) {
    ASSERT_TRUE(from.session.send(FrameType::control, !to_server, 1, numbered(sent++, size)));
    pair.carry();
    pair.client.session.handle_timeout(pair.now);
    pair.carry();
    ASSERT_FALSE(pair.client.session.end());
    ASSERT_FALSE(pair.server.session.end());
  }
  EXPECT_EQ(pair.client.session.epoch(), 5u);
  EXPECT_EQ(pair.server.session.epoch(), 5u);
  expect_numbered(to.messages, sent);
  const std::size_t by_bytes = limits.bytes / (size + 80);
  EXPECT_GE(sent, 4 * std::min<std::size_t>(limits.records, by_bytes));
}

TEST(StreamRekey, ComesAfterManyRecordsInEitherDirection) {
  renew_by_traffic(kFewRecords, 8, true);
  renew_by_traffic(kFewRecords, 8, false);
}

TEST(StreamRekey, ComesAfterManyBytesInEitherDirection) {
  // A client that only reads has used next to nothing of its own key: the server counts both.
  renew_by_traffic(kFewBytes, 16000, true);
  renew_by_traffic(kFewBytes, 16000, false);
}

TEST(StreamRekey, TrafficGoesOnWhileItIsUnderWay) {
  SeededRng rng(3);
  SessionPair pair(kFewRecords);
  std::uint64_t up = 0, down = 0;
  std::deque<Buffer> to_server, to_client;
  const auto push = [](std::deque<Buffer>& way, std::deque<Buffer> more) {
    for (Buffer& record : more) way.push_back(std::move(record));
  };
  for (int i = 0; i < 4000; ++i) {
    if (rng.below(2) == 0) pair.client.session.send(FrameType::dns, false, 1, numbered(up++));
    if (rng.below(2) == 0) pair.server.session.send(FrameType::dns, true, 1, numbered(down++));
    push(to_server, pair.client.records());
    push(to_client, pair.server.records());
    for (std::uint64_t n = rng.below(4); n > 0 && !to_server.empty(); --n) {
      pair.server.receive(pair.now, to_server.front());
      to_server.pop_front();
    }
    for (std::uint64_t n = rng.below(4); n > 0 && !to_client.empty(); --n) {
      pair.client.receive(pair.now, to_client.front());
      to_client.pop_front();
    }
    ASSERT_FALSE(pair.client.session.end());
    ASSERT_FALSE(pair.server.session.end());
  }
  for (; !to_server.empty(); to_server.pop_front())
    pair.server.receive(pair.now, to_server.front());
  for (; !to_client.empty(); to_client.pop_front())
    pair.client.receive(pair.now, to_client.front());
  pair.carry();
  EXPECT_GT(pair.client.session.epoch(), 20u);
  expect_numbered(pair.server.messages, up);
  expect_numbered(pair.client.messages, down);
}

TEST(StreamRekey, WhoNeverRenewsIsCutAtTwiceTheLimit) {
  // The server's end alone, its client seals by hand.
  QueuedRng rng(1);
  RawRecords raw(stream::Direction::to_server, session_key());
  End by_records(End::Role::server, rng, {base::Instant{}, 1h, false, kFewRecords});
  for (int i = 0; i < 63; ++i) by_records.receive({}, raw.seal({{FrameType::ping, false, 1, {}}}));
  EXPECT_FALSE(by_records.session.end());
  by_records.receive({}, raw.seal({{FrameType::ping, false, 1, {}}}));
  EXPECT_EQ(by_records.session.end(), SessionEnd::worn_out);

  RawRecords more(stream::Direction::to_server, session_key());
  End by_bytes(End::Role::server, rng, {base::Instant{}, 1h, false, kFewBytes});
  for (std::size_t bytes = 0; bytes + 16016 < 2 << 18; bytes += 16016) {
    EXPECT_FALSE(by_bytes.session.end());
    by_bytes.receive({}, more.seal(Buffer(16000)));
  }
  by_bytes.receive({}, more.seal(Buffer(16000)));
  EXPECT_EQ(by_bytes.session.end(), SessionEnd::worn_out);

  End by_time(End::Role::server, rng, {base::Instant{}, 1h, false, {}});
  EXPECT_EQ(by_time.session.next_timeout(), base::Instant{} + 20min);
  by_time.session.handle_timeout(base::Instant{} + 20min - 1ns);
  EXPECT_FALSE(by_time.session.end());
  by_time.session.handle_timeout(base::Instant{} + 20min);
  EXPECT_EQ(by_time.session.end(), SessionEnd::worn_out);
}

TEST(StreamRekey, AServerThatDoesNotAnswerItIsLeft) {
  QueuedRng rng(1);
  End client(End::Role::client, rng, {base::Instant{}, 1h, false, {}});
  client.session.handle_timeout(base::Instant{} + 10min);
  EXPECT_EQ(client.records().size(), 1u);
  EXPECT_EQ(client.session.next_timeout(), base::Instant{} + 20min);
  client.session.handle_timeout(base::Instant{} + 20min);
  EXPECT_EQ(client.session.end(), SessionEnd::worn_out);
}

/// A server's session with the test as its client, at a time when a renewal is due.
struct LoneServer {
  LoneServer() { now += 10min; }
  void give(const std::vector<RawFrame>& frames) { end.receive(now, raw.seal(frames)); }
  /// Asks for new keys and gives the key of the next epoch.
  crypto::SharedKey renew() {
    const crypto::KeyPair next = crypto::generate_key_pair(rng);
    give({request(next.public_key)});
    const auto frames = raw.open(end.bytes());
    EXPECT_TRUE(frames && frames->size() == 1 && frames->at(0).type == FrameType::rekey_ack);
    return *crypto::shared_key(to_array<32>(frames->at(0).payload), next.secret_key);
  }
  static RawFrame request(base::Bytes key) {
    return {FrameType::rekey_req, false, 0, Buffer(key.begin(), key.end())};
  }
  static RawFrame done() { return {FrameType::rekey_done, false, 0, {}}; }
  static RawFrame close() { return {FrameType::close, false, 0, {0, 0}}; }

  QueuedRng rng{1};
  base::Instant now{};
  End end{End::Role::server, rng, {now, 1h, false, {}}};
  RawRecords raw{stream::Direction::to_server, session_key()};
  Buffer point = Buffer(32, 9);
};

TEST(StreamRekey, IsNotDoneEarly) {
  for (const auto& [after, end] : {std::pair{0ns, true}, std::pair{base::Duration(60s - 1ns), true},
                                   std::pair{base::Duration(60s), false}}) {
    LoneServer lone;
    lone.now = base::Instant{} + after;
    lone.give({LoneServer::request(lone.point)});
    EXPECT_EQ(lone.end.session.end().has_value(), end) << after.count();
  }
}

TEST(StreamRekey, IsNotDoneAgainAtOnce) {
  LoneServer lone;
  const auto key = lone.renew();
  lone.give({LoneServer::done()});
  lone.raw.next_epoch(key);
  ASSERT_FALSE(lone.end.session.end());
  lone.now += 59s;
  lone.give({LoneServer::request(lone.point)});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
  EXPECT_TRUE(lone.end.bytes().empty());
}

TEST(StreamRekey, TwoRequestsAtATimeAreAViolation) {
  LoneServer lone;
  lone.renew();
  lone.give({LoneServer::request(lone.point)});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
}

TEST(StreamRekey, DoneWithoutRequestIsAViolation) {
  LoneServer lone;
  lone.give({LoneServer::done()});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
}

TEST(StreamRekey, NothingFollowsTheLastWordOfAnEpoch) {
  LoneServer lone;
  lone.renew();
  lone.give({LoneServer::done(), {FrameType::dns, false, 1, {}}});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
  EXPECT_TRUE(lone.end.messages.empty());
}

TEST(StreamRekey, CloseWhileItIsPendingIsAViolation) {
  LoneServer lone;
  lone.renew();
  lone.give({LoneServer::close()});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::violation);
}

TEST(StreamRekey, TheOldKeyIsRefusedAfterIt) {
  LoneServer lone;
  lone.renew();
  lone.give({LoneServer::done()});
  ASSERT_FALSE(lone.end.session.end());
  lone.give({{FrameType::ping, false, 1, {}}});  // under the old key, whose counter goes on
  EXPECT_EQ(lone.end.session.end(), SessionEnd::not_authentic);
}

TEST(StreamRekey, TheNewKeyIsRefusedBeforeIt) {
  LoneServer lone;
  const auto key = lone.renew();
  lone.raw.next_epoch(key);
  lone.give({LoneServer::done()});
  EXPECT_EQ(lone.end.session.end(), SessionEnd::not_authentic);
}

TEST(StreamRekey, KeysOfAnotherSizeAreAViolation) {
  for (const std::size_t size : {0u, 31u, 33u, 64u}) {
    LoneServer lone;
    lone.give({LoneServer::request(Buffer(size, 9))});
    EXPECT_EQ(lone.end.session.end(), SessionEnd::violation) << size;
  }
}

TEST(StreamRekey, LowOrderPointsAreAViolationForBothEnds) {
  ASSERT_EQ(vector_count("/low_order_points/points"), 7u);
  for (std::size_t i = 0; i < 7; ++i) {
    const Buffer point = vector_bytes("/low_order_points/points/" + std::to_string(i));
    LoneServer lone;
    lone.give({LoneServer::request(point)});
    EXPECT_EQ(lone.end.session.end(), SessionEnd::violation) << i;

    QueuedRng rng(1);
    End client(End::Role::client, rng, {base::Instant{}, 1h, false, {}});
    client.session.handle_timeout(base::Instant{} + 10min);
    RawRecords raw(stream::Direction::to_client, session_key());
    client.receive(base::Instant{} + 10min, raw.seal({{FrameType::rekey_ack, false, 0, point}}));
    EXPECT_EQ(client.session.end(), SessionEnd::violation) << i;
    EXPECT_EQ(raw.open(client.bytes())->size(), 1u) << "only its request went out";
  }
}

TEST(StreamRekey, AnAnswerThatNobodyAskedForIsAViolation) {
  QueuedRng rng(1);
  for (const FrameType type : {FrameType::rekey_ack, FrameType::rekey_req, FrameType::rekey_done}) {
    End client(End::Role::client, rng, {base::Instant{}, 1h, false, {}});
    RawRecords raw(stream::Direction::to_client, session_key());
    client.receive({},
                   raw.seal({{type, false, 0, Buffer(type == FrameType::rekey_done ? 0 : 32, 9)}}));
    EXPECT_EQ(client.session.end(), SessionEnd::violation);
  }
}

TEST(StreamRekey, NothingFollowsTheServersLastWordOfAnEpoch) {
  QueuedRng rng(1);
  End client(End::Role::client, rng, {base::Instant{}, 1h, false, {}});
  client.session.handle_timeout(base::Instant{} + 10min);
  RawRecords raw(stream::Direction::to_client, session_key());
  client.receive(base::Instant{} + 10min, raw.seal({{FrameType::rekey_ack, false, 0, Buffer(32, 9)},
                                                    {FrameType::dns, true, 1, {}}}));
  EXPECT_EQ(client.session.end(), SessionEnd::violation);
  EXPECT_TRUE(client.messages.empty());
}

TEST(StreamClose, IsTheLastWord) {
  for (const RawFrame& behind :
       {RawFrame{FrameType::dns, false, 1, {}}, RawFrame{FrameType::ping, false, 1, {}},
        LoneServer::close(), LoneServer::request(Buffer(32, 9)), LoneServer::done()}) {
    LoneServer in_one_record;
    in_one_record.give({LoneServer::close(), behind});
    EXPECT_EQ(in_one_record.end.session.end(), SessionEnd::violation);
    EXPECT_TRUE(in_one_record.end.messages.empty());
    LoneServer in_two;
    in_two.give({LoneServer::close()});
    EXPECT_FALSE(in_two.end.session.end());
    in_two.give({behind});
    EXPECT_EQ(in_two.end.session.end(), SessionEnd::violation);
    EXPECT_TRUE(in_two.end.messages.empty());
  }
}

TEST(StreamClose, HasACodeAndAtMostSoMuchOfAReason) {
  for (const std::size_t size : {0u, 1u, 2u, 130u, 131u}) {
    LoneServer lone;
    lone.give({{FrameType::close, false, 0, Buffer(size, 1)}});
    EXPECT_EQ(lone.end.session.end().has_value(), size < 2 || size > 130) << size;
    if (size < 2 || size > 130) continue;
    ASSERT_TRUE(lone.end.session.peer_close());
    EXPECT_EQ(lone.end.session.peer_close()->reason.size(), size - 2);
  }
}

TEST(StreamClose, WhatIsQueuedGoesOutBeforeIt) {
  SessionPair pair;
  pair.client.session.send(FrameType::dns, false, 1, numbered(0));
  pair.client.session.close(pair.now, CloseCode::done, "done");
  EXPECT_FALSE(pair.client.session.send(FrameType::dns, false, 2, numbered(1)));
  pair.carry();
  expect_numbered(pair.server.messages, 1);
  ASSERT_TRUE(pair.server.session.peer_close());
  EXPECT_EQ(pair.server.session.peer_close()->reason, "done");
}

TEST(StreamClose, WithoutAnAnswerIsTruncation) {
  SessionPair pair;
  pair.client.session.close(pair.now, CloseCode::done, {});
  EXPECT_EQ(pair.client.session.next_timeout(), pair.now + 5s);
  pair.client.session.handle_timeout(pair.now + 5s - 1ns);
  EXPECT_FALSE(pair.client.session.end());
  pair.client.session.handle_timeout(pair.now + 5s);
  EXPECT_EQ(pair.client.session.end(), SessionEnd::truncated)
      << "what the other end had to say may not all have come";
}

TEST(StreamClose, AnEndOfTheConnectionWithoutItIsTruncation) {
  SessionPair pair;
  pair.client.session.close(pair.now, CloseCode::done, {});
  pair.client.session.peer_ended();
  EXPECT_EQ(pair.client.session.end(), SessionEnd::truncated);
}

/// Both ends, and a schedule that says what happens next: everything that is on its way can be
/// overtaken by what the other end does.
class Crossing {
 public:
  enum Action { renew, client_closes, server_closes, to_server, to_client };

  bool possible(Action action) {
    if (action == to_server) return !to_server_.empty();
    if (action == to_client) return !to_client_.empty();
    return (done_ & 1u << action) == 0;
  }

  void take(Action action) {
    if (action <= server_closes) done_ |= 1u << action;
    switch (action) {
      case renew:
        pair_.now += 1s;
        pair_.client.session.handle_timeout(pair_.now);
        break;
      case client_closes:
        close(pair_.client);
        break;
      case server_closes:
        close(pair_.server);
        break;
      case to_server:
        deliver(to_server_, pair_.server);
        break;
      case to_client:
        deliver(to_client_, pair_.client);
        break;
    }
    for (const Buffer& record : pair_.client.records()) to_server_.push_back(record);
    for (const Buffer& record : pair_.server.records()) to_client_.push_back(record);
  }

  void expect_clean() {
    EXPECT_EQ(pair_.client.session.end(), SessionEnd::closed);
    EXPECT_EQ(pair_.server.session.end(), SessionEnd::closed);
    expect_numbered(pair_.server.messages, sent_by_client_);
    expect_numbered(pair_.client.messages, sent_by_server_);
  }

 private:
  /// A message to be lost, then CLOSE.
  void close(End& end) {
    std::uint64_t& sent = &end == &pair_.client ? sent_by_client_ : sent_by_server_;
    if (end.session.send(FrameType::dns, false, 1, numbered(sent))) ++sent;
    end.session.close(pair_.now, CloseCode::done, {});
  }
  void deliver(std::deque<Buffer>& way, End& end) {
    end.receive(pair_.now, way.front());
    way.pop_front();
    if (end.session.peer_close() && !end.session.end()) close(end);
  }

  SessionPair pair_{{1s, std::uint64_t{1} << 30, std::uint64_t{1} << 20}};
  unsigned done_ = 0;
  std::deque<Buffer> to_server_, to_client_;
  std::uint64_t sent_by_client_ = 0, sent_by_server_ = 0;
};

/// Plays a schedule, then goes on with every action that is possible.
void explore(std::vector<Crossing::Action>& schedule, std::size_t& ends) {
  bool last = true;
  for (const auto action : {Crossing::renew, Crossing::client_closes, Crossing::server_closes,
                            Crossing::to_server, Crossing::to_client}) {
    Crossing world;
    for (const auto past : schedule) world.take(past);
    if (!world.possible(action)) continue;
    last = false;
    schedule.push_back(action);
    explore(schedule, ends);
    schedule.pop_back();
    if (testing::Test::HasFailure()) return;
  }
  if (!last) return;
  ++ends;
  Crossing world;
  std::string names;
  for (const auto past : schedule) {
    world.take(past);
    names += "RCSud"[past];
  }
  SCOPED_TRACE(names);
  world.expect_clean();
}

TEST(StreamClose, CrossesARekeyInEveryOrder) {
  std::size_t ends = 0;
  std::vector<Crossing::Action> schedule;
  explore(schedule, ends);
  std::printf("%zu schedules\n", ends);
  EXPECT_GT(ends, 100u);
}

}  // namespace
}  // namespace boxgram::test
