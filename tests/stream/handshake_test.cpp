// What an attacker may do to a handshake: nothing but make it fail.
#include <gtest/gtest.h>

#include "stream/client_world.hpp"
#include "stream/server_connection.hpp"
#include "stream/server_world.hpp"

namespace boxgram::test {
namespace {

using packet::ErrorCode;
using packet::FrameType;
using stream::HandshakeError;

crypto::PublicKey low_order_point(std::size_t i) {
  return to_array<32>(vector_bytes("/low_order_points/points/" + std::to_string(i)));
}

/// A server with a connection in a chosen state, and the client that brought it there.
struct Stage {
  enum State { await_hello, await_vouch, await_confirm, session };

  explicit Stage(State state) : client(world.client()) {
    connection = world.connect();
    if (state >= await_vouch) {
      world.give(connection, client.hello());
      Buffer out = world.taken(connection);
      EXPECT_TRUE(client.take_cookie(take_body(out)));
    }
    if (state >= await_confirm) world.give(connection, client.vouch());
    if (state >= session) world.give(connection, client.confirm());
    EXPECT_FALSE(ended());
    world.taken(connection);
  }
  void give(const Buffer& bytes) { world.give(connection, bytes); }
  [[nodiscard]] bool ended() const { return world.ended.contains(connection); }
  [[nodiscard]] std::optional<HandshakeError> error() const {
    const auto found = world.ended.find(connection);
    return found == world.ended.end() ? std::nullopt : found->second.handshake;
  }
  [[nodiscard]] std::size_t bytes_out() { return world.sent[connection].size(); }

  ServerWorld world;
  RawClient client;
  base::Handle connection = 0;
};

TEST(StreamHandshake, LowOrderPointsAreRefusedInEachRole) {
  ASSERT_EQ(vector_count("/low_order_points/points"), 7u);
  for (std::size_t i = 0; i < 7; ++i) {
    const crypto::PublicKey point = low_order_point(i);
    {  // S, by a stamp
      stream::ClientConfig config;
      config.pinned_key = point;
      ClientWorld world(std::move(config), false);
      world.ask();
      world.open();
      ASSERT_EQ(world.downs.size(), 1u);
      EXPECT_EQ(world.downs[0].handshake, HandshakeError::low_order);
      EXPECT_TRUE(world.taken().empty());
    }
    {  // EC
      Stage stage(Stage::await_hello);
      Buffer hello = stage.client.hello();
      std::copy(point.begin(), point.end(), hello.begin() + 2 + 12);
      stage.give(hello);
      EXPECT_EQ(stage.error(), HandshakeError::low_order);
      EXPECT_EQ(stage.bytes_out(), 0u);
    }
    {  // ES
      ClientWorld world;
      RawServer raw = world.server();
      world.ask();
      world.open();
      Buffer out = world.taken();
      ASSERT_TRUE(raw.take_hello(take_body(out)));
      raw.ephemeral.public_key = point;
      world.give(raw.cookie());
      ASSERT_EQ(world.downs.size(), 1u);
      EXPECT_EQ(world.downs[0].handshake, HandshakeError::low_order);
      EXPECT_TRUE(world.taken().empty());
    }
    {  // C
      Stage stage(Stage::await_vouch);
      stage.client.client.public_key = point;
      stage.give(stage.client.vouch());
      EXPECT_EQ(stage.error(), HandshakeError::low_order);
      EXPECT_TRUE(stage.world.proven.empty());
    }
  }
}

TEST(StreamHandshake, EveryLengthThatMayNotStandThereEndsIt) {
  // The rule itself, for all lengths in all states.
  for (const auto state : {Stage::await_hello, Stage::await_vouch, Stage::await_confirm}) {
    for (const bool asked : {false, true}) {
      ServerWorld world;
      RawClient client = world.client();
      stream::ServerConnection c(1, kClientAddress, world.now);
      c.keys_asked = asked;
      stream::ByteQueue out;
      if (state >= Stage::await_vouch) {
        Buffer hello = client.hello();
        Buffer body = take_body(hello);
        c.state = *stream::AwaitHello().hello(body, *world.keys, world.rng, out);
      }
      if (state == Stage::await_confirm) {
        Buffer cookie(out.held().begin(), out.held().end());
        ASSERT_TRUE(client.take_cookie(take_body(cookie)));
        Buffer vouch = client.vouch();
        Buffer body = take_body(vouch);
        c.state = *std::move(std::get<stream::AwaitVouch>(c.state)).vouch(body);
      }
      std::size_t allowed = 0;
      for (std::size_t size = 0; size <= 65535; ++size) allowed += c.length_allowed(size);
      if (state == Stage::await_hello) {
        EXPECT_EQ(allowed, asked ? 1u : 2u) << "HELLO, and KEYREQ once";
        EXPECT_TRUE(c.length_allowed(92));
        EXPECT_EQ(c.length_allowed(512), !asked);
      } else if (state == Stage::await_vouch) {
        EXPECT_EQ(allowed, 1u);
        EXPECT_TRUE(c.length_allowed(148));
      } else {
        EXPECT_EQ(allowed, 144u - 24 + 1);
        EXPECT_TRUE(c.length_allowed(24) && c.length_allowed(144));
      }
    }
  }
  ServerWorld world;
  for (std::size_t size = 0; size <= 65535; ++size) {
    const base::Handle connection = world.connect();
    ASSERT_NE(connection, 0u);
    Buffer length(2);
    base::store_be16(length.data(), static_cast<std::uint16_t>(size));
    world.give(connection, length);
    ASSERT_EQ(world.ended.contains(connection), size != 92 && size != 512) << size;
    if (size == 92 || size == 512) world.server->closed(connection);
  }
  EXPECT_EQ(world.failed(HandshakeError::bad_length), 65536u - 2);
}

std::vector<std::size_t> telling_lengths() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < 160; ++size) sizes.push_back(size);
  for (std::size_t size = 160; size < 65536; size += 331) sizes.push_back(size);
  for (const std::size_t size : {511u, 512u, 513u, 16383u, 16384u, 16399u, 16400u, 16401u, 65535u})
    sizes.push_back(size);
  return sizes;
}

