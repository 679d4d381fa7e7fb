// The two ends together, when all goes well.
#include "stream/pair.hpp"

#include <gtest/gtest.h>

namespace boxgram::test {
namespace {

using packet::FrameType;
using stream::FailReason;
using stream::SessionEnd;

TEST(Stream, ARequestIsAnswered) {
  Pair pair;
  const auto tag = pair.ask("question");
  EXPECT_TRUE(pair.client->wants_connection());
  pair.run();
  ASSERT_NE(pair.answer(tag), nullptr);
  EXPECT_EQ(base::as_text(*pair.answer(tag)), "question");
  EXPECT_EQ(pair.readies, 1u);
  EXPECT_TRUE(pair.client->ready());
  EXPECT_EQ(pair.client->outstanding(), 0u);
  EXPECT_EQ(pair.server->sessions(), 1u);
  EXPECT_EQ(pair.server->half_open(), 0u);
  ASSERT_EQ(pair.proven.size(), 1u);
  EXPECT_EQ(pair.proven[0], Pair::client_key_pair().public_key);
  EXPECT_EQ(pair.server->counters().scalar_mults, 5u);
}

TEST(Stream, TheFirstRequestsTravelWithTheHandshakesSecondFlight) {
  Pair pair;
  const auto first = pair.ask("one"), second = pair.ask("two");
  // Three flights: HELLO; COOKIE; then VOUCH, CONFIRM and the requests: one round trip after TCP.
  pair.step();
  EXPECT_EQ(pair.from_client.size(), 2u + 92);
  EXPECT_EQ(pair.from_server.size(), 2u + 132);
  pair.from_client.clear();
  pair.step();
  EXPECT_EQ(pair.from_client.size(), 2u + 148 + 2 + 16 + 128 + 2 + 16 + 128)
      << "both requests in one record";
  pair.run();
  EXPECT_NE(pair.answer(first), nullptr);
  EXPECT_NE(pair.answer(second), nullptr);
}

TEST(Stream, BytesMayComeInAnySlices) {
  for (const std::size_t slice : {1u, 2u, 3u, 7u, 64u, 95u, 149u, 1000u}) {
    Pair pair;
    pair.slice = slice;
    for (const std::size_t size : {0u, 1u, 100u, 20000u}) {
      const Buffer payload = filled(size);
      EXPECT_EQ(pair.ask_and_wait(payload), payload) << slice;
    }
  }
}

TEST(Stream, EachEndSaysCloseBeforeTheTransportEnds) {
  Pair pair;
  pair.connect();
  pair.client->close(pair.now);
  pair.run();
  ASSERT_EQ(pair.downs.size(), 1u);
  EXPECT_EQ(pair.downs[0].session, SessionEnd::closed);
  ASSERT_TRUE(pair.downs[0].said);
  EXPECT_EQ(pair.downs[0].said->code, stream::CloseCode::done);
  ASSERT_TRUE(pair.server_ended);
  EXPECT_EQ(pair.server_ended->session, SessionEnd::closed);
  EXPECT_EQ(pair.server->sessions(), 0u);
  EXPECT_FALSE(pair.client->wants_connection());
  EXPECT_FALSE(pair.client->next_timeout());
  EXPECT_FALSE(pair.server->next_timeout());
}

TEST(Stream, TheServersCloseNamesItsReason) {
  Pair pair;
  pair.connect();
  pair.server->close(pair.now, pair.connection, stream::CloseCode::killed, "by an operator");
  pair.run();
  ASSERT_EQ(pair.downs.size(), 1u);
  EXPECT_EQ(pair.downs[0].session, SessionEnd::closed);
  ASSERT_TRUE(pair.downs[0].said);
  EXPECT_EQ(pair.downs[0].said->code, stream::CloseCode::killed);
  EXPECT_EQ(pair.downs[0].said->reason, "by an operator");
  EXPECT_EQ(pair.server->sessions(), 0u);
}

}  // namespace
}  // namespace boxgram::test
