// N event loops on N threads.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

class WorkerThreads {
 public:
  /// The loops exist at once, so that objects can be bound to them; no thread runs yet.
  explicit WorkerThreads(std::size_t count);

  /// Stops and joins.
  ~WorkerThreads();
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  [[nodiscard]] std::size_t size() const { return loops_.size(); }
  [[nodiscard]] EventLoop& loop(std::size_t worker) { return *loops_[worker]; }

  /// Starts the threads. All signals are blocked in them, so that Signals on the main loop gets
  /// every one.
  void start();

  /// Makes every loop return and joins the threads. Afterwards the caller may destroy what lives
  /// on the loops from its own thread.
  void stop();

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace boxgram::net
