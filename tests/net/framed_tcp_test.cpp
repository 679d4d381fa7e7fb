#include <optional>

#include <sys/resource.h>

#include <boxgram/net/framed_tcp.hpp>

#include "loop_test.hpp"

namespace boxgram::net {
namespace {

using std::chrono::milliseconds;

std::string framed(std::string_view text) {
  std::string result;
  result += static_cast<char>(text.size() >> 8);
  result += static_cast<char>(text.size() & 0xff);
  return result.append(text);
}

class FramedTcpTest : public LoopTest {
 protected:
  struct Message {
    base::Handle from;
    std::string text;
  };

  void listen(const FramedTcpOptions& options = {}) {
    FramedTcpHandlers handlers;
    handlers.on_message = [this](base::Handle handle, const base::SocketAddress& from,
                                 base::Bytes bytes) {
      messages_.push_back({handle, std::string(base::as_text(bytes))});
      from_ = from;
      if (on_message_) on_message_(handle, bytes);
    };
    auto server = FramedTcpServer::listen(loop_.io(), loopback(), options, handlers);
    ASSERT_TRUE(server) << server.error();
    server_.emplace(std::move(*server));
  }

  void echo() {
    on_message_ = [this](base::Handle handle, base::Bytes bytes) { server_->send(handle, bytes); };
  }

  PlainSocket connect() { return PlainSocket(SOCK_STREAM, server_->local_address()); }

  bool reads(PlainSocket& client, std::string_view expected) {
    const bool enough = run_until([&] {
      client.read();
      return client.stream.size() >= expected.size() || client.ended || client.broken;
    });
    EXPECT_TRUE(client.stream == expected)
        << "got " << client.stream.size() << " bytes of " << expected.size();
    return enough;
  }

  bool is_cut(PlainSocket& client) {
    return run_until([&] {
      client.read();
      return client.ended || client.broken;
    });
  }

  std::optional<FramedTcpServer> server_;
  std::function<void(base::Handle, base::Bytes)> on_message_;
  std::vector<Message> messages_;
  base::SocketAddress from_;
};

TEST_F(FramedTcpTest, AnswersAMessageThatComesByteByByte) {
  listen();
  echo();
  auto client = connect();
  for (const char c : framed("hello")) {
    client.send(std::string_view(&c, 1));
    run_for(milliseconds(1));
  }
  EXPECT_TRUE(reads(client, framed("hello")));
  EXPECT_EQ(from_, client.address());
  EXPECT_EQ(server_->counters().messages_in, 1u);
  EXPECT_EQ(server_->counters().messages_out, 1u);
  EXPECT_EQ(server_->counters().bytes_in, 7u);
  EXPECT_EQ(server_->counters().bytes_out, 7u);
}

TEST_F(FramedTcpTest, PipelinedMessagesMayBeAnsweredInAnyOrder) {
  listen();
  auto client = connect();
  client.send(framed("one") + framed("two") + framed("three"));
  ASSERT_TRUE(run_until([&] { return messages_.size() == 3; }));
  for (const auto i : {2u, 0u, 1u})
    EXPECT_TRUE(server_->send(messages_[i].from, base::as_bytes(messages_[i].text)));
  EXPECT_TRUE(reads(client, framed("three") + framed("one") + framed("two")));
}

TEST_F(FramedTcpTest, TheLargestMessagePassesBothWays) {
  listen();
  echo();
  auto client = connect();
  std::string large(65535, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31);
  const auto bytes = framed(large) + framed("small");
  for (std::size_t i = 0; i < bytes.size(); i += 5000) {
    client.send(std::string_view(bytes).substr(i, 5000));
    run_for(milliseconds(1));
  }
  EXPECT_TRUE(reads(client, bytes));
}

TEST_F(FramedTcpTest, AHalfClosedPeerStillGetsItsAnswers) {
  listen();
  auto client = connect();
  client.send(framed("one") + framed("two"));
  shutdown(client.fd(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return messages_.size() == 2; }));
  run_for(milliseconds(10));
  for (const auto& message : messages_)
    EXPECT_TRUE(server_->send(message.from, base::as_bytes(message.text)));
  EXPECT_TRUE(reads(client, framed("one") + framed("two")));
  EXPECT_TRUE(is_cut(client));
  EXPECT_FALSE(client.broken);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(FramedTcpTest, AHalfClosedPeerWithoutAnythingOwedIsClosed) {
  listen();
  on_message_ = [this](base::Handle handle, base::Bytes) { server_->no_answer(handle); };
  auto client = connect();
  client.send(framed("one") + "\x01");
  shutdown(client.fd(), SHUT_WR);
  EXPECT_TRUE(is_cut(client));
  EXPECT_EQ(messages_.size(), 1u);
}

TEST_F(FramedTcpTest, BeyondTheOutstandingLimitTheSocketIsNotRead) {
  FramedTcpOptions options;
  options.max_outstanding = 4;
  listen(options);
  auto client = connect();
  std::string expected;
  for (int i = 0; i < 10; ++i) expected += framed(std::to_string(i));
  client.send(expected);
  shutdown(client.fd(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return messages_.size() == 4; }));
  run_for(milliseconds(20));
  EXPECT_EQ(messages_.size(), 4u);
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(run_until([&] { return messages_.size() > i; }));
    server_->send(messages_[i].from, base::as_bytes(messages_[i].text));
    EXPECT_LE(messages_.size(), i + 4) << "delivered inside send()";
  }
  EXPECT_TRUE(reads(client, expected));
}