TEST(StreamHandshake, LengthsAreJudgedBeforeTheirBodyComes) {
  for (const std::size_t size : telling_lengths()) {
    Buffer length(2);
    base::store_be16(length.data(), static_cast<std::uint16_t>(size));
    Stage vouch(Stage::await_vouch), confirm(Stage::await_confirm), session(Stage::session);
    vouch.give(length);
    EXPECT_EQ(vouch.error(), size == 148 ? std::nullopt : std::optional(HandshakeError::bad_length))
        << size;
    confirm.give(length);
    EXPECT_EQ(confirm.error(),
              size >= 24 && size <= 144 ? std::nullopt : std::optional(HandshakeError::bad_length))
        << size;
    session.give(length);
    EXPECT_EQ(session.ended(), size < 24 || size > 16400) << size;
  }
}

TEST(StreamHandshake, AClientJudgesLengthsToo) {
  for (const std::size_t size : telling_lengths()) {
    Buffer length(2);
    base::store_be16(length.data(), static_cast<std::uint16_t>(size));
    ClientWorld cookie;
    cookie.ask();
    cookie.open();
    cookie.give(length);
    EXPECT_EQ(cookie.downs.size(), size == 132 ? 0u : 1u) << size;

    ClientWorld ready;
    RawServer raw = ready.server();
    ready.ask();
    ready.open();
    Buffer out = ready.taken();
    ASSERT_TRUE(raw.take_hello(take_body(out)));
    ready.give(raw.cookie());
    ready.give(length);
    EXPECT_EQ(ready.downs.size(), size >= 24 && size <= 16400 ? 0u : 1u) << size;
    for (const auto& down : ready.downs) EXPECT_EQ(down.handshake, HandshakeError::bad_length);

    ClientWorld session;
    RawServer raw_session = session.server();
    session.establish(raw_session);
    session.give(length);
    EXPECT_EQ(session.downs.size(), size >= 24 && size <= 16400 ? 0u : 1u) << size;
  }
}

TEST(StreamHandshake, NeverOffersMoreRoomThanTheStateMayUse) {
  Stage hello(Stage::await_hello);
  EXPECT_EQ(hello.world.server->room(hello.connection).size(), 94u);
  hello.give(Buffer{0});
  EXPECT_EQ(hello.world.server->room(hello.connection).size(), 93u);
  hello.give(Buffer{92});
  EXPECT_EQ(hello.world.server->room(hello.connection).size(), 92u);
  Stage keys(Stage::await_hello);
  keys.give(Buffer{2, 0});
  EXPECT_EQ(keys.world.server->room(keys.connection).size(), 512u);
  Stage vouch(Stage::await_vouch);
  EXPECT_EQ(vouch.world.server->room(vouch.connection).size(), 150u);
  Stage confirm(Stage::await_confirm);
  EXPECT_EQ(confirm.world.server->room(confirm.connection).size(), 146u);
  confirm.give(Buffer{0, 80});
  EXPECT_EQ(confirm.world.server->room(confirm.connection).size(), 80u);
}

