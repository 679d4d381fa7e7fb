#include <memory>

#include <boxgram/net/steering.hpp>
#include <boxgram/net/udp_socket.hpp>

#include "loop_test.hpp"

namespace boxgram::net {
namespace {

constexpr std::size_t kSockets = 3;

class SteeringTest : public LoopTest {
 protected:
  void SetUp() override {
    UdpOptions options;
    options.reuse_port = true;
    base::SocketAddress address = loopback();
    for (std::size_t i = 0; i < kSockets; ++i) {
      UdpHandlers handlers;
      handlers.on_batch = [this, i](std::span<const Datagram> batch) {
        for (const auto& datagram : batch) {
          got_[i].emplace_back(base::as_text(datagram.data));
          ++count_;
        }
      };
      auto socket = UdpSocket::bind(loop_.io(), address, options, handlers);
      ASSERT_TRUE(socket) << socket.error();
      address = socket->local_address();
      sockets_.push_back(std::move(*socket));
    }
  }

  std::vector<UdpSocket> sockets_;
  std::vector<std::string> got_[kSockets];
  std::size_t count_ = 0;
};

TEST_F(SteeringTest, TheByteAtTheRulesOffsetChoosesTheSocket) {
  const SteeringRule rules[] = {{3, 4}, {1, 7}};
  const auto done = steer(sockets_[0].native_handle(), 3, rules, kSockets);
  ASSERT_TRUE(done) << done.error();
  PlainSocket peer(SOCK_DGRAM);  // one source, so the kernel's hash alone would choose one socket
  const auto to = sockets_[0].local_address();
  for (int value = 0; value < 30; ++value) {
    std::string first = "bx1";
    first += '\3';
    first += static_cast<char>(value);
    peer.send_to(first + "rest", to);
    std::string second = "bx1";
    second += '\1';
    second += "xyz";
    second += static_cast<char>(value);
    peer.send_to(second, to);
  }
  ASSERT_TRUE(run_until([&] { return count_ == 60; }));
  for (std::size_t i = 0; i < kSockets; ++i) {
    EXPECT_EQ(got_[i].size(), 20u);
    for (const auto& text : got_[i])
      EXPECT_EQ(static_cast<std::size_t>(text[text[3] == 3 ? 4 : 7]) % kSockets, i);
  }
}

TEST_F(SteeringTest, JunkAndShortDatagramsAreSpreadByTheKernelsHash) {
  const SteeringRule rules[] = {{3, 4}};
  ASSERT_TRUE(steer(sockets_[0].native_handle(), 3, rules, kSockets));
  const auto to = sockets_[0].local_address();
  constexpr std::size_t kPeers = 40;
  std::vector<std::unique_ptr<PlainSocket>> peers;
  for (std::size_t i = 0; i < kPeers; ++i) {
    peers.push_back(std::make_unique<PlainSocket>(SOCK_DGRAM));
    peers.back()->send_to("", to);
    peers.back()->send_to("bx", to);
    peers.back()->send_to("bx1\3", to);      // the rule's type without its byte
    peers.back()->send_to("bx1\x55xx", to);  // no rule
  }
  ASSERT_TRUE(run_until([&] { return count_ == 4 * kPeers; }));
  for (const auto& got : got_) EXPECT_LT(got.size(), 4 * kPeers) << "all landed on one socket";
}

TEST(Steering, ARefusalOfTheKernelIsAClearError) {
  PlainSocket tcp(SOCK_STREAM);
  const SteeringRule rules[] = {{3, 4}};
  const int pipe_like = -1;
  const auto done = steer(pipe_like, 3, rules, 2);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("SO_ATTACH_REUSEPORT_CBPF"), std::string::npos);
}

}  // namespace
}  // namespace boxgram::net
