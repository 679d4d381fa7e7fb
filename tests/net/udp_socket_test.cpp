#include <cerrno>
#include <optional>

#include <boxgram/net/udp_socket.hpp>

#include "loop_test.hpp"

namespace boxgram::net {
namespace {

class UdpSocketTest : public LoopTest {
 protected:
  UdpSocket open(const base::SocketAddress& local, const UdpOptions& options = {}) {
    auto socket = UdpSocket::bind(loop_.io(), local, options, recorder());
    EXPECT_TRUE(socket) << socket.error();
    return std::move(*socket);
  }

  UdpHandlers recorder() {
    UdpHandlers handlers;
    handlers.on_batch = [this](std::span<const Datagram> batch) {
      for (const auto& datagram : batch) {
        received_.emplace_back(base::as_text(datagram.data));
        last_ = datagram;
      }
    };
    handlers.on_error = [this](int error) { errors_.push_back(error); };
    handlers.on_drained = [this] { ++drained_; };
    return handlers;
  }

  static void put(UdpSocket& socket, const base::SocketAddress& to, std::string_view text,
                  const base::SocketAddress& local = {}) {
    const auto room = socket.next();
    std::copy(text.begin(), text.end(), room.begin());
    socket.commit(to, text.size(), local);
  }

  bool arrives(PlainSocket& peer, std::size_t count) {
    return run_until([&] {
      peer.receive();
      return peer.datagrams.size() >= count;
    });
  }

  std::vector<std::string> received_;
  std::vector<int> errors_;
  Datagram last_;
  int drained_ = 0;
};

TEST_F(UdpSocketTest, EchoesOverIpv4AndNamesTheSender) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  peer.send_to("ping", socket.local_address());
  ASSERT_TRUE(run_until([&] { return drained_ == 1; }));
  EXPECT_EQ(received_, std::vector<std::string>{"ping"});
  EXPECT_EQ(last_.from, peer.address());
  put(socket, last_.from, "pong");
  socket.flush();
  ASSERT_TRUE(arrives(peer, 1));
  EXPECT_EQ(peer.datagrams[0], "pong");
  EXPECT_EQ(peer.sender, socket.local_address());
}

TEST_F(UdpSocketTest, WorksOverIpv6) {
  auto server = open(loopback6());
  EXPECT_FALSE(server.local_address().is_v4());
  std::string answer;
  UdpHandlers handlers;
  handlers.on_batch = [&](std::span<const Datagram> batch) {
    answer = base::as_text(batch[0].data);
  };
  auto client = UdpSocket::connect(loop_.io(), server.local_address(), {}, handlers);
  ASSERT_TRUE(client) << client.error();
  put(*client, {}, "ping");
  client->flush();
  ASSERT_TRUE(run_until([&] { return !received_.empty(); }));
  EXPECT_EQ(last_.from, client->local_address());
  put(server, last_.from, "pong");
  server.flush();
  ASSERT_TRUE(run_until([&] { return answer == "pong"; }));
}

TEST_F(UdpSocketTest, RepliesFromTheAddressThatWasAsked) {
  auto socket = open(base::SocketAddress::v4(0, 0, 0, 0, 0));
  const auto asked = base::SocketAddress::v4(127, 0, 0, 77, socket.local_address().port);
  PlainSocket peer(SOCK_DGRAM);
  peer.send_to("ping", asked);
  ASSERT_TRUE(run_until([&] { return !received_.empty(); }));
  EXPECT_EQ(last_.local.ip, asked.ip);
  put(socket, last_.from, "pong", last_.local);
  socket.flush();
  ASSERT_TRUE(arrives(peer, 1));
  EXPECT_EQ(peer.sender, asked);
}

TEST_F(UdpSocketTest, RepliesFromTheIpv6AddressThatWasAsked) {
  auto server = open({});  // [::]:0
  std::string answer;
  UdpHandlers handlers;
  handlers.on_batch = [&](std::span<const Datagram> batch) {
    answer = base::as_text(batch[0].data);
  };
  auto client =
      UdpSocket::connect(loop_.io(), loopback6(server.local_address().port), {}, handlers);
  ASSERT_TRUE(client) << client.error();
  put(*client, {}, "ping");
  client->flush();
  ASSERT_TRUE(run_until([&] { return !received_.empty(); }));
  EXPECT_EQ(last_.local.ip, loopback6().ip);
  put(server, last_.from, "pong", last_.local);
  server.flush();
  ASSERT_TRUE(run_until([&] { return answer == "pong"; }));
}

TEST_F(UdpSocketTest, EqualDatagramsTravelAsTrainsBothWays) {
  UdpOptions options;
  options.gro = true;
  auto server = open(loopback(), options);
  auto client = UdpSocket::connect(loop_.io(), server.local_address(), options, recorder());
  ASSERT_TRUE(client) << client.error();
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) sent.push_back(std::string(256, static_cast<char>('a' + i % 26)));
  for (const auto& text : sent) put(*client, {}, text);
  client->flush();
  EXPECT_EQ(client->counters().trains_out, 4u);  // 64 + 64 + 64 + 8
  EXPECT_EQ(client->counters().send_calls, 1u);
  EXPECT_EQ(client->counters().datagrams_out, 200u);
  EXPECT_EQ(client->counters().bytes_out, 200u * 256);
  ASSERT_TRUE(run_until([&] { return received_.size() >= 200; }));
  EXPECT_EQ(received_, sent);
  EXPECT_EQ(server.counters().trains_in, 4u);
  EXPECT_EQ(server.counters().datagrams_in, 200u);
  EXPECT_EQ(server.counters().bytes_in, 200u * 256);
}

