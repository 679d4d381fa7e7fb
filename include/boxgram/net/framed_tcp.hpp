// A TCP server for messages behind a 2-byte big-endian length (RFC 1035, 4.2.2; RFC 7766).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

struct FramedTcpOptions {
  /// Each costs a descriptor (the usual limit is 1,024 soft, far more hard) and some kB.
  std::size_t max_connections = 1024;
  /// For each SocketAddress::prefix(), so that one peer cannot take all connections.
  std::size_t max_connections_per_peer = 64;
  /// Messages of a connection that wait for their answer; beyond, its socket is not read.
  std::size_t max_outstanding = 128;
  /// A longer message cuts the connection.
  std::size_t max_message = 65535;
  /// Bytes of answers that the peer does not read, beyond what the kernel holds for it: from a
  /// quarter on its messages wait, beyond it is cut. 128 answers of 8 KiB at once cut nobody.
  std::size_t max_unsent = 1 << 20;
  /// Without a whole message in or a byte out. A message that dribbles in does not count.
  base::Duration idle_timeout = std::chrono::seconds(10);
  bool reuse_port = false;
};

struct FramedTcpHandlers {
  /// A whole message; the bytes are valid during the call. Owed: one send() or no_answer(), now or
  /// later, in any order. Required.
  std::function<void(base::Handle, const base::SocketAddress& from, base::Bytes)> on_message;
};

struct FramedTcpCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused_total = 0;     ///< over max_connections: closed at once
  std::uint64_t refused_per_peer = 0;  ///< over max_connections_per_peer: closed at once
  std::uint64_t accept_errors = 0;  ///< no descriptor left and the like: tried again after 100 ms
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t closed_idle = 0;
  std::uint64_t closed_slow = 0;      ///< over max_unsent
  std::uint64_t closed_too_long = 0;  ///< over max_message
};

/// A peer that has closed its sending side still gets all its answers.
class FramedTcpServer {
 public:
  /// Listens at once. Port 0: the kernel chooses. The error is a phrase for people.
  static base::expected<FramedTcpServer, std::string> listen(asio::io_context& io,
                                                             const base::SocketAddress& local,
                                                             const FramedTcpOptions& options,
                                                             FramedTcpHandlers handlers);

  /// Closes all; no call of a handler after this.
  ~FramedTcpServer();
  FramedTcpServer(FramedTcpServer&&) noexcept;
  FramedTcpServer& operator=(FramedTcpServer&&) noexcept;

  /// Queues an answer of 1 to 65,535 bytes (copied). False if the connection is gone.
  bool send(base::Handle connection, base::Bytes message);

  /// Says that a message gets no answer.
  void no_answer(base::Handle connection);

  void close(base::Handle connection);

  /// Stops accepting and delivering; connections close once their answers are out. For a drain.
  void shut_down();

  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] const base::SocketAddress& local_address() const;
  [[nodiscard]] const FramedTcpCounters& counters() const;

 private:
  class Impl;
  explicit FramedTcpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace boxgram::net
