#include "server_impl.hpp"

#include <algorithm>

namespace boxgram::stream {
namespace {

using packet::FrameType;

/// What is read at once from a session, and from one that sends large records: fewer system calls,
/// while memory is held only until the bytes have been looked at.
constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kLargeReadSize = 64 * 1024;

std::array<std::uint8_t, 2> as_payload(packet::ErrorCode code) {
  std::array<std::uint8_t, 2> payload;
  base::store_be16(payload.data(), static_cast<std::uint16_t>(code));
  return payload;
}

bool over(const ServerConnection& c) {
  return std::holds_alternative<ServerConnection::Over>(c.state);
}

}  // namespace

// Networks of the rate table: as many as connections may be half-open at once, a few times over.
Server::Impl::Impl(const ServerConfig& config, base::Rng& rng, base::WallClock wall,
                   base::Instant start, std::shared_ptr<const packet::ServerKeys> keys)
    : config_(config),
      rng_(rng),
      wall_(wall),
      keys_(std::move(keys)),
      connections_(config.max_half_open + config.max_sessions),
      network_rate_(4096, config.handshake_rate, rng),
      all_rate_(config.all_handshakes_rate),
      timers_(start),
      polled_at_(start) {}

base::Handle Server::Impl::accept(base::Instant now, const base::SocketAddress& from) {
  const auto known = networks_.find(from.prefix());
  if (known != networks_.end() && known->second.half_open >= config_.max_half_open_per_prefix) {
    ++counters_.refused_per_prefix;
    return 0;
  }
  base::Handle handle = 0;
  std::optional<ServerConnection>* slot = nullptr;
  if (!draining_ && half_open() < config_.max_half_open) slot = connections_.acquire(handle);
  if (slot == nullptr) {
    ++counters_.refused_total;
    return 0;
  }
  ++networks_[from.prefix()].half_open;
  ++counters_.accepted;
  slot->emplace(handle, from, now);
  timers_.set((*slot)->timer, now + kHandshakeTime);
  return handle;
}

void Server::Impl::look_at(ServerConnection& c) {
  if (c.queued) return;
  c.queued = true;
  to_look_at_.push_back(c.handle);
}

void Server::Impl::write(ServerConnection& c) {
  if (c.unwritten) return;
  c.unwritten = true;
  to_write_.push_back(c.handle);
}

bool Server::Impl::may_take(const ServerConnection& c) const {
  return c.outstanding < config_.max_outstanding && c.out.size() <= unread_limit();
}

base::MutableBytes Server::Impl::room(ServerConnection& c) {
  if (c.end || over(c) || c.peer_ended || c.in.reading()) return {};
  const auto announced = c.in.announced();
  if (c.session() != nullptr) {
    if (!may_take(c)) return {};
    return c.in.room(announced && *announced > kReadSize / 2 ? kLargeReadSize : kReadSize);
  }
  std::size_t most = c.lengths().most;
  if (most == 0) return {};
  if (announced) {
    if (!c.length_allowed(*announced)) return {};  // what is here is enough to end it
    most = *announced;
  }
  const std::size_t wanted = kLengthSize + most - std::min(c.in.size(), kLengthSize + most);
  return wanted == 0 ? base::MutableBytes{} : c.in.room(wanted).first(wanted);
}

void Server::Impl::received(ServerConnection& c, std::size_t size) {
  c.in.added(size);
  c.bytes_in += size;
  counters_.bytes_in += size;
  look_at(c);
}

void Server::Impl::peer_ended(ServerConnection& c) {
  c.peer_ended = true;
  look_at(c);
}

bool Server::Impl::poll_event(base::Instant now, ServerEvent& event) {
  polled_at_ = now;
  while (!to_look_at_.empty()) {
    ServerConnection* c = find(to_look_at_.front());
    if (c != nullptr && step(now, *c, event)) return true;
    to_look_at_.pop_front();
    if (c == nullptr) continue;
    c->queued = false;
    if (c->in.empty()) c->in.release();
    set_timer(*c);
  }
  return false;
}

bool Server::Impl::step(base::Instant now, ServerConnection& c, ServerEvent& event) {
  if (!c.end) {
    Session* session = c.session();
    if (session != nullptr ? step_session(now, c, *session, event) : step_handshake(now, c, event))
      return true;
  }
  if (!c.end || c.end_reported) return false;
  c.end_reported = true;
  timers_.clear(c.timer);
  event = *c.end;
  return true;
}

bool Server::Impl::step_session(base::Instant now, ServerConnection& c, Session& session,
                                ServerEvent& event) {
  write(c);  // PONG, CLOSE and new keys are written by the session itself
  Message message;
  while (!session.end() && may_take(c)) {
    if (session.poll_message(now, message)) {
      if (session.closing()) continue;
      if (!message.response && c.close_when_answered) {
        session.send(FrameType::error, true, message.id, as_payload(packet::ErrorCode::shutdown));
        continue;
      }
      if (!message.response) {
        ++c.outstanding;
        ++c.requests;
        ++counters_.requests;
      }
      event = MessageReceived{c.handle, message};
      return true;
    }
    const auto body = session.end() ? std::nullopt : next_body(c);
    if (!body) break;
    session.receive(now, *body);
  }
  if (session.peer_close() && !c.close_when_answered) c.close_when_answered = CloseCode::done;
  close_if_answered(now, c);
  if (c.peer_ended && !session.end() && !session.peer_close() && may_take(c)) session.peer_ended();
  if (session.end()) {
    const bool slow = *session.end() == SessionEnd::idle && c.out.size() > unread_limit();
    end(c, slow ? SessionEnd::slow : *session.end());
  }
  return false;
}

bool Server::Impl::step_handshake(base::Instant now, ServerConnection& c, ServerEvent& event) {
  while (!c.end && c.session() == nullptr) {
    const auto body = next_body(c);
    if (!body) break;
    take_body(now, c, *body);
    if (const auto* proven = std::get_if<Proven>(&c.state)) {
      event = ClientProven{c.handle, proven->client_key()};
      return true;
    }
  }
  if (c.peer_ended && !c.end && !std::holds_alternative<Proven>(c.state))
    fail(c, HandshakeError::ended);
  return false;
}

std::optional<base::MutableBytes> Server::Impl::next_body(ServerConnection& c) {
  c.in.read();
  const auto size = c.in.announced();
  if (size && !c.length_allowed(*size)) {
    if (Session* session = c.session())
      session->bad_length();
    else
      fail(c, HandshakeError::bad_length);
    return std::nullopt;
  }
  return c.in.take();
}

void Server::Impl::take_body(base::Instant now, ServerConnection& c, base::MutableBytes body) {
  if (std::holds_alternative<AwaitHello>(c.state)) return take_hello(now, c, body);
  if (auto* state = std::get_if<AwaitVouch>(&c.state)) {
    counters_.scalar_mults += 2;
    auto next = std::move(*state).vouch(body);
    if (!next) return fail(c, next.error());
    c.state.emplace<AwaitConfirm>(std::move(*next));
  } else if (auto* confirm = std::get_if<AwaitConfirm>(&c.state)) {
    auto next = std::move(*confirm).confirm(body, c.out);
    if (!next) return fail(c, next.error());
    c.state.emplace<Proven>(std::move(*next));
  }
}

void Server::Impl::take_hello(base::Instant now, ServerConnection& c, base::MutableBytes body) {
  if (answer_key_request(c, body)) return;
  if (!is_body(body, kHelloType, kHelloSize)) return fail(c, HandshakeError::bad_body);
  if (keys_->find(parse_hello(body).key_id) == nullptr) return fail(c, HandshakeError::unknown_key);
  if (!network_rate_.take(now, c.from) || !all_rate_.take(now))
    return fail(c, HandshakeError::too_often);
  counters_.scalar_mults += 3;
  auto next = std::get<AwaitHello>(std::move(c.state)).hello(body, *keys_, rng_, c.out);
  if (!next) return fail(c, next.error());
  c.state.emplace<AwaitVouch>(std::move(*next));
  write(c);
}

/// KEYREQ and KEYS are the datagrams of the packet transport.
bool Server::Impl::answer_key_request(ServerConnection& c, base::Bytes body) {
  const auto type = packet::parse_header(body);
  if (!type || *type != packet::DatagramType::keyreq) return false;
  const auto echo = packet::parse_keyreq(body);
  if (!echo) return false;
  c.keys_asked = true;
  ++counters_.key_requests;
  std::array<std::uint8_t, packet::kMinInitial> keys;
  append_body(c.out, base::Bytes(keys).first(packet::write_live_keys(keys, *echo, *keys_)));
  write(c);
  return true;
}

void Server::Impl::authorise(base::Instant now, ServerConnection& c) {
  BOXGRAM_CHECK(std::holds_alternative<Proven>(c.state));
  OfNetwork& network = networks_[c.from.prefix()];
  if (sessions_ >= config_.max_sessions || network.sessions >= config_.max_sessions_per_prefix)
    return refuse(now, c, packet::ErrorCode::refused);
  --network.half_open;
  ++network.sessions;
  ++sessions_;
  ++counters_.sessions;
  c.is_session = true;
  c.began = now;
  c.client_key = std::get<Proven>(c.state).client_key();
  auto made = std::get<Proven>(std::move(c.state)).accept(wall_(now), kIdleTime);
  c.state.emplace<Session>(Session::Role::server, std::move(made.writer), std::move(made.opener),
                           rng_, Session::Timing{now, kIdleTime, false});
  if (draining_) c.close_when_answered = CloseCode::shutdown;
  write(c);
  look_at(c);
}

void Server::Impl::refuse(base::Instant, ServerConnection& c, packet::ErrorCode code) {
  BOXGRAM_CHECK(std::holds_alternative<Proven>(c.state));
  std::get<Proven>(std::move(c.state)).refuse(code);
  write(c);
  fail(c, code == packet::ErrorCode::auth ? HandshakeError::not_authorised : HandshakeError::busy);
}

bool Server::Impl::respond(base::Instant now, ServerConnection& c, FrameType type, std::uint32_t id,
                           base::Bytes payload) {
  Session* session = c.session();
  if (session == nullptr || c.end) return false;
  BOXGRAM_CHECK(c.outstanding > 0);
  --c.outstanding;
  bool sent = false;
  if (c.out.size() + payload.size() > config_.max_unsent) {
    sent = session->send(FrameType::error, true, id, as_payload(packet::ErrorCode::refused));
    ++counters_.responses_dropped;
  } else {
    sent = session->send(type, true, id, payload);
  }
  if (sent) ++counters_.responses;
  close_if_answered(now, c);
  write(c);
  look_at(c);  // it may be read again
  return sent;
}

void Server::Impl::close(base::Instant now, ServerConnection& c, CloseCode code,
                         std::string_view reason) {
  Session* session = c.session();
  if (session == nullptr || c.end) return;
  session->close(now, code, reason);
  write(c);
  look_at(c);
}

void Server::Impl::close_if_answered(base::Instant now, ServerConnection& c) {
  Session* session = c.session();
  if (session == nullptr || !c.close_when_answered || c.outstanding > 0) return;
  session->close(now, *c.close_when_answered, {});
}

base::Handle Server::Impl::poll_transmit() {
  while (!to_write_.empty()) {
    const base::Handle handle = to_write_.front();
    to_write_.pop_front();
    ServerConnection* c = find(handle);
    if (c == nullptr) continue;
    c->unwritten = false;
    if (Session* session = c->session()) session->flush();
    if (!c->out.empty()) return handle;
  }
  return 0;
}

void Server::Impl::sent(ServerConnection& c, std::size_t size) {
  const bool waited = !may_take(c);
  c.out.dropped(size);
  c.bytes_out += size;
  counters_.bytes_out += size;
  if (c.out.empty()) c.out.release();
  if (waited && may_take(c)) look_at(c);
}

void Server::Impl::drain(base::Instant now) {
  draining_ = true;
  connections_.for_each([&](base::Handle, std::optional<ServerConnection>& slot) {
    if (slot->session() == nullptr) return;
    slot->close_when_answered = CloseCode::shutdown;
    close_if_answered(now, *slot);
    write(*slot);
    look_at(*slot);
  });
}

void Server::Impl::fail(ServerConnection& c, HandshakeError error) {
  if (c.end) return;
  ++counters_.handshakes_failed[static_cast<std::size_t>(error)];
  c.end = ConnectionEnded{c.handle, error, std::nullopt};
  c.state.emplace<ServerConnection::Over>();
  look_at(c);
}

void Server::Impl::end(ServerConnection& c, SessionEnd how) {
  if (c.end) return;
  if (Session* session = c.session()) session->flush();
  ++counters_.sessions_ended[static_cast<std::size_t>(how)];
  c.end = ConnectionEnded{c.handle, std::nullopt, how};
  c.state.emplace<ServerConnection::Over>();
  write(c);
  look_at(c);
}

void Server::Impl::set_timer(ServerConnection& c) {
  if (c.end) return;
  if (const Session* session = c.session()) timers_.set(c.timer, session->next_timeout());
}

void Server::Impl::closed(ServerConnection& c) {
  const auto network = networks_.find(c.from.prefix());
  if (c.is_session) {
    --sessions_;
    --network->second.sessions;
  } else {
    --network->second.half_open;
  }
  if (network->second.sessions + network->second.half_open == 0) networks_.erase(network);
  if (!c.end && c.session() != nullptr)
    ++counters_.sessions_ended[static_cast<std::size_t>(SessionEnd::truncated)];
  timers_.clear(c.timer);
  const base::Handle handle = c.handle;
  connections_.find(handle)->reset();  // wipes its keys
  connections_.release(handle);
}

void Server::Impl::handle_timeout(base::Instant now) {
  while (base::Timer* timer = timers_.expire(now)) {
    ServerConnection* c = find(timer->tag);
    if (c == nullptr || c->end) continue;
    if (Session* session = c->session()) {
      session->handle_timeout(now);
      write(*c);
    } else {
      fail(*c, HandshakeError::timed_out);
    }
    look_at(*c);
  }
}

std::vector<SessionState> Server::Impl::session_states() {
  std::vector<SessionState> states;
  connections_.for_each([&](base::Handle handle, std::optional<ServerConnection>& c) {
    if (c->session() != nullptr)
      states.push_back({handle, c->from, c->client_key, c->began, c->requests, c->outstanding,
                        c->bytes_in, c->bytes_out});
  });
  return states;
}

}  // namespace boxgram::stream
