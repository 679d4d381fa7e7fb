// What must never happen to memory, to plaintext and to keys, whatever the order of calls.
#include <new>

#include <gtest/gtest.h>

#include "stream/server_connection.hpp"
#include "stream/server_world.hpp"
#include "support/allocation_count.hpp"

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

/// A place for one object whose bytes can be looked at during its life and after it.
template <class T>
class Place {
 public:
  Place() { std::memset(bytes_, 0, sizeof bytes_); }
  ~Place() { destroy(); }
  template <class... Arguments>
  T& make(Arguments&&... arguments) {
    return *(object_ = new (bytes_) T(std::forward<Arguments>(arguments)...));
  }
  void destroy() {
    if (object_ != nullptr) object_->~T();
    object_ = nullptr;
  }
  /// True if these bytes stand anywhere in it.
  [[nodiscard]] bool holds(base::Bytes secret) const {
    Buffer copy(sizeof bytes_);
    std::memcpy(copy.data(), bytes_, sizeof bytes_);
    return std::search(copy.begin(), copy.end(), secret.begin(), secret.end()) != copy.end();
  }

 private:
  alignas(T) std::uint8_t bytes_[sizeof(T)];
  T* object_ = nullptr;
};

TEST(StreamSecrets, OfAHandshakeGoAsSoonAsTheyAreUsed) {
  QueuedRng rng(1);
  const Buffer ephemeral_secret = filled(32, 11), tag = filled(32, 12);
  rng.queue(ephemeral_secret);
  rng.queue(tag);
  ServerWorld world;
  RawClient client = world.client();
  Place<stream::ServerConnection> place;
  stream::ServerConnection& c = place.make(base::Handle{1}, kClientAddress, world.now);
  Buffer hello = client.hello();
  Buffer body = take_body(hello);
  c.state = *stream::AwaitHello().hello(body, *world.keys, rng, c.out);
  EXPECT_TRUE(place.holds(ephemeral_secret)) << "or this test could not fail";
  EXPECT_TRUE(place.holds(tag));
  Buffer cookie(c.out.held().begin(), c.out.held().end());
  ASSERT_TRUE(client.take_cookie(take_body(cookie)));
  EXPECT_TRUE(place.holds(client.session_key.bytes()));
  EXPECT_FALSE(place.holds(client.hello_key.bytes()));

  Buffer vouch = client.vouch();
  body = take_body(vouch);
  c.state = *std::move(std::get<stream::AwaitVouch>(c.state)).vouch(body);
  EXPECT_FALSE(place.holds(ephemeral_secret)) << "the session has forward secrecy from here on";
  EXPECT_FALSE(place.holds(tag));
  EXPECT_FALSE(place.holds(client.voucher_key.bytes()));
  EXPECT_TRUE(place.holds(client.confirm_key.bytes()));

  Buffer confirm = client.confirm();
  body = take_body(confirm);
  c.state = *std::move(std::get<stream::AwaitConfirm>(c.state)).confirm(body, c.out);
  EXPECT_FALSE(place.holds(client.confirm_key.bytes()));
  EXPECT_TRUE(place.holds(client.session_key.bytes()));

  auto made = std::get<stream::Proven>(std::move(c.state)).accept(0, 120s);
  EXPECT_FALSE(place.holds(client.session_key.bytes())) << "moved on to the session";
  c.state.emplace<stream::Session>(stream::Session::Role::server, std::move(made.writer),
                                   std::move(made.opener), rng, stream::Session::Timing{});
  EXPECT_TRUE(place.holds(client.session_key.bytes()));
  c.state.emplace<stream::ServerConnection::Over>();
  EXPECT_FALSE(place.holds(client.session_key.bytes())) << "a connection that waits to be closed";
}

TEST(StreamSecrets, OfAFailedHandshakeGoWithIt) {
  QueuedRng rng(1);
  const Buffer ephemeral_secret = filled(32, 11);
  rng.queue(ephemeral_secret);
  ServerWorld world;
  RawClient client = world.client();
  Place<stream::ServerConnection> place;
  stream::ServerConnection& c = place.make(base::Handle{1}, kClientAddress, world.now);
  Buffer hello = client.hello();
  Buffer body = take_body(hello);
  c.state = *stream::AwaitHello().hello(body, *world.keys, rng, c.out);
  EXPECT_FALSE(std::move(std::get<stream::AwaitVouch>(c.state)).vouch(body));
  c.state.emplace<stream::ServerConnection::Over>();
  EXPECT_FALSE(place.holds(ephemeral_secret));
  place.destroy();
  EXPECT_FALSE(place.holds(ephemeral_secret));
}

