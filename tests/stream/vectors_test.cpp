// Every stream vector: opened, and made again byte for byte by the types that a connection runs.
#include <gtest/gtest.h>

#include "stream/client_handshake.hpp"
#include "stream/raw_peers.hpp"
#include "stream/server_handshake.hpp"
#include "stream/session.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::FrameType;
using stream::ByteQueue;
using stream::HandshakeError;
using stream::Session;
using stream::SessionEnd;

Buffer value(const std::string& name) {
  return vector_bytes("/stream/" + name);
}
Buffer record(int i) {
  return value("records/" + std::to_string(i) + "/bytes");
}
Buffer negative(int i, const std::string& what) {
  return vector_bytes("/stream_negative/" + std::to_string(i) + "/" + what);
}

/// All that stands in the queue, taken out.
Buffer taken(ByteQueue& queue) {
  const Buffer bytes(queue.held().begin(), queue.held().end());
  queue.dropped(bytes.size());
  return bytes;
}

/// A framed body without its length, which must be right.
Buffer body_of(Buffer framed) {
  EXPECT_EQ(base::load_be16(framed.data()), framed.size() - 2);
  framed.erase(framed.begin(), framed.begin() + 2);
  return framed;
}

/// Both ends, with the randomness of the vectors.
struct Transcript {
  Transcript() {
    client.public_key = to_array<32>(value("C"));
    client.secret_key = crypto::SecretKey(to_array<32>(value("Cs")));
    for (const char* name : {"ECs", "Ctag", "Nv", "Nw", "epoch1/ECs"})
      client_rng.queue(value(name));
    for (const char* name : {"ESs", "Stag", "Nk", "epoch1/ESs"}) server_rng.queue(value(name));
  }

