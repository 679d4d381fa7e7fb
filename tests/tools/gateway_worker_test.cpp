// Workers that hand datagrams over to each other, as they do where the kernel does not steer.
#include "boxgram/gateway_worker.hpp"

#include <boxgram/net/clock.hpp>
#include <boxgram/packet/key_rotation.hpp>

#include "net/loop_test.hpp"

namespace boxgram::tools {
namespace {

/// Two workers, each on a loop and a port of its own; nothing runs but what a test runs.
class GatewayWorkerTest : public net::LoopTest {
 protected:
  void SetUp() override {
    GatewayRules rules;
    rules.forwarder = std::make_shared<dns::ForwarderConfig>();
    for (std::uint8_t i = 0; i < 2; ++i) {
      packet::ServerConfig config;
      config.worker = i;
      config.workers = 2;
      workers_.push_back(std::make_unique<GatewayWorker>(i == 0 ? loop_ : other_loop_, config,
                                                         keys(), nullptr, net::wall_clock(),
                                                         net::now(), rules));
      ASSERT_TRUE(workers_[i]->bind(std::vector{net::loopback()}, false));
      ASSERT_TRUE(workers_[i]->open_upstreams());
    }
    for (auto& worker : workers_) worker->set_peers(workers_);
  }

  std::shared_ptr<const packet::ServerKeys> keys() {
    return packet::KeyRotation({}, rng_, net::wall_clock(), net::now(), std::nullopt,
                               crypto::SecretKey(), crypto::SharedKey())
        .snapshot();
  }

  /// A SHORT of the second worker's that comes to the first one's socket.
  void send_misrouted(const net::PlainSocket& from) {
    std::string datagram(64, '\0');
    const std::uint8_t front[] = {'b', 'g', 1, 3, 1};
    std::copy(std::begin(front), std::end(front), datagram.begin());
    from.send_to(datagram, workers_[0]->sockets().front().local_address());
  }

  net::EventLoop other_loop_;
  crypto::SystemRng rng_;
  std::vector<std::unique_ptr<GatewayWorker>> workers_;
};

TEST_F(GatewayWorkerTest, TheOwnerAnswersWhatAnotherWorkerReceived) {
  net::PlainSocket client(SOCK_DGRAM);
  send_misrouted(client);
  ASSERT_TRUE(run_until([&] { return workers_[0]->snapshot().handed_over == 1; }));
  other_loop_.io().poll();
  EXPECT_EQ(workers_[1]->snapshot().server.resets, 1u);
  ASSERT_TRUE(run_until([&] { return (client.receive(), client.datagrams.size() == 1); }));
}

// The second worker is busy for as long as this takes.
TEST_F(GatewayWorkerTest, WhatWaitsForABusyWorkerIsBounded) {
  net::PlainSocket client(SOCK_DGRAM);
  const auto settled = [&] {
    const auto snapshot = workers_[0]->snapshot();
    return snapshot.handed_over + snapshot.handover_drops;
  };
  for (std::uint64_t sent = 0; sent < 4000;) {
    for (int i = 0; i < 100; ++i, ++sent) send_misrouted(client);
    ASSERT_TRUE(run_until([&] { return settled() == sent; }));
  }
  EXPECT_LE(workers_[0]->snapshot().handed_over, 1024u);
  EXPECT_GE(workers_[0]->snapshot().handed_over, 512u);
  other_loop_.io().poll();
  EXPECT_EQ(workers_[1]->snapshot().server.resets, workers_[0]->snapshot().handed_over);
  send_misrouted(client);
  const auto before = workers_[0]->snapshot().handed_over;
  EXPECT_TRUE(run_until([&] { return workers_[0]->snapshot().handed_over == before + 1; }))
      << "there is room again";
}

}  // namespace
}  // namespace boxgram::tools
