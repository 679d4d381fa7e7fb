#include <cerrno>
#include <cstring>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>

#include <boxgram/base/check.hpp>
#include <boxgram/net/udp_socket.hpp>

#include "receive_ring.hpp"
#include "sockaddr.hpp"
#include "transmit_arena.hpp"

namespace boxgram::net {
namespace {

// Then other sockets and timers of the loop get their turn: 4 x 32 messages are about 0.3 ms.
constexpr int kBatchesPerWake = 4;

bool set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

base::unexpected<std::string> failure(const char* what, const base::SocketAddress& address) {
  const int error = errno;
  const char* hint = error == EADDRINUSE      ? " (another program has this address and port)"
                     : error == EACCES        ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
                     : error == EADDRNOTAVAIL ? " (no interface of this machine has this address)"
                                              : "";
  return base::unexpected<std::string>(
      fmt::format("UDP {} {}: {}{}", what, to_string(address), std::strerror(error), hint));
}

}  // namespace

class UdpSocket::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, int fd, const base::SocketAddress& local, const UdpOptions& options,
       UdpHandlers handlers, bool connected, bool gro)
      : descriptor_(io, fd),
        handlers_(std::move(handlers)),
        ring_(gro, !connected && local.is_unspecified()),
        arena_(fd, options.max_datagram, connected) {
    Sockaddr name{};
    socklen_t size = sizeof name;
    getsockname(fd, &name.any, &size);
    local_ = from_sockaddr(name);
  }

  static base::expected<int, std::string> open(const base::SocketAddress& address,
                                               const UdpOptions& options);

  void wait() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const asio::error_code& error) {
                             if (!error && !self->closed_) self->readable();
                           });
  }

  void close() {
    closed_ = true;
    asio::error_code ignored;
    descriptor_.close(ignored);
  }

  base::MutableBytes next() {
    if (arena_.full()) send();
    return arena_.next();
  }

  void commit(const base::SocketAddress& to, std::size_t size, const base::SocketAddress& local) {
    arena_.commit(to, size, local, counters_);
  }

  void flush() {
    send();
    if (const int error = std::exchange(error_, 0); error != 0) report(error);
  }

  [[nodiscard]] int fd() { return descriptor_.native_handle(); }
  [[nodiscard]] const base::SocketAddress& local() const { return local_; }
  [[nodiscard]] const UdpCounters& counters() const { return counters_; }
  [[nodiscard]] bool sends_trains() const { return arena_.sends_trains(); }

 private:
  void readable() {
    for (int batch = 0; batch < kBatchesPerWake; ++batch) {
      const int count = ring_.receive(fd(), counters_);
      if (count < 0) {
        if (count == -EAGAIN || count == -EINTR) break;
        ++counters_.receive_errors;
        report(-count);
        if (closed_) return;
        continue;
      }
      if (!ring_.datagrams().empty()) handlers_.on_batch(ring_.datagrams());
      if (closed_) return;
      flush();
      if (closed_) return;
      // Fewer than asked for: the queue is empty, and asking again would only say so. What comes
      // meanwhile wakes us again.
      if (static_cast<std::size_t>(count) < ReceiveRing::kMessages) break;
    }
    if (handlers_.on_drained) handlers_.on_drained();
    if (!closed_) wait();
  }

  void send() {
    if (const int error = arena_.flush(counters_); error != 0) error_ = error;
  }

  void report(int error) {
    if (handlers_.on_error) handlers_.on_error(error);
  }

  asio::posix::stream_descriptor descriptor_;
  UdpHandlers handlers_;
  ReceiveRing ring_;
  TransmitArena arena_;
  base::SocketAddress local_;
  UdpCounters counters_;
  int error_ = 0;  // to be reported by the next flush()
  bool closed_ = false;
};

