// SIGHUP, SIGTERM and SIGINT as calls on the loop.
#pragma once

#include <functional>
#include <memory>

#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

class Signals {
 public:
  /// `on_reload` for SIGHUP, `on_stop` for SIGTERM and SIGINT. SIGPIPE is ignored from now on.
  /// Create before other threads start.
  Signals(asio::io_context& io, std::function<void()> on_reload, std::function<void()> on_stop);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace boxgram::net
