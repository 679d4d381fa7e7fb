#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <boxgram/base/check.hpp>
#include <boxgram/net/tcp_stream.hpp>

#include "sockaddr.hpp"
#include "tcp_acceptor.hpp"

namespace boxgram::net {
namespace {

// Then other sockets and timers of the loop get their turn.
constexpr int kReadsPerWake = 4;

constexpr auto kLinger = std::chrono::seconds(1);

}  // namespace

class TcpStream::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, const base::SocketAddress& peer)
      : io_(io), descriptor_(io), peer_(peer) {}

  /// Takes the socket over. False, with errno, if the kernel cannot watch one more: it is closed.
  bool take(int fd) {
    asio::error_code error;
    descriptor_.assign(fd, error);
    if (!error) return true;
    ::close(fd);
    errno = error.value();
    return false;
  }

  void start(TcpStreamHandlers handlers) {
    handlers_ = std::move(handlers);
    resume();
  }

  void connecting(TcpStreamHandlers handlers) {
    handlers_ = std::move(handlers);
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_write,
                           [self = shared_from_this()](const asio::error_code& error) {
                             if (!error && !self->closed_) self->connected();
                           });
  }

  void close() {
    closed_ = true;
    asio::error_code ignored;
    descriptor_.close(ignored);
  }

  std::size_t write(base::Bytes bytes) {
    std::size_t written = 0;
    while (!broken_ && written < bytes.size()) {
      const auto size = send(descriptor_.native_handle(), bytes.data() + written,
                             bytes.size() - written, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size >= 0) {
        written += static_cast<std::size_t>(size);
      } else if (errno != EINTR) {
        if (errno == EAGAIN)
          want_writable();
        else
          end_soon(errno);
        break;
      }
    }
    return written;
  }

  void resume() {
    if (reading_ || ended_ || closed_) return;
    reading_ = true;
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const asio::error_code& error) {
                             self->reading_ = false;
                             if (!error && !self->closed_ && !self->ended_) self->readable();
                           });
  }

  /// From now on this keeps itself alive.
  void finish() {
    if (ended_ || broken_) return close();
    closed_ = true;
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
    timer_.emplace(io_, kLinger);
    timer_->async_wait([self = shared_from_this()](const asio::error_code&) { self->close(); });
    discard();
  }

  [[nodiscard]] const base::SocketAddress& peer() const { return peer_; }

 private:
  void connected() {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(descriptor_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) ended_ = broken_ = true;
    const auto self = shared_from_this();
    handlers_.on_connected(error);
    if (error == 0) resume();
    if (!closed_) handlers_.on_drained();
  }

  void readable() {
    const auto self = shared_from_this();  // a handler may destroy the owner's hold
    bool more = true;
    for (int i = 0; more && i < kReadsPerWake; ++i) more = read_once();
    if (closed_) return;
    if (wants_more_) resume();
    handlers_.on_drained();
  }

  /// False when there is nothing more to read now.
  bool read_once() {
    const base::MutableBytes room = handlers_.room();
    wants_more_ = !room.empty();
    if (!wants_more_) return false;
    const auto size = recv(descriptor_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
    if (size > 0) {
      handlers_.on_bytes(static_cast<std::size_t>(size));
      return !closed_ && static_cast<std::size_t>(size) == room.size();
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    wants_more_ = false;
    end(size == 0 ? 0 : errno);
    return false;
  }

  void want_writable() {
    if (writing_) return;
    writing_ = true;
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_write,
                           [self = shared_from_this()](const asio::error_code& error) {
                             self->writing_ = false;
                             if (error || self->closed_) return;
                             self->handlers_.on_writable();
                             if (!self->closed_) self->handlers_.on_drained();
                           });
  }

  /// A peer that only sends no more (error 0) may still read.
  void end(int error) {
    ended_ = true;
    if (error != 0) broken_ = broken_told_ = true;
    handlers_.on_end(error);
  }

  /// Not at once: the owner is in the middle of something.
  void end_soon(int error) {
    broken_ = true;
    asio::post(io_, [self = shared_from_this(), error] {
      if (self->closed_ || self->broken_told_) return;
      self->end(error);
      if (!self->closed_) self->handlers_.on_drained();
    });
  }

  void discard() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const asio::error_code& error) {
                             if (error) return;
                             std::uint8_t nowhere[4096];
                             const auto size = recv(self->descriptor_.native_handle(), nowhere,
                                                    sizeof nowhere, MSG_DONTWAIT);
                             if (size > 0 || (size < 0 && errno == EAGAIN)) return self->discard();
                             self->timer_->cancel();
                             self->close();
                           });
  }

  asio::io_context& io_;
  asio::posix::stream_descriptor descriptor_;
  base::SocketAddress peer_;
  TcpStreamHandlers handlers_;
  std::optional<asio::steady_timer> timer_;
  bool reading_ = false;      // a wait for bytes is under way
  bool writing_ = false;      // a wait for room in the kernel is under way
  bool wants_more_ = false;   // the owner had room at the last look
  bool ended_ = false;        // nothing more is read
  bool broken_ = false;       // nothing more is written
  bool broken_told_ = false;  // the owner knows the error
  bool closed_ = false;
};

