#include "tcp_acceptor.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

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

base::expected<void, std::string> TcpAcceptor::listen(const base::SocketAddress& local,
                                                      bool reuse_port) {
  const auto endpoint = to_endpoint(local);
  asio::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (error) return failure(local, error);
  const int fd = acceptor_.native_handle();
  const int one = 1;
  // So that a restart does not wait for the old connections' TIME_WAIT.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (!local.is_v4()) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)
    return failure(local, asio::error_code(errno, asio::error::get_system_category()));
  acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failure(local, error);
  local_ = from_endpoint(acceptor_.local_endpoint(error));
  return {};
}

void TcpAcceptor::start(OnAccept on_accept, std::uint64_t& errors) {
  on_accept_ = std::move(on_accept);
  errors_ = &errors;
  accept();
}

void TcpAcceptor::accept() {
  acceptor_.async_accept(
      [self = shared_from_this()](const asio::error_code& error, asio::ip::tcp::socket socket) {
        if (!self->acceptor_.is_open()) return;
        if (error) {
          self->back_off();
          return;
        }
        asio::error_code gone;
        const auto endpoint = socket.remote_endpoint(gone);
        if (!gone) {
          socket.set_option(asio::ip::tcp::no_delay(true), gone);
          self->on_accept_(std::move(socket), from_endpoint(endpoint));
        }
        if (self->acceptor_.is_open()) self->accept();
      });
}

void TcpAcceptor::back_off() {
  ++*errors_;
  retry_.expires_after(kAcceptRetry);
  retry_.async_wait([self = shared_from_this()](const asio::error_code&) {
    if (self->acceptor_.is_open()) self->accept();
  });
}

void TcpAcceptor::close() {
  asio::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
}

}  // namespace boxgram::net
