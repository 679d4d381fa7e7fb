// stream::Client's inside.
#pragma once

#include <deque>
#include <variant>

#include <boxgram/packet/client_keys.hpp>
#include <boxgram/stream/client.hpp>

#include "body_queue.hpp"
#include "client_handshake.hpp"
#include "session.hpp"

namespace boxgram::stream {

class Client::Impl {
 public:
  Impl(ClientConfig config, base::Rng& rng, base::WallClock wall, base::Instant start);

  void show_certificates(base::Instant now, base::Bytes certificates);
  base::Handle request(base::Instant now, packet::FrameType service, base::Bytes payload,
                       std::uint64_t tag);
  void cancel(base::Handle handle);
  [[nodiscard]] bool wants_connection() const { return std::holds_alternative<Wanted>(state_); }
  void connecting(base::Instant now);
  void connected(base::Instant now);
  void connect_failed();
  [[nodiscard]] bool wants_close() const { return std::holds_alternative<Over>(state_); }
  void disconnected();
  base::MutableBytes room();
  void received(std::size_t size);
  void peer_ended() { peer_ended_ = true; }
  base::Bytes unsent();
  void sent(std::size_t size);
  bool poll_event(base::Instant now, ClientEvent& event);
  void close(base::Instant now);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  [[nodiscard]] const ClientCounters& counters() const { return counters_; }
  [[nodiscard]] bool ready() const { return std::holds_alternative<Session>(state_); }
  [[nodiscard]] std::size_t outstanding() const { return requests_.size(); }
  [[nodiscard]] std::uint32_t highest_serial() const { return keys_.highest_serial(); }

 private:
  struct None {};     // no connection, and none is needed
  struct Wanted {};   // the owner should open one
  struct Opening {};  // the owner is opening one
  struct AwaitKeys {
    packet::Echo echo{};
  };
  struct Over {};  // the owner should close it

  struct Request {
    std::uint64_t tag = 0;
    std::uint32_t id = 0;  // on the wire
    packet::FrameType service{};
    std::vector<std::uint8_t> payload;
    base::Instant deadline{};
    bool written = false;  // on the present connection
    bool asked_again = false;
  };

  void write_waiting();
  bool write(const Request& request);
  void want_connection();
  /// A handshake or a session is under way: bodies may come.
  [[nodiscard]] bool receiving() const;
  [[nodiscard]] bool handshaking() const { return opening() || (receiving() && !ready()); }
  [[nodiscard]] bool opening() const { return std::holds_alternative<Opening>(state_); }
  std::optional<base::MutableBytes> next_body();
  [[nodiscard]] bool length_allowed(std::size_t size) const;
  void take_body(base::Instant now, base::MutableBytes body);
  void take_keys(base::Instant now, base::MutableBytes body);
  void take_ready(base::Instant now, base::MutableBytes body);
  void say_hello(base::Instant now);
  bool take_message(const Message& message, ClientEvent& event);
  bool step_session(base::Instant now, Session& session, ClientEvent& event);
  void handshake_failed(HandshakeError error);
  void session_ended(Session& session);
  void down(ConnectionDown how);
  void fail(base::Handle handle, FailReason reason);
  void fail_all(FailReason reason);
  void drop(base::Handle handle);
  void expire_requests(base::Instant now);
  [[nodiscard]] const crypto::KeyPair& client_key();

  ClientConfig config_;
  base::Rng& rng_;
  packet::ClientKeys keys_;
  std::optional<crypto::KeyPair> client_key_;
  std::variant<None, Wanted, Opening, AwaitKeys, AwaitCookie, AwaitReady, Session, Over> state_;
  BodyQueue in_;
  ByteQueue out_;
  bool peer_ended_ = false;
  bool keys_doubtful_ = false;  // the server did not know the key we had: ask before the next HELLO
  bool keys_fetched_ = false;   // on this connection
  base::Instant connect_by_{};
  base::Instant used_at_{};  // when a request last began or ended
  base::Slab<Request> requests_;
  std::deque<base::Handle> waiting_;      // not yet written, in order; some are gone already
  std::deque<base::Handle> by_deadline_;  // all, in order; some are gone already
  std::deque<ClientEvent> events_;
  ClientCounters counters_;
};

}  // namespace boxgram::stream
