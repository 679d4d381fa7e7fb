#include "sim/packet_nodes.hpp"

#include <algorithm>

namespace boxgram::sim {

base::WallClock wall_clock(std::int64_t error_ms) {
  return {Instant{}, kEpochMs + static_cast<base::UnixMillis>(error_ms)};
}

std::vector<std::uint8_t> make_request(std::uint64_t id, std::size_t answer_size,
                                       std::size_t request_size) {
  std::vector<std::uint8_t> request(std::max<std::size_t>(request_size, 10));
  base::store_be64(request.data(), id);
  base::store_be16(request.data() + 8, static_cast<std::uint16_t>(answer_size));
  return request;
}

std::vector<std::uint8_t> answer_to(base::Bytes request) {
  std::uint64_t seed = 0x5eed;
  for (const std::uint8_t byte : request) seed = (seed ^ byte) * 0x100000001b3;
  std::vector<std::uint8_t> answer(base::load_be16(request.data() + 8));
  test::SeededRng(seed).fill(answer);
  return answer;
}

GatewayNode::GatewayNode(World& world, const GatewayOptions& options, std::uint64_t seed)
    : options_(options), rng_(seed) {
  rng_.fill(identity_seed_.bytes());
  rng_.fill(pinned_secret_.bytes());
  rng_.fill(reset_key_.bytes());
  restart(world);
}

void GatewayNode::make_rotation(Instant now) {
  if (rotation_) options_.rotation.last_serial = rotation_->last_serial();
  std::optional<crypto::SigningKey> identity;
  if (options_.identity) identity.emplace(identity_seed_);
  std::optional<crypto::SecretKey> pinned;
  if (options_.pinned) pinned = pinned_secret_.copy();
  rotation_ = std::make_unique<packet::KeyRotation>(options_.rotation, rng_, wall_clock(), now,
                                                    std::move(identity), std::move(pinned),
                                                    reset_key_.copy());
}

void GatewayNode::restart(World& world) {
  pending_.clear();
  // A cookie key that outlived the replay set would let an INITIAL_C be processed twice.
  make_rotation(world.now());
  server_ = std::make_unique<packet::Server>(options_.server, rng_, wall_clock(), world.now(),
                                             rotation_->snapshot());
}

packet::ClientConfig GatewayNode::client_config() const {
  packet::ClientConfig config;
  if (options_.identity) config.identity = crypto::SigningKey(identity_seed_).verify_key();
  if (options_.pinned) config.pinned_key = crypto::public_key_of(pinned_secret_);
  return config;
}

void GatewayNode::on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) {
  if (!server_) return;
  const std::size_t size = bytes.size();
  credit_[from] += static_cast<std::int64_t>(size);
  std::array<std::uint8_t, packet::kMaxDatagram> out;
  packet::Received received = server_->receive(world.now(), from, bytes, out);
  most_associations_ = std::max(most_associations_, server_->associations());
  if (received.kind == packet::Received::Kind::transmit) {
    if (received.size > size) ++amplified_;
    send(world, from, base::Bytes(out).first(received.size));
  }
  if (received.kind != packet::Received::Kind::request) return;
  if (received.reply.size > size || received.reply.to != from) ++amplified_;
  if (received.payload.size() >= 10) ++executions_[base::load_be64(received.payload.data())];
  if (options_.service_time > Duration{0}) {
    pending_.push_back({world.now() + options_.service_time,
                        std::move(received.reply),
                        {received.payload.begin(), received.payload.end()}});
    return;
  }
  reply(world, received.reply, received.payload);
}

void GatewayNode::reply(World& world, const packet::ReplyTo& to, base::Bytes request) {
  std::array<std::uint8_t, packet::kMaxDatagram> out;
  std::size_t size = 0;
  if (request.size() < 10) {
    size = server_->seal_error(to, packet::ErrorCode::malformed, {}, out);
  } else {
    const auto answer = answer_to(request);
    const base::MutableBytes space = packet::Server::payload_space(to, out);
    if (answer.size() > space.size()) {
      std::array<std::uint8_t, 2> fits;
      base::store_be16(fits.data(), static_cast<std::uint16_t>(answer.size()));
      size = server_->seal_error(to, packet::ErrorCode::too_large, fits, out);
    } else {
      std::copy(answer.begin(), answer.end(), space.begin());
      size = server_->seal_reply(to, answer.size(), out);
    }
  }
  if (size > to.size) ++amplified_;
  send(world, to.to, base::Bytes(out).first(size));
}

