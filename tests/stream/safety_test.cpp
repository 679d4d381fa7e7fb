// What must never happen to memory and to plaintext, whatever the order of calls.
#include <gtest/gtest.h>

#include "stream/pair.hpp"

namespace boxgram::test {
namespace {

using packet::FrameType;

bool holds(base::Bytes bytes, std::string_view text) {
  return base::as_text(bytes).find(text) != std::string_view::npos;
}

TEST(StreamSafety, ARecordThatMustWaitIsKeptUntilItIsRead) {
  PairOptions options;
  options.server.max_outstanding = 2;
  Pair pair(std::move(options));
  pair.connect();
  pair.service = [](const SeenMessage&) {};
  std::vector<std::uint64_t> tags;
  for (int i = 0; i < 9; ++i) tags.push_back(pair.ask("question " + std::to_string(i)));
  pair.run();
  ASSERT_EQ(pair.requests.size(), 2u) << "all nine came in one record";
  EXPECT_TRUE(pair.server->room(pair.connection).empty()) << "and nothing else is read meanwhile";
  for (std::size_t i = 0; i < 9; ++i) {
    ASSERT_GT(pair.requests.size(), i);
    const SeenMessage request = pair.requests[i];
    pair.server->respond(pair.now, pair.connection, request.type, request.id, request.payload);
    EXPECT_EQ(pair.server->room(pair.connection).empty(), i < 8) << "while the record is read";
    pair.run();
  }
  for (std::size_t i = 0; i < 9; ++i) {
    ASSERT_NE(pair.answer(tags[i]), nullptr);
    EXPECT_EQ(base::as_text(*pair.answer(tags[i])), "question " + std::to_string(i));
  }
}

TEST(StreamSafety, TheServerWritesNothingThatIsNotSealed) {
  Pair pair;
  pair.connect();
  pair.service = [](const SeenMessage&) {};
  pair.ask("question");
  pair.ask("question");
  pair.run();
  ASSERT_EQ(pair.requests.size(), 2u);
  // The socket has become writable, and the owner asks what there is: in the middle of a batch.
  pair.server->respond(pair.now, pair.connection, FrameType::dns, pair.requests[0].id,
                       base::as_bytes("a secret answer"));
  EXPECT_FALSE(holds(pair.server->unsent(pair.connection), "secret"));
  pair.server->sent(pair.connection, pair.server->unsent(pair.connection).size());
  pair.server->respond(pair.now, pair.connection, FrameType::dns, pair.requests[1].id,
                       base::as_bytes("a secret answer"));
  pair.run();
  EXPECT_EQ(pair.answers.size(), 2u);
}

TEST(StreamSafety, TheClientWritesNothingThatIsNotSealedWhenAHandshakeFails) {
  Pair pair;
  pair.ask("one");
  pair.step();
  pair.step();
  ASSERT_FALSE(pair.client->ready());
  pair.ask("a secret question");
  pair.now += 3s;
  pair.client->handle_timeout(pair.now);
  ASSERT_TRUE(pair.client->wants_close());
  EXPECT_FALSE(holds(pair.client->unsent(), "secret"));
}

TEST(StreamSafety, TheClientWritesNothingThatIsNotSealedWhenClosedEarly) {
  Pair pair;
  pair.ask("one");
  pair.step();
  pair.step();
  pair.ask("a secret question");
  pair.client->close(pair.now);
  EXPECT_FALSE(holds(pair.client->unsent(), "secret"));
  pair.run();
  EXPECT_FALSE(holds(pair.from_client, "secret"));
}

}  // namespace
}  // namespace boxgram::test
