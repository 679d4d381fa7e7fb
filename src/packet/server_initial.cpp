// The first datagram of a client, in the order of PROTOCOL.md, "Server: INITIAL": what is cheap and
// needs no secret comes first, one scalar multiplication comes late, state changes come last.
#include <algorithm>

#include <boxgram/packet/server.hpp>

#include "request.hpp"
#include "server_tables.hpp"
#include "tokens.hpp"

namespace boxgram::packet {
namespace {

constexpr base::UnixMillis kMaxAgeMs = 30'000;
/// How far a client's clock may run ahead of ours.
constexpr base::UnixMillis kMaxAheadMs = 5'000;

/// REQUIRES: request.echo.
bool echoes(const Request& request, base::Bytes cookie) {
  return crypto::equal_constant_time(*request.echo, cookie.first(sizeof(CookieNonce)));
}

}  // namespace

// Bucket by bucket: the first that is empty decides and those behind it lose nothing.
bool Server::retry_due(base::Instant now, const base::SocketAddress& from) {
  // The replay set of an earlier run is lost, and so is the proof that a timestamp is fresh.
  return wall_(now) <= wall_(boot_) + kMaxAheadMs || tables_->replays.crowded(now) ||
         tables_->associations.crowded(from) || !tables_->initials.take(now, from) ||
         !tables_->scalar_mults.take(now);
}

// A client whose clock is ahead by up to 5 s may have sent, before this process began, something
// that carries a time after it: hence boot + 5 s and not boot, and that very millisecond not
// either, because an earlier process may have accepted it in the one in which this process began.
bool Server::timestamp_fresh(base::Instant now, base::UnixMillis ts) const {
  const base::UnixMillis unix_now = wall_(now);
  return ts + kMaxAgeMs >= unix_now && ts <= unix_now + kMaxAheadMs &&
         ts > wall_(boot_) + kMaxAheadMs;
}

Received Server::retry(base::Instant now, const base::SocketAddress& from,
                       const InitialHeader& header, base::MutableBytes out) {
  if (!tables_->replies.take(now, from)) return drop(Drop::cookie_required_but_limited);
  const RetryView retry{client_id(header.client_key), header.n,
                        make_cookie(keys_->cookie_key, rng_, wall_(now), from, header.client_key)};
  return transmit(write_retry(out, retry), counters_.retries);
}

Received Server::receive_initial(base::Instant now, const base::SocketAddress& from,
                                 base::MutableBytes datagram, base::MutableBytes out) {
  const InitialHeader header = parse_initial(datagram);
  const DatagramType type = header.cookie.empty() ? DatagramType::initial : DatagramType::initial_c;
  const BoxKey* server_key = keys_->find(header.key_id);
  if (server_key == nullptr) return drop(Drop::unknown_key);
  if (header.n >= kMaxCounter) return drop(Drop::bad_counter);
  const base::Bytes tag_in_place = datagram.subspan(box_offset(type), crypto::kTagSize);
  if (const auto owner = static_cast<std::uint8_t>(tag_in_place[0] % config_.workers);
      owner != config_.worker)
    return misrouted(owner);

  const bool proven = cookie_valid(*keys_, header.cookie, wall_(now), from, header.client_key);
  if (!proven && retry_due(now, from)) return retry(now, from, header, out);
  if (proven && !(tables_->cookies.take(now, from) && tables_->cookie_scalar_mults.take(now)))
    return drop(Drop::rate_limited);

  ++counters_.scalar_mults;
  auto key = crypto::shared_key(header.client_key, server_key->secret_key);
  if (!key) return drop(Drop::low_order);
  const auto opened = open_initial(datagram, header, *key);
  if (!opened) return drop(Drop::not_authentic);

  ReplyTo reply;
  reply.to = from;
  reply.key = std::move(*key);
  reply.cid = client_id(header.client_key);
  reply.re = header.n;
  reply.size = static_cast<std::uint16_t>(datagram.size());
  reply.unix_ms = wall_(now);
  reply.offer_keys = tables_->newest_serial > server_key->serial;

  const Request request = parse_request(type, opened->frames);
  // A cookie that the box does not echo proves the address, but not that the box is fresh: anybody
  // can put a cookie of his own before an old box. And a box that echoes one is fresh by that one
  // only: its timestamp may be years ahead, and become right when the replay set has forgotten it.
  const bool fresh = request.echo ? proven && echoes(request, header.cookie)
                                  : timestamp_fresh(now, opened->prefix);
  if (!fresh) return stale_time(std::move(reply), out);
  switch (tables_->replays.insert(now, tag_in_place)) {
    case ReplaySet::Insert::fresh:
      break;
    case ReplaySet::Insert::seen:
      return drop(Drop::replayed);
    case ReplaySet::Insert::full:
      return drop(Drop::replay_set_full);
  }
  ++counters_.initials;
  if (request.assoc_req && !request.malformed) associate(now, *server_key, reply);
  return dispatch(request, std::move(reply), out);
}

Received Server::stale_time(ReplyTo reply, base::MutableBytes out) {
  std::array<std::uint8_t, 8> unix_ms;
  base::store_be64(unix_ms.data(), reply.unix_ms);
  reply.offer_keys = false;  // nothing here is known to be fresh: the least that helps
  return error(reply, ErrorCode::stale_time, unix_ms, out);
}

void Server::associate(base::Instant now, const BoxKey& server_key, ReplyTo& reply) {
  do {
    rng_.fill(reply.sid);
    // Uniform among the values of the first byte that belong to this worker.
    const unsigned choices = (255u - config_.worker) / config_.workers + 1;
    reply.sid[0] =
        static_cast<std::uint8_t>(config_.worker + reply.sid[0] % choices * config_.workers);
  } while (tables_->associations.find(now, reply.sid) != nullptr);
  tables_->associations.make(
      now, {reply.sid, reply.cid, server_key.id, server_key.serial, reply.to}, reply.key);
  reply.new_association = true;
}

}  // namespace boxgram::packet
