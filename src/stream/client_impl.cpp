#include "client_impl.hpp"

#include <algorithm>

namespace boxgram::stream {
namespace {

using packet::FrameType;

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kLargeReadSize = 64 * 1024;
// Requests wait outside the connection from here on: a server that reads nothing, or has gone
// without a word, must not collect in our memory what has timed out long ago.
constexpr std::size_t kMaxUnsent = 256 * 1024;
// Requests never come that far; the answers to PINGs of a server that does not read them do. It is
// not read either, from here on.
constexpr std::size_t kMaxUnread = 2 * kMaxUnsent;
constexpr std::size_t kMaxKeys = packet::kMinInitial;  // never longer than what asks for them

packet::ClientConfig key_config(const ClientConfig& config) {
  packet::ClientConfig keys;
  keys.identity = config.identity;
  keys.pinned_key = config.pinned_key;
  return keys;
}

/// A slot's number and its generation: an answer to an earlier tenant's question fits nobody.
std::uint32_t wire_id(base::Handle handle) {
  return static_cast<std::uint32_t>(handle >> 32) << 16 | static_cast<std::uint16_t>(handle);
}

FailReason reason_of(base::Bytes error) {
  if (error.size() < 2) return FailReason::refused;
  switch (packet::ErrorCode{base::load_be16(error.data())}) {
    case packet::ErrorCode::unknown_service:
      return FailReason::unknown_service;
    case packet::ErrorCode::malformed:
      return FailReason::malformed;
    case packet::ErrorCode::too_large:
      return FailReason::too_large;
    case packet::ErrorCode::shutdown:
      return FailReason::shutdown;
    default:
      return FailReason::refused;
  }
}

}  // namespace

Client::Impl::Impl(ClientConfig config, base::Rng& rng, base::WallClock wall, base::Instant start)
    : config_(std::move(config)),
      rng_(rng),
      keys_(key_config(config_), wall, start),
      used_at_(start),
      requests_(std::min<std::size_t>(config_.capacity, 65536)) {}

void Client::Impl::show_certificates(base::Instant now, base::Bytes certificates) {
  if (keys_.show(now, certificates).newer) keys_doubtful_ = false;
}

base::Handle Client::Impl::request(base::Instant now, FrameType service, base::Bytes payload,
                                   std::uint64_t tag) {
  base::Handle handle = 0;
  Request* request = requests_.acquire(handle);
  if (request == nullptr) {
    ++counters_.full;
    return 0;
  }
  ++counters_.requests;
  request->tag = tag;
  request->id = wire_id(handle);
  request->service = service;
  request->deadline = now + config_.request_lifetime;
  request->written = request->asked_again = false;
  by_deadline_.push_back(handle);
  used_at_ = now;
  if (payload.size() > kMaxMessage) {
    fail(handle, FailReason::too_large);
    return handle;
  }
  request->payload.assign(payload.begin(), payload.end());
  waiting_.push_back(handle);
  write_waiting();
  if (std::holds_alternative<None>(state_)) want_connection();
  return handle;
}

void Client::Impl::cancel(base::Handle handle) {
  if (requests_.find(handle) == nullptr) return;
  ++counters_.cancelled;
  drop(handle);
}

void Client::Impl::drop(base::Handle handle) {
  requests_.release(handle);
  // Names of requests that are gone are skipped when they come up; here only, so that a long
  // connection does not collect them.
  while (!by_deadline_.empty() && requests_.find(by_deadline_.front()) == nullptr)
    by_deadline_.pop_front();
}

void Client::Impl::fail(base::Handle handle, FailReason reason) {
  events_.push_back(RequestFailed{requests_.find(handle)->tag, reason});
  ++counters_.failed[static_cast<std::size_t>(reason)];
  drop(handle);
}

void Client::Impl::fail_all(FailReason reason) {
  requests_.for_each([&](base::Handle handle, Request&) { fail(handle, reason); });
  waiting_.clear();
}

/// Where the state lets requests out: behind CONFIRM, or in the session.
bool Client::Impl::write(const Request& request) {
  if (auto* early = std::get_if<AwaitReady>(&state_)) {
    early->request(request.service, request.id, request.payload);
    return true;
  }
  auto* session = std::get_if<Session>(&state_);
  return session != nullptr && session->send(request.service, false, request.id, request.payload);
}

void Client::Impl::write_waiting() {
  while (!waiting_.empty() && out_.size() < kMaxUnsent) {
    Request* request = requests_.find(waiting_.front());
    if (request != nullptr) {
      if (!write(*request)) return;
      request->written = true;
    }
    waiting_.pop_front();
  }
}

void Client::Impl::want_connection() {
  ++counters_.connections;
  state_.emplace<Wanted>();
}

void Client::Impl::connecting(base::Instant now) {
  state_.emplace<Opening>();
  peer_ended_ = keys_fetched_ = false;
  connect_by_ = now + config_.connect_time;
}

void Client::Impl::connected(base::Instant now) {
  if (!std::holds_alternative<Opening>(state_)) return;
  if (keys_.current(now) && !(keys_doubtful_ && config_.identity)) return say_hello(now);
  if (!config_.identity) return handshake_failed(HandshakeError::no_key);
  AwaitKeys& state = state_.emplace<AwaitKeys>();
  rng_.fill(state.echo);
  std::array<std::uint8_t, packet::kMinInitial> keyreq;
  packet::write_keyreq(keyreq, state.echo);
  append_body(out_, keyreq);
}

void Client::Impl::say_hello(base::Instant now) {
  const auto key = keys_.current(now);
  if (!key) return handshake_failed(HandshakeError::no_key);
  auto next = AwaitCookie::hello(key->server_key, rng_, out_);
  if (!next) return handshake_failed(next.error());
  state_.emplace<AwaitCookie>(std::move(*next));
}

void Client::Impl::connect_failed() {
  if (!opening()) return;  // it had been given up
  state_.emplace<Over>();
  down({});
  fail_all(FailReason::unreachable);
}

void Client::Impl::disconnected() {
  in_ = {};
  out_ = {};
  peer_ended_ = false;
  state_.emplace<None>();
  if (requests_.size() > 0) want_connection();
}

bool Client::Impl::receiving() const {
  return std::holds_alternative<AwaitKeys>(state_) || std::holds_alternative<AwaitCookie>(state_) ||
         std::holds_alternative<AwaitReady>(state_) || ready();
}

bool Client::Impl::length_allowed(std::size_t size) const {
  if (std::holds_alternative<AwaitKeys>(state_))
    return size >= packet::kKeysClear && size <= kMaxKeys;
  if (std::holds_alternative<AwaitCookie>(state_)) return size == kCookieSize;
  return size >= kMinRecord && size <= kMaxRecord;
}

base::MutableBytes Client::Impl::room() {
  if (peer_ended_ || in_.reading()) return {};
  if (std::holds_alternative<AwaitKeys>(state_) || std::holds_alternative<AwaitCookie>(state_))
    return in_.room(kLengthSize + kMaxKeys);
  if (!receiving() || out_.size() > kMaxUnread) return {};
  const bool large = in_.announced() > kReadSize / 2;
  return in_.room(large ? kLargeReadSize : kReadSize);
}

void Client::Impl::received(std::size_t size) {
  in_.added(size);
}

base::Bytes Client::Impl::unsent() {
  if (auto* early = std::get_if<AwaitReady>(&state_)) early->flush();
  if (auto* session = std::get_if<Session>(&state_)) session->flush();
  return out_.held();
}

void Client::Impl::sent(std::size_t size) {
  out_.dropped(size);
  if (out_.empty()) out_.release();
  write_waiting();
}

bool Client::Impl::poll_event(base::Instant now, ClientEvent& event) {
  while (true) {
    if (!events_.empty()) {
      event = events_.front();
      events_.pop_front();
      return true;
    }
    if (auto* session = std::get_if<Session>(&state_)) {
      if (step_session(now, *session, event)) return true;
      if (!events_.empty()) continue;
    }
    const auto body = next_body();
    if (!body && events_.empty()) break;
    if (body) take_body(now, *body);
  }
  if (in_.empty()) in_.release();
  return false;
}

bool Client::Impl::step_session(base::Instant now, Session& session, ClientEvent& event) {
  Message message;
  while (session.poll_message(now, message)) {
    if (!take_message(message, event)) continue;
    used_at_ = now;
    return true;
  }
  if (session.peer_close() && !session.closing()) session.close(now, CloseCode::done, {});
  if (session.end()) session_ended(session);
  return false;
}

bool Client::Impl::take_message(const Message& message, ClientEvent& event) {
  const auto index = static_cast<std::uint16_t>(message.id);
  base::Handle found = 0;
  // The handle is the slot's; its upper generation bits are not on the wire.
  const Request* request = requests_.tenant(index, found);
  if (!message.response || request == nullptr || request->id != message.id || !request->written) {
    ++counters_.stray;
    return false;
  }
  const std::uint64_t tag = request->tag;
  if (message.type == FrameType::error) {
    const FailReason reason = reason_of(message.payload);
    ++counters_.failed[static_cast<std::size_t>(reason)];
    event = RequestFailed{tag, reason};
  } else {
    ++counters_.answers;
    event = Answered{tag, message.payload};
  }
  drop(found);
  return true;
}

std::optional<base::MutableBytes> Client::Impl::next_body() {
  if (!receiving()) return std::nullopt;
  auto* session = std::get_if<Session>(&state_);
  in_.read();
  if (const auto size = in_.announced(); size && !length_allowed(*size)) {
    if (session == nullptr) {
      handshake_failed(HandshakeError::bad_length);
    } else {
      session->bad_length();
      session_ended(*session);
    }
    return std::nullopt;
  }
  const auto body = in_.take();
  if (body || !peer_ended_) return body;
  if (session == nullptr) {
    handshake_failed(HandshakeError::ended);
  } else {
    session->peer_ended();
    session_ended(*session);
  }
  return std::nullopt;
}

void Client::Impl::take_body(base::Instant now, base::MutableBytes body) {
  if (std::holds_alternative<AwaitKeys>(state_)) return take_keys(now, body);
  if (auto* await = std::get_if<AwaitCookie>(&state_)) {
    auto next = std::move(*await).cookie(body, client_key(), rng_, out_);
    if (!next) return handshake_failed(next.error());
    state_.emplace<AwaitReady>(std::move(*next));
    return write_waiting();
  }
  if (std::holds_alternative<AwaitReady>(state_)) return take_ready(now, body);
  std::get<Session>(state_).receive(now, body);
}

void Client::Impl::take_keys(base::Instant now, base::MutableBytes body) {
  const auto type = packet::parse_header(body);
  if (!type || *type != packet::DatagramType::keys)
    return handshake_failed(HandshakeError::bad_body);
  const auto keys = packet::parse_keys(body);
  if (!keys || keys->echo != std::get<AwaitKeys>(state_).echo)
    return handshake_failed(HandshakeError::bad_body);
  if (keys_.show(now, keys->certificates).verified == 0)
    return handshake_failed(HandshakeError::no_key);
  keys_doubtful_ = false;
  keys_fetched_ = true;
  say_hello(now);
}

void Client::Impl::take_ready(base::Instant now, base::MutableBytes body) {
  auto made = std::get<AwaitReady>(std::move(state_)).ready(body);
  if (!made) return handshake_failed(made.error());
  // What the server names as idle time is its own; ours is never longer than the protocol's.
  const auto idle = std::clamp<base::Duration>(made->idle, std::chrono::seconds(1), kIdleTime);
  const auto server_ms = made->server_ms;
  state_.emplace<Session>(
      Session::Role::client, std::move(made->writer), std::move(made->opener), rng_,
      Session::Timing{now, idle, config_.close_after == base::Duration::zero()});
  ++counters_.ready;
  used_at_ = now;
  events_.push_back(ConnectionReady{server_ms});
  write_waiting();
}

const crypto::KeyPair& Client::Impl::client_key() {
  if (!config_.client_key) {
    client_key_ = crypto::generate_key_pair(rng_);
  } else if (!client_key_) {
    client_key_ =
        crypto::KeyPair{crypto::public_key_of(*config_.client_key), config_.client_key->copy()};
  }
  return *client_key_;
}

void Client::Impl::handshake_failed(HandshakeError error) {
  // A server that ends the connection on our HELLO does not know the key: it has changed since we
  // heard of it. Nothing has been asked yet, so one more connection, which asks for the keys first.
  const bool stale_key = error == HandshakeError::ended && config_.identity && !keys_fetched_ &&
                         std::holds_alternative<AwaitCookie>(state_) && !keys_doubtful_;
  state_.emplace<Over>();
  if (stale_key) {
    keys_doubtful_ = true;
    return;
  }
  down({error, std::nullopt, std::nullopt});
  fail_all(error == HandshakeError::timed_out ? FailReason::unreachable : FailReason::handshake);
}

void Client::Impl::session_ended(Session& session) {
  session.flush();
  const ConnectionDown how{std::nullopt, session.end(), session.peer_close()};
  state_.emplace<Over>();
  const bool shutdown = how.said && how.said->code == CloseCode::shutdown;
  down(how);  // before what follows from it
  waiting_.clear();
  requests_.for_each([&](base::Handle handle, Request& request) {
    if (shutdown) {
      fail(handle, FailReason::shutdown);
    } else if (request.written && (!config_.ask_again || request.asked_again)) {
      fail(handle, FailReason::connection_lost);
    } else {
      if (request.written) {
        ++counters_.asked_again;
        request.asked_again = true;
      }
      request.written = false;
      waiting_.push_back(handle);
    }
  });
}

void Client::Impl::down(ConnectionDown how) {
  events_.push_back(std::move(how));
}

void Client::Impl::close(base::Instant now) {
  fail_all(FailReason::connection_lost);
  if (auto* session = std::get_if<Session>(&state_))
    session->close(now, CloseCode::done, {});
  else if (wants_connection())
    state_.emplace<None>();
  else if (!std::holds_alternative<None>(state_))
    state_.emplace<Over>();
}

void Client::Impl::expire_requests(base::Instant now) {
  while (!by_deadline_.empty()) {
    const base::Handle handle = by_deadline_.front();
    const Request* request = requests_.find(handle);
    if (request != nullptr && request->deadline > now) return;
    by_deadline_.pop_front();
    if (request != nullptr) fail(handle, FailReason::timed_out);
  }
}

void Client::Impl::handle_timeout(base::Instant now) {
  expire_requests(now);
  if (auto* session = std::get_if<Session>(&state_)) {
    if (config_.close_after > base::Duration::zero() && requests_.size() == 0 &&
        now - used_at_ >= config_.close_after)
      session->close(now, CloseCode::done, {});
    session->handle_timeout(now);
    if (session->end()) session_ended(*session);
  } else if (handshaking() && now >= connect_by_) {
    handshake_failed(HandshakeError::timed_out);
  }
}

std::optional<base::Instant> Client::Impl::next_timeout() const {
  std::optional<base::Instant> next;
  const auto earlier = [&](base::Instant at) {
    if (!next || at < *next) next = at;
  };
  if (!by_deadline_.empty()) earlier(requests_.find(by_deadline_.front())->deadline);
  if (const auto* session = std::get_if<Session>(&state_)) {
    earlier(session->next_timeout());
    if (config_.close_after > base::Duration::zero() && requests_.size() == 0 &&
        !session->closing())
      earlier(used_at_ + config_.close_after);
  } else if (handshaking()) {
    earlier(connect_by_);
  }
  return next;
}

}  // namespace boxgram::stream