TEST(StreamSecrets, OfAnEpochGoWithIt) {
  for (const auto role : {End::Role::client, End::Role::server}) {
    QueuedRng rng(1);
    base::Instant now{};
    const Buffer next_secret = filled(32, 13);
    rng.queue(next_secret);
    stream::ByteQueue out;
    Place<stream::Session> place;
    stream::Session& session = place.make(
        role, stream::RecordWriter(stream::RecordKey(End::sealing(role), session_key()), out),
        stream::RecordKey(stream::opposite(End::sealing(role)), session_key()), rng,
        stream::Session::Timing{now, 1h, false, {}});
    RawRecords raw(stream::opposite(End::sealing(role)), session_key());
    const auto give = [&](const RawFrame& frame) {
      Buffer record = raw.seal({frame});
      session.receive(now, base::MutableBytes(record).subspan(2));
      stream::Message message;
      while (session.poll_message(now, message)) {
      }
    };
    const auto taken = [&] {
      session.flush();
      Buffer bytes(out.held().begin(), out.held().end());
      out.dropped(bytes.size());
      return *raw.open(bytes);
    };
    SeededRng other(2);
    const crypto::KeyPair theirs = crypto::generate_key_pair(other);
    const Buffer key(theirs.public_key.begin(), theirs.public_key.end());
    now += 10min;
    EXPECT_TRUE(place.holds(session_key().bytes()));
    Buffer our_key;
    if (role == End::Role::client) {
      session.handle_timeout(now);
      EXPECT_TRUE(place.holds(next_secret));
      our_key = taken().at(0).payload;
      give({FrameType::rekey_ack, false, 0, key});
    } else {
      give({FrameType::rekey_req, false, 0, key});
      our_key = taken().at(0).payload;
      give({FrameType::rekey_done, false, 0, {}});
    }
    ASSERT_FALSE(session.end());
    const auto next = crypto::shared_key(to_array<32>(our_key), theirs.secret_key);
    EXPECT_FALSE(place.holds(next_secret));
    EXPECT_FALSE(place.holds(session_key().bytes())) << "the old epoch cannot be opened any more";
    EXPECT_TRUE(place.holds(next->bytes()));
    place.destroy();
    EXPECT_FALSE(place.holds(next->bytes()));
  }
}

TEST(StreamSpeed, AWarmPairAllocatesForABatchAndNotForAMessage) {
  Pair pair;
  pair.connect();
  const Buffer payload(40, 1);
  stream::ClientEvent answer;
  stream::ServerEvent request;
  std::size_t answered = 0;
  const auto round = [&](int messages) {
    for (int i = 0; i < messages; ++i) pair.client->request(pair.now, FrameType::dns, payload, 1);
    const base::Bytes up = pair.client->unsent();
    const base::MutableBytes in = pair.server->room(pair.connection);
    std::copy(up.begin(), up.end(), in.begin());
    pair.server->received(pair.connection, up.size());
    pair.client->sent(up.size());
    while (pair.server->poll_event(pair.now, request)) {
      const auto& message = std::get<stream::MessageReceived>(request).message;
      pair.server->respond(pair.now, pair.connection, FrameType::dns, message.id, message.payload);
    }
    ASSERT_EQ(pair.server->poll_transmit(), pair.connection);
    const base::Bytes down = pair.server->unsent(pair.connection);
    const base::MutableBytes back = pair.client->room();
    ASSERT_GE(back.size(), down.size());
    std::copy(down.begin(), down.end(), back.begin());
    pair.client->received(down.size());
    pair.server->sent(pair.connection, down.size());
    while (pair.client->poll_event(pair.now, answer))
      answered += std::holds_alternative<stream::Answered>(answer);
  };
  for (int i = 0; i < 3; ++i) round(100);
  const std::size_t before = allocation_count();
  for (int i = 0; i < 100; ++i) round(100);
  EXPECT_EQ(answered, 10'300u);
  EXPECT_LE(allocation_count() - before, 100u * 16) << "for ten thousand messages";
}

}  // namespace
}  // namespace boxgram::test
