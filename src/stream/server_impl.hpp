// stream::Server's inside.
#pragma once

#include <deque>
#include <map>

#include <boxgram/packet/token_buckets.hpp>
#include <boxgram/stream/server.hpp>

#include "server_connection.hpp"

namespace boxgram::stream {

class Server::Impl {
 public:
  Impl(const ServerConfig& config, base::Rng& rng, base::WallClock wall, base::Instant start,
       std::shared_ptr<const packet::ServerKeys> keys);

  base::Handle accept(base::Instant now, const base::SocketAddress& from);
  base::MutableBytes room(ServerConnection& c);
  void received(ServerConnection& c, std::size_t size);
  void peer_ended(ServerConnection& c);
  bool poll_event(base::Instant now, ServerEvent& event);
  void authorise(base::Instant now, ServerConnection& c);
  void refuse(base::Instant now, ServerConnection& c, packet::ErrorCode code);
  bool respond(base::Instant now, ServerConnection& c, packet::FrameType type, std::uint32_t id,
               base::Bytes payload);
  void close(base::Instant now, ServerConnection& c, CloseCode code, std::string_view reason);
  base::Handle poll_transmit();
  void sent(ServerConnection& c, std::size_t size);
  void drain(base::Instant now);
  void closed(ServerConnection& c);
  void handle_timeout(base::Instant now);

  /// The connection, or nullptr if there is none of that handle.
  ServerConnection* find(base::Handle handle) {
    auto* slot = connections_.find(handle);
    return slot == nullptr ? nullptr : &**slot;
  }

  void install(std::shared_ptr<const packet::ServerKeys> keys) { keys_ = std::move(keys); }
  [[nodiscard]] const ServerCounters& counters() const { return counters_; }
  [[nodiscard]] std::optional<base::Instant> next_timeout() const {
    return to_look_at_.empty() ? timers_.next() : polled_at_;
  }
  [[nodiscard]] std::size_t half_open() const { return connections_.size() - sessions_; }
  [[nodiscard]] std::size_t sessions() const { return sessions_; }
  [[nodiscard]] std::vector<SessionState> session_states();

 private:
  struct OfNetwork {
    std::size_t half_open = 0;
    std::size_t sessions = 0;
  };
  using Prefix = std::array<std::uint8_t, 16>;

  void look_at(ServerConnection& c);
  void write(ServerConnection& c);
  /// Of answers that wait unread for a client: beyond, it is not read either.
  [[nodiscard]] std::size_t unread_limit() const { return config_.max_unsent / 4; }
  [[nodiscard]] bool may_take(const ServerConnection& c) const;

  bool step(base::Instant now, ServerConnection& c, ServerEvent& event);
  bool step_session(base::Instant now, ServerConnection& c, Session& session, ServerEvent& event);
  bool step_handshake(base::Instant now, ServerConnection& c, ServerEvent& event);
  /// The next whole body, taken out of `in`; nothing if it is not there, or if the connection ended
  /// for a length that may not stand there.
  std::optional<base::MutableBytes> next_body(ServerConnection& c);
  void take_body(base::Instant now, ServerConnection& c, base::MutableBytes body);
  void take_hello(base::Instant now, ServerConnection& c, base::MutableBytes body);
  bool answer_key_request(ServerConnection& c, base::Bytes body);
  void close_if_answered(base::Instant now, ServerConnection& c);

  void fail(ServerConnection& c, HandshakeError error);
  void end(ServerConnection& c, SessionEnd how);
  void set_timer(ServerConnection& c);

  ServerConfig config_;
  base::Rng& rng_;
  base::WallClock wall_;
  std::shared_ptr<const packet::ServerKeys> keys_;
  base::Slab<std::optional<ServerConnection>> connections_;
  std::size_t sessions_ = 0;
  std::map<Prefix, OfNetwork> networks_;  // of open connections only
  packet::TokenBuckets network_rate_;
  packet::RateLimit all_rate_;
  base::TimerWheel timers_;
  base::Instant polled_at_;
  std::deque<base::Handle> to_look_at_;
  std::deque<base::Handle> to_write_;
  ServerCounters counters_;
  bool draining_ = false;
};

}  // namespace boxgram::stream
