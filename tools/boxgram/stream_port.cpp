#include "stream_port.hpp"

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

/// How long a peer may take to read the last words; then it does not want them.
constexpr base::Duration kEndTime = std::chrono::seconds(10);

}  // namespace

StreamPort::StreamPort(net::EventLoop& loop, stream::Server& server, std::function<void()> on_input)
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
      connections_.emplace(handle, Connection{std::move(stream), std::nullopt, false})
          .first->second;
  net::TcpStreamHandlers handlers;
  handlers.room = [this, handle] {
    const base::MutableBytes room = server_.room(handle);
    if (room.empty()) waiting_.push_back(handle);
    return room;
  };
  handlers.on_bytes = [this, handle](std::size_t size) {
    server_.received(handle, size);
    on_input_();  // how much may be read next depends on what this was
  };
  handlers.on_end = [this, handle](int error) { ended(handle, error); };
  handlers.on_writable = [this, handle] {
    const auto found = connections_.find(handle);
    if (found != connections_.end()) write(handle, found->second);
    if (!connections_.contains(handle)) on_input_();  // as in ended()
  };
  handlers.on_drained = on_input_;
  connection.stream.start(std::move(handlers));
  on_input_();  // its deadline is the server's next
}

void StreamPort::ended(base::Handle handle, int error) {
  server_.peer_ended(handle);
  const auto found = connections_.find(handle);
  if (error == 0 || found == connections_.end()) return;
  found->second.broken = true;
  write(handle, found->second);
  if (!connections_.contains(handle)) on_input_();  // no on_drained follows, but a place is free
}

void StreamPort::flush() {
  while (const base::Handle handle = server_.poll_transmit()) {
    const auto found = connections_.find(handle);
    if (found != connections_.end()) write(handle, found->second);
  }
  std::erase_if(waiting_, [this](base::Handle handle) {
    const auto found = connections_.find(handle);
    if (found == connections_.end()) return true;
    if (server_.room(handle).empty()) return false;
    found->second.stream.resume();
    return true;
  });
}

void StreamPort::write(base::Handle handle, Connection& connection) {
  const base::Bytes bytes = server_.unsent(handle);
  // What cannot arrive is dropped: a session does not look for its end while its output is full.
  const std::size_t written = connection.broken ? bytes.size() : connection.stream.write(bytes);
  const bool all = written == bytes.size();
  server_.sent(handle, written);
  if (connection.close_by && all) close(handle, true);
}

void StreamPort::end(const stream::ConnectionEnded& ended) {
  const auto found = connections_.find(ended.connection);
  if (found == connections_.end()) return;
  // Nothing was said to whoever failed before it had proven itself: nothing can get lost.
  if (server_.unsent(ended.connection).empty() && ended.handshake)
    return close(ended.connection, false);
  const base::Instant close_by = net::now() + kEndTime;
  found->second.close_by = close_by;
  if (!next_end_) ending_.want(next_end_ = close_by);
  write(ended.connection, found->second);
}

void StreamPort::close(base::Handle handle, bool in_order) {
  auto node = connections_.extract(handle);
  if (node.empty()) return;
  server_.closed(handle);
  if (in_order) std::move(node.mapped().stream).finish();
}

void StreamPort::close_late() {
  const base::Instant now = net::now();
  std::vector<base::Handle> late;
  next_end_.reset();
  for (const auto& [handle, connection] : connections_) {
    if (!connection.close_by) continue;
    if (*connection.close_by <= now)
      late.push_back(handle);
    else if (!next_end_ || *connection.close_by < *next_end_)
      next_end_ = connection.close_by;
  }
  for (const base::Handle handle : late) close(handle, false);
  ending_.want(next_end_);
  if (!late.empty()) on_input_();
}

}  // namespace boxgram::tools
