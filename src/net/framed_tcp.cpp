#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include <boxgram/base/check.hpp>
#include <boxgram/net/framed_tcp.hpp>

#include "framed_tcp_impl.hpp"
#include "sockaddr.hpp"

namespace boxgram::net {
namespace {

// Long enough not to spin when no descriptor is left, short enough to go unnoticed by a client.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

base::unexpected<std::string> failure(const base::SocketAddress& address,
                                      const asio::error_code& error) {
  const char* hint = error.value() == EADDRINUSE ? " (another program has this address and port)"
                     : error.value() == EACCES   ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
                                                 : "";
  return base::unexpected<std::string>(
      fmt::format("TCP listen on {}: {}{}", to_string(address), error.message(), hint));
}

asio::ip::tcp::endpoint to_endpoint(const base::SocketAddress& address) {
  Sockaddr name{};
  const auto size = to_sockaddr(address, name);
  asio::ip::tcp::endpoint endpoint;
  endpoint.resize(size);
  std::memcpy(endpoint.data(), &name, size);
  return endpoint;
}

base::SocketAddress from_endpoint(const asio::ip::tcp::endpoint& endpoint) {
  Sockaddr name{};
  std::memcpy(&name, endpoint.data(), std::min(sizeof name, endpoint.size()));
  return from_sockaddr(name);
}

}  // namespace

FramedTcpServer::Impl::Impl(asio::io_context& io, const FramedTcpOptions& options,
                            FramedTcpHandlers handlers)
    : io_(io),
      options_(options),
      handlers_(std::move(handlers)),
      acceptor_(io),
      retry_(io),
      idle_(io, [this] { close_idle(); }),
      connections_(options.max_connections) {}

base::expected<void, std::string> FramedTcpServer::Impl::listen(const base::SocketAddress& local) {
  const auto endpoint = to_endpoint(local);
  asio::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (error) return failure(local, error);
  const int fd = acceptor_.native_handle();
  const int one = 1;
  // So that a restart does not wait for the old connections' TIME_WAIT.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (!local.is_v4()) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (options_.reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)
    return failure(local, asio::error_code(errno, asio::error::get_system_category()));
  acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failure(local, error);
  local_ = from_endpoint(acceptor_.local_endpoint(error));
  return {};
}

void FramedTcpServer::Impl::accept() {
  acceptor_.async_accept(
      [self = shared_from_this()](const asio::error_code& error, asio::ip::tcp::socket socket) {
        if (self->closed_ || !self->acceptor_.is_open()) return;
        if (error) {
          self->back_off();
          return;
        }
        self->accepted(std::move(socket));
        self->accept();
      });
}

void FramedTcpServer::Impl::back_off() {
  ++counters_.accept_errors;
  retry_.expires_after(kAcceptRetry);
  retry_.async_wait([self = shared_from_this()](const asio::error_code&) {
    if (!self->closed_ && self->acceptor_.is_open()) self->accept();
  });
}

void FramedTcpServer::Impl::close_all() {
  closed_ = true;
  asio::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  idle_.want(std::nullopt);
  connections_.for_each([this](base::Handle handle, Connection&) { close(handle); });
}

void FramedTcpServer::Impl::shut_down() {
  draining_ = true;
  asio::error_code ignored;
  acceptor_.close(ignored);
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
void FramedTcpServer::Impl::accepted(asio::ip::tcp::socket socket) {
  asio::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const auto from = from_endpoint(endpoint);
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
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  *slot = std::make_shared<TcpConnection>(std::move(socket));
  const Connection c = *slot;
  c->from = from;
  c->handle = handle;
  settled(c);
  advance(c);
}

}  // namespace boxgram::net
