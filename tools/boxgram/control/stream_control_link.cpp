#include "stream_control_link.hpp"

#include <fmt/format.h>

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

using control::LinkError;
using Kind = control::LinkError::Kind;
using stream::HandshakeError;

stream::ClientConfig client_config(const packet::Stamp& stamp, crypto::SecretKey key) {
  stream::ClientConfig config;
  config.identity = stamp.identity;
  config.pinned_key = stamp.pinned;
  config.client_key = std::move(key);
  config.capacity = 1;
  // The longest that a method takes is the time in which a worker under full load answers.
  config.request_lifetime = std::chrono::seconds(15);
  config.connect_time = std::chrono::seconds(5);
  config.close_after = base::Duration::zero();
  config.ask_again = false;  // a command must not be carried out twice
  return config;
}

/// Nobody carries pings while a person thinks at a prompt, and the server ends a session that is
/// silent for two minutes: after half of that another connection is made.
constexpr base::Duration kFreshFor = std::chrono::seconds(60);

}  // namespace

StreamControlLink::StreamControlLink(const packet::Stamp& stamp, crypto::SecretKey key)
    : stamp_(stamp),
      client_(client_config(stamp, std::move(key)), rng_, net::wall_clock(), net::now()),
      link_(loop_, stamp.address, client_, {[this] { settle(); }}),
      timer_(loop_.io(), [this] {
        client_.handle_timeout(net::now());
        settle();
      }) {}

base::expected<std::string, LinkError> StreamControlLink::exchange(std::string_view request) {
  outcome_.reset();
  down_.reset();
  if (client_.ready() && net::now() - used_at_ > kFreshFor) client_.close(net::now());
  used_at_ = net::now();
  if (client_.request(net::now(), packet::FrameType::control, base::as_bytes(request), 1) == 0)
    return base::unexpected<LinkError>(LinkError{Kind::timed_out, "a request is still waiting"});
  settle();
  if (!outcome_) loop_.run();
  return std::move(*outcome_);
}

void StreamControlLink::settle() {
  stream::ClientEvent event;
  while (client_.poll_event(net::now(), event)) take(event);
  link_.settle();
  timer_.want(client_.next_timeout());
  if (outcome_) loop_.stop();
}

void StreamControlLink::take(const stream::ClientEvent& event) {
  if (const auto* answered = std::get_if<stream::Answered>(&event)) {
    outcome_ = std::string(base::as_text(answered->payload));
  } else if (const auto* failed = std::get_if<stream::RequestFailed>(&event)) {
    outcome_ = base::unexpected<LinkError>(error_of(failed->reason));
  } else if (const auto* down = std::get_if<stream::ConnectionDown>(&event)) {
    down_ = *down;
  }
}

LinkError StreamControlLink::error_of(stream::FailReason reason) const {
  const std::string where = base::to_string(stamp_.address);
  switch (reason) {
    case stream::FailReason::timed_out:
      return {Kind::timed_out, fmt::format("{} has not answered in time", where)};
    case stream::FailReason::unreachable:
      return {Kind::unreachable, fmt::format("nobody takes a TCP connection at {}", where)};
    case stream::FailReason::handshake:
      return handshake_error(down_ && down_->handshake ? *down_->handshake : HandshakeError::ended);
    case stream::FailReason::refused:
      return {Kind::not_authorised, fmt::format("{} does not serve control to this key", where)};
    case stream::FailReason::connection_lost:
    case stream::FailReason::shutdown:
      if (down_ && down_->said && down_->said->code == stream::CloseCode::revoked)
        return {Kind::not_authorised,
                fmt::format("{} ended the session: {}", where, down_->said->reason)};
      if (down_ && down_->said && !down_->said->reason.empty())
        return {Kind::truncated,
                fmt::format("{} ended the session: {}", where, down_->said->reason)};
      return {Kind::truncated, fmt::format("the connection to {} ended before the answer", where)};
    case stream::FailReason::too_large:
    case stream::FailReason::unknown_service:
    case stream::FailReason::malformed:
    case stream::FailReason::count_:
      break;
  }
  return {Kind::truncated, fmt::format("{} does not understand the request", where)};
}

LinkError StreamControlLink::handshake_error(HandshakeError error) const {
  const std::string where = base::to_string(stamp_.address);
  switch (error) {
    case HandshakeError::not_authorised:
      return {Kind::not_authorised, fmt::format("{} does not know this key", where)};
    case HandshakeError::busy:
      return {Kind::unreachable, fmt::format("{} has no place for another session", where)};
    case HandshakeError::ended:
      // With an identity the keys were asked for and fit: it is not the key that displeased.
      if (stamp_.identity)
        return {Kind::unreachable, fmt::format("{} closed the connection at once", where)};
      [[fallthrough]];
    default:
      return {
          Kind::wrong_server_key,
          fmt::format("whoever answers at {} does not hold the key that the stamp names", where)};
  }
}

}  // namespace boxgram::tools
