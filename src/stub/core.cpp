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

dns::Asker asker_of(const Asker& asker) {
  if (asker.connection != 0) return {dns::Transport::tcp, dns::kMaxMessageSize};
  return {dns::Transport::udp, kMaxUdpAnswer};
}

}  // namespace

Core::Core(const std::vector<packet::ClientConfig>& gateways,
           std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache,
           base::Rng& rng, base::WallClock wall, base::Instant start)
    : forwarder_(std::move(rules), cache, rng, start) {
  BOXGRAM_CHECK(forwarder_.upstream_count() == gateways.size());
  clients_.reserve(gateways.size());
  for (const auto& gateway : gateways) clients_.emplace_back(gateway, rng, wall, start);
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
  clients_[i].handle_datagram(now, datagram);
  if (take_events(now, i)) pump(now);
}

std::size_t Core::poll_transmit(base::Instant now, std::size_t i, base::MutableBytes out) {
  return clients_[i].poll_transmit(now, out);
}

void Core::address_changed(base::Instant now, std::size_t i) {
  clients_[i].address_changed(now);
  pump(now);
}

void Core::handle_timeout(base::Instant now) {
  forwarder_.handle_timeout(now);
  for (auto& client : clients_) client.handle_timeout(now);
  pump(now);
}

std::optional<base::Instant> Core::next_timeout() const {
  auto next = forwarder_.next_timeout();
  for (const auto& client : clients_) {
    const auto deadline = client.next_timeout();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

/// Moves tries to the clients and their ends back until neither side has anything more to say: a
/// failed try may start another one elsewhere.
void Core::pump(base::Instant now) {
  bool more = true;
  while (more) {
    more = start_tries(now);
    for (std::size_t i = 0; i < clients_.size(); ++i) more |= take_events(now, i);
  }
}

bool Core::start_tries(base::Instant now) {
  bool any = false;
  dns::Action action;
  while (forwarder_.poll_action(action)) {
    any = true;
    OpenTry& open = open_try(action.id);
    packet::Client& client = clients_[action.upstream];
    if (action.kind == dns::Action::Kind::cancel) {
      if (open.id == action.id) client.cancel(open.request);
      continue;
    }
    open.id = action.id;
    open.request = client.request(now, packet::FrameType::dns, action.query, action.id);
    if (open.request == 0) forwarder_.upstream_failed(now, action.id, dns::TryFailure::busy);
  }
  return any;
}

bool Core::take_events(base::Instant now, std::size_t i) {
  bool any = false;
  packet::ClientEvent event;
  while (clients_[i].poll_event(event)) {
    any = true;
    if (const auto* answer = std::get_if<packet::Answer>(&event)) {
      forwarder_.upstream_answer(now, answer->tag, answer->payload);
      // The gateway's word is final: where it was not an answer to our question, the try is over.
      forwarder_.upstream_failed(now, answer->tag, dns::TryFailure::rejected);
    } else {
      const auto& failed = std::get<packet::Failed>(event);
      forwarder_.upstream_failed(now, failed.tag, failure_of(failed.reason));
    }
  }
  return any;
}

Core::OpenTry& Core::open_try(dns::TryId id) {
  const std::size_t place = dns::try_place(id);
  if (place >= tries_.size()) tries_.resize(place + 1);
  return tries_[place];
}

}  // namespace boxgram::stub