/// Every byte of these, each with one bit flipped; those of the clear part with every bit.
std::vector<Buffer> flips(const Buffer& bytes, std::size_t clear) {
  std::vector<Buffer> all;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (i >= clear && bit != i % 8) continue;
      all.push_back(bytes);
      all.back()[i] ^= static_cast<std::uint8_t>(1u << bit);
    }
  }
  return all;
}

TEST(StreamHandshake, AFlippedBitAnywhereMakesTheServerEndIt) {
  const Buffer some_hello = Stage(Stage::await_hello).client.hello();
  for (const Buffer& hello : flips(some_hello, 2 + 44)) {
    Stage stage(Stage::await_hello);
    stage.client.hello();
    stage.give(hello);
    if (stage.bytes_out() > 0) {
      // The one bit of EC that X25519 does not look at: V and H do.
      ASSERT_EQ(hello[2 + 12 + 31] ^ some_hello[2 + 12 + 31], 0x80);
      Buffer out = stage.world.taken(stage.connection);
      ASSERT_TRUE(stage.client.take_cookie(take_body(out)));
      stage.give(stage.client.vouch());
      EXPECT_EQ(stage.error(), HandshakeError::wrong_tag);
      continue;
    }
    if (!stage.ended()) stage.world.end_input(stage.connection);  // KEYREQ's length: it waits
    EXPECT_TRUE(stage.error());
    EXPECT_EQ(stage.bytes_out(), 0u);
  }
  for (std::size_t i = 0; i < 150; ++i) {
    Stage stage(Stage::await_vouch);
    Buffer vouch = stage.client.vouch();
    vouch[i] ^= static_cast<std::uint8_t>(1u << i % 8);
    stage.give(vouch + stage.client.confirm());
    EXPECT_TRUE(stage.error()) << i;
    EXPECT_TRUE(stage.world.proven.empty()) << i;
    EXPECT_EQ(stage.bytes_out(), 0u) << i;
  }
  for (std::size_t i = 0; i < 146; ++i) {
    Stage stage(Stage::await_confirm);
    Buffer confirm = stage.client.confirm();
    confirm[i] ^= static_cast<std::uint8_t>(1u << i % 8);
    stage.give(confirm);
    if (!stage.ended()) stage.world.end_input(stage.connection);  // a longer record
    EXPECT_TRUE(stage.error()) << i;
    EXPECT_TRUE(stage.world.proven.empty()) << i;
    EXPECT_EQ(stage.bytes_out(), 0u) << i;
  }
}

TEST(StreamHandshake, AFlippedBitAnywhereMakesTheClientEndIt) {
  for (std::size_t i = 0; i < 134; ++i) {
    ClientWorld world;
    RawServer raw = world.server();
    world.ask();
    world.open();
    Buffer out = world.taken();
    ASSERT_TRUE(raw.take_hello(take_body(out)));
    Buffer cookie = raw.cookie();
    cookie[i] ^= static_cast<std::uint8_t>(1u << i % 8);
    world.give(cookie);
    ASSERT_EQ(world.downs.size(), 1u) << i;
    EXPECT_TRUE(world.downs[0].handshake) << i;
    EXPECT_TRUE(world.taken().empty()) << "C is not told to whom is no server";
    EXPECT_EQ(world.failures.size(), 1u);
  }
  for (std::size_t i = 0; i < 82; ++i) {
    ClientWorld world;
    RawServer raw = world.server();
    world.ask();
    world.open();
    Buffer out = world.taken();
    ASSERT_TRUE(raw.take_hello(take_body(out)));
    world.give(raw.cookie());
    Buffer ready = raw.ready();
    ready[i] ^= static_cast<std::uint8_t>(1u << i % 8);
    world.give(ready);
    if (world.downs.empty()) world.end_input();  // a longer record
    ASSERT_EQ(world.downs.size(), 1u) << i;
    EXPECT_TRUE(world.downs[0].handshake) << i;
    EXPECT_EQ(world.readies, 0u);
  }
}

