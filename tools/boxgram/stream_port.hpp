// The TCP side of a stream::Server: listens, carries bytes, closes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/tcp_stream.hpp>
#include <boxgram/stream/server.hpp>

namespace boxgram::tools {

class StreamPort {
 public:
  /// `on_input` is called after bytes or ends have come in, and when a place is free: drain the
  /// server's events (giving each ConnectionEnded to end()), then flush(). `loop` and `server`
  /// outlive this.
  StreamPort(net::EventLoop& loop, stream::Server& server, std::function<void()> on_input);
  StreamPort(const StreamPort&) = delete;
  StreamPort& operator=(const StreamPort&) = delete;

  /// The error is a phrase for people. Port 0: the kernel chooses.
  base::expected<void, std::string> listen(const base::SocketAddress& address);
  void stop_listening() { listeners_.clear(); }
  [[nodiscard]] const std::vector<net::TcpListener>& listeners() const { return listeners_; }

  /// Writes what the server has to say, and reads on where it had no room before.
  void flush();

  /// The server is done with a connection: it is closed once its last words are out.
  void end(const stream::ConnectionEnded& ended);

 private:
  struct Connection {
    net::TcpStream stream;
    std::optional<base::Instant> close_by;  ///< the server is done with it
    bool broken = false;                    ///< nothing that is written arrives
  };

  void accepted(net::TcpStream stream, const base::SocketAddress& from);
  void ended(base::Handle handle, int error);
  void write(base::Handle handle, Connection& connection);
  void close(base::Handle handle, bool in_order);
  void close_late();

  net::EventLoop& loop_;
  stream::Server& server_;
  std::function<void()> on_input_;
  std::vector<net::TcpListener> listeners_;
  std::unordered_map<base::Handle, Connection> connections_;
  std::vector<base::Handle> waiting_;  // the server had no room for what they send
  net::DeadlineTimer ending_;
  std::optional<base::Instant> next_end_;  // when ending_ is due
};

}  // namespace boxgram::tools
