#include <algorithm>

#include <boxgram/stub/core.hpp>

namespace boxgram::stub {
namespace {

dns::TryFailure failure_of(packet::FailReason reason) {
  switch (reason) {
    case packet::FailReason::timed_out:
    case packet::FailReason::no_key:
      return dns::TryFailure::timed_out;
    case packet::FailReason::too_large:
      return dns::TryFailure::too_large;
    case packet::FailReason::refused:
      return dns::TryFailure::busy;
    case packet::FailReason::shutdown:
      return dns::TryFailure::refused;
    case packet::FailReason::unknown_service:
    case packet::FailReason::malformed:
    case packet::FailReason::count_:
      break;
  }
  return dns::TryFailure::rejected;
}

/// None of these speaks of the gateway's datagrams: the forwarder knows that the try was deferred.
dns::TryFailure failure_of(stream::FailReason reason) {
  switch (reason) {
    case stream::FailReason::timed_out:
      return dns::TryFailure::timed_out;
    case stream::FailReason::unreachable:
    case stream::FailReason::handshake:
    case stream::FailReason::connection_lost:
      return dns::TryFailure::unreachable;
    case stream::FailReason::too_large:
      return dns::TryFailure::too_large;
    case stream::FailReason::refused:
      return dns::TryFailure::busy;
    case stream::FailReason::shutdown:
      return dns::TryFailure::refused;
    case stream::FailReason::unknown_service:
    case stream::FailReason::malformed:
    case stream::FailReason::count_:
      break;
  }
  return dns::TryFailure::rejected;
}

stream::ClientConfig stream_config(const packet::ClientConfig& packets) {
  stream::ClientConfig config;
  config.identity = packets.identity;
  config.pinned_key = packets.pinned_key;
  config.capacity = packets.capacity;
  config.request_lifetime = packets.request_lifetime;
  // Queries of one connection can be linked: it ends with the last of them.
  if (packets.key_per_query) config.close_after = std::chrono::milliseconds(1);
  return config;
}

dns::Asker asker_of(const Asker& asker) {
  if (asker.connection != 0) return {dns::Transport::tcp, dns::kMaxMessageSize};
  return {dns::Transport::udp, kMaxUdpAnswer};
}

}  // namespace

Core::Core(const std::vector<GatewayConfig>& gateways,
           std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache,
           base::Rng& rng, base::WallClock wall, base::Instant start)
    : forwarder_(std::move(rules), cache, rng, start) {
  BOXGRAM_CHECK(forwarder_.upstream_count() == gateways.size());
  gateways_.reserve(gateways.size());
  for (const GatewayConfig& config : gateways) {
    Gateway& gateway = gateways_.emplace_back(
        Gateway{packet::Client(config.packets, rng, wall, start), std::nullopt});
    if (config.streams) gateway.stream.emplace(stream_config(config.packets), rng, wall, start);
  }
}

Core::Outcome Core::query(base::Instant now, const Asker& asker, base::Bytes query,
                          base::MutableBytes out) {
  base::Handle handle = 0;
  Asker* place = askers_.acquire(handle);
  if (place == nullptr) return {};
  const auto outcome = forwarder_.query(now, handle, query, asker_of(asker), out);
  if (outcome.kind == dns::Outcome::Kind::pending) {
    *place = asker;
    pump(now);
    return {Outcome::Kind::pending, 0};
  }
  askers_.release(handle);
  pump(now);  // an answer from expired data may have started a refresh
  if (outcome.kind == dns::Outcome::Kind::answered) return {Outcome::Kind::answered, outcome.size};
  return {};
}

bool Core::poll_answer(base::Instant now, Answer& answer, base::MutableBytes out) {
  dns::Answered answered;
  while (forwarder_.poll_answer(now, answered, out)) {
    const Asker* asker = askers_.find(answered.tag);
    if (asker == nullptr) continue;
    answer.asker = *asker;
    answer.size = answered.size;
    askers_.release(answered.tag);
    return true;
  }
  return false;
}

void Core::gateway_datagram(base::Instant now, std::size_t i, base::MutableBytes datagram) {
  gateways_[i].packets.handle_datagram(now, datagram);
  if (take_events(now, i)) pump(now);
}

std::size_t Core::poll_transmit(base::Instant now, std::size_t i, base::MutableBytes out) {
  return gateways_[i].packets.poll_transmit(now, out);
}

void Core::address_changed(base::Instant now, std::size_t i) {
  gateways_[i].packets.address_changed(now);
  pump(now);
}

stream::Client* Core::stream(std::size_t i) {
  return gateways_[i].stream ? &*gateways_[i].stream : nullptr;
}

const stream::Client* Core::stream(std::size_t i) const {
  return gateways_[i].stream ? &*gateways_[i].stream : nullptr;
}

void Core::stream_input(base::Instant now, std::size_t i) {
  if (take_events(now, i)) pump(now);
}

void Core::handle_timeout(base::Instant now) {
  forwarder_.handle_timeout(now);
  for (Gateway& gateway : gateways_) {
    gateway.packets.handle_timeout(now);
    if (gateway.stream) gateway.stream->handle_timeout(now);
  }
  pump(now);
}

std::optional<base::Instant> Core::next_timeout() const {
  auto next = forwarder_.next_timeout();
  const auto consider = [&](std::optional<base::Instant> deadline) {
    if (deadline && (!next || *deadline < *next)) next = deadline;
  };
  for (const Gateway& gateway : gateways_) {
    consider(gateway.packets.next_timeout());
    if (gateway.stream) consider(gateway.stream->next_timeout());
  }
  return next;
}

/// Moves tries to the clients and their ends back until neither side has anything more to say: a
/// failed try may start another one elsewhere.
void Core::pump(base::Instant now) {
  bool more = true;
  while (more) {
    more = start_tries(now);
    for (std::size_t i = 0; i < gateways_.size(); ++i) more |= take_events(now, i);
  }
}

bool Core::start_tries(base::Instant now) {
  bool any = false;
  dns::Action action;
  while (forwarder_.poll_action(action)) {
    any = true;
    OpenTry& open = open_try(action.id);
    Gateway& gateway = gateways_[action.upstream];
    if (action.kind == dns::Action::Kind::cancel) {
      if (open.id != action.id) continue;
      if (open.by_stream)
        gateway.stream->cancel(open.request);
      else
        gateway.packets.cancel(open.request);
      continue;
    }
    open = {action.id,
            gateway.packets.request(now, packet::FrameType::dns, action.query, action.id), false};
    if (open.request == 0) forwarder_.upstream_failed(now, action.id, dns::TryFailure::busy);
  }
  return any;
}

bool Core::take_events(base::Instant now, std::size_t i) {
  Gateway& gateway = gateways_[i];
  bool any = take_packet_events(now, gateway);
  if (gateway.stream) any |= take_stream_events(now, *gateway.stream);
  return any;
}

bool Core::take_packet_events(base::Instant now, Gateway& gateway) {
  bool any = false;
  packet::ClientEvent event;
  while (gateway.packets.poll_event(event)) {
    any = true;
    if (const auto* answer = std::get_if<packet::Answer>(&event)) {
      take_answer(now, answer->tag, answer->payload);
      continue;
    }
    const auto& failed = std::get<packet::Failed>(event);
    if (failed.reason == packet::FailReason::too_large && gateway.stream)
      go_on_by_stream(now, gateway, failed.tag);
    else
      forwarder_.upstream_failed(now, failed.tag, failure_of(failed.reason));
  }
  return any;
}

bool Core::take_stream_events(base::Instant now, stream::Client& stream) {
  bool any = false;
  stream::ClientEvent event;
  while (stream.poll_event(now, event)) {
    any = true;
    if (const auto* answer = std::get_if<stream::Answered>(&event))
      take_answer(now, answer->tag, answer->payload);
    else if (const auto* failed = std::get_if<stream::RequestFailed>(&event))
      forwarder_.upstream_failed(now, failed->tag, failure_of(failed->reason));
  }
  return any;
}

void Core::take_answer(base::Instant now, dns::TryId id, base::Bytes answer) {
  forwarder_.upstream_answer(now, id, answer);
  // The gateway's word is final: where it was not an answer to our question, the try is over.
  forwarder_.upstream_failed(now, id, dns::TryFailure::rejected);
}

/// The same try, the same question: the gateway's cache has the answer by now.
void Core::go_on_by_stream(base::Instant now, Gateway& gateway, dns::TryId id) {
  const base::Bytes query = forwarder_.upstream_deferred(now, id);
  if (query.empty()) return;
  // What is known of the gateway's key spares a new connection the round trip that asks for it.
  if (const auto certificate = gateway.packets.certificate())
    gateway.stream->show_certificates(now, *certificate);
  const base::Handle request = gateway.stream->request(now, packet::FrameType::dns, query, id);
  open_try(id) = {id, request, true};
  if (request == 0) forwarder_.upstream_failed(now, id, dns::TryFailure::busy);
}

Core::OpenTry& Core::open_try(dns::TryId id) {
  const std::size_t place = dns::try_place(id);
  if (place >= tries_.size()) tries_.resize(place + 1);
  return tries_[place];
}

}  // namespace boxgram::stub