TEST(StreamHandshake, AReplayedTranscriptGivesNoSession) {
  ServerWorld world;
  RawClient client = world.client();
  const base::Handle first = world.connect();
  const Buffer hello = client.hello();
  world.give(first, hello);
  const Buffer first_cookie = world.taken(first);
  Buffer copy = first_cookie;
  ASSERT_TRUE(client.take_cookie(take_body(copy)));
  Buffer rest = client.vouch() + client.confirm();
  rest = rest + client.records->seal({{FrameType::dns, false, 1, {1, 2, 3}}});
  world.give(first, rest);
  ASSERT_EQ(world.messages.size(), 1u);

  const base::Handle second = world.connect();
  world.give(second, hello);
  const Buffer second_cookie = world.taken(second);
  EXPECT_EQ(second_cookie.size(), first_cookie.size()) << "a HELLO may be replayed: it costs CPU";
  std::size_t same = 0;
  for (std::size_t i = 6; i < 134; ++i) same += first_cookie[i] == second_cookie[i];
  EXPECT_LT(same, 10u) << "but nothing in the answer is as it was";
  world.give(second, rest);
  EXPECT_EQ(world.ended.at(second).handshake, HandshakeError::not_authentic);
  EXPECT_EQ(world.messages.size(), 1u) << "no request is acted on twice";
  EXPECT_EQ(world.proven.size(), 1u);
}

TEST(StreamHandshake, ReflectedBodiesAreRefused) {
  Stage stage(Stage::await_hello);
  stage.give(stage.client.hello());
  const Buffer cookie = stage.world.taken(stage.connection);
  stage.give(cookie);
  EXPECT_EQ(stage.error(), HandshakeError::bad_length);

  // As a VOUCH by name and length: the label differs.
  Stage renamed(Stage::await_vouch);
  Buffer vouch = renamed.client.vouch();
  vouch[2 + 3] = stream::kCookieType;
  renamed.give(vouch);
  EXPECT_EQ(renamed.error(), HandshakeError::bad_body);

  ClientWorld world;
  world.ask();
  world.open();
  world.give(world.taken());
  ASSERT_EQ(world.downs.size(), 1u);
  EXPECT_EQ(world.downs[0].handshake, HandshakeError::bad_length);

  // CONFIRM, and a request, back to the client in READY's place.
  ClientWorld mirror;
  RawServer raw = mirror.server();
  mirror.ask();
  mirror.open();
  Buffer out = mirror.taken();
  ASSERT_TRUE(raw.take_hello(take_body(out)));
  mirror.give(raw.cookie());
  out = mirror.taken();
  take_body(out);
  mirror.give(out);
  ASSERT_EQ(mirror.downs.size(), 1u);
  EXPECT_EQ(mirror.downs[0].handshake, HandshakeError::not_authentic);
}

TEST(StreamHandshake, ACookieOfAnotherConnectionIsRefused) {
  ClientWorld one, two;
  two.rng = SeededRng(99);
  RawServer first = one.server(), second = two.server();
  for (auto* world : {&one, &two}) {
    world->ask();
    world->open();
  }
  Buffer out_one = one.taken(), out_two = two.taken();
  ASSERT_TRUE(first.take_hello(take_body(out_one)));
  ASSERT_TRUE(second.take_hello(take_body(out_two)));
  one.give(second.cookie());
  ASSERT_EQ(one.downs.size(), 1u);
  EXPECT_EQ(one.downs[0].handshake, HandshakeError::not_authentic);
  // Under the right key, but with the other's Ctag.
  second.hello_key = crypto::shared_key(first.client_ephemeral, second.server.secret_key)->copy();
  ClientWorld again;
  RawServer third = again.server();
  again.ask();
  again.open();
  Buffer out = again.taken();
  ASSERT_TRUE(third.take_hello(take_body(out)));
  third.client_tag.data()[31] ^= 1;
  again.give(third.cookie());
  ASSERT_EQ(again.downs.size(), 1u);
  EXPECT_EQ(again.downs[0].handshake, HandshakeError::wrong_tag);
}

TEST(StreamHandshake, AVoucherOverAnotherEcOrStagIsRefused) {
  for (const bool other_key : {true, false}) {
    Stage stage(Stage::await_vouch);
    RawClient& client = stage.client;
    crypto::PublicKey key = client.ephemeral.public_key;
    stream::Tag tag = client.server_tag.copy();
    if (other_key)
      key[5] ^= 1;
    else
      tag.data()[5] ^= 1;
    stage.give(client.vouch(stream::seal_voucher(key, tag, client.nonce(), client.voucher_key)) +
               client.confirm());
    EXPECT_EQ(stage.error(), HandshakeError::wrong_tag);
    EXPECT_TRUE(stage.world.proven.empty());
  }
}

