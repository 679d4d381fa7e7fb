// The client's side of the stream transport: one object for one server, one connection at a time.
// Requests go in; each ends in exactly one event. Source: PROTOCOL.md, "Stream transport".
//
// Sans-IO: the owner opens a TCP connection when wants_connection() says so and carries bytes.
// After each call that changes something, drain poll_event(), write unsent(), then read
// next_timeout().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/stream/types.hpp>

namespace boxgram::stream {

struct ClientConfig {
  /// What is known of the server's keys: as for the packet transport (packet::ClientConfig).
  std::optional<crypto::VerifyKey> identity;
  std::optional<crypto::PublicKey> pinned_key;
  /// Cs. Without one, each connection has a throw-away key: enough where a service is for
  /// everybody.
  std::optional<crypto::SecretKey> client_key;
  /// Requests at a time, at most 65,536.
  std::size_t capacity = 4096;
  /// From request() to Failed{timed_out}.
  base::Duration request_lifetime = std::chrono::milliseconds(2800);
  /// How long a connection may take until it is ready, TCP's part included.
  base::Duration connect_time = std::chrono::milliseconds(2500);
  /// Without a request for so long the connection is closed; the next request opens another. Zero:
  /// it is kept open, with pings.
  base::Duration close_after = std::chrono::seconds(30);
  /// Whether requests that were under way when a connection died are asked again, once. Not for
  /// requests that must not be carried out twice.
  bool ask_again = true;
};

enum class FailReason : std::uint8_t {
  timed_out,        ///< no answer within request_lifetime
  unreachable,      ///< no TCP connection, or none that became ready in time
  handshake,        ///< the handshake failed: see ConnectionDown
  connection_lost,  ///< the connection ended before the answer
  too_large,        ///< more than kMaxMessage bytes
  refused,          ///< ERROR refused, auth, or one that this version does not know
  unknown_service,
  malformed,
  shutdown,  ///< the server ends: ask another
  count_
};
const char* to_string(FailReason reason);

struct Answered {
  std::uint64_t tag = 0;
  base::Bytes payload;  ///< valid until the next call
};
struct RequestFailed {
  std::uint64_t tag = 0;
  FailReason reason{};
};
/// The server has welcomed us.
struct ConnectionReady {
  base::UnixMillis server_ms = 0;
};
/// The connection is over. Which of the three holds a value says how it ended; none: it could not
/// be opened.
struct ConnectionDown {
  std::optional<HandshakeError> handshake;
  std::optional<SessionEnd> session;
  std::optional<PeerClose> said;
};
using ClientEvent = std::variant<Answered, RequestFailed, ConnectionReady, ConnectionDown>;

struct ClientCounters {
  std::uint64_t requests = 0, answers = 0, cancelled = 0, full = 0, asked_again = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(FailReason::count_)> failed{};
  std::uint64_t connections = 0;  ///< wanted
  std::uint64_t ready = 0;
  std::uint64_t stray = 0;  ///< answers that nobody waits for
};

class Client {
 public:
  /// `rng` must outlive the client.
  Client(ClientConfig config, base::Rng& rng, base::WallClock wall, base::Instant start);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) = delete;

  /// Certificates of the server that came another way (packet::Client::certificate()): they spare
  /// the connection the round trip that asks for them.
  void show_certificates(base::Instant now, base::Bytes certificates);

  /// Takes a request; `payload` is copied. Returns its handle, or 0 (and no event) when full.
  base::Handle request(base::Instant now, packet::FrameType service, base::Bytes payload,
                       std::uint64_t tag);
  /// Gives a request up: no event follows. Nothing if it has ended already.
  void cancel(base::Handle request);

  /// True until the owner has answered with connecting(): open a TCP connection to the server.
  [[nodiscard]] bool wants_connection() const;
  /// The owner has begun to open one. Exactly one of the next two follows.
  void connecting(base::Instant now);
  void connected(base::Instant now);
  void connect_failed();
  /// True from ConnectionDown on until disconnected(): write what is unsent, then close.
  [[nodiscard]] bool wants_close() const;
  void disconnected();

  /// As for Server: where to read to, and what was read.
  base::MutableBytes room();
  void received(std::size_t size);
  void peer_ended();
  /// Seals what waits and shows what to write. Ask again after sent(), until it is empty: beyond
  /// 256 KiB requests wait for their turn.
  base::Bytes unsent();
  void sent(std::size_t size);

  bool poll_event(base::Instant now, ClientEvent& event);

  /// Ends the connection in an orderly way; outstanding requests fail.
  void close(base::Instant now);

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  [[nodiscard]] const ClientCounters& counters() const;
  [[nodiscard]] bool ready() const;
  [[nodiscard]] std::size_t outstanding() const;
  /// The highest serial that a certificate had.
  [[nodiscard]] std::uint32_t highest_serial() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace boxgram::stream
