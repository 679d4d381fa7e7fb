// A UDP socket that receives and sends in batches.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

struct UdpOptions {
  /// SO_REUSEPORT: one socket for each worker on one address.
  bool reuse_port = false;
  /// UDP_GRO: the kernel hands over trains of equal datagrams in one message. Worth its 2 MiB of
  /// address space where peers send trains, that is on the sealed side.
  bool gro = false;
  /// IP_MTU_DISCOVER: datagrams are never fragmented.
  bool dont_fragment = false;
  /// The largest datagram that will be sent; the room that next() gives. At most 65,507.
  std::size_t max_datagram = 1232;
  /// SO_RCVBUF and SO_SNDBUF in bytes (the kernel caps them silently). 4 MiB is what the kernels'
  /// usual rmem_max allows: it holds 50 ms of 1232-byte datagrams at 60,000 a second.
  int buffer_bytes = 4 << 20;
};

struct Datagram {
  base::SocketAddress from;
  /// The address it was sent to, for the reply's commit(). Unspecified unless the socket is bound
  /// to an unspecified address: then the kernel knows only one.
  base::SocketAddress local;
  /// Valid during on_batch; may be opened in place.
  base::MutableBytes data;
};

struct UdpHandlers {
  /// What one receive call brought: up to 32 datagrams, with `gro` up to 2,048. Required.
  std::function<void(std::span<const Datagram>)> on_batch;
  /// After the last batch of a wake-up (at most 4 batches): the place to flush other sockets and to
  /// read deadlines. Own datagrams are flushed after every on_batch without being asked.
  std::function<void()> on_drained;
  /// An errno from the network. ECONNREFUSED and EMSGSIZE are soft: the socket stays good.
  /// ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL and EINVAL say that a connected socket has
  /// lost its route or its address: open another one, which may be done inside this call. Called
  /// from flush() as well, never from next() or commit().
  std::function<void(int)> on_error;
};

struct UdpCounters {
  std::uint64_t datagrams_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t trains_in = 0;    ///< messages that held several datagrams (UDP_GRO)
  std::uint64_t too_long_in = 0;  ///< longer than the receive buffer: dropped
  std::uint64_t receive_errors = 0;
  std::uint64_t datagrams_out = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t send_calls = 0;
  std::uint64_t trains_out = 0;   ///< messages that held several datagrams (UDP_SEGMENT)
  std::uint64_t dropped_out = 0;  ///< the kernel's buffers were full (EAGAIN, ENOBUFS)
  std::uint64_t send_errors = 0;  ///< datagrams refused for another reason
};

/// Adds up the counters of several sockets.
void add(UdpCounters& sum, const UdpCounters& part);

/// Receiving starts at once. Use from the loop's thread only.
///
/// Cost on loopback for a datagram in and a datagram out: see bench; the system calls are
/// recvmmsg and sendmmsg of up to 32 messages, each of them up to 64 datagrams of equal size.
/// Memory: nothing is touched before it is used; with `gro` at most 2.1 MiB for receiving, else
/// 130 KiB; for sending at most 256 datagrams.
class UdpSocket {
 public:
  /// A socket for a server. IPv4 or IPv6 by the address (v6only). Port 0: the kernel chooses.
  /// The error is a phrase for people that names the address.
  static base::expected<UdpSocket, std::string> bind(asio::io_context& io,
                                                     const base::SocketAddress& local,
                                                     const UdpOptions& options,
                                                     UdpHandlers handlers);

  /// A socket for a client: only datagrams of `remote` come in, ICMP errors come to on_error.
  static base::expected<UdpSocket, std::string> connect(asio::io_context& io,
                                                        const base::SocketAddress& remote,
                                                        const UdpOptions& options,
                                                        UdpHandlers handlers);

  /// Closes; no call of a handler after this. What was committed and not flushed is lost.
  ~UdpSocket();
  UdpSocket(UdpSocket&&) noexcept;
  UdpSocket& operator=(UdpSocket&&) noexcept;

  /// Room for one datagram, `max_datagram` bytes. Flushes first when the arena is full.
  [[nodiscard]] base::MutableBytes next();

  /// Puts the first `size` bytes of next() on the way to `to`. `local` is the datagram's `local`
  /// when this is a reply. REQUIRES: size <= max_datagram. A connected socket ignores `to`.
  void commit(const base::SocketAddress& to, std::size_t size,
              const base::SocketAddress& local = {});

  /// Sends all that was committed. Datagrams of one destination and size travel as one train
  /// (UDP_SEGMENT) where the kernel can. UDP: what the kernel has no room for is dropped and
  /// counted, since whoever waits for it asks again, and a queue here would only grow stale.
  void flush();

  [[nodiscard]] const base::SocketAddress& local_address() const;
  [[nodiscard]] const UdpCounters& counters() const;

  /// Datagrams that the kernel dropped because the receive buffer was full. Source: SO_MEMINFO.
  [[nodiscard]] std::uint64_t kernel_drops() const;

  /// False once the kernel has refused a train (or has no UDP_SEGMENT).
  [[nodiscard]] bool sends_trains() const;

  [[nodiscard]] int native_handle() const;

 private:
  class Impl;
  explicit UdpSocket(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace boxgram::net