TEST(StreamHandshake, WhoHoldsTheServersSecretCannotPoseAsAClient) {
  // Key compromise: Ss makes V for any C. Then W is asked for, under DH(C, ES).
  ServerWorld world;
  RawClient victim = world.client();
  RawClient forger = world.client(6);
  forger.client = crypto::KeyPair{victim.client.public_key, crypto::SecretKey{}};
  const base::Handle connection = world.connect();
  world.give(connection, forger.hello());
  Buffer out = world.taken(connection);
  Buffer body = take_body(out);
  const auto contents = stream::open_cookie(body, forger.hello_key);
  ASSERT_TRUE(contents);
  forger.server_ephemeral = contents->server_key;
  forger.server_tag = contents->server_tag.copy();
  forger.session_key =
      crypto::shared_key(forger.server_ephemeral, forger.ephemeral.secret_key)->copy();
  forger.voucher_key =
      crypto::shared_key(forger.client.public_key, world.keys->live[0]->secret_key)->copy();
  forger.records.emplace(stream::Direction::to_server, forger.session_key);
  forger.confirm_key = forger.voucher_key.copy();
  world.give(connection, forger.vouch());
  EXPECT_FALSE(world.ended.contains(connection)) << "V alone is accepted";
  world.give(connection, forger.confirm());
  EXPECT_EQ(world.ended.at(connection).handshake, HandshakeError::not_confirmed);
  EXPECT_TRUE(world.proven.empty()) << "so nobody is asked whether C may come in";
  EXPECT_TRUE(world.taken(connection).empty());
}

TEST(StreamHandshake, ConfirmVouchesForThisVeryHandshake) {
  // Each part of what H covers, changed by whoever makes W.
  for (int part = 0; part < 6; ++part) {
    Stage stage(Stage::await_confirm);
    RawClient& client = stage.client;
    if (part == 0) client.hello_body[60] ^= 1;
    if (part == 1) client.server_key[0] ^= 1;
    if (part == 2) client.client.public_key[0] ^= 1;
    if (part == 3) client.server_ephemeral[0] ^= 1;
    if (part == 4) client.client_tag.data()[0] ^= 1;
    if (part == 5) client.server_tag.data()[0] ^= 1;
    stage.give(client.confirm());
    EXPECT_EQ(stage.error(), HandshakeError::not_confirmed) << part;
  }
}

TEST(StreamHandshake, TheFirstRecordIsConfirmAndNothingElse) {
  const auto confirm = [](Stage& stage) { return stage.client.confirm_frame(); };
  const RawFrame dns{FrameType::dns, false, 1, {}};
  const std::vector<std::function<std::vector<RawFrame>(Stage&)>> records = {
      [&](Stage&) { return std::vector{dns}; },
      [&](Stage& s) {
        return std::vector{confirm(s), dns};
      },
      [&](Stage& s) {
        return std::vector{dns, confirm(s)};
      },
      [&](Stage&) { return std::vector<RawFrame>{}; },
      [&](Stage& s) {
        RawFrame frame = confirm(s);
        frame.response = true;
        return std::vector{frame};
      },
      [&](Stage& s) {
        RawFrame frame = confirm(s);
        frame.more = true;
        return std::vector{frame};
      },
      [&](Stage& s) {
        RawFrame frame = confirm(s);
        frame.payload.push_back(0);
        return std::vector{frame};
      },
  };
  for (std::size_t i = 0; i < records.size(); ++i) {
    Stage stage(Stage::await_confirm);
    stage.give(stage.client.records->seal(records[i](stage), 128));
    const bool size = i + 1 == records.size();
    EXPECT_EQ(stage.error(), size ? HandshakeError::not_confirmed : HandshakeError::bad_frames)
        << i;
    EXPECT_TRUE(stage.world.proven.empty());
    EXPECT_TRUE(stage.world.messages.empty());
  }
}

