// The TCP side of a stream::Client: opens a connection when one is wanted, carries bytes, closes.
#pragma once

#include <functional>
#include <optional>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/tcp_stream.hpp>
#include <boxgram/stream/client.hpp>

namespace boxgram::tools {

class StreamLink {
 public:
  struct Handlers {
    /// After bytes, ends or connections have come: drain the client's events, then settle().
    std::function<void()> on_input;
    /// Sees what travels, if anybody wants to.
    std::function<void(bool sent, base::Bytes bytes)> on_carried = {};
  };

  /// The references outlive this. `patience`: a server that has said nothing for so long although
  /// it was asked, be it that the way has gone, costs the connection: reopen(). Zero: never.
  StreamLink(net::EventLoop& loop, const base::SocketAddress& server, stream::Client& client,
             Handlers handlers, base::Duration patience = {});
  /// Ends a session in an orderly way; nobody waits for the answer to that.
  ~StreamLink();
  StreamLink(const StreamLink&) = delete;
  StreamLink& operator=(const StreamLink&) = delete;

  /// Opens, writes and closes as the client wants. Call after everything that may have changed it.
  void settle();

  /// The network has changed: the connection has an address that is gone, or that would link the
  /// two. Takes another one; the client asks again what it has asked. Call as for an input.
  void reopen();

 private:
  void open();
  void connect();
  void write();
  void on_silence();

  net::EventLoop& loop_;
  base::SocketAddress server_;
  stream::Client& client_;
  Handlers handlers_;
  base::Duration patience_;
  std::optional<net::TcpStream> stream_;
  bool opening_ = false;
  net::DeadlineTimer unopened_;
  std::optional<base::Instant> asked_at_;  // the first bytes since the server was last heard
  net::DeadlineTimer silence_;
};

}  // namespace boxgram::tools
