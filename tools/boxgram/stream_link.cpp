#include "stream_link.hpp"

#include <boxgram/net/clock.hpp>

#include "log.hpp"

namespace boxgram::tools {

StreamLink::StreamLink(net::EventLoop& loop, const base::SocketAddress& server,
                       stream::Client& client, Handlers handlers, base::Duration patience)
    : loop_(loop),
      server_(server),
      client_(client),
      handlers_(std::move(handlers)),
      patience_(patience),
      unopened_(loop.io(),
                [this] {
                  client_.connect_failed();
                  handlers_.on_input();
                }),
      silence_(loop.io(), [this] { on_silence(); }) {}

StreamLink::~StreamLink() {
  client_.close(net::now());
  write();
  if (stream_ && !opening_) std::move(*stream_).finish();
}

void StreamLink::settle() {
  write();
  if (client_.wants_close()) {
    if (stream_ && !opening_) std::move(*stream_).finish();
    stream_.reset();
    opening_ = false;
    unopened_.want(std::nullopt);
    client_.disconnected();
  }
  if (client_.wants_connection()) open();
}

void StreamLink::reopen() {
  if (opening_)
    connect();
  else if (stream_)
    client_.peer_ended();
}

void StreamLink::on_silence() {
  if (!asked_at_) return;
  const base::Instant until = *asked_at_ + patience_;
  if (client_.outstanding() == 0 || opening_) {
    asked_at_.reset();  // whoever waited has gone
  } else if (net::now() < until) {
    silence_.want(until);
  } else {
    reopen();
    handlers_.on_input();
  }
}

void StreamLink::open() {
  client_.connecting(net::now());
  connect();
}

void StreamLink::connect() {
  stream_.reset();  // one that is still opening must not come about when this one cannot
  opening_ = true;
  asked_at_.reset();
  net::TcpStreamHandlers handlers;
  handlers.on_connected = [this](int error) {
    opening_ = false;
    if (error == 0)
      client_.connected(net::now());
    else
      client_.connect_failed();
  };
  handlers.room = [this] { return client_.room(); };
  handlers.on_bytes = [this](std::size_t size) {
    if (handlers_.on_carried) handlers_.on_carried(false, client_.room().first(size));
    client_.received(size);
    asked_at_.reset();
  };
  handlers.on_end = [this](int) { client_.peer_ended(); };
  handlers.on_writable = [this] { write(); };
  handlers.on_drained = [this] { handlers_.on_input(); };
  auto stream = net::TcpStream::connect(loop_.io(), server_, std::move(handlers));
  if (stream) {
    stream_.emplace(std::move(*stream));
    return;
  }
  log::debug("no TCP connection to a gateway", {{"reason", stream.error()}});
  opening_ = false;
  unopened_.want(net::now());  // not inside this call: the owner has yet to see what failed
}

void StreamLink::write() {
  if (!stream_ || opening_) return;
  while (true) {
    const base::Bytes bytes = client_.unsent();
    if (bytes.empty()) break;
    const std::size_t written = stream_->write(bytes);
    if (handlers_.on_carried && written > 0) handlers_.on_carried(true, bytes.first(written));
    if (written > 0 && !asked_at_ && patience_ > base::Duration::zero()) {
      asked_at_ = net::now();
      silence_.want(*asked_at_ + patience_);
    }
    client_.sent(written);  // which may let requests that waited follow
    if (written < bytes.size()) break;
  }
  stream_->resume();
}

}  // namespace boxgram::tools