TEST_F(UdpSocketTest, AShorterDatagramClosesATrainAndALongerOneOpensAnother) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  const std::vector<std::string> sent = {std::string(100, 'a'), std::string(100, 'b'),
                                         std::string(40, 'c'), std::string(100, 'd'),
                                         std::string(101, 'e')};
  for (const auto& text : sent) put(socket, peer.address(), text);
  socket.flush();
  ASSERT_TRUE(arrives(peer, sent.size()));
  EXPECT_EQ(peer.datagrams, sent);
  EXPECT_EQ(socket.counters().trains_out, 1u);  // a b c
  EXPECT_EQ(socket.counters().datagrams_out, 5u);
}

TEST_F(UdpSocketTest, DatagramsOfSeveralPeersInTurnAreSortedIntoTrains) {
  auto socket = open(loopback());
  std::vector<std::unique_ptr<PlainSocket>> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(std::make_unique<PlainSocket>(SOCK_DGRAM));
  for (int round = 0; round < 20; ++round)
    for (auto& peer : peers)
      put(socket, peer->address(),
          std::to_string(peer->address().port) + std::to_string(10 + round));
  socket.flush();
  for (auto& peer : peers) {
    ASSERT_TRUE(arrives(*peer, 20));
    for (int round = 0; round < 20; ++round)
      EXPECT_EQ(peer->datagrams[static_cast<std::size_t>(round)],
                std::to_string(peer->address().port) + std::to_string(10 + round));
  }
  EXPECT_GE(socket.counters().trains_out, 3u);
  EXPECT_EQ(socket.counters().datagrams_out, 60u);
}

TEST_F(UdpSocketTest, AKernelThatRefusesTrainsLosesNothing) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  const int one = 1;  // without checksums the kernel refuses UDP_SEGMENT with EINVAL
  ASSERT_EQ(setsockopt(socket.native_handle(), SOL_SOCKET, SO_NO_CHECK, &one, sizeof one), 0);
  ASSERT_TRUE(socket.sends_trains());
  for (int i = 0; i < 100; ++i) put(socket, peer.address(), "datagram " + std::to_string(100 + i));
  socket.flush();
  ASSERT_TRUE(arrives(peer, 100));
  for (std::size_t i = 0; i < 100; ++i)
    EXPECT_EQ(peer.datagrams[i], "datagram " + std::to_string(100 + i));
  EXPECT_FALSE(socket.sends_trains());
  EXPECT_EQ(socket.counters().datagrams_out, 100u);
  EXPECT_EQ(socket.counters().send_errors, 0u);
  for (int i = 0; i < 10; ++i) put(socket, peer.address(), "again");
  socket.flush();
  ASSERT_TRUE(arrives(peer, 110));
  EXPECT_TRUE(errors_.empty());
}

TEST_F(UdpSocketTest, APeerWithPortZeroDoesNotDisturbTheOthers) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  for (int i = 0; i < 3; ++i) {
    put(socket, loopback(0), "forged");
    put(socket, peer.address(), "honest");
  }
  socket.flush();
  ASSERT_TRUE(arrives(peer, 3));
  EXPECT_TRUE(socket.sends_trains());
  EXPECT_EQ(socket.counters().send_errors, 3u);
}

TEST_F(UdpSocketTest, AnUnreachablePeerDoesNotDisturbTheOthers) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  put(socket, peer.address(), "one");
  put(socket, base::SocketAddress::v4(192, 0, 2, 1, 9), "from a loopback address: EINVAL");
  put(socket, base::SocketAddress::v4(192, 0, 2, 1, 9), "from a loopback address: EINVAL");
  put(socket, peer.address(), "two");
  socket.flush();
  ASSERT_TRUE(arrives(peer, 2));
  EXPECT_EQ(socket.counters().send_errors, 2u);
  EXPECT_EQ(socket.counters().datagrams_out, 2u);
  EXPECT_TRUE(socket.sends_trains());
  EXPECT_EQ(errors_.size(), 1u);
}

TEST_F(UdpSocketTest, AFullArenaIsFlushedWithoutBeingAsked) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  for (int i = 0; i < 300; ++i) {
    put(socket, peer.address(), std::to_string(1000 + i));
    if (i % 32 == 0) peer.receive();
  }
  socket.flush();
  ASSERT_TRUE(arrives(peer, 300));
  EXPECT_EQ(socket.counters().datagrams_out, 300u);
}

