#include "gateway_link.hpp"

#include <cerrno>
#include <cstring>

#include <boxgram/net/clock.hpp>

#include "log.hpp"

namespace boxgram::tools {
namespace {

constexpr base::Duration kReopenInterval = std::chrono::seconds(1);
constexpr base::Duration kSilence = std::chrono::seconds(2);

}  // namespace

GatewayLink::GatewayLink(net::EventLoop& loop, const base::SocketAddress& gateway,
                         Handlers handlers)
    : loop_(loop),
      gateway_(gateway),
      handlers_(std::move(handlers)),
      reopen_timer_(loop.io(), [this] {
        ++reopened_;
        open();
        handlers_.on_reopened();
      }) {
  open();
}

void GatewayLink::open() {
  socket_.reset();
  opened_at_ = net::now();
  asked_at_.reset();
  net::UdpHandlers handlers;
  handlers.on_batch = [this](std::span<const net::Datagram> batch) {
    asked_at_.reset();
    handlers_.on_batch(batch);
  };
  handlers.on_drained = handlers_.on_drained;
  handlers.on_error = [this](int error) {
    // Nothing listens there, or one datagram was too long: the socket itself is good.
    if (error == ECONNREFUSED || error == EMSGSIZE) return;
    log::debug("the way to a gateway is gone",
               {{"gateway", base::to_string(gateway_)}, {"reason", std::strerror(error)}});
    reopen_timer_.want(opened_at_ + kReopenInterval);
  };
  net::UdpOptions options;
  options.gro = true;
  options.dont_fragment = true;
  auto socket = net::UdpSocket::connect(loop_.io(), gateway_, options, std::move(handlers));
  if (socket) {
    socket_.emplace(std::move(*socket));
  } else {
    log::debug("no way to a gateway", {{"reason", socket.error()}});
    reopen_timer_.want(opened_at_ + kReopenInterval);
  }
}

base::MutableBytes GatewayLink::next() {
  return socket_ ? socket_->next() : base::MutableBytes(nowhere_);
}

void GatewayLink::commit(std::size_t size) {
  if (!socket_) return;
  socket_->commit(gateway_, size);
  if (!asked_at_) asked_at_ = net::now();
}

void GatewayLink::flush() {
  if (socket_) socket_->flush();
}

void GatewayLink::check_silence(base::Instant now, bool waiting) {
  if (!waiting)
    asked_at_.reset();
  else if (asked_at_ && now - *asked_at_ >= kSilence)
    reopen_timer_.want(opened_at_);  // long past: at once
}

}  // namespace boxgram::tools