TEST_F(FramedTcpTest, AnIdleConnectionIsClosedAndADribbleDoesNotHelp) {
  FramedTcpOptions options;
  options.idle_timeout = milliseconds(200);
  listen(options);
  echo();
  auto idle = connect();
  auto dribble = connect();
  dribble.send(std::string_view("\x00\x60", 2));
  auto busy = connect();
  std::string expected;
  auto longest = std::chrono::steady_clock::duration::zero();
  for (int i = 0; i < 500 && server_->counters().closed_idle < 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run_for(milliseconds(10));
    ::send(dribble.fd(), "x", 1, MSG_NOSIGNAL);
    ::send(busy.fd(), framed("x").data(), 3, MSG_NOSIGNAL);
    expected += framed("x");
    longest = std::max(longest, std::chrono::steady_clock::now() - start);
  }
  EXPECT_TRUE(is_cut(idle));
  EXPECT_TRUE(is_cut(dribble));
  // A machine that stands still for so long makes the third one idle, too.
  if (longest < options.idle_timeout / 2) {
    EXPECT_EQ(server_->counters().closed_idle, 2u);
    EXPECT_TRUE(reads(busy, expected));
  }
  EXPECT_TRUE(is_cut(busy));
}

TEST_F(FramedTcpTest, APeerThatDoesNotReadIsNotReadEither) {
  FramedTcpOptions options;
  options.max_unsent = 100'000;
  listen(options);
  const std::string large(20'000, 'x');
  on_message_ = [&](base::Handle handle, base::Bytes) {
    EXPECT_TRUE(server_->send(handle, base::as_bytes(large)));
  };
  auto client = connect();
  constexpr std::size_t kMessages = 2'000;
  std::string burst;
  for (std::size_t i = 0; i < kMessages; ++i) burst += framed("x");
  client.send(burst);
  std::size_t before = 0;
  do {
    before = messages_.size();
    run_for(milliseconds(50));
  } while (messages_.size() > before);
  EXPECT_LT(messages_.size(), kMessages);
  EXPECT_EQ(server_->connections(), 1u);
  std::size_t got = 0;
  EXPECT_TRUE(run_until([&] {
    client.read();
    got += client.stream.size();
    client.stream.clear();
    return got >= kMessages * (2 + large.size());
  }));
  EXPECT_EQ(messages_.size(), kMessages);
  EXPECT_EQ(server_->counters().closed_slow, 0u);
}

TEST_F(FramedTcpTest, UnsentAnswersAreBounded) {
  FramedTcpOptions options;
  options.max_unsent = 100'000;
  options.max_outstanding = 1000;
  listen(options);
  auto client = connect();
  std::string burst;
  for (int i = 0; i < 300; ++i) burst += framed("x");
  client.send(burst);
  ASSERT_TRUE(run_until([&] { return messages_.size() == 300; }));
  const std::string large(60'000, 'x');
  std::size_t taken = 0;
  while (taken < 300 && server_->send(messages_[taken].from, base::as_bytes(large))) ++taken;
  EXPECT_LT(taken, 300u);
  EXPECT_EQ(server_->counters().closed_slow, 1u);
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_FALSE(server_->send(messages_[0].from, base::as_bytes("late")));
  server_->no_answer(messages_[0].from);  // for a connection that is gone: nothing
}

TEST_F(FramedTcpTest, TooLongMessagesCutTheConnection) {
  FramedTcpOptions options;
  options.max_message = 100;
  listen(options);
  echo();
  auto client = connect();
  client.send(framed(std::string(100, 'x')));
  EXPECT_TRUE(reads(client, framed(std::string(100, 'x'))));
  client.send(std::string_view("\x00\x65", 2));
  EXPECT_TRUE(is_cut(client));
  EXPECT_EQ(server_->counters().closed_too_long, 1u);
}

TEST_F(FramedTcpTest, ConnectionsAreLimitedForEachPeerAndInAll) {
  FramedTcpOptions options;
  options.max_connections = 4;
  options.max_connections_per_peer = 3;
  listen(options);
  echo();
  std::vector<std::unique_ptr<PlainSocket>> clients;
  for (int i = 0; i < 5; ++i)
    clients.push_back(std::make_unique<PlainSocket>(SOCK_STREAM, server_->local_address()));
  ASSERT_TRUE(run_until(
      [&] { return server_->counters().accepted + server_->counters().refused_per_peer == 5; }));
  EXPECT_EQ(server_->counters().refused_per_peer, 2u);
  EXPECT_EQ(server_->connections(), 3u);
  EXPECT_TRUE(is_cut(*clients[4]));
  clients[0]->close();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 2; }));
  auto again = connect();
  again.send(framed("x"));
  EXPECT_TRUE(reads(again, framed("x")));
  // A handle names one connection only, also when its slot is used again.
  EXPECT_EQ(messages_.size(), 1u);
}

