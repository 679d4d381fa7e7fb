// The server's side of the packet transport: opens one datagram at a time, answers each with at
// most one, never longer. Source: PROTOCOL.md, "Packet transport".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/frame.hpp>
#include <boxgram/packet/server_keys.hpp>
#include <boxgram/packet/server_types.hpp>

namespace boxgram::packet {

struct Request;

/// One worker's half of the transport. Sans-IO and single-threaded; workers share nothing but the
/// immutable ServerKeys.
///
/// Output: for every datagram at most one goes back, to its sender, never longer than it. A MSG is
/// exactly as long as its request. Bytes that are not ours, or not authentic, get nothing.
/// State: changes only after a box has opened; every table is bounded (ServerConfig).
/// Cost: SHORT: one table lookup, one box_open, one box, no allocation, no scalar multiplication.
///       INITIAL: one scalar multiplication more, bounded by ServerConfig's rates.
class Server {
 public:
  /// `boot` is when this process began to serve: nothing that says it was sent before boot + 5 s is
  /// accepted on its timestamp alone, because the replay set of an earlier run is lost. `rng` must
  /// outlive the server.
  Server(const ServerConfig& config, base::Rng& rng, base::WallClock wall, base::Instant boot,
         std::shared_ptr<const ServerKeys> keys);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Takes a new snapshot. Associations under a key that is gone are dropped and their secrets
  /// wiped; so is this server's hold on the old snapshot. A ReplyTo that is still out keeps its own
  /// shared key until it is answered or destroyed.
  void install(std::shared_ptr<const ServerKeys> keys);

  /// Handles one datagram. A request's payload stands inside `datagram`, which is opened in place.
  /// REQUIRES: out.size() >= kMaxDatagram; out and datagram do not overlap.
  Received receive(base::Instant now, const base::SocketAddress& from, base::MutableBytes datagram,
                   base::MutableBytes out);

  /// Where the service writes its answer inside `out`, as large as the largest that fits (at least
  /// 4 bytes). The rest of `out` is the server's.
  /// REQUIRES: out.size() >= reply.size.
  static base::MutableBytes payload_space(const ReplyTo& reply, base::MutableBytes out);

  /// Seals the response whose payload stands in payload_space() and gives the datagram's size,
  /// which is reply.size. Call once for each ReplyTo, then destroy it.
  /// REQUIRES: payload_size <= payload_space(reply, out).size().
  std::size_t seal_reply(const ReplyTo& reply, std::size_t payload_size, base::MutableBytes out);

  /// The same with an ERROR frame in the response's place. `detail` that does not fit is cut.
  std::size_t seal_error(const ReplyTo& reply, ErrorCode code, base::Bytes detail,
                         base::MutableBytes out);

  /// Expires associations and old replay entries.
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  [[nodiscard]] const ServerCounters& counters() const { return counters_; }
  /// Associations held now.
  [[nodiscard]] std::size_t associations() const;

 private:
  struct Tables;

  struct Response {
    FrameType type{};
    std::size_t payload_size = 0;
  };

  Received receive_initial(base::Instant now, const base::SocketAddress& from,
                           base::MutableBytes datagram, base::MutableBytes out);
  Received receive_short(base::Instant now, const base::SocketAddress& from,
                         base::MutableBytes datagram, base::MutableBytes out);
  Received receive_keyreq(base::Instant now, const base::SocketAddress& from,
                          base::MutableBytes datagram, base::MutableBytes out);
  Received dispatch(const Request& request, ReplyTo reply, base::MutableBytes out);
  Received retry(base::Instant now, const base::SocketAddress& from, const InitialHeader& header,
                 base::MutableBytes out);
  Received stale_time(ReplyTo reply, base::MutableBytes out);
  Received error(const ReplyTo& reply, ErrorCode code, base::Bytes detail, base::MutableBytes out);
  Received drop(Drop reason);
  Received misrouted(std::uint8_t owner);
  Received transmit(std::size_t size, std::uint64_t& counter);

  bool retry_due(base::Instant now, const base::SocketAddress& from);
  [[nodiscard]] bool timestamp_fresh(base::Instant now, base::UnixMillis ts) const;
  void associate(base::Instant now, const BoxKey& server_key, ReplyTo& reply);
  std::size_t seal(const ReplyTo& reply, std::optional<Response> response, base::MutableBytes out);

  ServerConfig config_;
  base::Rng& rng_;
  base::WallClock wall_;
  base::Instant boot_;
  std::shared_ptr<const ServerKeys> keys_;
  ServerCounters counters_;
  std::unique_ptr<Tables> tables_;
};

}  // namespace boxgram::packet
