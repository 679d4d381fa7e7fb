#include "ares_channel.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include <asio/posix/stream_descriptor.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace boxgram::net {
namespace {

// c-ares' own timeout is one for a whole channel; the owner has its own for each query, and this
// only says when c-ares forgets one.
constexpr int kForgetMs = 3'000;

// Bursts of queries and answers; the usual rmem_max.
constexpr int kSocketBuffer = 4 << 20;

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
}

// Sockets are ours, because c-ares takes two harmless things for a dead server: a full send buffer,
// and, when it sends, the ICMP error about an earlier datagram (of which it then never hears).
ares_socket_t open_socket(int family, int type, int protocol, void*) {
  const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return ARES_SOCKET_BAD;
  const int one = 1;
  if (type == SOCK_DGRAM) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  } else {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  return fd;
}

int close_socket(ares_socket_t fd, void*) {
  return ::close(fd);
}

int connect_socket(ares_socket_t fd, const sockaddr* to, ares_socklen_t size, void*) {
  return ::connect(fd, to, size);
}

ares_ssize_t receive(ares_socket_t fd, void* out, size_t size, int flags, sockaddr* from,
                     ares_socklen_t* from_size, void*) {
  return ::recvfrom(fd, out, size, flags, from, from_size);
}

ares_ssize_t transmit(ares_socket_t fd, const iovec* pieces, int count, void*) {
  auto sent = ::writev(fd, pieces, count);
  if (sent >= 0) return sent;
  int error = errno;
  int type = 0;
  socklen_t size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  errno = error;
  if (type != SOCK_DGRAM) return sent;
  // Sent again, the datagram brings its own error, and c-ares reads that one for all queries.
  if (error == ECONNREFUSED) {
    sent = ::writev(fd, pieces, count);
    error = errno;
  }
  if (sent >= 0 || (error != EAGAIN && error != ENOBUFS)) return sent;
  ares_ssize_t lost = 0;  // as on any other full queue of the network
  for (int i = 0; i < count; ++i) lost += static_cast<ares_ssize_t>(pieces[i].iov_len);
  return lost;
}

constexpr ares_socket_functions kSockets = {open_socket, close_socket, connect_socket, receive,
                                            transmit};

}  // namespace

struct AresChannel::Watch {
  // Without room in the reactor (an exception must not cross c-ares) the queries time out.
  Watch(asio::io_context& io, ares_socket_t descriptor) : fd(descriptor), stream(io) {
    asio::error_code error;
    stream.assign(descriptor, error);
    open = !error;
  }

  // c-ares closes the descriptor itself, so it must leave the reactor before.
  void release() {
    if (std::exchange(open, false)) stream.release();
  }

  ares_socket_t fd;
  asio::posix::stream_descriptor stream;
  bool open = true;
  bool want_read = false;
  bool want_write = false;
  bool waits_read = false;
  bool waits_write = false;
};

std::unique_ptr<AresChannel> AresChannel::open(asio::io_context& io, const std::string& server,
                                               Transport transport, base::Instant now, Host& host) {
  start_library();
  std::unique_ptr<AresChannel> self(new AresChannel(io, transport, now, host));
  const bool tcp = transport == Transport::tcp;
  ares_options options{};
  // With everything set, c-ares reads no system file. IGNTC: the owner asks again over TCP on
  // another channel, because one broken TCP connection would fail all UDP queries beside it.
  options.flags = ARES_FLAG_STAYOPEN | ARES_FLAG_NOCHECKRESP |
                  (tcp ? ARES_FLAG_USEVC : ARES_FLAG_EDNS | ARES_FLAG_IGNTC);
  options.timeout = kForgetMs;
  // Over UDP the owner tries again by itself; a TCP connection that the server has just closed for
  // idleness deserves a new one.
  options.tries = tcp ? 2 : 1;
  options.ndots = 1;
  options.ednspsz = static_cast<int>(kCutSize);
  char lookups[] = "b";
  options.lookups = lookups;
  in_addr placeholder{};
  options.servers = &placeholder;
  options.nservers = 1;
  options.sock_state_cb = &AresChannel::socket_state;
  options.sock_state_cb_data = self.get();
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
             ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
             ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
#ifdef ARES_OPT_QUERY_CACHE
  options.qcache_max_ttl = 0;
  mask |= ARES_OPT_QUERY_CACHE;
#endif
  if (ares_init_options(&self->channel_, &options, mask) != ARES_SUCCESS) return nullptr;
  ares_set_socket_functions(self->channel_, &kSockets, nullptr);
  if (ares_set_servers_ports_csv(self->channel_, server.c_str()) != ARES_SUCCESS) return nullptr;
  return self;
}

AresChannel::~AresChannel() {
  if (channel_ != nullptr) ares_destroy(channel_);
  for (auto& watch : watches_) watch->release();
}

std::uint16_t AresChannel::take_id(base::Rng& rng) {
  for (;;) {
    const auto id = rng.u16();
    if (ids_.test(id)) continue;
    ids_.set(id);
    return id;
  }
}

void AresChannel::send(base::Bytes query, ares_callback callback, void* argument) {
  ++queries;
  ares_send(channel_, query.data(), static_cast<int>(query.size()), callback, argument);
}

void AresChannel::tick() {
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

bool AresChannel::edns_lost() const {
  if (transport_ == Transport::tcp) return false;
  ares_options options{};
  int mask = 0;
  const bool known = ares_save_options(channel_, &options, &mask) == ARES_SUCCESS;
  const bool lost = known && (options.flags & ARES_FLAG_EDNS) == 0;
  ares_destroy_options(&options);
  return lost;
}

void AresChannel::socket_state(void* self, ares_socket_t fd, int readable, int writable) {
  static_cast<AresChannel*>(self)->watch(fd, readable != 0, writable != 0);
}

void AresChannel::watch(ares_socket_t fd, bool read, bool write) {
  auto it = std::find_if(watches_.begin(), watches_.end(),
                         [fd](const auto& watch) { return watch->fd == fd; });
  if (!read && !write) {
    if (it == watches_.end()) return;
    (*it)->release();
    watches_.erase(it);
    return;
  }
  if (it == watches_.end()) it = watches_.insert(watches_.end(), std::make_shared<Watch>(io_, fd));
  (*it)->want_read = read;
  (*it)->want_write = write;
  arm(*it);
}

void AresChannel::arm(const std::shared_ptr<Watch>& watch) {
  using asio::posix::stream_descriptor;
  if (!watch->open) return;
  if (watch->want_read && !watch->waits_read) {
    watch->waits_read = true;
    watch->stream.async_wait(stream_descriptor::wait_read,
                             [this, watch](const asio::error_code& error) {
                               watch->waits_read = false;
                               // When it is not open, `this` may be gone.
                               if (watch->open && !error) ready(watch, watch->fd, ARES_SOCKET_BAD);
                             });
  }
  if (watch->want_write && !watch->waits_write) {
    watch->waits_write = true;
    watch->stream.async_wait(stream_descriptor::wait_write,
                             [this, watch](const asio::error_code& error) {
                               watch->waits_write = false;
                               if (watch->open && !error) ready(watch, ARES_SOCKET_BAD, watch->fd);
                             });
  }
}

void AresChannel::ready(const std::shared_ptr<Watch>& watch, ares_socket_t read,
                        ares_socket_t write) {
  host_.begin_processing();
  ares_process_fd(channel_, read, write);
  arm(watch);
  host_.end_processing();
}

}  // namespace boxgram::net
