// The server's side of the stream transport: all connections of one process, from the first byte to
// the last. Source: PROTOCOL.md, "Stream transport".
//
// Sans-IO: no socket, clock or randomness of its own. Bytes of a connection go in through room()
// and received(); after each batch drain poll_event(), then poll_transmit(), then read
// next_timeout().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/packet/server_keys.hpp>
#include <boxgram/packet/server_types.hpp>
#include <boxgram/stream/types.hpp>

namespace boxgram::stream {

struct ServerConfig {
  /// Connections that have not proven their client yet, in all and of one network
  /// (SocketAddress::prefix()): about 1 KiB each, for five seconds at the most.
  std::size_t max_half_open = 1024;
  std::size_t max_half_open_per_prefix = 16;
  /// Proven ones. Each costs a descriptor, some hundred bytes at rest and up to max_unsent at work.
  std::size_t max_sessions = 1024;
  std::size_t max_sessions_per_prefix = 64;
  /// Requests of one session that wait for their answer; beyond, it is not read.
  std::size_t max_outstanding = 128;
  /// Bytes of answers that a client does not read: from a quarter on it is not read either, and
  /// what would go beyond becomes ERROR refused, which costs that request only: an honest client
  /// whose questions are all answered at once with 64 KiB each must not lose its session.
  std::size_t max_unsent = 1 << 20;
  /// Handshakes of one network, and of all: one costs five scalar multiplications, 0.2 ms. Beyond,
  /// a HELLO ends its connection before any of them.
  packet::Rate handshake_rate{100, 500};
  packet::Rate all_handshakes_rate{1000, 200};
};

/// A client is proven: answer with authorise() or refuse() before anything else is polled.
struct ClientProven {
  base::Handle connection = 0;
  crypto::PublicKey client_key{};  ///< C
};
/// A request or a stray response; a request is owed one respond() or respond_error().
struct MessageReceived {
  base::Handle connection = 0;
  Message message;
};
/// Nothing more comes from this connection: write what poll_transmit() still has for it, close it,
/// then call closed().
struct ConnectionEnded {
  base::Handle connection = 0;
  std::optional<HandshakeError> handshake;  ///< one of the two says why
  std::optional<SessionEnd> session;
};
using ServerEvent = std::variant<ClientProven, MessageReceived, ConnectionEnded>;

struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused_total = 0, refused_per_prefix = 0;  ///< closed at once
  std::uint64_t key_requests = 0;
  std::uint64_t scalar_mults = 0;  ///< of handshakes
  std::uint64_t sessions = 0;      ///< that became ready
  std::uint64_t requests = 0, responses = 0;
  std::uint64_t responses_dropped = 0;  ///< beyond max_unsent: ERROR refused went instead
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(HandshakeError::count_)> handshakes_failed{};
  std::array<std::uint64_t, static_cast<std::size_t>(SessionEnd::count_)> sessions_ended{};
};

/// What is known of a session, for people.
struct SessionState {
  base::Handle connection = 0;
  base::SocketAddress from;
  crypto::PublicKey client_key{};
  base::Instant began{};
  std::uint64_t requests = 0;
  std::size_t outstanding = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
};

class Server {
 public:
  /// `rng` must outlive the server.
  Server(const ServerConfig& config, base::Rng& rng, base::WallClock wall, base::Instant start,
         std::shared_ptr<const packet::ServerKeys> keys);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Takes a new snapshot for handshakes that begin from now on. Sessions have keys of their own.
  void install(std::shared_ptr<const packet::ServerKeys> keys);

  /// A new connection's handle, or 0 when there is no place for it: close it at once.
  base::Handle accept(base::Instant now, const base::SocketAddress& from);

  /// Where to read to; empty while the connection must wait (ask again after poll_event() and after
  /// each respond()) or is over. Never more than its state may send: 94 bytes before HELLO.
  base::MutableBytes room(base::Handle connection);
  void received(base::Handle connection, std::size_t size);
  /// The other side has ended its sending.
  void peer_ended(base::Handle connection);

  /// The next event of any connection; a message stands in memory of ours until the next call.
  bool poll_event(base::Instant now, ServerEvent& event);

  void authorise(base::Instant now, base::Handle connection);
  void refuse(base::Instant now, base::Handle connection, packet::ErrorCode code);

  /// One for each request. False if the connection is gone. REQUIRES: at most kMaxMessage bytes.
  bool respond(base::Instant now, base::Handle connection, packet::FrameType type, std::uint32_t id,
               base::Bytes payload);
  bool respond_error(base::Instant now, base::Handle connection, std::uint32_t id,
                     packet::ErrorCode code);

  /// Ends a session from this side: CLOSE goes out, and what the client still asks is not heard.
  void close(base::Instant now, base::Handle connection, CloseCode code, std::string_view reason);

  /// Who is at the other end; nothing if the connection is over.
  [[nodiscard]] std::optional<base::SocketAddress> peer(base::Handle connection) const;

  /// The next connection that has something to write, 0 when there is none.
  base::Handle poll_transmit();
  /// What to write to it, and how much of it was. What is left stays.
  base::Bytes unsent(base::Handle connection);
  void sent(base::Handle connection, std::size_t size);

  /// No connection is accepted any more, and each session is closed once its requests are answered;
  /// what it asks from now on gets ERROR shutdown.
  void drain(base::Instant now);

  /// The connection does not exist any more.
  void closed(base::Handle connection);

  void handle_timeout(base::Instant now);
  /// At once (an instant that has gone by) while poll_event() has something to look at: sent() may
  /// let a connection go on whose answers had filled its output.
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  [[nodiscard]] const ServerCounters& counters() const;
  [[nodiscard]] std::size_t half_open() const;
  [[nodiscard]] std::size_t sessions() const;
  /// All sessions, in no particular order.
  [[nodiscard]] std::vector<SessionState> session_states() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace boxgram::stream