TEST(StreamHandshake, TheServersFirstRecordIsReadyAndNothingElse) {
  RawFrame as_response = RawServer::ready_frame(), with_more = as_response, longer = as_response;
  as_response.response = true;
  with_more.more = true;
  longer.payload.push_back(0);
  const RawFrame dns{FrameType::dns, true, 1, {}};
  for (const std::vector<RawFrame>& record :
       {std::vector{dns}, std::vector{RawServer::ready_frame(), dns},
        std::vector{dns, RawServer::ready_frame()}, std::vector<RawFrame>{},
        std::vector{as_response}, std::vector{with_more}, std::vector{longer},
        std::vector{RawFrame{FrameType::error, false, 0, {9}}}}) {
    ClientWorld world;
    RawServer raw = world.server();
    world.ask();
    world.open();
    Buffer out = world.taken();
    ASSERT_TRUE(raw.take_hello(take_body(out)));
    world.give(raw.cookie());
    world.give(raw.records->seal(record));
    ASSERT_EQ(world.downs.size(), 1u);
    EXPECT_EQ(world.downs[0].handshake, HandshakeError::bad_frames);
    EXPECT_TRUE(world.answers.empty());
    EXPECT_EQ(world.failures.size(), 1u);
  }
}

// Row 12 of the choice table. A third party who has no Cs can never make W; he must not learn by
// trying whether C is on the list. (Whoever holds Cs is told, sealed.)

TEST(StreamAuthorisation, AForgerLearnsNothingAboutTheList) {
  struct Seen {
    std::size_t bytes = 0;
    std::uint64_t scalar_mults = 0;
    std::optional<HandshakeError> error;
    bool asked = false;
    bool operator==(const Seen&) const = default;
  };
  const auto attempt = [](bool listed) {
    Stage stage(Stage::await_confirm);
    stage.world.allow_list = [&](const crypto::PublicKey&) {
      return listed ? std::nullopt : std::optional(ErrorCode::auth);
    };
    stage.client.confirm_key = crypto::SharedKey{};
    stage.give(stage.client.confirm());
    return Seen{stage.bytes_out(), stage.world.server->counters().scalar_mults, stage.error(),
                !stage.world.proven.empty()};
  };
  EXPECT_EQ(attempt(true), attempt(false));
  EXPECT_EQ(attempt(true).bytes, 0u);
  EXPECT_FALSE(attempt(true).asked) << "the list is not even looked at";
}

TEST(StreamAuthorisation, AnObserverSeesTheSameLengthsForAnUnlistedClient) {
  const auto attempt = [](std::optional<ErrorCode> no) {
    Stage stage(Stage::await_confirm);
    stage.world.allow_list = [=](const crypto::PublicKey&) { return no; };
    stage.give(stage.client.confirm());
    return std::pair(stage.bytes_out(), stage.world.server->counters().scalar_mults);
  };
  EXPECT_EQ(attempt(std::nullopt), attempt(ErrorCode::auth)) << "READY and ERROR look alike";
  EXPECT_EQ(attempt(std::nullopt), attempt(ErrorCode::refused));
}

TEST(StreamAuthorisation, AnUnlistedClientIsTold) {
  Pair pair;
  pair.allow_list = [](const crypto::PublicKey&) { return ErrorCode::auth; };
  const auto tag = pair.ask("question");
  pair.run();
  EXPECT_EQ(pair.failure(tag), stream::FailReason::handshake);
  ASSERT_EQ(pair.downs.size(), 1u);
  EXPECT_EQ(pair.downs[0].handshake, HandshakeError::not_authorised);
  EXPECT_EQ(pair.handshakes_failed(HandshakeError::not_authorised), 1u);
  EXPECT_TRUE(pair.requests.empty()) << "its early request was not acted on";
  EXPECT_EQ(pair.server->half_open() + pair.server->sessions(), 0u);
}

TEST(StreamAuthorisation, EarlyRequestsWaitForTheList) {
  Stage stage(Stage::await_confirm);
  bool asked = false;
  stage.world.allow_list = [&](const crypto::PublicKey&) {
    asked = true;
    EXPECT_TRUE(stage.world.messages.empty());
    return std::nullopt;
  };
  const Buffer confirm = stage.client.confirm();
  stage.give(confirm + stage.client.records->seal({{FrameType::dns, false, 1, {1}}}));
  EXPECT_TRUE(asked);
  EXPECT_EQ(stage.world.messages.size(), 1u);
}

TEST(StreamAuthorisation, WithoutAKeyOfItsOwnAClientHasAnotherEachTime) {
  PairOptions options;
  options.client_key = false;
  Pair pair(std::move(options));
  pair.connect();
  pair.client->close(pair.now);
  pair.run();
  pair.connect();
  ASSERT_EQ(pair.proven.size(), 2u);
  EXPECT_NE(pair.proven[0], pair.proven[1]);
}

}  // namespace
}  // namespace boxgram::test
