// What the forwarder does with upstreams: tries, retries, hedges, and the end of a flight.
#include <algorithm>

#include <boxgram/base/check.hpp>

#include "forwarder_impl.hpp"

namespace boxgram::dns {

using base::Bytes;
using base::Duration;
using base::Instant;
using namespace std::chrono_literals;

namespace {

/// A try that has less than this left is not worth a datagram.
constexpr Duration kMinTry = 50ms;
/// When every upstream has failed at once (a restart, a route that flaps), all are asked once more.
constexpr Duration kNextRound = 250ms;
constexpr std::uint8_t kRounds = 2;

/// An answer of the name's owner, not of a resolver in trouble. Anything else may be known better
/// by another upstream.
bool is_useful(Rcode rcode) {
  switch (rcode) {
    case Rcode::format_error:
    case Rcode::server_failure:
    case Rcode::not_implemented:
    case Rcode::refused:
    case Rcode::bad_version:
      return false;
    default:
      return true;
  }
}

std::uint64_t bit(UpstreamIndex i) {
  return std::uint64_t{1} << i;
}

}  // namespace

void Forwarder::Impl::start(Flight& flight, Instant now) {
  policy_.earn_extra();
  flight.deadline = now + config_->deadline;
  flight.stale_at = now + config_->stale.client_timer;
  const auto first = policy_.choose(flight.group, 0, {});
  BOXGRAM_CHECK(first.has_value());
  launch(flight, *first, Try::Kind::first, now);
  const RoundTrip& rtt = policy_.round_trip(*first);
  flight.retry_delay = rtt.retry_after();
  flight.retry_at = now + flight.retry_delay;
  flight.hedge_at = Instant::max();
  if (flight.group.size() > 1) {
    if (rtt.hedge_after() < flight.retry_delay) flight.hedge_at = now + rtt.hedge_after();
    const auto probe = policy_.choose_probe(flight.group, bit(*first), now);
    if (probe) launch(flight, *probe, Try::Kind::probe, now);
  }
  set_timer(flight);
}

/// A TryId is the flight's handle with the number of the try in bits 24..31, which no index of
/// fewer than 2^24 flights uses.
bool Forwarder::Impl::launch(Flight& flight, UpstreamIndex upstream, Try::Kind kind, Instant now) {
  static_assert(Flight::kMaxTries == kMaxTries);
  if (flight.try_count == Flight::kMaxTries) return false;
  const TryId id = flight.handle | TryId{flight.try_count} << 24;
  Try& t = flight.tries[flight.try_count++];
  t = {};
  t.upstream = upstream;
  t.id = rng_.u16();
  t.kind = kind;
  t.open = true;
  t.sent_at = now;
  // A sealed path has no off-path attacker whom random case could hinder.
  if (config_->random_case && !config_->upstreams[upstream].retransmits)
    t.case_seed = rng_.u64() | 1;
  policy_.sent(upstream);
  ++counters_.tries;
  counters_.retries += kind == Try::Kind::retry;
  counters_.hedges += kind == Try::Kind::hedge;
  counters_.failovers += kind == Try::Kind::failover;
  counters_.probes += kind == Try::Kind::probe;
  actions_.push_back({Action::Kind::send, id, upstream, flight.deadline - now});
  return true;
}

/// Starts one more try where that makes sense. A retry may go where the last one went, a hedge and
/// a failover only to an upstream that this flight has not asked.
bool Forwarder::Impl::try_another(Flight& flight, Try::Kind kind, Instant now) {
  if (flight.deadline - now < kMinTry) return false;
  std::uint64_t excluded = 0;
  std::array<UpstreamIndex, Flight::kMaxTries> tried;
  std::size_t count = 0;
  for (const Try& t : flight.made()) {
    // A probe that was deferred has measured, and not brought what its upstream has.
    if (t.deferred && t.kind == Try::Kind::probe) continue;
    const bool waits = t.open && config_->upstreams[t.upstream].retransmits;
    if (kind != Try::Kind::retry || t.poor || waits) excluded |= bit(t.upstream);
    tried[count++] = t.upstream;
  }
  const auto next = policy_.choose(flight.group, excluded, std::span(tried).first(count));
  if (!next) return false;
  // A dead upstream is not waited for when there is an answer of sorts, nor asked for speed.
  const bool down = policy_.health(*next) == UpstreamState::Health::down;
  if (down && (flight.has_something() || kind == Try::Kind::hedge)) return false;
  if (kind == Try::Kind::hedge && !policy_.take_extra()) return false;
  return launch(flight, *next, kind, now);
}

void Forwarder::Impl::set_timer(Flight& flight) {
  Instant at = std::min({flight.deadline, flight.retry_at, flight.hedge_at});
  if (flight.has_stale && flight.waiter_count > 0) at = std::min(at, flight.stale_at);
  wheel_.set(flight.timer, at);
}

void Forwarder::Impl::handle_timeout(Instant now) {
  while (base::Timer* timer = wheel_.expire(now)) {
    Flight* flight = table_.find(timer->tag);
    BOXGRAM_CHECK(flight != nullptr);
    if (flight->done)
      end_linger(*flight, now);
    else
      on_timer(*flight, now);
  }
}

void Forwarder::Impl::on_timer(Flight& flight, Instant now) {
  if (now >= flight.deadline) return give_up(flight, now);
  if (flight.has_stale && flight.waiter_count > 0 && now >= flight.stale_at)
    make_ready(flight, Ready::stale);
  if (now >= flight.hedge_at) {
    flight.hedge_at = Instant::max();
    try_another(flight, Try::Kind::hedge, now);
  }
  if (now >= flight.retry_at) {
    note_silences(flight, now);
    if (flight.has_something() && !worth_waiting(flight)) return give_up(flight, now);
    flight.hedge_at = Instant::max();
    try_another(flight, Try::Kind::retry, now);
    flight.retry_delay += flight.retry_delay / 2;
    flight.retry_at = now + flight.retry_delay;
  }
  // A waiter that is ready is no reason to be called again at once.
  if (flight.ready == Ready::stale)
    wheel_.set(flight.timer, std::min({flight.deadline, flight.retry_at, flight.hedge_at}));
  else
    set_timer(flight);
}

void Forwarder::Impl::note_silences(Flight& flight, Instant now) {
  for (Try& t : flight.made()) {
    if (!t.open || t.silent) continue;
    if (now - t.sent_at < policy_.round_trip(t.upstream).retry_after()) continue;
    t.silent = true;
    policy_.silent(t.upstream, t.sent_at, now);
  }
}

/// With a failure in hand: whether an upstream that lives still works on the query.
bool Forwarder::Impl::worth_waiting(Flight& flight) const {
  return std::ranges::any_of(flight.made(), [&](const Try& t) {
    return t.open && policy_.health(t.upstream) != UpstreamState::Health::down;
  });
}

Flight* Forwarder::Impl::find_try(TryId id, Try*& found) {
  constexpr TryId kNumber = TryId{0xff} << 24;
  Flight* flight = table_.find(id & ~kNumber);
  const std::size_t number = id >> 24 & 0xff;
  if (flight == nullptr || number >= flight->try_count) return nullptr;
  found = &flight->tries[number];
  return found->open ? flight : nullptr;
}

Bytes Forwarder::Impl::build_query(const Flight& flight, const Try& t) {
  UpstreamQuery query;
  query.id = t.id;
  query.name = flight.key.name();
  query.type = flight.key.type();
  query.rr_class = flight.key.rr_class();
  query.checking_disabled = flight.key.checking_disabled();
  query.dnssec_ok = flight.key.dnssec_ok();
  query.authentic_data = config_->upstreams[t.upstream].trusted_ad;
  std::array<std::uint8_t, 32> case_bits;
  if (t.case_seed != 0) {
    // 64 random bits are as good as 255: nobody guesses them.
    for (std::size_t i = 0; i < case_bits.size(); i += 8)
      base::store_be64(&case_bits[i], t.case_seed);
    query.case_bits = case_bits;
  }
  return Bytes(query_).first(build_upstream_query(query, query_));
}

void Forwarder::Impl::upstream_answer(Instant now, TryId id, Bytes answer) {
  Try* t = nullptr;
  Flight* flight = find_try(id, t);
  if (flight == nullptr) return;
  settle_live_answer();
  const QueryKey& key = flight->key;
  Expectation asked{t->id, key.name(), key.type(), key.rr_class(), false, key.dnssec_ok()};
  if (t->case_seed != 0) {
    asked.name = build_query(*flight, *t).subspan(kHeaderSize, key.name().size());
    asked.exact_case = true;
  }
  const auto view = normalise(answer, asked, builder_);
  if (!view) {
    ++counters_.mismatches;
    const bool ours = view.error() == AnswerError::malformed ||
                      view.error() == AnswerError::too_large ||
                      config_->upstreams[t->upstream].retransmits;
    // Somebody else's answer leaves the try open; nonsense from the upstream itself ends it.
    if (!ours) return;
    t->open = false;
    policy_.poor(t->upstream, now);
    return after_failure(*flight, now);
  }
  t->open = false;
  const bool useful = is_useful(view->rcode);
  if (!t->deferred) policy_.answered(t->upstream, t->sent_at, now, useful);
  if (flight->done) return retire(*flight);
  if (useful)
    take_answer(*flight, *t, *view, now);
  else
    keep_failure(*flight, *t, *view, now);
}

void Forwarder::Impl::take_answer(Flight& flight, Try& winner, AnswerView view, Instant now) {
  for (const Try& t : flight.made()) {
    if (t.poor) policy_.poor(t.upstream, now);
    const bool beaten = t.open && !t.silent && t.kind != Try::Kind::probe;
    if (beaten && t.upstream != winner.upstream && t.sent_at <= winner.sent_at)
      policy_.overtaken(t.upstream, now - t.sent_at);
  }
  if (!config_->upstreams[winner.upstream].trusted_ad) view.authentic = false;
  if (cache_ != nullptr) cache_->store(flight.key, view, now);
  live_view_ = view;
  live_ = flight.handle;
  complete(flight, Ready::answer);
}

void Forwarder::Impl::keep_failure(Flight& flight, Try& from, const AnswerView& view, Instant now) {
  from.poor = true;
  if (!flight.has_kept) {
    flight.has_kept = true;
    // FORMERR and BADVERS speak of our query, not of the client's.
    const bool about_us = view.rcode == Rcode::format_error || view.rcode == Rcode::bad_version;
    flight.rcode = about_us ? Rcode::server_failure : view.rcode;
    flight.kept_ede.assign(view.ede_options.begin(), view.ede_options.end());
  }
  after_failure(flight, now);
}

void Forwarder::Impl::upstream_failed(Instant now, TryId id, TryFailure why) {
  Try* t = nullptr;
  Flight* flight = find_try(id, t);
  if (flight == nullptr) return;
  t->open = false;
  switch (why) {
    case TryFailure::timed_out:
      if (!t->silent) policy_.silent(t->upstream, t->sent_at, now);
      break;
    case TryFailure::unreachable:
    case TryFailure::refused:
      if (!t->deferred) policy_.failed(t->upstream, now);
      flight->network_error = true;
      break;
    case TryFailure::too_large:
      if (!t->deferred) policy_.answered(t->upstream, t->sent_at, now, true);
      ++counters_.too_large;
      flight->too_large = true;
      break;
    case TryFailure::busy:
      flight->busy = true;
      break;
    case TryFailure::rejected:
      break;
  }
  after_failure(*flight, now);
}

Bytes Forwarder::Impl::upstream_deferred(Instant now, TryId id) {
  Try* t = nullptr;
  Flight* flight = find_try(id, t);
  if (flight == nullptr || t->deferred) return {};
  ++counters_.deferred;
  policy_.answered(t->upstream, t->sent_at, now, true);
  t->deferred = t->silent = true;
  // A probe has measured, and that was all, unless it is what is left to hope for.
  if (t->kind == Try::Kind::probe && (flight->done || flight->any_open(false))) {
    t->open = false;
    if (flight->done) retire(*flight);
    return {};
  }
  if (t->kind == Try::Kind::probe) t->kind = Try::Kind::failover;
  // TCP's handshake, ours and the question: what others would be asked meanwhile is wasted.
  flight->hedge_at = Instant::max();
  flight->retry_delay = 3 * policy_.round_trip(t->upstream).retry_after();
  flight->retry_at = now + flight->retry_delay;
  set_timer(*flight);
  return build_query(*flight, *t);
}

/// One try has ended without an answer for the client.
void Forwarder::Impl::after_failure(Flight& flight, Instant now) {
  if (flight.done) return retire(flight);
  if (try_another(flight, Try::Kind::failover, now)) {
    const UpstreamIndex next = flight.made().back().upstream;
    flight.retry_at = now + policy_.round_trip(next).retry_after();
  } else if (flight.has_something()) {
    if (!worth_waiting(flight)) return give_up(flight, now);
  } else if (!flight.any_open(false)) {
    if (++flight.rounds == kRounds || flight.has_stale) return give_up(flight, now);
    flight.retry_at = now + kNextRound;
  }
  set_timer(flight);
}

/// No answer from any upstream: what is kept, what is stale, or SERVFAIL.
void Forwarder::Impl::give_up(Flight& flight, Instant now) {
  note_silences(flight, now);
  if (flight.too_large) return complete(flight, flight.has_stale ? Ready::stale : Ready::too_large);
  // That we are busy is nothing to remember of a name.
  if (cache_ != nullptr && (flight.has_kept || !flight.busy)) {
    // Where no upstream lives, or its other way does not, the way is broken and not the name.
    const bool of_name =
        flight.has_kept ||
        (!flight.any_deferred() && std::ranges::any_of(flight.group, [&](UpstreamIndex i) {
          return policy_.health(i) == UpstreamState::Health::healthy;
        }));
    cache_->store_failure(flight.key, flight.rcode, failure_view(flight).ede_options, now,
                          of_name ? FailureOf::name : FailureOf::network);
  }
  complete(flight, flight.has_stale ? Ready::stale : Ready::failure);
}

void Forwarder::Impl::complete(Flight& flight, Ready ready) {
  flight.done = true;
  table_.close(flight);
  for (Try& t : flight.made())
    if (t.kind != Try::Kind::probe) close_try(flight, t);
  // A probe is for the upstream's sake: it may answer until the deadline.
  if (flight.any_open(true))
    wheel_.set(flight.timer, flight.deadline);
  else
    wheel_.clear(flight.timer);
  if (flight.waiter_count > 0)
    make_ready(flight, ready);
  else
    retire(flight);
}

void Forwarder::Impl::close_try(Flight& flight, Try& t) {
  if (!t.open) return;
  t.open = false;
  const auto number = static_cast<TryId>(&t - flight.tries.data());
  actions_.push_back({Action::Kind::cancel, flight.handle | number << 24, t.upstream, {}});
}

void Forwarder::Impl::end_linger(Flight& flight, Instant now) {
  for (Try& t : flight.made()) {
    if (!t.open) continue;
    policy_.silent(t.upstream, t.sent_at, now);
    close_try(flight, t);
  }
  retire(flight);
}

/// Frees the slot once nothing refers to it any more.
void Forwarder::Impl::retire(Flight& flight) {
  if (flight.waiter_count > 0 || flight.queued || flight.any_open(true)) return;
  wheel_.clear(flight.timer);
  if (live_ == flight.handle) live_ = 0;
  table_.release(flight);
}

}  // namespace boxgram::dns
