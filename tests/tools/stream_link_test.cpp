#include "boxgram/stream_link.hpp"

#include <optional>

#include <sys/resource.h>

#include <boxgram/net/clock.hpp>
#include <boxgram/packet/key_rotation.hpp>

#include "boxgram/stream_port.hpp"
#include "net/loop_test.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::tools {
namespace {

using namespace std::chrono_literals;

/// A server that echoes, and a link to it or to wherever the test says.
struct StreamLinkTest : net::LoopTest {
  StreamLinkTest() { EXPECT_TRUE(port.listen(net::loopback())); }

  void connect_to(const base::SocketAddress& address) {
    stream::ClientConfig config;
    config.pinned_key = key.public_key;
    config.connect_time = 500ms;
    client.emplace(std::move(config), rng, net::wall_clock(), net::now());
    link.emplace(loop_, address, *client, StreamLink::Handlers{[this] { settle(); }}, patience);
  }
  [[nodiscard]] base::SocketAddress server_address() const {
    return port.listeners().front().local_address();
  }

  void ask(int count = 1) {
    for (int i = 0; i < count; ++i)
      client->request(net::now(), packet::FrameType::dns, question, 1);
    settle();
  }
  void settle() {
    client->handle_timeout(net::now());
    stream::ClientEvent event;
    while (client->poll_event(net::now(), event)) {
      if (std::holds_alternative<stream::Answered>(event)) ++answers;
      if (const auto* failed = std::get_if<stream::RequestFailed>(&event)) failure = failed->reason;
    }
    link->settle();
  }
  void serve() {
    stream::ServerEvent event;
    const auto now = net::now();
    while (server.poll_event(now, event)) {
      if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
        server.authorise(now, proven->connection);
      } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
        const auto& message = received->message;
        if (holds) {
          held.push_back({received->connection, message.id});
          continue;
        }
        server.respond(now, received->connection, message.type, message.id, answer);
      } else {
        port.end(std::get<stream::ConnectionEnded>(event));
      }
    }
    port.flush();
    due.want(server.next_timeout());
  }
  [[nodiscard]] std::uint64_t ended(stream::SessionEnd how) const {
    return server.counters().sessions_ended[static_cast<std::size_t>(how)];
  }

  test::SeededRng rng{1};
  crypto::KeyPair key = crypto::generate_key_pair(rng);
  packet::KeyRotation keys{{},
                           rng,
                           net::wall_clock(),
                           net::now(),
                           std::nullopt,
                           key.secret_key.copy(),
                           crypto::SharedKey()};
  stream::Server server{{}, rng, net::wall_clock(), net::now(), keys.snapshot()};
  StreamPort port{loop_, server, [this] { serve(); }};
  net::DeadlineTimer due{loop_.io(), [this] {
                           server.handle_timeout(net::now());
                           serve();
                         }};
  std::optional<stream::Client> client;
  std::optional<StreamLink> link;
  std::vector<std::uint8_t> question = net::bytes_of("question");
  std::vector<std::uint8_t> answer = net::bytes_of("answer");
  base::Duration patience{};
  bool holds = false;
  std::vector<std::pair<base::Handle, std::uint32_t>> held;
  int answers = 0;
  std::optional<stream::FailReason> failure;
};

TEST_F(StreamLinkTest, CarriesARequestAndItsAnswer) {
  connect_to(server_address());
  ask();
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  ask();
  ASSERT_TRUE(run_until([&] { return answers == 2; }));
  EXPECT_EQ(server.counters().accepted, 1u);
}

