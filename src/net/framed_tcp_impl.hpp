// FramedTcpServer's inside.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>

#include <asio/io_context.hpp>

#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/framed_tcp.hpp>

#include "tcp_acceptor.hpp"
#include "tcp_connection.hpp"

namespace boxgram::net {

class FramedTcpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, const FramedTcpOptions& options, FramedTcpHandlers handlers);

  base::expected<void, std::string> listen(const base::SocketAddress& local);
  void accept();
  void close_all();
  void shut_down();

  bool send(base::Handle handle, base::Bytes message);
  void no_answer(base::Handle handle);
  void close(base::Handle handle);

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] const base::SocketAddress& local() const { return acceptor_->local(); }
  [[nodiscard]] const FramedTcpCounters& counters() const { return counters_; }

 private:
  using Connection = std::shared_ptr<TcpConnection>;

  void accepted(asio::ip::tcp::socket socket, const base::SocketAddress& from);
  [[nodiscard]] bool is_open(const Connection& c) {
    return connections_.find(c->handle) != nullptr;
  }
  /// Messages are delivered and the socket read, as far as the limits allow.
  void advance(const Connection& c);
  void deliver(const Connection& c);
  void read(const Connection& c);
  void write(const Connection& c);
  void settled(const Connection& c);
  [[nodiscard]] bool may_deliver(const Connection& c) const;
  /// Closes a connection from which nothing more comes and to which nothing more goes.
  void close_if_done(const Connection& c);
  void close_idle();

  asio::io_context& io_;
  FramedTcpOptions options_;
  FramedTcpHandlers handlers_;
  std::shared_ptr<TcpAcceptor> acceptor_;
  DeadlineTimer idle_;
  std::optional<base::Instant> next_idle_;  // when idle_ is due
  base::Slab<Connection> connections_;
  std::map<std::array<std::uint8_t, 16>, std::size_t> peers_;  // connections of each prefix
  FramedTcpCounters counters_;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace boxgram::net
