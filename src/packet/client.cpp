#include <algorithm>
#include <bit>

#include "client_core.hpp"

namespace boxgram::packet {

namespace {

/// Lost generations after which an association is given up and the key is in doubt.
constexpr std::uint32_t kMaxLosses = 2;

}  // namespace

Client::Core::Core(const ClientConfig& config, base::Rng& rng, base::WallClock wall,
                   base::Instant start)
    : config_(config),
      rng_(rng),
      rng_generation_(rng.generation()),
      start_(start),
      keys_(config, wall, start),
      wheel_(start),
      requests_(config.capacity),
      associations_(config.key_per_query ? config.capacity : 2),
      buckets_(config.key_per_query ? std::bit_ceil(config.capacity) : 1) {
  BOXGRAM_CHECK(config.identity || config.pinned_key);
  BOXGRAM_CHECK(config.capacity > 0);
}

base::Handle Client::Core::request(base::Instant now, FrameType service, base::Bytes payload,
                                   std::uint64_t tag) {
  base::Handle handle = 0;
  ClientRequest* request = requests_.acquire(handle);
  if (request == nullptr) {
    ++counters_.full;
    return 0;
  }
  ++counters_.requests;
  request->self = request->timer.tag = handle;
  request->tag = tag;
  request->service = service;
  request->created = now;
  request->expires = now + config_.request_lifetime;
  request->association = 0;
  request->counts_as_initial_in_flight = false;
  request->transmissions = request->prompted = 0;
  request->answer_size = request->failed_size = 0;
  request->place = ClientRequest::Place::ready;
  ready_.push_back(*request);
  if (payload.size() > kMaxRequestPayload) {
    fail(*request, FailReason::too_large);
    return handle;
  }
  request->payload.assign(payload.begin(), payload.end());
  wheel_.set(request->timer, request->expires);
  // A pinned key serves at once, but it never changes: look for a certified one beside it.
  if (!keys_.bytes() && now >= fetch_.not_before) start_fetch(now);
  return handle;
}

void Client::Core::cancel(base::Handle handle) {
  ClientRequest* request = requests_.find(handle);
  if (request == nullptr) return;
  ++counters_.cancelled;
  release(*request);
}

ClientRequest* Client::Core::live_request(base::Handle handle) {
  ClientRequest* request = requests_.find(handle);
  return request != nullptr && request->place != ClientRequest::Place::ended ? request : nullptr;
}

void Client::Core::leave_place(ClientRequest& request) {
  if (request.place == ClientRequest::Place::ready) ready_.remove(request);
  if (request.place == ClientRequest::Place::ended) ended_.remove(request);
}

void Client::Core::free_initial(ClientRequest& request) {
  if (!request.counts_as_initial_in_flight) return;
  request.counts_as_initial_in_flight = false;
  if (ClientAssociation* association = associations_.find(request.association))
    --association->initials_in_flight;
}

void Client::Core::make_ready(ClientRequest& request, bool first) {
  if (request.place == ClientRequest::Place::ready) return;
  free_initial(request);
  request.place = ClientRequest::Place::ready;
  if (first)
    ready_.push_front(request);
  else
    ready_.push_back(request);
  wheel_.set(request.timer, request.expires);
}

void Client::Core::prompt(ClientRequest& request) {
  if (request.prompted >= kMaxPrompted) return;
  ++request.prompted;
  make_ready(request, true);
}

void Client::Core::resend(base::Handle association) {
  requests_.for_each([&](base::Handle, ClientRequest& request) {
    if (request.place == ClientRequest::Place::in_flight && request.association == association)
      make_ready(request, false);
  });
}

void Client::Core::fail(ClientRequest& request, FailReason reason, std::uint16_t size) {
  wheel_.clear(request.timer);
  leave_place(request);
  free_initial(request);
  if (config_.key_per_query) drop_association(request.association);
  request.reason = reason;
  request.failed_size = size;
  request.place = ClientRequest::Place::ended;
  ended_.push_back(request);
  ++counters_.failed[static_cast<std::size_t>(reason)];
}

void Client::Core::release(ClientRequest& request) {
  wheel_.clear(request.timer);
  leave_place(request);
  free_initial(request);
  if (config_.key_per_query) drop_association(request.association);
  requests_.release(request.self);
}

bool Client::Core::poll_event(ClientEvent& event) {
  if (answer_) {
    event = *answer_;
    answer_.reset();
    return true;
  }
  ClientRequest* request = ended_.front();
  if (request == nullptr) return false;
  event = Failed{request->tag, request->reason, request->failed_size, request->transmissions};
  release(*request);
  return true;
}

void Client::Core::note_loss(base::Instant now, ClientRequest& request) {
  ClientAssociation* association = associations_.find(request.association);
  if (association == nullptr) return;
  const bool in_use = config_.key_per_query || association->self == current_;
  if (!in_use || !association->lost(request.n) || association->losses < kMaxLosses) return;
  association->losses = 0;
  // Either the path is dead, or the gateway has lost the association and its RESET is lost too, or
  // it has lost its key: a new EC heals the second, new keys the third.
  if (association->established) retire_current(now);
  start_fetch(now);
}

void Client::Core::handle_timeout(base::Instant now) {
  while (base::Timer* timer = wheel_.expire(now)) {
    ClientRequest* request = live_request(timer->tag);
    BOXGRAM_CHECK(request != nullptr);
    if (now >= request->expires) {
      const bool keyless = request->transmissions == 0 && !keys_.current(now);
      fail(*request, keyless ? FailReason::no_key : FailReason::timed_out);
      continue;
    }
    note_loss(now, *request);
    make_ready(*request, false);
  }
  if (previous_ != 0 && now >= previous_until_) drop_association(previous_);
  if (const ClientAssociation* current = associations_.find(current_);
      current != nullptr && now >= current->expires)
    retire_current(now);
  if (const auto at = keys_.refresh_at(fetch_.not_before); at && now >= *at) start_fetch(now);
  fetch_due(now);
}

std::optional<base::Instant> Client::Core::next_timeout() const {
  std::optional<base::Instant> next = wheel_.next();
  const auto consider = [&](base::Instant at) { next = next ? std::min(*next, at) : at; };
  if (!ended_.empty()) consider(start_);  // poll_transmit() may have ended it: do not sleep on it
  if (previous_ != 0) consider(previous_until_);
  if (const ClientAssociation* current = associations_.find(current_)) consider(current->expires);
  if (fetch_.active)
    consider(fetch_.next_at);
  else if (const auto at = keys_.refresh_at(fetch_.not_before))
    consider(*at);
  return next;
}

void Client::Core::address_changed(base::Instant now) {
  retire_current(now);
  requests_.for_each([&](base::Handle, ClientRequest& request) {
    if (request.place == ClientRequest::Place::ended) return;
    make_ready(request, false);
    if (config_.key_per_query) drop_association(request.association);
  });
  if (fetch_.active) {
    rng_.fill(fetch_.echo);  // the old one would link the two addresses as well
    fetch_.next_at = now;
  }
}

ClientState Client::Core::state(base::Instant now) const {
  ClientState state;
  state.outstanding = requests_.size();
  state.size_class = static_cast<std::uint16_t>(sizes_.current());
  state.highest_serial = keys_.highest_serial();
  state.srtt = rtt_.srtt();
  state.retransmit_after = rtt_.delay(1);
  if (const auto key = keys_.current(now)) {
    state.has_key = true;
    state.key_serial = key->serial;
  }
  if (const ClientAssociation* current = associations_.find(current_)) {
    state.established = current->established;
    state.association_age = now - current->created;
    state.key_serial = current->key_serial;
  }
  return state;
}

const char* to_string(FailReason reason) {
  switch (reason) {
    case FailReason::timed_out:
      return "timed_out";
    case FailReason::no_key:
      return "no_key";
    case FailReason::too_large:
      return "too_large";
    case FailReason::refused:
      return "refused";
    case FailReason::unknown_service:
      return "unknown_service";
    case FailReason::malformed:
      return "malformed";
    case FailReason::shutdown:
      return "shutdown";
    case FailReason::count_:
      break;
  }
  return "unknown";
}

Client::Client(const ClientConfig& config, base::Rng& rng, base::WallClock wall,
               base::Instant start)
    : core_(std::make_unique<Core>(config, rng, wall, start)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

base::Handle Client::request(base::Instant now, FrameType service, base::Bytes payload,
                             std::uint64_t tag) {
  return core_->request(now, service, payload, tag);
}
void Client::cancel(base::Handle request) {
  core_->cancel(request);
}
void Client::handle_datagram(base::Instant now, base::MutableBytes datagram) {
  core_->handle_datagram(now, datagram);
}
void Client::address_changed(base::Instant now) {
  core_->address_changed(now);
}
void Client::handle_timeout(base::Instant now) {
  core_->handle_timeout(now);
}
std::optional<base::Instant> Client::next_timeout() const {
  return core_->next_timeout();
}
std::size_t Client::poll_transmit(base::Instant now, base::MutableBytes out) {
  return core_->poll_transmit(now, out);
}
bool Client::poll_event(ClientEvent& event) {
  return core_->poll_event(event);
}
const ClientCounters& Client::counters() const {
  return core_->counters();
}
ClientState Client::state(base::Instant now) const {
  return core_->state(now);
}
std::optional<CertificateBytes> Client::certificate() const {
  return core_->certificate();
}

}  // namespace boxgram::packet
