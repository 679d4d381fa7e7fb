#include "stream_port.hpp"

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

/// How long a peer may take to read the last words; then it does not want them.
constexpr base::Duration kEndTime = std::chrono::seconds(10);

}  // namespace

StreamPort::StreamPort(net::EventLoop& loop, stream::Server& server,
                       std::function<void()> on_input)
    : loop_(loop),
      server_(server),
      on_input_(std::move(on_input)),
      ending_(loop.io(), [this] { close_late(); }) {}

base::expected<void, std::string> StreamPort::listen(const base::SocketAddress& address) {
  auto listener = net::TcpListener::listen(
      loop_.io(), address, [this](net::TcpStream stream, const base::SocketAddress& from) {
        accepted(std::move(stream), from);
      });
  if (!listener) return base::unexpected<std::string>(listener.error());
  listeners_.push_back(std::move(*listener));
  return {};
}

void StreamPort::accepted(net::TcpStream stream, const base::SocketAddress& from) {
  const base::Handle handle = server_.accept(net::now(), from);
  if (handle == 0) return;  // the stream closes
  Connection& connection =
      connections_.emplace(handle, Connection{std::move(stream), std::nullopt}).first->second;
  net::TcpStreamHandlers handlers;
  handlers.room = [this, handle] { return server_.room(handle); };
  handlers.on_bytes = [this, handle](std::size_t size) { server_.received(handle, size); };
  handlers.on_end = [this, handle](int) { server_.peer_ended(handle); };
  handlers.on_writable = [this, handle] {
    const auto found = connections_.find(handle);
    if (found != connections_.end()) write(handle, found->second);
  };
  handlers.on_drained = on_input_;
  connection.stream.start(std::move(handlers));
  on_input_();  // its deadline is the server's next
}

void StreamPort::flush() {
  while (const base::Handle handle = server_.poll_transmit()) {
    const auto found = connections_.find(handle);
    if (found != connections_.end()) write(handle, found->second);
  }
}

void StreamPort::write(base::Handle handle, Connection& connection) {
  const base::Bytes bytes = server_.unsent(handle);
  const std::size_t written = connection.stream.write(bytes);
  const bool all = written == bytes.size();
  server_.sent(handle, written);
  if (connection.close_by && all)
    close(handle);
  else
    connection.stream.resume();  // a session that had to wait may go on
}

void StreamPort::end(base::Handle handle) {
  const auto found = connections_.find(handle);
  if (found == connections_.end()) return;
  const base::Instant close_by = net::now() + kEndTime;
  found->second.close_by = close_by;
  ending_.want(close_by);
  write(handle, found->second);
}

void StreamPort::close(base::Handle handle) {
  auto node = connections_.extract(handle);
  if (node.empty()) return;
  server_.closed(handle);
  std::move(node.mapped().stream).finish();
}

void StreamPort::close_late() {
  const base::Instant now = net::now();
  std::vector<base::Handle> late;
  for (const auto& [handle, connection] : connections_)
    if (connection.close_by && *connection.close_by <= now) late.push_back(handle);
  for (const base::Handle handle : late) {
    server_.closed(handle);
    connections_.erase(handle);
  }
  for (const auto& [handle, connection] : connections_)
    if (connection.close_by) ending_.want(connection.close_by);
}

}  // namespace boxgram::tools
