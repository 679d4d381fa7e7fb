#include <utility>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

// The hint 1 tells asio that one thread runs the loop; post() from others stays safe.
EventLoop::EventLoop() : io_(std::make_unique<asio::io_context>(1)) {}

EventLoop::~EventLoop() = default;

void EventLoop::run() {
  {
    const auto guard = asio::make_work_guard(*io_);
    io_->run();
  }
  // Here and not before run(): a stop() that comes before the thread got here must not be lost.
  io_->restart();
}

void EventLoop::stop() {
  io_->stop();
}

void EventLoop::post(std::function<void()> task) {
  asio::post(*io_, std::move(task));
}

}  // namespace boxgram::net
