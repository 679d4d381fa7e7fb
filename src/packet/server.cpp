#include <boxgram/base/check.hpp>
#include <boxgram/packet/server.hpp>

#include "request.hpp"
#include "server_tables.hpp"
#include "tokens.hpp"

namespace boxgram::packet {
namespace {

/// A client that has missed this many offers of a new certificate gets it with its next INITIAL.
constexpr std::uint8_t kKeyOffers = 3;

Drop drop_of(HeaderError error) {
  switch (error) {
    case HeaderError::too_short:
      return Drop::too_short;
    case HeaderError::bad_magic:
      return Drop::bad_magic;
    case HeaderError::bad_version:
      return Drop::bad_version;
    case HeaderError::bad_type:
      return Drop::bad_type;
    case HeaderError::bad_length:
      return Drop::bad_length;
  }
  return Drop::bad_type;
}

}  // namespace

const char* to_string(Drop reason) {
  constexpr std::array<const char*, static_cast<std::size_t>(Drop::count_)> kNames = {
      "too_short",   "bad_magic",   "bad_version", "bad_type",      "bad_length",
      "unknown_key", "bad_counter", "low_order",   "not_authentic", "replayed",
      "bad_frames",  "no_service",  "limited",     "rate_limited",  "replay_set_full",
  };
  return kNames[static_cast<std::size_t>(reason)];
}

Server::Server(const ServerConfig& config, base::Rng& rng, base::WallClock wall, base::Instant boot,
               std::shared_ptr<const ServerKeys> keys)
    : config_(config),
      rng_(rng),
      wall_(wall),
      boot_(boot),
      tables_(std::make_unique<Tables>(config, rng, boot, counters_)) {
  BOXGRAM_CHECK(config.workers >= 1 && config.workers <= 256 && config.worker < config.workers);
  BOXGRAM_CHECK(config.association_lifetime <= std::chrono::seconds(600));
  install(std::move(keys));
}

Server::~Server() = default;

void Server::install(std::shared_ptr<const ServerKeys> keys) {
  BOXGRAM_CHECK(keys != nullptr);
  bool lost = false;
  if (keys_)
    for (const auto& old : keys_->live) lost = lost || keys->find(old->id) == nullptr;
  keys_ = std::move(keys);
  const BoxKey* newest = keys_->newest();
  tables_->newest_serial = newest == nullptr ? 0 : newest->serial;
  if (lost)
    tables_->associations.retire([this](const KeyId& id) { return keys_->find(id) != nullptr; });
}

Received Server::receive(base::Instant now, const base::SocketAddress& from,
                         base::MutableBytes datagram, base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram);
  const auto type = parse_header(datagram);
  if (!type) return drop(drop_of(type.error()));
  switch (*type) {
    case DatagramType::initial:
    case DatagramType::initial_c:
      return receive_initial(now, from, datagram, out);
    case DatagramType::short_:
      return receive_short(now, from, datagram, out);
    case DatagramType::keyreq:
      return receive_keyreq(now, from, datagram, out);
    default:
      return drop(Drop::bad_type);
  }
}

Received Server::receive_short(base::Instant now, const base::SocketAddress& from,
                               base::MutableBytes datagram, base::MutableBytes out) {
  const ShortHeader header = parse_short(datagram);
  if (const auto owner = static_cast<std::uint8_t>(header.sid[0] % config_.workers);
      owner != config_.worker)
    return misrouted(owner);
  if (header.n >= kMaxCounter) return drop(Drop::bad_counter);
  Association* association = tables_->associations.find(now, header.sid);
  if (association == nullptr) {
    if (!tables_->replies.take(now, from)) return drop(Drop::rate_limited);
    return transmit(write_reset(out, {header.sid, reset_token(keys_->reset_key, header.sid)}),
                    counters_.resets);
  }
  if (!association->window.would_accept(header.n)) return drop(Drop::replayed);
  const auto opened = open_short(datagram, header, association->key);
  if (!opened) return drop(Drop::not_authentic);
  association->window.accept(header.n);
  tables_->associations.touch(now, *association);
  ++counters_.shorts;

  ReplyTo reply;
  reply.to = from;
  reply.key = association->key.copy();
  reply.cid = association->cid;
  reply.re = header.n;
  reply.size = static_cast<std::uint16_t>(datagram.size());
  reply.validated = association->peer == from;
  reply.unix_ms = wall_(now);
  if (tables_->newest_serial > association->offered_serial) {
    reply.offer_keys = true;
    if (++association->offers == kKeyOffers) {
      association->offered_serial = tables_->newest_serial;
      association->offers = 0;
    }
  }
  return dispatch(parse_request(DatagramType::short_, opened->frames), std::move(reply), out);
}

Received Server::receive_keyreq(base::Instant now, const base::SocketAddress& from,
                                base::MutableBytes datagram, base::MutableBytes out) {
  const auto echo = parse_keyreq(datagram);
  if (!echo) return drop(Drop::bad_frames);
  if (!tables_->replies.take(now, from)) return drop(Drop::rate_limited);
  return transmit(write_live_keys(out, *echo, *keys_), counters_.keys);
}

Received Server::drop(Drop reason) {
  ++counters_.drops[static_cast<std::size_t>(reason)];
  Received received;
  received.drop = reason;
  return received;
}

Received Server::misrouted(std::uint8_t owner) {
  ++counters_.misrouted;
  Received received;
  received.kind = Received::Kind::misrouted;
  received.owner = owner;
  return received;
}

Received Server::transmit(std::size_t size, std::uint64_t& counter) {
  ++counter;
  Received received;
  received.kind = Received::Kind::transmit;
  received.size = size;
  return received;
}

void Server::handle_timeout(base::Instant now) {
  tables_->associations.expire(now);
  tables_->replays.advance(now);
}

std::optional<base::Instant> Server::next_timeout() const {
  auto next = tables_->associations.next();
  if (!tables_->replays.empty() && (!next || tables_->replays.next() < *next))
    next = tables_->replays.next();
  return next;
}

std::size_t Server::associations() const {
  return tables_->associations.size();
}

}  // namespace boxgram::packet