TcpStream::TcpStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

base::expected<TcpStream, std::string> TcpStream::connect(asio::io_context& io,
                                                          const base::SocketAddress& peer,
                                                          TcpStreamHandlers handlers) {
  Sockaddr name{};
  const auto size = to_sockaddr(peer, name);
  const int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto failure = [&] {
    return base::unexpected<std::string>(
        fmt::format("TCP connect to {}: {}", to_string(peer), std::strerror(errno)));
  };
  if (fd < 0) return failure();
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (::connect(fd, &name.any, size) != 0 && errno != EINPROGRESS) {
    auto said = failure();
    ::close(fd);
    return said;
  }
  auto impl = std::make_shared<Impl>(io, peer);
  if (!impl->take(fd)) return failure();
  impl->connecting(std::move(handlers));
  return TcpStream(std::move(impl));
}

TcpStream::~TcpStream() {
  if (impl_) impl_->close();
}

TcpStream::TcpStream(TcpStream&&) noexcept = default;

TcpStream& TcpStream::operator=(TcpStream&& other) noexcept {
  if (this != &other) {
    if (impl_) impl_->close();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

void TcpStream::start(TcpStreamHandlers handlers) {
  impl_->start(std::move(handlers));
}

std::size_t TcpStream::write(base::Bytes bytes) {
  return impl_->write(bytes);
}

void TcpStream::resume() {
  impl_->resume();
}

void TcpStream::finish() && {
  std::exchange(impl_, nullptr)->finish();
}

const base::SocketAddress& TcpStream::peer() const {
  return impl_->peer();
}

class TcpListener::Impl {
 public:
  explicit Impl(asio::io_context& io) : io_(io), acceptor_(std::make_shared<TcpAcceptor>(io)) {}
  ~Impl() { acceptor_->close(); }

  base::expected<void, std::string> listen(
      const base::SocketAddress& local,
      std::function<void(TcpStream, const base::SocketAddress& from)> on_accept) {
    auto fine = acceptor_->listen(local, false);
    if (!fine) return fine;
    acceptor_->start(
        [&io = io_, on_accept = std::move(on_accept)](asio::ip::tcp::socket socket,
                                                      const base::SocketAddress& from) {
          asio::error_code error;
          const int fd = socket.release(error);
          if (error) return;
          auto stream = std::make_shared<TcpStream::Impl>(io, from);
          if (stream->take(fd)) on_accept(TcpStream(std::move(stream)), from);
        },
        errors_);
    return {};
  }

  [[nodiscard]] const TcpAcceptor& acceptor() const { return *acceptor_; }
  [[nodiscard]] std::uint64_t errors() const { return errors_; }

 private:
  asio::io_context& io_;
  std::shared_ptr<TcpAcceptor> acceptor_;
  std::uint64_t errors_ = 0;
};

TcpListener::TcpListener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

base::expected<TcpListener, std::string> TcpListener::listen(
    asio::io_context& io, const base::SocketAddress& local,
    std::function<void(TcpStream, const base::SocketAddress& from)> on_accept) {
  auto impl = std::make_shared<Impl>(io);
  auto fine = impl->listen(local, std::move(on_accept));
  if (!fine) return base::unexpected<std::string>(fine.error());
  return TcpListener(std::move(impl));
}

TcpListener::~TcpListener() = default;
TcpListener::TcpListener(TcpListener&&) noexcept = default;
TcpListener& TcpListener::operator=(TcpListener&&) noexcept = default;

const base::SocketAddress& TcpListener::local_address() const {
  return impl_->acceptor().local();
}

std::uint64_t TcpListener::accept_errors() const {
  return impl_->errors();
}

}  // namespace boxgram::net
