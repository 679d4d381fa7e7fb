#include <atomic>
#include <csignal>
#include <thread>

#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/signals.hpp>
#include <boxgram/net/worker_threads.hpp>

#include "loop_test.hpp"

namespace boxgram::net {
namespace {

TEST(EventLoop, AStopBeforeTheRunIsNotLost) {
  EventLoop loop;
  loop.stop();
  loop.run();  // would hang
  int ran = 0;
  loop.post([&] {
    ++ran;
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(ran, 1);
}

TEST(WorkerThreads, EachLoopHasItsThreadAndTakesPosts) {
  WorkerThreads workers(3);
  std::atomic<int> ran{0};
  std::thread::id ids[3];
  for (std::size_t i = 0; i < workers.size(); ++i)
    workers.loop(i).post([&, i] {
      ids[i] = std::this_thread::get_id();
      ++ran;
    });
  workers.start();
  while (ran < 3) std::this_thread::yield();
  workers.stop();
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_NE(ids[1], ids[2]);
  EXPECT_NE(ids[0], std::this_thread::get_id());
}

TEST(WorkerThreads, StopRightAfterStartReturns) {
  for (int i = 0; i < 20; ++i) {
    WorkerThreads workers(2);
    workers.start();
  }
}

class SignalsTest : public LoopTest {};

TEST_F(SignalsTest, HupReloadsAndTermAndIntStop) {
  int reloads = 0;
  int stops = 0;
  {
    Signals signals(
        loop_.io(), [&] { ++reloads; }, [&] { ++stops; });
    raise(SIGHUP);
    ASSERT_TRUE(run_until([&] { return reloads == 1; }));
    raise(SIGTERM);
    ASSERT_TRUE(run_until([&] { return stops == 1; }));
    raise(SIGINT);
    ASSERT_TRUE(run_until([&] { return stops == 2; }));
    raise(SIGHUP);
    ASSERT_TRUE(run_until([&] { return reloads == 2; }));
    raise(SIGPIPE);  // would end the test
  }
  run_for(std::chrono::milliseconds(10));
  EXPECT_EQ(reloads, 2);
}

}  // namespace
}  // namespace boxgram::net
