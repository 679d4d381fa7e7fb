// A listening TCP socket that goes on when descriptors run out.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>

namespace boxgram::net {

class TcpAcceptor : public std::enable_shared_from_this<TcpAcceptor> {
 public:
  using OnAccept = std::function<void(asio::ip::tcp::socket, const base::SocketAddress& from)>;

  explicit TcpAcceptor(asio::io_context& io) : acceptor_(io), retry_(io) {}

  /// The error is a phrase for people.
  base::expected<void, std::string> listen(const base::SocketAddress& local, bool reuse_port);
  /// Hands over each connection, Nagle's algorithm off, until close(); counts in `errors` (which
  /// outlives that) how often none could be accepted.
  void start(OnAccept on_accept, std::uint64_t& errors);
  /// No call after this.
  void close();

  [[nodiscard]] bool is_open() const { return acceptor_.is_open(); }
  [[nodiscard]] const base::SocketAddress& local() const { return local_; }

 private:
  void accept();
  void back_off();

  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  base::SocketAddress local_;
  OnAccept on_accept_;
  std::uint64_t* errors_ = nullptr;
};

}  // namespace boxgram::net