TEST_F(FramedTcpTest, TheTotalLimitHolds) {
  FramedTcpOptions options;
  options.max_connections = 2;
  listen(options);
  auto a = connect();
  auto b = connect();
  auto c = connect();
  ASSERT_TRUE(run_until([&] { return server_->counters().refused_total == 1; }));
  EXPECT_EQ(server_->connections(), 2u);
}

TEST_F(FramedTcpTest, AHandleOfAClosedConnectionNamesNoLaterOne) {
  listen();
  auto first = connect();
  first.send(framed("first"));
  ASSERT_TRUE(run_until([&] { return messages_.size() == 1; }));
  server_->close(messages_[0].from);
  EXPECT_TRUE(is_cut(first));
  auto second = connect();
  second.send(framed("second"));
  ASSERT_TRUE(run_until([&] { return messages_.size() == 2; }));
  EXPECT_FALSE(server_->send(messages_[0].from, base::as_bytes("for the first")));
  EXPECT_TRUE(server_->send(messages_[1].from, base::as_bytes("for the second")));
  EXPECT_TRUE(reads(second, framed("for the second")));
}

TEST_F(FramedTcpTest, RunningOutOfDescriptorsIsSurvived) {
  listen();
  echo();
  auto client = connect();  // waits in the backlog
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int lowest_free = dup(0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  // Without descriptors the undefined-behaviour sanitizer cannot check this fixture's type.
  auto& io = loop_.io();
  const auto& counters = server_->counters();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 1000 && counters.accept_errors == 0; ++i) io.run_one_for(milliseconds(5));
  const bool failed = counters.accept_errors > 0;
  for (int i = 0; i < 6; ++i) io.run_one_for(milliseconds(5));
  const auto errors = counters.accept_errors;
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(failed);
  EXPECT_LE(errors, 2u) << "spins";
  client.send(framed("x"));
  EXPECT_TRUE(reads(client, framed("x")));
}

TEST_F(FramedTcpTest, ADrainGivesTheAnswersOwedAndTakesNoMore) {
  listen();
  auto owed = connect();
  auto idle = connect();
  owed.send(framed("one"));
  ASSERT_TRUE(run_until([&] { return messages_.size() == 1 && server_->connections() == 2; }));
  server_->shut_down();
  EXPECT_TRUE(is_cut(idle));
  owed.send(framed("two"));
  run_for(milliseconds(10));
  EXPECT_EQ(messages_.size(), 1u);
  EXPECT_TRUE(server_->send(messages_[0].from, base::as_bytes("answer")));
  EXPECT_TRUE(reads(owed, framed("answer")));
  EXPECT_TRUE(run_until([&] { return server_->connections() == 0; }));
}

TEST_F(FramedTcpTest, DestroyingItInsideItsHandlerIsSafe) {
  listen();
  on_message_ = [this](base::Handle handle, base::Bytes bytes) {
    server_->send(handle, bytes);
    server_.reset();
  };
  auto client = connect();
  client.send(framed("one") + framed("two"));
  EXPECT_TRUE(is_cut(client));
  run_for(milliseconds(10));
  EXPECT_EQ(messages_.size(), 1u);
}

TEST_F(FramedTcpTest, ClosingAConnectionInsideItsHandlerIsSafe) {
  listen();
  on_message_ = [this](base::Handle handle, base::Bytes) { server_->close(handle); };
  auto client = connect();
  client.send(framed("one") + framed("two"));
  EXPECT_TRUE(is_cut(client));
  EXPECT_EQ(messages_.size(), 1u);
}

TEST_F(FramedTcpTest, ATakenPortIsAnErrorThatNamesIt) {
  listen();
  const auto second =
      FramedTcpServer::listen(loop_.io(), server_->local_address(), {}, FramedTcpHandlers{});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find(to_string(server_->local_address())), std::string::npos);
}

TEST_F(FramedTcpTest, WorksOverIpv6) {
  std::optional<FramedTcpServer> server;
  std::string got;
  FramedTcpHandlers handlers;
  handlers.on_message = [&](base::Handle, const base::SocketAddress& from, base::Bytes bytes) {
    EXPECT_EQ(from.ip, loopback6().ip);
    got = base::as_text(bytes);
  };
  auto made = FramedTcpServer::listen(loop_.io(), loopback6(), {}, handlers);
  ASSERT_TRUE(made) << made.error();
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 name{};
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(made->local_address().port);
  name.sin6_addr = in6addr_loopback;
  ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::write(fd, framed("six").data(), 5), 5);
  EXPECT_TRUE(run_until([&] { return got == "six"; }));
  ::close(fd);
}

}  // namespace
}  // namespace boxgram::net
