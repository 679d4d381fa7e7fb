#include <algorithm>

#include <boxgram/gateway/worker.hpp>

namespace boxgram::gateway {
namespace {

/// Where an answer for `reply` is written. The room given is larger than what may be kept: the
/// forwarder composes short errors in it without asking for the size first.
struct AnswerRoom {
  AnswerRoom(const packet::ReplyTo& reply, base::MutableBytes out) {
    const auto space = packet::Server::payload_space(reply, out);
    limit = space.size();
    bytes = out.subspan(static_cast<std::size_t>(space.data() - out.data()));
  }

  std::size_t limit = 0;
  base::MutableBytes bytes;
};

}  // namespace

Worker::Worker(const packet::ServerConfig& server, std::shared_ptr<const packet::ServerKeys> keys,
               std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache,
               base::Rng& rng, base::WallClock wall, base::Instant start)
    : server_(server, rng, wall, start, std::move(keys)),
      lines_(std::move(rules), cache, rng, start),
      share_(rng) {}

Worker::Handled Worker::receive(base::Instant now, const Path& path, base::MutableBytes datagram,
                                base::MutableBytes out) {
  packet::Received received = server_.receive(now, path.from, datagram, out);
  switch (received.kind) {
    case packet::Received::Kind::dropped:
      return {};
    case packet::Received::Kind::transmit:
      return {Handled::Kind::transmit, received.size, 0};
    case packet::Received::Kind::misrouted:
      return {Handled::Kind::misrouted, 0, received.owner};
    case packet::Received::Kind::request: {
      Handled handled = dispatch(now, path, received, out);
      handled.query = received.payload;
      return handled;
    }
  }
  return {};
}

/// While few wait nobody can have too many, and the hot path computes no hash.
bool Worker::over_share(const Path& path) const {
  return pending_.size() >= kMaxPendingOfNetwork &&
         share_.waiting(share_.slot_of(path.from)) >= kMaxPendingOfNetwork;
}

Worker::Handled Worker::dispatch(base::Instant now, const Path& path, packet::Received& received,
                                 base::MutableBytes out) {
  ++counters_.dns_requests;
  packet::ReplyTo& reply = received.reply;
  const auto error = [&](packet::ErrorCode code) -> Handled {
    return {Handled::Kind::transmit, server_.seal_error(reply, code, {}, out), 0};
  };
  if (draining_) return error(packet::ErrorCode::shutdown);
  if (over_share(path)) {
    ++counters_.over_share;
    return error(packet::ErrorCode::refused);
  }
  base::Handle handle = 0;
  Pending* place = pending_.acquire(handle);
  if (place == nullptr) {
    ++counters_.full;
    return error(packet::ErrorCode::refused);
  }
  const AnswerRoom room(reply, out);
  const auto outcome =
      lines_.query(now, handle, received.payload, {dns::Transport::sealed, room.limit}, room.bytes);
  if (outcome.kind == dns::Outcome::Kind::pending) {
    place->reply = std::move(reply);
    place->path = path;
    place->network = share_.slot_of(path.from);
    share_.add(place->network);
    return {};
  }
  pending_.release(handle);
  switch (outcome.kind) {
    case dns::Outcome::Kind::answered:
      ++counters_.answered_at_once;
      return {Handled::Kind::transmit, server_.seal_reply(reply, outcome.size, out), 0};
    case dns::Outcome::Kind::too_large:
      return {Handled::Kind::transmit, seal_too_large(reply, outcome.size, out), 0};
    case dns::Outcome::Kind::dropped:
      return error(packet::ErrorCode::malformed);
    case dns::Outcome::Kind::pending:
      break;
  }
  return {};
}

std::size_t Worker::seal_too_large(const packet::ReplyTo& reply, std::size_t size,
                                   base::MutableBytes out) {
  ++counters_.too_large;
  std::uint8_t detail[2];
  base::store_be16(detail, static_cast<std::uint16_t>(std::min<std::size_t>(size, 0xffff)));
  return server_.seal_error(reply, packet::ErrorCode::too_large, detail, out);
}

bool Worker::poll_transmit(base::Instant now, Transmit& transmit, base::MutableBytes out) {
  dns::Answered answered;
  // The place of the answer depends on its request, which is known only afterwards: it is written
  // at the front and moved. Late answers are not the hot path.
  std::array<std::uint8_t, packet::kMaxDatagram> text;
  while (lines_.poll_answer(now, answered, text)) {
    Pending* place = pending_.find(answered.tag);
    if (place == nullptr) continue;
    const auto space = packet::Server::payload_space(place->reply, out);
    if (answered.too_large || answered.size > space.size()) {
      transmit.size = seal_too_large(place->reply, answered.size, out);
    } else {
      std::copy_n(text.begin(), answered.size, space.begin());
      transmit.size = server_.seal_reply(place->reply, answered.size, out);
    }
    transmit.path = place->path;
    share_.remove(place->network);
    place->reply = {};  // wipes the key now, not when the place is used again
    pending_.release(answered.tag);
    return true;
  }
  return false;
}

void Worker::handle_timeout(base::Instant now) {
  server_.handle_timeout(now);
  lines_.handle_timeout(now);
}

std::optional<base::Instant> Worker::next_timeout() const {
  const auto server = server_.next_timeout();
  const auto lines = lines_.next_timeout();
  if (!server || !lines) return server ? server : lines;
  return std::min(*server, *lines);
}

}  // namespace boxgram::gateway
