#include "boxgram/gateway_link.hpp"

#include <boxgram/net/clock.hpp>

#include "net/loop_test.hpp"

namespace boxgram::tools {
namespace {

using namespace std::chrono_literals;

struct GatewayLinkTest : net::LoopTest {
  void send() {
    ASSERT_FALSE(link.next().empty());
    link.commit(100);
    link.flush();
  }
  /// Whether this much after now a silence is seen.
  bool reopens(base::Duration after, bool waiting = true) {
    const auto before = link.reopened();
    link.check_silence(net::now() + after, waiting);
    run_for(20ms);
    return link.reopened() != before;
  }

  net::PlainSocket gateway{SOCK_DGRAM};
  GatewayLink link{loop_,
                   net::loopback(gateway.address().port),
                   {[](std::span<const net::Datagram>) {}, [] {}, [] {}}};
};

TEST_F(GatewayLinkTest, IsNotReopenedForBeingIdle) {
  EXPECT_FALSE(reopens(1h)) << "nothing was asked";
  send();
  EXPECT_FALSE(reopens(1s)) << "asked a moment ago";
}

TEST_F(GatewayLinkTest, IsReopenedOnceAfterTwoSecondsOfSilence) {
  send();
  EXPECT_TRUE(reopens(2s));
  EXPECT_FALSE(reopens(3s)) << "the new socket has asked nothing yet";
  send();
  EXPECT_TRUE(reopens(2s));
}

TEST_F(GatewayLinkTest, AnAnswerEndsTheSilence) {
  send();
  ASSERT_TRUE(run_until([&] {
    gateway.receive();
    return !gateway.datagrams.empty();
  }));
  gateway.send_to("answer", gateway.sender);
  run_for(50ms);
  EXPECT_FALSE(reopens(1h));
}

TEST_F(GatewayLinkTest, ALossLongAgoIsNoSilence) {
  send();
  EXPECT_FALSE(reopens(1h, false)) << "whoever waited has gone";
  EXPECT_FALSE(reopens(1h));
}

}  // namespace
}  // namespace boxgram::tools