  stream::AwaitCookie hello() {
    auto made = stream::AwaitCookie::hello(keys->live[0]->public_key, client_rng, to_server);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  stream::AwaitVouch take_hello() {
    Buffer body = body_of(value("hello"));
    auto made = stream::AwaitHello().hello(body, *keys, server_rng, to_client);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  stream::AwaitReady take_cookie(stream::AwaitCookie state) {
    Buffer body = body_of(value("cookie_ack"));
    auto made = std::move(state).cookie(body, client, client_rng, to_server);
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  std::shared_ptr<const packet::ServerKeys> keys = vector_keys();
  crypto::KeyPair client;
  QueuedRng client_rng{1};
  QueuedRng server_rng{2};
  ByteQueue to_server;
  ByteQueue to_client;
  base::Instant now{};
};

/// Both sessions of the vectors, right after READY.
struct Sessions : Transcript {
  Sessions() {
    auto await_ready = take_cookie(hello());
    await_ready.request(FrameType::ping, 9, base::as_bytes("hello"));
    await_ready.flush();
    sent_by_client = taken(to_server);
    auto await_vouch = take_hello();
    cookie = taken(to_client);
    Buffer vouch = body_of(value("vouch"));
    auto await_confirm = std::move(await_vouch).vouch(vouch);
    Buffer confirm = body_of(record(0));
    auto proven = std::move(*await_confirm).confirm(confirm, to_client);
    EXPECT_EQ(proven->client_key(), client.public_key);
    auto established = std::move(*proven).accept(kVectorTime, 120s);
    ready = taken(to_client);
    Buffer welcome = body_of(record(2));
    auto welcomed = std::move(await_ready).ready(welcome);
    EXPECT_EQ(welcomed->server_ms, kVectorTime);
    EXPECT_EQ(welcomed->idle, 120s);
    server.emplace(Session::Role::server, std::move(established.writer),
                   std::move(established.opener), server_rng, Session::Timing{now, 1h, false});
    session.emplace(Session::Role::client, std::move(welcomed->writer), std::move(welcomed->opener),
                    client_rng, Session::Timing{now, 1h, false});
  }

  /// Gives a record of the vectors to one end; it holds no message.
  void give(Session& to, int i) {
    Buffer body = body_of(record(i));
    to.receive(now, body);
    stream::Message message;
    EXPECT_FALSE(to.poll_message(now, message));
    to.flush();
  }

  Buffer sent_by_client;  // after HELLO and COOKIE
  Buffer cookie;
  Buffer ready;
  std::optional<Session> session;  // the client's
  std::optional<Session> server;
};

TEST(StreamVectors, TheWholeTranscriptIsMadeByteForByte) {
  Sessions both;
  EXPECT_EQ(both.sent_by_client, value("hello") + value("vouch") + record(0) + record(1));
  EXPECT_EQ(both.cookie, value("cookie_ack"));
  EXPECT_EQ(both.ready, record(2));

  both.give(*both.server, 1);
  EXPECT_EQ(taken(both.to_client), record(3)) << "PONG";
  both.give(*both.session, 3);
  both.now += 10min;
  both.session->handle_timeout(both.now);
  EXPECT_EQ(taken(both.to_server), record(4)) << "REKEY_REQ";
  both.give(*both.server, 4);
  EXPECT_EQ(taken(both.to_client), record(5)) << "REKEY_ACK";
  both.give(*both.session, 5);
  EXPECT_EQ(taken(both.to_server), record(6)) << "REKEY_DONE";
  both.give(*both.server, 6);
  EXPECT_EQ(both.server->epoch(), 1u);
  EXPECT_EQ(both.session->epoch(), 1u);
  both.session->close(both.now, stream::CloseCode::done, {});
  EXPECT_EQ(taken(both.to_server), record(7)) << "CLOSE";
  both.give(*both.server, 7);
  EXPECT_FALSE(both.server->end());
  both.server->close(both.now, stream::CloseCode::done, {});
  EXPECT_EQ(both.server->end(), SessionEnd::closed);
  EXPECT_EQ(taken(both.to_client), record(8));
  both.give(*both.session, 8);
  EXPECT_EQ(both.session->end(), SessionEnd::closed);
}

TEST(StreamVectors, KeysAndBoxesInsideAreThese) {
  const crypto::SharedKey voucher_key(to_array<32>(value("key_C_S")));
  const stream::Tag server_tag(to_array<32>(value("Stag")));
  const stream::Tag client_tag(to_array<32>(value("Ctag")));
  const auto voucher = stream::seal_voucher(to_array<32>(value("EC")), server_tag,
                                            to_array<16>(value("Nv")), voucher_key);
  EXPECT_EQ(Buffer(voucher.begin(), voucher.end()), value("V"));
  const Buffer hello = body_of(value("hello"));
  const auto server_key = to_array<32>(vector_bytes("/keys/S"));
  const auto client_key = to_array<32>(value("C"));
  const auto ephemeral = to_array<32>(value("ES"));
  const stream::Binding binding =
      stream::bind({hello, server_key, client_key, ephemeral, client_tag, server_tag});
  EXPECT_EQ(Buffer(binding.begin(), binding.end()), value("bind_H"));
  const auto confirm = stream::seal_confirm(binding, to_array<16>(value("Nw")),
                                            crypto::SharedKey(to_array<32>(value("key_C_ES"))));
  EXPECT_EQ(Buffer(confirm.begin(), confirm.end()), value("W"));
}

TEST(StreamVectors, AForgedVoucherIsRefused) {
  // Another key, a flipped bit, another EC, another Stag.
  for (int i = 0; i < 4; ++i) {
    Transcript both;
    Buffer vouch = body_of(negative(i, "vouch"));
    const auto next = both.take_hello().vouch(vouch);
    ASSERT_FALSE(next) << i;
    EXPECT_EQ(next.error(), HandshakeError::wrong_tag) << i;
  }
}

TEST(StreamVectors, AVoucherForgedWithTheServersSecretOpensButNeverBecomesReady) {
  // The forger has Ss and his own EC, so he can make all but W: not knowing Cs or ESs, he lacks
  // DH(C, ES). He tries the keys that he has, and W of another handshake.
  for (const char* key : {"key_EC_S", "key_C_S", "key_EC_ES"}) {
    Transcript both;
    Buffer vouch = body_of(negative(4, "vouch"));
    auto next = both.take_hello().vouch(vouch);
    ASSERT_TRUE(next);
    stream::RecordWriter writer(
        stream::RecordKey(stream::Direction::to_server,
                          crypto::SharedKey(to_array<32>(value("key_EC_ES")))),
        both.to_server);
    writer.put_alone(FrameType::confirm, 0,
                     stream::seal_confirm(to_array<32>(value("bind_H")), {},
                                          crypto::SharedKey(to_array<32>(value(key)))));
    Buffer confirm = body_of(taken(both.to_server));
    const auto proven = std::move(*next).confirm(confirm, both.to_client);
    ASSERT_FALSE(proven) << key;
    EXPECT_EQ(proven.error(), HandshakeError::not_confirmed) << key;
  }
}

TEST(StreamVectors, ACookieWithAnotherCtagIsRefused) {
  Transcript both;
  Buffer cookie = body_of(negative(5, "cookie_ack"));
  const auto next = both.hello().cookie(cookie, both.client, both.client_rng, both.to_server);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error(), HandshakeError::wrong_tag);
}

TEST(StreamVectors, AReflectedRecordDoesNotOpen) {
  Sessions both;
  Buffer reflected = body_of(negative(6, "record"));
  both.server->receive(both.now, reflected);
  EXPECT_EQ(both.server->end(), SessionEnd::not_authentic);
}

TEST(StreamVectors, ARepeatedRecordDoesNotOpen) {
  Sessions both;
  both.give(*both.server, 1);
  EXPECT_FALSE(both.server->end());
  Buffer again = body_of(record(1));
  both.server->receive(both.now, again);
  EXPECT_EQ(both.server->end(), SessionEnd::not_authentic);
}

TEST(StreamVectors, AllAreUsed) {
  EXPECT_EQ(vector_count("/stream/records"), 9u);
  EXPECT_EQ(vector_count("/stream_negative"), 8u);
}

}  // namespace
}  // namespace boxgram::test
