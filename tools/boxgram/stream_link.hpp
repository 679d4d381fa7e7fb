// The TCP side of a stream::Client: opens a connection when one is wanted, carries bytes, closes.
#pragma once

#include <functional>
#include <optional>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/net/tcp_stream.hpp>
#include <boxgram/stream/client.hpp>

namespace boxgram::tools {

class StreamLink {
 public:
  /// `on_input` is called after bytes, ends or connections have come: drain the client's events,
  /// then settle(). All references outlive this.
  StreamLink(net::EventLoop& loop, const base::SocketAddress& server, stream::Client& client,
             std::function<void()> on_input);
  StreamLink(const StreamLink&) = delete;
  StreamLink& operator=(const StreamLink&) = delete;

  /// Opens, writes and closes as the client wants. Call after everything that may have changed it.
  void settle();

 private:
  void open();
  void write();

  net::EventLoop& loop_;
  base::SocketAddress server_;
  stream::Client& client_;
  std::function<void()> on_input_;
  std::optional<net::TcpStream> stream_;
};

}  // namespace boxgram::tools
