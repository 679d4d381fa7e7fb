// What leaves the forwarder: queries to upstreams and answers to clients.
#include <boxgram/base/check.hpp>

#include "forwarder_impl.hpp"

namespace boxgram::dns {

using base::Instant;
using base::MutableBytes;

namespace {

ExtendedError failure_of(Flight& flight) {
  if (flight.any_deferred())
    return {ede::network_error,
            "the answer is too large for a datagram, and no stream to the gateway carried it"};
  if (flight.busy) return {ede::not_ready};
  return {flight.network_error ? ede::network_error : ede::no_reachable_authority};
}

}  // namespace

bool Forwarder::Impl::poll_action(Action& action) {
  while (next_action_ < actions_.size()) {
    const PendingAction& next = actions_[next_action_++];
    Try* t = nullptr;
    Flight* flight = find_try(next.id, t);
    // The flight may have ended before anybody asked what to send.
    if (next.kind == Action::Kind::send && flight == nullptr) continue;
    action.kind = next.kind;
    action.id = next.id;
    action.upstream = next.upstream;
    action.timeout = next.timeout;
    action.query = {};
    if (next.kind == Action::Kind::send) action.query = build_query(*flight, *t);
    return true;
  }
  actions_.clear();
  next_action_ = 0;
  return false;
}

void Forwarder::Impl::make_ready(Flight& flight, Ready ready) {
  flight.ready = ready;
  if (flight.queued) return;
  flight.queued = true;
  flight.next_ready = 0;
  if (last_ready_ == 0)
    first_ready_ = flight.handle;
  else
    table_.find(last_ready_)->next_ready = flight.handle;
  last_ready_ = flight.handle;
}

bool Forwarder::Impl::poll_answer(Instant now, Answered& answered, MutableBytes out) {
  while (first_ready_ != 0) {
    Flight& flight = *table_.find(first_ready_);
    if (flight.waiter_count > 0 && flight.ready != Ready::nothing) {
      const Waiter& waiter = table_.front(flight);
      if (write_for(now, flight, waiter, answered, out)) {
        waits_.record(now - waiter.since);
        table_.pop_waiter(flight);
        return true;
      }
      // The cache has lost what it had promised: wait on, or say that nothing has come.
      flight.has_stale = false;
      flight.ready = flight.done ? Ready::failure : Ready::nothing;
      continue;
    }
    first_ready_ = flight.next_ready;
    if (first_ready_ == 0) last_ready_ = 0;
    flight.queued = false;
    flight.ready = Ready::nothing;
    if (flight.done) retire(flight);
  }
  return false;
}

/// False only for a stale answer that is not there any more.
bool Forwarder::Impl::write_for(Instant now, Flight& flight, const Waiter& waiter,
                                Answered& answered, MutableBytes out) {
  Query query;
  query.id = waiter.id;
  query.flags = waiter.flags;
  query.name = waiter.name.wire();
  query.type = flight.key.type();
  query.rr_class = flight.key.rr_class();
  query.has_opt = waiter.has_opt;
  query.dnssec_ok = flight.key.dnssec_ok();
  query.udp_size = waiter.udp_size;
  AnswerOptions options = options_for({waiter.transport, waiter.limit});

  Written written;
  switch (flight.ready) {
    case Ready::nothing:
      BOXGRAM_CHECK(false);
      break;
    case Ready::answer:
      ++counters_.upstream_answers;
      written = write_answer(live_ == flight.handle ? live_view_ : flight.saved.view, query,
                             options, {}, out);
      break;
    case Ready::stale:
      written = cache_
                    ->answer(flight.key, query, options, ServeStale::always, now, out,
                             zone_size(flight.rule))
                    .written;
      if (written.whole_size == 0) return false;
      ++counters_.stale_answers;
      break;
    case Ready::failure:
      ++(flight.has_kept ? counters_.upstream_answers : counters_.upstream_failures);
      written = write_answer(failure_view(flight), query, options, {}, out);
      break;
    case Ready::too_large:
      written = write_too_large(flight, query, options, out);
      break;
  }
  answered.tag = waiter.tag;
  answered.too_large = written.size == 0;
  answered.size = answered.too_large ? written.whole_size : written.size;
  return true;
}

/// An answer without records: the RCODE that an upstream gave, or SERVFAIL and why.
AnswerView Forwarder::Impl::failure_view(Flight& flight) {
  local_builder_.start(flight.key.name(), flight.key.type(), flight.key.rr_class());
  if (!flight.has_kept) {
    const ExtendedError error = failure_of(flight);
    local_builder_.add_extended_error(error.code, base::as_bytes(error.text));
  }
  AnswerView view = local_builder_.finish(flight.rcode, false, false);
  if (flight.has_kept) view.ede_options = flight.kept_ede;
  return view;
}

/// The answer exists, but no gateway has a way that could carry it.
Written Forwarder::Impl::write_too_large(const Flight& flight, const Query& query,
                                         AnswerOptions& options, MutableBytes out) {
  static constexpr ExtendedError kNeedsStream[] = {
      {ede::other, "the answer is too large for a datagram, and the gateway carries no streams"}};
  if (options.transport == Transport::sealed) return {0, kMaxMessageSize, false};
  const bool udp = options.transport == Transport::udp;
  local_builder_.start(flight.key.name(), flight.key.type(), flight.key.rr_class());
  // TC makes a UDP client come again over TCP; over TCP there is nothing left to promise.
  const auto view =
      local_builder_.finish(udp ? Rcode::no_error : Rcode::server_failure, false, udp);
  if (!udp) options.errors = kNeedsStream;
  return write_answer(view, query, options, {}, out);
}

/// Moves the answer in builder_ to its flight, if somebody still waits for it there.
void Forwarder::Impl::settle_live_answer() {
  if (live_ == 0) return;
  Flight* flight = table_.find(live_);
  BOXGRAM_CHECK(flight != nullptr);
  if (flight->waiter_count > 0) flight->saved.save(live_view_);
  live_ = 0;
}

}  // namespace boxgram::dns
