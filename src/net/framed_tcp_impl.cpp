#include "framed_tcp_impl.hpp"

#include <utility>

#include <asio/buffer.hpp>
#include <asio/post.hpp>

#include <boxgram/base/check.hpp>
#include <boxgram/net/clock.hpp>

namespace boxgram::net {
namespace {

// A peer that does not read its answers is not read either, long before it is cut.
constexpr std::size_t kUnsentShare = 4;

}  // namespace

void FramedTcpServer::Impl::settled(const Connection& c) {
  c->active = now();
  // Only the first: a later deadline must not replace that of a connection that does nothing.
  if (!next_idle_) idle_.want(next_idle_ = c->active + options_.idle_timeout);
}

bool FramedTcpServer::Impl::may_deliver(const Connection& c) const {
  return c->outstanding < options_.max_outstanding &&
         c->unsent() <= options_.max_unsent / kUnsentShare;
}

void FramedTcpServer::Impl::advance(const Connection& c) {
  if (closed_ || !is_open(c) || c->delivering) return;
  deliver(c);
  if (closed_ || !is_open(c)) return;
  close_if_done(c);
  if (is_open(c) && !c->ended && !c->reading && may_deliver(c)) read(c);
}

void FramedTcpServer::Impl::deliver(const Connection& c) {
  c->delivering = true;
  while (!closed_ && !draining_ && is_open(c) && may_deliver(c)) {
    if (const auto size = c->announced(); size && *size > options_.max_message) {
      ++counters_.closed_too_long;
      close(c->handle);
      break;
    }
    const auto message = c->message();
    if (!message) break;
    ++counters_.messages_in;
    ++c->outstanding;
    settled(c);
    handlers_.on_message(c->handle, c->from, *message);
    c->drop_message(message->size());
  }
  c->delivering = false;
}

void FramedTcpServer::Impl::read(const Connection& c) {
  c->reading = true;
  const auto room = c->room();
  c->socket.async_read_some(
      asio::buffer(room.data(), room.size()),
      [self = shared_from_this(), c](const asio::error_code& error, std::size_t size) {
        c->reading = false;
        if (self->closed_ || !self->is_open(c)) return;
        self->counters_.bytes_in += size;
        c->received(size);
        if (error == asio::error::eof)
          c->ended = true;
        else if (error) {
          self->close(c->handle);
          return;
        }
        self->advance(c);
      });
}

void FramedTcpServer::Impl::write(const Connection& c) {
  const auto bytes = c->to_write();
  if (bytes.empty()) return;
  c->writing = true;
  c->socket.async_write_some(
      asio::buffer(bytes.data(), bytes.size()),
      [self = shared_from_this(), c](const asio::error_code& error, std::size_t size) {
        c->writing = false;
        if (self->closed_ || !self->is_open(c)) return;
        if (error) {
          self->close(c->handle);
          return;
        }
        self->counters_.bytes_out += size;
        c->wrote(size);
        self->settled(c);
        self->write(c);
        self->advance(c);
      });
}

bool FramedTcpServer::Impl::send(base::Handle handle, base::Bytes message) {
  auto* slot = connections_.find(handle);
  if (slot == nullptr) return false;
  const Connection c = *slot;
  if (c->unsent() + 2 + message.size() > options_.max_unsent) {
    ++counters_.closed_slow;
    close(handle);
    return false;
  }
  c->queue(message);
  ++counters_.messages_out;
  if (!c->writing) write(c);
  no_answer(handle);
  return true;
}

void FramedTcpServer::Impl::no_answer(base::Handle handle) {
  auto* slot = connections_.find(handle);
  if (slot == nullptr) return;
  const Connection c = *slot;
  BOXGRAM_CHECK(c->outstanding > 0);
  --c->outstanding;
  if (c->delivering || c->resume_posted) return;
  // Not at once: the owner would be called with the next message inside its own call.
  c->resume_posted = true;
  asio::post(io_, [self = shared_from_this(), c] {
    c->resume_posted = false;
    self->advance(c);
  });
}

void FramedTcpServer::Impl::close_if_done(const Connection& c) {
  if (!c->ended || c->outstanding > 0 || c->writing || c->unsent() > 0) return;
  if (!draining_ && c->message()) return;
  close(c->handle);
}

void FramedTcpServer::Impl::close(base::Handle handle) {
  auto* slot = connections_.find(handle);
  if (slot == nullptr) return;
  const Connection c = std::exchange(*slot, nullptr);
  connections_.release(handle);
  const auto peer = peers_.find(c->from.prefix());
  if (--peer->second == 0) peers_.erase(peer);
  asio::error_code ignored;
  c->socket.close(ignored);
}

void FramedTcpServer::Impl::close_idle() {
  const auto time = now();
  next_idle_.reset();
  connections_.for_each([&](base::Handle handle, Connection& c) {
    const auto end = c->active + options_.idle_timeout;
    if (end <= time) {
      ++counters_.closed_idle;
      close(handle);
    } else if (!next_idle_ || end < *next_idle_) {
      next_idle_ = end;
    }
  });
  idle_.want(next_idle_);
}

}  // namespace boxgram::net
