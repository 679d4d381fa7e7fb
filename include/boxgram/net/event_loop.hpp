// One asio io_context for one thread, without asio's headers.
#pragma once

#include <functional>
#include <memory>

namespace asio {
class io_context;
}

namespace boxgram::net {

/// Every object of this layer lives on one loop and is used only from the thread that runs it.
/// Objects bound to the loop must be destroyed before it.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  [[nodiscard]] asio::io_context& io() { return *io_; }

  /// Runs handlers until stop(), also while there is nothing to wait for. May be run again
  /// afterwards.
  void run();

  /// Makes run() return soon. Safe from any thread.
  void stop();

  /// Runs `task` soon on the thread that runs the loop. Safe from any thread. Cost: one allocation
  /// and, when the loop sleeps, one system call: hand over batches, not single datagrams.
  void post(std::function<void()> task);

 private:
  std::unique_ptr<asio::io_context> io_;
};

}  // namespace boxgram::net
