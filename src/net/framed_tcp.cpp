#include <boxgram/base/check.hpp>
#include <boxgram/net/framed_tcp.hpp>

#include "framed_tcp_impl.hpp"

namespace boxgram::net {
FramedTcpServer::Impl::Impl(asio::io_context& io, const FramedTcpOptions& options,
                            FramedTcpHandlers handlers)
    : io_(io),
      options_(options),
      handlers_(std::move(handlers)),
      acceptor_(std::make_shared<TcpAcceptor>(io)),
      idle_(io, [this] { close_idle(); }),
      connections_(options.max_connections) {}

base::expected<void, std::string> FramedTcpServer::Impl::listen(const base::SocketAddress& local) {
  return acceptor_->listen(local, options_.reuse_port);
}

void FramedTcpServer::Impl::accept() {
  acceptor_->start(
      [self = weak_from_this()](asio::ip::tcp::socket socket, const base::SocketAddress& from) {
        if (const auto impl = self.lock()) impl->accepted(std::move(socket), from);
      },
      counters_.accept_errors);
}

void FramedTcpServer::Impl::close_all() {
  closed_ = true;
  acceptor_->close();
  idle_.want(std::nullopt);
  connections_.for_each([this](base::Handle handle, Connection&) { close(handle); });
}

void FramedTcpServer::Impl::shut_down() {
  draining_ = true;
  acceptor_->close();
  connections_.for_each([this](base::Handle, Connection& slot) {
    const Connection c = slot;
    c->ended = true;
    close_if_done(c);
  });
}

FramedTcpServer::FramedTcpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

base::expected<FramedTcpServer, std::string> FramedTcpServer::listen(
    asio::io_context& io, const base::SocketAddress& local, const FramedTcpOptions& options,
    FramedTcpHandlers handlers) {
  auto impl = std::make_shared<Impl>(io, options, std::move(handlers));
  if (auto fine = impl->listen(local); !fine) return base::unexpected<std::string>(fine.error());
  impl->accept();
  return FramedTcpServer(std::move(impl));
}

FramedTcpServer::~FramedTcpServer() {
  if (impl_) impl_->close_all();
}

FramedTcpServer::FramedTcpServer(FramedTcpServer&&) noexcept = default;

FramedTcpServer& FramedTcpServer::operator=(FramedTcpServer&& other) noexcept {
  if (this != &other) {
    if (impl_) impl_->close_all();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

bool FramedTcpServer::send(base::Handle connection, base::Bytes message) {
  BOXGRAM_CHECK(!message.empty() && message.size() <= 65535);
  return impl_->send(connection, message);
}

void FramedTcpServer::no_answer(base::Handle connection) {
  impl_->no_answer(connection);
}
void FramedTcpServer::close(base::Handle connection) {
  impl_->close(connection);
}
void FramedTcpServer::shut_down() {
  impl_->shut_down();
}
std::size_t FramedTcpServer::connections() const {
  return impl_->connections();
}
const base::SocketAddress& FramedTcpServer::local_address() const {
  return impl_->local();
}
const FramedTcpCounters& FramedTcpServer::counters() const {
  return impl_->counters();
}

// What comes in through the door; framed_tcp_impl.cpp has what goes on behind it.
void FramedTcpServer::Impl::accepted(asio::ip::tcp::socket socket,
                                     const base::SocketAddress& from) {
  auto& of_peer = peers_[from.prefix()];
  base::Handle handle = 0;
  Connection* slot = nullptr;
  if (of_peer >= options_.max_connections_per_peer)
    ++counters_.refused_per_peer;
  else if (slot = connections_.acquire(handle); slot == nullptr)
    ++counters_.refused_total;
  if (slot == nullptr) {
    if (of_peer == 0) peers_.erase(from.prefix());
    return;  // the socket closes
  }
  ++of_peer;
  ++counters_.accepted;
  *slot = std::make_shared<TcpConnection>(std::move(socket));
  const Connection c = *slot;
  c->from = from;
  c->handle = handle;
  settled(c);
  advance(c);
}

}  // namespace boxgram::net