base::expected<int, std::string> UdpSocket::Impl::open(const base::SocketAddress& address,
                                                       const UdpOptions& options) {
  BOXGRAM_CHECK(options.max_datagram > 0 && options.max_datagram <= 65'507);
  const bool v4 = address.is_v4();
  const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failure("socket for", address);
  if (!v4) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.reuse_port && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    auto error = failure("SO_REUSEPORT for", address);
    ::close(fd);
    return error;
  }
  // Smaller buffers than wanted are no reason not to serve.
  set(fd, SOL_SOCKET, SO_RCVBUF, options.buffer_bytes);
  set(fd, SOL_SOCKET, SO_SNDBUF, options.buffer_bytes);
  if (options.dont_fragment) {
    if (v4)
      set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    else
      set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
  }
  return fd;
}

base::expected<UdpSocket, std::string> UdpSocket::bind(asio::io_context& io,
                                                       const base::SocketAddress& local,
                                                       const UdpOptions& options,
                                                       UdpHandlers handlers) {
  const auto fd = Impl::open(local, options);
  if (!fd) return base::unexpected<std::string>(fd.error());
  if (local.is_unspecified()) {
    if (local.is_v4())
      set(*fd, IPPROTO_IP, IP_PKTINFO, 1);
    else
      set(*fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  }
  Sockaddr name{};
  const auto size = to_sockaddr(local, name);
  if (::bind(*fd, &name.any, size) != 0) {
    auto error = failure("listen on", local);
    ::close(*fd);
    return error;
  }
  const bool gro = options.gro && set(*fd, SOL_UDP, UDP_GRO, 1);
  auto impl = std::make_shared<Impl>(io, *fd, local, options, std::move(handlers), false, gro);
  impl->wait();
  return UdpSocket(std::move(impl));
}

base::expected<UdpSocket, std::string> UdpSocket::connect(asio::io_context& io,
                                                          const base::SocketAddress& remote,
                                                          const UdpOptions& options,
                                                          UdpHandlers handlers) {
  const auto fd = Impl::open(remote, options);
  if (!fd) return base::unexpected<std::string>(fd.error());
  Sockaddr name{};
  const auto size = to_sockaddr(remote, name);
  if (::connect(*fd, &name.any, size) != 0) {
    auto error = failure("connect to", remote);
    ::close(*fd);
    return error;
  }
  const bool gro = options.gro && set(*fd, SOL_UDP, UDP_GRO, 1);
  auto impl = std::make_shared<Impl>(io, *fd, remote, options, std::move(handlers), true, gro);
  impl->wait();
  return UdpSocket(std::move(impl));
}

UdpSocket::UdpSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpSocket::~UdpSocket() {
  if (impl_) impl_->close();
}

UdpSocket::UdpSocket(UdpSocket&&) noexcept = default;

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
  if (this != &other) {
    if (impl_) impl_->close();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

base::MutableBytes UdpSocket::next() {
  return impl_->next();
}

void UdpSocket::commit(const base::SocketAddress& to, std::size_t size,
                       const base::SocketAddress& local) {
  impl_->commit(to, size, local);
}

void UdpSocket::flush() {
  const auto keep = impl_;  // on_error may destroy this
  keep->flush();
}

const base::SocketAddress& UdpSocket::local_address() const {
  return impl_->local();
}
const UdpCounters& UdpSocket::counters() const {
  return impl_->counters();
}
bool UdpSocket::sends_trains() const {
  return impl_->sends_trains();
}
int UdpSocket::native_handle() const {
  return impl_->fd();
}

std::uint64_t UdpSocket::kernel_drops() const {
  std::uint32_t values[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof values;
  if (getsockopt(impl_->fd(), SOL_SOCKET, SO_MEMINFO, values, &size) != 0) return 0;
  return values[SK_MEMINFO_DROPS];
}

void add(UdpCounters& sum, const UdpCounters& part) {
  sum.datagrams_in += part.datagrams_in;
  sum.bytes_in += part.bytes_in;
  sum.receive_calls += part.receive_calls;
  sum.trains_in += part.trains_in;
  sum.too_long_in += part.too_long_in;
  sum.receive_errors += part.receive_errors;
  sum.datagrams_out += part.datagrams_out;
  sum.bytes_out += part.bytes_out;
  sum.send_calls += part.send_calls;
  sum.trains_out += part.trains_out;
  sum.dropped_out += part.dropped_out;
  sum.send_errors += part.send_errors;
}

}  // namespace boxgram::net