TEST_F(StreamLinkTest, GoesOnBeyondTheLimitOfUnwrittenAnswers) {
  connect_to(server_address());
  ask();
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  // 26 questions fill a record. Beyond 256 KiB of answers that are not written no further question
  // is taken: with the last of each record that is reached.
  question.resize(600);
  answer.resize(10'100);
  ask(26 * 40);
  ASSERT_TRUE(run_until([&] { return answers == 1 + 26 * 40; })) << answers;
}

TEST_F(StreamLinkTest, SaysGoodbyeWhenItIsDestroyed) {
  connect_to(server_address());
  ask();
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  link.reset();
  ASSERT_TRUE(run_until([&] { return server.sessions() == 0; }));
  EXPECT_EQ(ended(stream::SessionEnd::closed), 1u);
}

TEST_F(StreamLinkTest, NobodyListening) {
  net::PlainSocket taken(SOCK_DGRAM);  // a port that TCP does not listen on
  connect_to(net::loopback(taken.address().port));
  ask();
  EXPECT_FALSE(failure) << "not inside the call";
  ASSERT_TRUE(run_until([&] { return failure.has_value(); }));
  EXPECT_EQ(failure, stream::FailReason::unreachable);
  failure.reset();
  ask();
  ASSERT_TRUE(run_until([&] { return failure.has_value(); })) << "tries again for each request";
}

TEST_F(StreamLinkTest, NoWayThere) {
  connect_to(base::SocketAddress::v4(255, 255, 255, 255, 1));  // the kernel refuses at once
  ask();
  EXPECT_FALSE(failure) << "not inside the call";
  ASSERT_TRUE(run_until([&] { return failure.has_value(); }));
  EXPECT_EQ(failure, stream::FailReason::unreachable);
}

TEST_F(StreamLinkTest, IsGoneWithoutHarmBeforeTheFailureIsTold) {
  connect_to(base::SocketAddress::v4(255, 255, 255, 255, 1));
  ask();
  link.reset();
  client.reset();
  run_for(20ms);
}

TEST_F(StreamLinkTest, ReopenedAsksAgainOnAnotherConnection) {
  connect_to(server_address());
  ask();
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  holds = true;
  ask();
  ASSERT_TRUE(run_until([&] { return server.counters().requests == 2; }));
  holds = false;
  link->reopen();
  settle();
  ASSERT_TRUE(run_until([&] { return answers == 2; }));
  EXPECT_EQ(server.counters().accepted, 2u);
}

TEST_F(StreamLinkTest, AServerThatFallsSilentIsAskedAgainOnAnotherConnection) {
  patience = 50ms;
  connect_to(server_address());
  ask();
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  run_for(100ms);
  EXPECT_EQ(server.counters().accepted, 1u) << "nobody waits";
  holds = true;
  ask();
  ASSERT_TRUE(run_until([&] { return server.counters().requests == 2; }));
  holds = false;
  ASSERT_TRUE(run_until([&] { return answers == 2; }));
  EXPECT_EQ(server.counters().accepted, 2u);
}

TEST_F(StreamLinkTest, ReopenedWhileItOpensItGoesOn) {
  connect_to(server_address());
  ask();
  link->reopen();
  settle();
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  EXPECT_FALSE(failure);
}

TEST_F(StreamLinkTest, ReopenedWithoutAWayItLeavesTheOldOne) {
  connect_to(server_address());
  ask();
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit none{0, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);  // there is no descriptor for another socket
  link->reopen();
  setrlimit(RLIMIT_NOFILE, &limit);
  settle();
  ASSERT_TRUE(run_until([&] { return failure.has_value() || answers > 0; }));
  EXPECT_EQ(failure, stream::FailReason::unreachable);
  EXPECT_EQ(answers, 0);
}

/// A client whose socket the test has in its own hands.
struct StreamPortTest : StreamLinkTest {
  StreamPortTest() {
    stream::ClientConfig config;
    config.pinned_key = key.public_key;
    client.emplace(std::move(config), rng, net::wall_clock(), net::now());
    client->connecting(net::now());
    client->connected(net::now());
  }
  void carry() {
    for (base::Bytes bytes = client->unsent(); !bytes.empty(); bytes = client->unsent()) {
      const auto size = send(peer.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) break;
      client->sent(static_cast<std::size_t>(size));
    }
    const base::MutableBytes room = client->room();
    const auto size = recv(peer.fd(), room.data(), room.size(), 0);
    if (size > 0) client->received(static_cast<std::size_t>(size));
    stream::ClientEvent event;
    while (client->poll_event(net::now(), event)) {
    }
  }

  net::PlainSocket peer{SOCK_STREAM, server_address()};
};

TEST_F(StreamPortTest, APlaceIsFreeAtOnceWhenAnswersCannotArrive) {
  holds = true;
  for (int i = 0; i < 128; ++i)
    client->request(net::now(), packet::FrameType::dns, net::bytes_of("question"), 1);
  ASSERT_TRUE(run_until([&] {
    carry();
    return held.size() == 128;
  }));
  const std::vector<std::uint8_t> large(65'000);
  for (const auto& [connection, id] : held) {
    server.respond(net::now(), connection, packet::FrameType::dns, id, large);
    port.flush();
  }
  ASSERT_FALSE(server.unsent(held.front().first).empty()) << "more than the kernel holds";
  peer.close();  // which resets the connection: much was not read
  EXPECT_TRUE(run_until([&] { return server.sessions() == 0; }, 5s));
}

}  // namespace
}  // namespace boxgram::tools
