// A stream::Server and a stream::Client with a clock, keys and a wire in the test's hands.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boxgram/stream/client.hpp>
#include <boxgram/stream/server.hpp>

#include "packet/world.hpp"

namespace boxgram::test {

using namespace std::chrono_literals;

/// A message as the server was given it, copied.
struct SeenMessage {
  base::Handle connection = 0;
  packet::FrameType type{};
  bool response = false;
  std::uint32_t id = 0;
  Buffer payload;
};

/// What the client's events said, copied.
struct SeenAnswer {
  std::uint64_t tag = 0;
  Buffer payload;
};

struct PairOptions {
  stream::ServerConfig server;
  /// The client knows the server's key S; with an identity it must ask for it instead.
  bool identity = false;
  stream::ClientConfig client;
  /// Whether the client has a long-term key (crypto::KeyPair of seed 77).
  bool client_key = true;
  std::uint64_t seed = 1;
};

/// The wire carries bytes when run() is called, `slice` of them at a time; a test may read or spoil
/// what is under way in between. TCP itself works: a connection opens at once, and each end learns
/// of the other's close behind the last byte.
class Pair {
 public:
  explicit Pair(PairOptions pair_options = {});

  /// Asks for the service with this payload.
  std::uint64_t ask(base::Bytes payload, packet::FrameType service = packet::FrameType::dns);
  std::uint64_t ask(std::string_view text) { return ask(base::as_bytes(text)); }

  /// Carries bytes and answers events until nothing moves any more.
  void run();
  /// One round of the same: true if anything moved.
  bool step();
  /// Lets time go by; each timeout is handled when it is due. Fails the test if one is still due
  /// after it was handled.
  void advance(base::Duration duration);
  /// Asks, runs, and gives the answer's payload.
  std::optional<Buffer> ask_and_wait(base::Bytes payload,
                                     packet::FrameType service = packet::FrameType::dns);
  /// Opens a connection and gets it ready, without a request being left.
  void connect();

  /// The network is gone: what is under way still arrives, then each end sees the end.
  void break_connection() { broken_ = true; }

  [[nodiscard]] const Buffer* answer(std::uint64_t tag) const;
  [[nodiscard]] std::optional<stream::FailReason> failure(std::uint64_t tag) const;
  [[nodiscard]] std::uint64_t handshakes_failed(stream::HandshakeError error) const {
    return server->counters().handshakes_failed[static_cast<std::size_t>(error)];
  }
  [[nodiscard]] std::uint64_t sessions_ended(stream::SessionEnd end) const {
    return server->counters().sessions_ended[static_cast<std::size_t>(end)];
  }

  // What each end has to say to the other and the wire has not carried yet.
  Buffer to_server;
  Buffer to_client;
  std::size_t slice = std::numeric_limits<std::size_t>::max();
  /// Sees what an end writes, before it is under way, and may change it.
  std::function<void(Buffer&)> on_way_up;
  std::function<void(Buffer&)> on_way_down;
  /// All bytes that each end has ever written.
  Buffer from_client;
  Buffer from_server;
  /// Whether the wire reads what the ends want to write.
  bool client_reads = true;
  bool server_reads = true;

  std::shared_ptr<const packet::ServerKeys> keys = vector_keys();
  PairOptions options;
  base::Instant now = base::Instant{} + 1000s;
  base::WallClock wall{base::Instant{} + 1000s, kVectorTime};
  QueuedRng server_rng;
  QueuedRng client_rng;
  std::unique_ptr<stream::Server> server;
  std::unique_ptr<stream::Client> client;
  /// The connection that the client has at the server, 0: none.
  base::Handle connection = 0;

  /// Who may come in: nothing is yes. Everybody, unless a test says so.
  std::function<std::optional<packet::ErrorCode>(const crypto::PublicKey&)> allow_list;
  /// Answers a request; echoes it, unless a test says so.
  std::function<void(const SeenMessage&)> service;

  std::vector<SeenMessage> requests;
  std::vector<crypto::PublicKey> proven;
  std::optional<stream::ConnectionEnded> server_ended;  ///< the last
  std::vector<SeenAnswer> answers;
  std::vector<stream::RequestFailed> failures;
  std::vector<stream::ConnectionDown> downs;
  std::size_t readies = 0;

  static crypto::KeyPair client_key_pair();

 private:
  bool open_connection();
  void carry(base::Bytes bytes, Buffer& record, Buffer& way,
             const std::function<void(Buffer&)>& hook);
  bool carry_to_server();
  bool carry_to_client();
  bool drain_server();
  bool drain_client();
  bool close_connection();
  void handle(const stream::ServerEvent& event);
  void handle(const stream::ClientEvent& event);
  void check_not_due() const;

  std::uint64_t next_tag_ = 1;
  bool broken_ = false;
  bool client_open_ = false;  // its end of the TCP connection
  bool server_open_ = false;
  bool client_told_ = false;  // that the server has closed
  bool server_told_ = false;
};

inline Buffer filled(std::size_t size, std::uint8_t seed = 1) {
  Buffer bytes(size);
  SeededRng rng(seed + 1000 * size);
  rng.fill(bytes);
  return bytes;
}

}  // namespace boxgram::test
