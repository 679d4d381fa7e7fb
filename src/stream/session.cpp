#include "session.hpp"

#include <algorithm>

namespace boxgram::stream {
namespace {

using packet::FrameType;

// How long the other side has to answer our CLOSE.
constexpr base::Duration kCloseTime = std::chrono::seconds(5);

// PING carries what its sender likes; more than this is no sign of life but traffic.
constexpr std::size_t kMaxPing = 64;

bool is_message(const packet::Frame& frame) {
  if (frame.type == FrameType::error) return frame.response;  // it answers, it does not ask
  return packet::is_service(frame.type) || frame.type >= FrameType{0x80};
}

}  // namespace

const char* to_string(HandshakeError error) {
  static constexpr const char* kNames[] = {
      "timed_out",     "bad_length", "bad_body",      "unknown_key", "low_order",
      "not_authentic", "wrong_tag",  "not_confirmed", "bad_frames",  "not_authorised",
      "busy",          "too_often",  "ended",         "no_key"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(HandshakeError::count_));
  return kNames[static_cast<std::size_t>(error)];
}

const char* to_string(SessionEnd end) {
  static constexpr const char* kNames[] = {"closed",     "truncated", "idle",     "not_authentic",
                                           "bad_length", "violation", "worn_out", "slow"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(SessionEnd::count_));
  return kNames[static_cast<std::size_t>(end)];
}

Session::Session(Role role, RecordWriter writer, RecordKey opener, base::Rng& rng,
                 const Timing& timing)
    : role_(role),
      writer_(std::move(writer)),
      opener_(std::move(opener)),
      rng_(rng),
      idle_(timing.idle),
      keep_alive_(timing.keep_alive),
      limits_(timing.limits),
      heard_(timing.now),
      epoch_began_(timing.now) {}

void Session::end_with(SessionEnd end) {
  if (end_) return;
  end_ = end;
  frames_ = packet::FrameReader({});
  next_key_pair_.reset();
  next_opening_key_.reset();
  partial_.reset();
  parts_ = {};
}

void Session::receive(base::Instant now, base::MutableBytes boxed) {
  if (end_) return;
  if (!opener_.open(boxed)) return end_with(SessionEnd::not_authentic);
  if (peer_close_) return end_with(SessionEnd::violation);
  heard_ = now;
  ping_sent_ = false;
  const base::Bytes text = boxed.subspan(crypto::kTagSize);
  // Nothing is acted on before the whole record is known to be well-formed.
  packet::FrameReader all(text, true);
  while (all.next()) {
  }
  if (!all.ok()) return end_with(SessionEnd::violation);
  frames_ = packet::FrameReader(text, true);
  last_word_ = false;
}

bool Session::poll_message(base::Instant now, Message& message) {
  if (!partial_) parts_ = {};  // the message that stood there has been seen
  while (!end_) {
    const auto frame = frames_.next();
    if (!frame) break;
    if (last_word_)
      end_with(SessionEnd::violation);
    else if (take(now, *frame, message))
      return true;
  }
  if (!end_) renew_if_worn(now);
  return false;
}

bool Session::take(base::Instant now, const packet::Frame& frame, Message& message) {
  if (peer_close_ || (frame.more && !is_message(frame))) {
    end_with(SessionEnd::violation);
  } else if (partial_ || is_message(frame)) {
    return assemble(frame, message);
  } else {
    take_transport(now, frame);
  }
  return false;
}

/// The parts of a message follow each other with nothing in between, so one buffer is enough.
bool Session::assemble(const packet::Frame& frame, Message& message) {
  if (!partial_ && !frame.more) {
    message = {frame.type, frame.response, frame.id, frame.payload};
    return true;
  }
  if (!partial_) partial_ = Message{frame.type, frame.response, frame.id, {}};
  if (frame.type != partial_->type || frame.response != partial_->response ||
      frame.id != partial_->id || parts_.size() + frame.payload.size() > kMaxMessage ||
      (frame.more && frame.payload.empty())) {
    end_with(SessionEnd::violation);
    return false;
  }
  parts_.insert(parts_.end(), frame.payload.begin(), frame.payload.end());
  if (frame.more) return false;
  message = {frame.type, frame.response, frame.id, parts_};
  partial_.reset();
  return true;
}

void Session::take_transport(base::Instant now, const packet::Frame& frame) {
  switch (frame.type) {
    case FrameType::ping:
      if (frame.response || frame.payload.size() > kMaxPing) break;
      if (!close_said_) writer_.put(FrameType::pong, true, frame.id, frame.payload);
      return;
    case FrameType::pong:
      if (!frame.response) break;
      return;
    case FrameType::close:
      return take_close(frame.payload);
    case FrameType::rekey_req:
      if (role_ != Role::server) break;
      return take_rekey_req(now, frame.payload);
    case FrameType::rekey_ack:
      if (role_ != Role::client) break;
      return take_rekey_ack(now, frame.payload);
    case FrameType::rekey_done:
      if (role_ != Role::server || !frame.payload.empty()) break;
      return take_rekey_done(now);
    default:
      break;
  }
  end_with(SessionEnd::violation);
}

void Session::take_close(base::Bytes payload) {
  // A server that has said its last word for the old epoch waits for the client's (DONE).
  if (payload.size() < 2 || payload.size() > 2 + kMaxCloseReason || next_opening_key_)
    return end_with(SessionEnd::violation);
  peer_close_ = PeerClose{CloseCode{base::load_be16(payload.data())},
                          std::string(base::as_text(payload.subspan(2)))};
  next_key_pair_.reset();  // no ACK follows a CLOSE: the renewal is off
  if (close_wanted_) say_close();
  if (close_said_) end_with(SessionEnd::closed);
}

void Session::take_rekey_req(base::Instant now, base::Bytes payload) {
  if (payload.size() != 32 || next_opening_key_ || too_fresh(now))
    return end_with(SessionEnd::violation);
  if (close_said_) return;  // crossed our CLOSE on the way
  const crypto::KeyPair next = crypto::generate_key_pair(rng_);
  auto key = crypto::shared_key(base::load_array<32>(payload.data()), next.secret_key);
  if (!key) return end_with(SessionEnd::violation);
  writer_.put_alone(FrameType::rekey_ack, 0, next.public_key);
  writer_.next_epoch(key->copy());
  next_opening_key_ = std::move(key);
}

void Session::take_rekey_ack(base::Instant now, base::Bytes payload) {
  if (payload.size() != 32 || !next_key_pair_) return end_with(SessionEnd::violation);
  auto key = crypto::shared_key(base::load_array<32>(payload.data()), next_key_pair_->secret_key);
  if (!key) return end_with(SessionEnd::violation);
  next_key_pair_.reset();
  writer_.put_alone(FrameType::rekey_done, 0, {});
  writer_.next_epoch(key->copy());
  opener_.next_epoch(std::move(*key));
  last_word_ = true;
  epoch_began_ = now;
  if (close_wanted_) say_close();
}

void Session::take_rekey_done(base::Instant now) {
  if (!next_opening_key_) return end_with(SessionEnd::violation);
  opener_.next_epoch(std::move(*next_opening_key_));
  next_opening_key_.reset();
  last_word_ = true;
  epoch_began_ = now;
  if (close_wanted_) say_close();
}

/// Both directions count: what one of them has used up, the other may not have touched.
Session::Use Session::use(base::Instant now) const {
  return {now - epoch_began_, std::max(writer_.key().bytes(), opener_.bytes()),
          std::max(writer_.key().records(), opener_.records())};
}

/// A renewal costs the server two scalar multiplications: none before the epoch has served for a
/// tenth of its time or a sixteenth of its traffic, so that nobody makes it do nothing else.
bool Session::too_fresh(base::Instant now) const {
  const Use used = use(now);
  return used.time < limits_.time / 10 && used.bytes < limits_.bytes / 16 &&
         used.records < limits_.records / 16;
}

void Session::renew_if_worn(base::Instant now) {
  const Use used = use(now);
  const auto over = [&](unsigned times) {
    return used.time >= limits_.time * times || used.bytes >= limits_.bytes * times ||
           used.records >= limits_.records * times;
  };
  if (over(2)) return end_with(SessionEnd::worn_out);
  if (role_ == Role::server || renewing() || close_wanted_ || peer_close_ || !over(1)) return;
  next_key_pair_ = crypto::generate_key_pair(rng_);
  writer_.put_alone(FrameType::rekey_req, 0, next_key_pair_->public_key);
}

bool Session::send(FrameType type, bool response, std::uint32_t id, base::Bytes payload) {
  if (end_ || close_wanted_) return false;
  writer_.put(type, response, id, payload);
  return true;
}

void Session::close(base::Instant now, CloseCode code, std::string_view reason) {
  if (end_ || close_wanted_) return;
  close_wanted_ = {code, std::string(reason.substr(0, kMaxCloseReason)), now + kCloseTime};
  if (!renewing()) say_close();
}

void Session::say_close() {
  if (close_said_) return;
  std::uint8_t payload[2 + kMaxCloseReason];
  base::Writer out(payload);
  out.u16(static_cast<std::uint16_t>(close_wanted_->code));
  out.bytes(base::as_bytes(close_wanted_->reason));
  writer_.put(FrameType::close, false, 0, out.written());
  writer_.seal();
  close_said_ = true;
  if (peer_close_) end_with(SessionEnd::closed);
}

void Session::peer_ended() {
  end_with(peer_close_ ? SessionEnd::closed : SessionEnd::truncated);
}

void Session::flush() {
  writer_.seal();
}

/// At the latest when half the silence that is allowed is over.
std::optional<base::Instant> Session::ping_due() const {
  if (!keep_alive_ || ping_sent_ || close_wanted_) return std::nullopt;
  return heard_ + std::min(kPingAfter, idle_ / 2);
}

void Session::handle_timeout(base::Instant now) {
  if (end_) return;
  if (close_wanted_ && now >= close_wanted_->give_up_at)
    return end_with(SessionEnd::truncated);  // what it had to say did not come to its end
  if (now - heard_ >= idle_) {
    close(now, CloseCode::idle, {});
    return end_with(SessionEnd::idle);
  }
  if (ping_due() && now >= *ping_due()) {
    writer_.put(FrameType::ping, false, 0, {});
    ping_sent_ = true;
  }
  renew_if_worn(now);
}

base::Instant Session::next_timeout() const {
  base::Instant next = heard_ + idle_;
  if (const auto ping = ping_due()) next = std::min(next, *ping);
  if (close_wanted_) next = std::min(next, close_wanted_->give_up_at);
  const bool waits = role_ == Role::server || renewing() || close_wanted_ || peer_close_;
  return std::min(next, epoch_began_ + limits_.time * (waits ? 2 : 1));
}

}  // namespace boxgram::stream