void GatewayNode::send(World& world, const SocketAddress& to, base::Bytes bytes) {
  std::int64_t& credit = credit_[to];
  credit -= static_cast<std::int64_t>(bytes.size());
  if (credit < 0) ++amplified_;
  world.send(*this, to, bytes);
}

void GatewayNode::on_timeout(World& world) {
  const Instant now = world.now();
  if (rotation_->handle_timeout(now) && server_) server_->install(rotation_->snapshot());
  if (!server_) return;
  server_->handle_timeout(now);
  for (std::size_t i = 0; i < pending_.size();) {
    if (pending_[i].due > now) {
      ++i;
      continue;
    }
    const Pending due = std::move(pending_[i]);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
    reply(world, due.reply, due.request);
  }
}

std::optional<Instant> GatewayNode::next_timeout() const {
  Instant next = rotation_->next_timeout();
  if (server_)
    if (const auto at = server_->next_timeout()) next = std::min(next, *at);
  for (const Pending& pending : pending_) next = std::min(next, pending.due);
  return next;
}

ClientNode::ClientNode(World& world, const SocketAddress& gateway,
                       const packet::ClientConfig& config, std::uint64_t seed,
                       std::int64_t clock_error_ms)
    : gateway_(gateway),
      rng_(seed),
      client_(config, rng_, wall_clock(clock_error_ms), world.now()),
      next_id_(seed << 32) {}

base::Handle ClientNode::ask(World& world, std::size_t answer_size, std::size_t request_size) {
  const std::uint64_t id = next_id_++;
  const auto payload = make_request(id, answer_size, request_size);
  const base::Handle handle = client_.request(world.now(), packet::FrameType::dns, payload, id);
  if (handle != 0) {
    Outcome& outcome = outcomes_[id];
    outcome.answer_size = answer_size;
    outcome.handle = handle;
    outcome.asked = world.now();
  }
  drain(world);
  return handle;
}

void ClientNode::cancel(World& world, std::uint64_t id) {
  Outcome& outcome = outcomes_.at(id);
  if (outcome.ended()) return;
  outcome.cancelled = true;
  client_.cancel(outcome.handle);
  drain(world);
}

void ClientNode::address_changed(World& world) {
  client_.address_changed(world.now());
  drain(world);
}

void ClientNode::on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) {
  // As a connected socket would: only the gateway's address is heard (an attacker may forge it).
  if (from != gateway_) return;
  client_.handle_datagram(world.now(), bytes);
  drain(world);
}

void ClientNode::on_timeout(World& world) {
  client_.handle_timeout(world.now());
  drain(world);
}

void ClientNode::drain(World& world) {
  most_outstanding_ = std::max(most_outstanding_, client_.state(world.now()).outstanding);
  packet::ClientEvent event;
  while (client_.poll_event(event)) {
    if (const auto* answer = std::get_if<packet::Answer>(&event)) {
      Outcome& outcome = outcomes_.at(answer->tag);
      ++outcome.answers;
      outcome.took = answer->elapsed;
      outcome.transmissions = answer->transmissions;
      base::Bytes payload = answer->payload;
      // The request is not at hand any more: rebuild it from the id, with any of the sizes used.
      outcome.wrong = payload.size() != outcome.answer_size;
      for (const std::size_t size : {40, 600, 1020}) {
        if (outcome.wrong) break;
        const auto expected = answer_to(make_request(answer->tag, outcome.answer_size, size));
        if (std::ranges::equal(payload, expected)) break;
        if (size == 1020) outcome.wrong = true;
      }
    } else {
      const auto& failed = std::get<packet::Failed>(event);
      Outcome& outcome = outcomes_.at(failed.tag);
      ++outcome.failures;
      outcome.took = world.now() - outcome.asked;
      outcome.reason = failed.reason;
      outcome.transmissions = failed.transmissions;
    }
  }
  std::array<std::uint8_t, packet::kMaxDatagram> out;
  while (const std::size_t size = client_.poll_transmit(world.now(), out))
    world.send(*this, gateway_, base::Bytes(out).first(size));
}

std::size_t ClientNode::answered() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(outcomes_, [](const auto& o) { return o.second.answers > 0; }));
}

std::size_t ClientNode::failed() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(outcomes_, [](const auto& o) { return o.second.failures > 0; }));
}

}  // namespace boxgram::sim