TEST_F(UdpSocketTest, LargeAndEmptyDatagramsPass) {
  UdpOptions options;
  options.max_datagram = 65'507;
  auto socket = open(loopback(), options);
  PlainSocket peer(SOCK_DGRAM);
  const std::string large(65'507, 'x');
  put(socket, peer.address(), large);
  put(socket, peer.address(), "");
  socket.flush();
  ASSERT_TRUE(arrives(peer, 2));
  EXPECT_EQ(peer.datagrams[0], large);
  EXPECT_EQ(peer.datagrams[1], "");
  peer.send_to("", socket.local_address());
  ASSERT_TRUE(run_until([&] { return received_.size() == 1; }));
  EXPECT_EQ(received_[0], "");
}

TEST_F(UdpSocketTest, TooLongDatagramsAreDroppedAndCounted) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  peer.send_to(std::string(4097, 'x'), socket.local_address());
  peer.send_to(std::string(4096, 'y'), socket.local_address());
  ASSERT_TRUE(run_until([&] { return !received_.empty(); }));
  EXPECT_EQ(received_, std::vector<std::string>{std::string(4096, 'y')});
  EXPECT_EQ(socket.counters().too_long_in, 1u);
}

TEST_F(UdpSocketTest, AWakeUpIsBoundedAndTheRestIsNotLost) {
  auto socket = open(loopback());
  PlainSocket peer(SOCK_DGRAM);
  for (int i = 0; i < 300; ++i) peer.send_to(std::to_string(i), socket.local_address());
  ASSERT_TRUE(run_until([&] { return received_.size() >= 300; }));
  EXPECT_GE(drained_, 3);  // at most 4 x 32 for each
  EXPECT_GE(socket.counters().receive_calls, 10u);
}

TEST_F(UdpSocketTest, AClosedPortIsReportedAndTheSocketStaysGood) {
  auto peer = std::make_unique<PlainSocket>(SOCK_DGRAM);
  auto client = UdpSocket::connect(loop_.io(), peer->address(), {}, recorder());
  ASSERT_TRUE(client) << client.error();
  put(*client, {}, "heard");
  client->flush();
  ASSERT_TRUE(arrives(*peer, 1));
  peer->close();
  put(*client, {}, "into the void");
  client->flush();
  ASSERT_TRUE(run_until([&] { return !errors_.empty(); }));
  EXPECT_EQ(errors_[0], ECONNREFUSED);
  PlainSocket elsewhere(SOCK_DGRAM);  // another port, so still refused; but sending works
  put(*client, {}, "again");
  client->flush();
  EXPECT_EQ(client->counters().datagrams_out, 3u);
}

TEST_F(UdpSocketTest, ATakenPortIsAnErrorThatNamesIt) {
  auto socket = open(loopback());
  auto second = UdpSocket::bind(loop_.io(), socket.local_address(), {}, recorder());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find(to_string(socket.local_address())), std::string::npos)
      << second.error();
  EXPECT_NE(second.error().find("another program"), std::string::npos) << second.error();
}

TEST_F(UdpSocketTest, DestroyingItInsideAHandlerIsSafe) {
  std::optional<UdpSocket> socket;
  int calls = 0;
  UdpHandlers handlers;
  handlers.on_batch = [&](std::span<const Datagram>) {
    ++calls;
    socket.reset();
  };
  handlers.on_drained = [&] { ++calls; };
  socket.emplace(std::move(*UdpSocket::bind(loop_.io(), loopback(), {}, handlers)));
  PlainSocket peer(SOCK_DGRAM);
  for (int i = 0; i < 100; ++i) peer.send_to("x", socket->local_address());
  ASSERT_TRUE(run_until([&] { return calls > 0; }));
  run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(calls, 1);
}

TEST_F(UdpSocketTest, ReopeningInsideTheErrorHandlerIsSafe) {
  auto peer = std::make_unique<PlainSocket>(SOCK_DGRAM);
  const auto closed_port = peer->address();
  peer->close();
  std::optional<UdpSocket> socket;
  bool reopened = false;
  UdpHandlers handlers;
  handlers.on_batch = [](std::span<const Datagram>) {};
  handlers.on_error = [&](int) {
    reopened = true;
    socket.emplace(std::move(*UdpSocket::connect(loop_.io(), closed_port, {}, recorder())));
  };
  socket.emplace(std::move(*UdpSocket::connect(loop_.io(), closed_port, {}, handlers)));
  put(*socket, {}, "x");
  socket->flush();
  for (int i = 0; i < 3 && !reopened; ++i) {
    put(*socket, {}, "y");
    socket->flush();
  }
  ASSERT_TRUE(run_until([&] { return reopened; }));
}

TEST_F(UdpSocketTest, CountsWhatTheKernelDropped) {
  UdpOptions options;
  options.buffer_bytes = 4096;
  auto socket = open(loopback(), options);
  PlainSocket peer(SOCK_DGRAM);
  for (int i = 0; i < 200; ++i) peer.send_to(std::string(1000, 'x'), socket.local_address());
  EXPECT_GT(socket.kernel_drops(), 0u);
  ASSERT_TRUE(run_until([&] { return received_.size() + socket.kernel_drops() == 200; }));
}

}  // namespace
}  // namespace boxgram::net
