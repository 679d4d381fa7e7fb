#include "stream_link.hpp"

#include <boxgram/net/clock.hpp>

#include "log.hpp"

namespace boxgram::tools {

StreamLink::StreamLink(net::EventLoop& loop, const base::SocketAddress& server,
                       stream::Client& client, std::function<void()> on_input)
    : loop_(loop), server_(server), client_(client), on_input_(std::move(on_input)) {}

void StreamLink::settle() {
  write();
  if (client_.wants_close()) {
    if (stream_) {
      std::move(*stream_).finish();
      stream_.reset();
    }
    client_.disconnected();
  }
  if (client_.wants_connection()) open();
}

void StreamLink::open() {
  client_.connecting(net::now());
  net::TcpStreamHandlers handlers;
  handlers.on_connected = [this](int error) {
    if (error == 0)
      client_.connected(net::now());
    else
      client_.connect_failed();
  };
  handlers.room = [this] { return client_.room(); };
  handlers.on_bytes = [this](std::size_t size) { client_.received(size); };
  handlers.on_end = [this](int) { client_.peer_ended(); };
  handlers.on_writable = [this] { write(); };
  handlers.on_drained = on_input_;
  auto stream = net::TcpStream::connect(loop_.io(), server_, std::move(handlers));
  if (stream) {
    stream_.emplace(std::move(*stream));
    return;
  }
  log::debug("no TCP connection to a gateway", {{"reason", stream.error()}});
  client_.connect_failed();
  // Not inside this call: the owner has yet to see what failed.
  loop_.post([on_input = on_input_] { on_input(); });
}

void StreamLink::write() {
  if (!stream_) return;
  const base::Bytes bytes = client_.unsent();
  if (!bytes.empty()) client_.sent(stream_->write(bytes));
  stream_->resume();
}

}  // namespace boxgram::tools
