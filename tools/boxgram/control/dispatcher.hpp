// One control session at the server: requests in, each answered once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server_methods.hpp"

namespace boxgram::tools {

/// Who asks, as the allow-list has it.
struct Caller {
  std::string client;
  bool may_change = false;  ///< the service control, and not only control:read
};

class Dispatcher {
 public:
  /// Requests that wait for their response at once; a client that asks for more is told `busy`.
  /// Each of them may hold a copy of every worker's counters for a moment.
  static constexpr std::size_t kMaxOutstanding = 16;

  /// `methods` outlives it.
  Dispatcher(ServerMethods& methods, Caller caller);

  /// Takes any bytes. `send` gets the response, inside of this call or later, from the same thread;
  /// none after this object has gone. What changes something is logged with the caller's name, and
  /// so is what a key that may only read was refused.
  using Send = std::function<void(std::string response)>;
  void handle(std::string_view request, const Send& send);

  [[nodiscard]] std::size_t outstanding() const { return session_->outstanding; }

 private:
  struct Session {
    Caller caller;
    std::size_t outstanding = 0;
  };

  ServerMethods& methods_;
  std::shared_ptr<Session> session_;  // replies that come after this object find it gone
};

}  // namespace boxgram::tools
