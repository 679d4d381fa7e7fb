#include <csignal>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <boxgram/net/signals.hpp>

namespace boxgram::net {

struct Signals::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, std::function<void()> reload, std::function<void()> stop)
      : set(io, SIGHUP, SIGTERM, SIGINT), on_reload(std::move(reload)), on_stop(std::move(stop)) {}

  void wait() {
    set.async_wait([self = shared_from_this()](const asio::error_code& error, int signal) {
      if (error || self->closed) return;
      self->wait();
      (signal == SIGHUP ? self->on_reload : self->on_stop)();
    });
  }

  asio::signal_set set;
  std::function<void()> on_reload;
  std::function<void()> on_stop;
  bool closed = false;
};

Signals::Signals(asio::io_context& io, std::function<void()> on_reload,
                 std::function<void()> on_stop)
    : state_(std::make_shared<State>(io, std::move(on_reload), std::move(on_stop))) {
  std::signal(SIGPIPE, SIG_IGN);
  state_->wait();
}

Signals::~Signals() {
  state_->closed = true;
  asio::error_code ignored;
  state_->set.clear(ignored);
  state_->set.cancel(ignored);
}

}  // namespace boxgram::net
