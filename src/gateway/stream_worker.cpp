#include <algorithm>

#include <boxgram/gateway/stream_worker.hpp>

namespace boxgram::gateway {

using packet::ErrorCode;
using packet::FrameType;

namespace {

/// Nothing if there is no such service.
std::optional<bool> right_to(FrameType service, const StreamRights& rights) {
  switch (service) {
    case FrameType::dns:
      return rights.dns;
    case FrameType::control:
      return rights.control;
    case FrameType::dht:
      return rights.dht;
    default:
      return std::nullopt;
  }
}

}  // namespace

StreamWorker::StreamWorker(const stream::ServerConfig& server,
                           std::shared_ptr<const packet::ServerKeys> keys,
                           std::shared_ptr<const dns::ForwarderConfig> rules,
                           dns::SharedCache* cache, base::Rng& rng, base::WallClock wall,
                           base::Instant start)
    : server_(server, rng, wall, start, std::move(keys)),
      lines_(std::move(rules), cache, rng, start),
      share_(rng),
      answer_(dns::kMaxMessageSize) {}

bool StreamWorker::poll_event(base::Instant now, StreamEvent& event) {
  stream::ServerEvent next;
  do {
    while (server_.poll_event(now, next)) {
      if (const auto* received = std::get_if<stream::MessageReceived>(&next)) {
        if (take(now, *received, event)) return true;
      } else if (const auto* ended = std::get_if<stream::ConnectionEnded>(&next)) {
        sessions_.erase(ended->connection);
        event = *ended;
        return true;
      } else {
        event = std::get<stream::ClientProven>(next);
        return true;
      }
    }
  } while (send_answers(now));  // which may let more requests in
  return false;
}

void StreamWorker::admit(base::Instant now, base::Handle connection, StreamRights rights) {
  server_.authorise(now, connection);
  const auto from = server_.peer(connection);
  if (from) sessions_[connection] = {rights, share_.slot_of(*from)};
}

void StreamWorker::refuse(base::Instant now, base::Handle connection) {
  server_.refuse(now, connection, ErrorCode::auth);
}

void StreamWorker::change_rights(base::Handle connection, StreamRights rights) {
  const auto session = sessions_.find(connection);
  if (session != sessions_.end()) session->second.rights = rights;
}

/// True if the owner gets it.
bool StreamWorker::take(base::Instant now, const stream::MessageReceived& received,
                        StreamEvent& event) {
  const stream::Message& message = received.message;
  const auto session = sessions_.find(received.connection);
  if (message.response || session == sessions_.end()) return false;
  const auto refuse = [&](ErrorCode code) {
    server_.respond_error(now, received.connection, message.id, code);
    return false;
  };
  const std::optional<bool> allowed = right_to(message.type, session->second.rights);
  if (!allowed) return refuse(ErrorCode::unknown_service);
  if (!*allowed) {
    ++counters_.not_allowed;
    return refuse(ErrorCode::auth);
  }
  if (message.type == FrameType::control) {
    event = ControlRequest{received.connection, message.id, message.payload};
    return true;
  }
  if (message.type == FrameType::dht) {
    event = DhtRequest{received.connection, message.id, message.payload};
    return true;
  }
  ask(now, received, session->second);
  if (show_queries_) event = QuerySeen{received.connection, message.payload};
  return show_queries_;
}

void StreamWorker::ask(base::Instant now, const stream::MessageReceived& received,
                       const Session& session) {
  ++counters_.dns_requests;
  const stream::Message& message = received.message;
  const auto refuse = [&](ErrorCode code) {
    server_.respond_error(now, received.connection, message.id, code);
  };
  if (share_.waiting(session.network) >= kMaxPendingOfNetwork) {
    ++counters_.over_share;
    return refuse(ErrorCode::refused);
  }
  base::Handle tag = 0;
  Pending* place = pending_.acquire(tag);
  if (place == nullptr) {
    ++counters_.full;
    return refuse(ErrorCode::refused);
  }
  const auto outcome =
      lines_.query(now, tag, message.payload, {dns::Transport::tcp, answer_.size()}, answer_);
  if (outcome.kind == dns::Outcome::Kind::pending) {
    *place = {received.connection, message.id, session.network};
    share_.add(session.network);
    return;
  }
  pending_.release(tag);
  if (outcome.kind != dns::Outcome::Kind::answered) return refuse(ErrorCode::malformed);
  ++counters_.answered_at_once;
  server_.respond(now, received.connection, FrameType::dns, message.id,
                  base::Bytes(answer_).first(outcome.size));
}

bool StreamWorker::send_answers(base::Instant now) {
  bool any = false;
  dns::Answered answered;
  while (lines_.poll_answer(now, answered, answer_)) {
    const Pending* place = pending_.find(answered.tag);
    if (place == nullptr) continue;
    const bool sent = server_.respond(now, place->connection, FrameType::dns, place->id,
                                      base::Bytes(answer_).first(answered.size));
    if (!sent) ++counters_.late;
    share_.remove(place->network);
    pending_.release(answered.tag);
    any = true;
  }
  return any;
}

void StreamWorker::handle_timeout(base::Instant now) {
  server_.handle_timeout(now);
  lines_.handle_timeout(now);
}

std::optional<base::Instant> StreamWorker::next_timeout() const {
  const auto server = server_.next_timeout();
  const auto lines = lines_.next_timeout();
  if (!server || !lines) return server ? server : lines;
  return std::min(*server, *lines);
}

}  // namespace boxgram::gateway
