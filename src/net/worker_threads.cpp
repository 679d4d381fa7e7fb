#include <pthread.h>
#include <signal.h>

#include <boxgram/base/check.hpp>
#include <boxgram/net/worker_threads.hpp>

namespace boxgram::net {

WorkerThreads::WorkerThreads(std::size_t count) {
  loops_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<EventLoop>());
}

WorkerThreads::~WorkerThreads() {
  stop();
}

void WorkerThreads::start() {
  BOXGRAM_CHECK(threads_.empty());
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // new threads inherit it
  threads_.reserve(loops_.size());
  for (auto& loop : loops_) threads_.emplace_back([&loop = *loop] { loop.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void WorkerThreads::stop() {
  if (threads_.empty()) return;
  for (auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace boxgram::net
