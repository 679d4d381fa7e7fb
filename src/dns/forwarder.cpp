#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/forwarder.hpp>

#include "forwarder_impl.hpp"

namespace boxgram::dns {

using base::Bytes;
using base::Instant;
using base::MutableBytes;

namespace {

/// Transfers and the types of TSIG need a connection to the server that has the zone; OPT is no
/// question; an answer of class ANY could not be told from others in a cache.
bool is_refused(const Query& query) {
  switch (query.type) {
    case rrtype::axfr:
    case rrtype::ixfr:
    case rrtype::opt:
    case 249:  // TKEY
    case 250:  // TSIG
      return true;
    default:
      return query.rr_class == rrclass::any;
  }
}

constexpr ExtendedError kNotSupported[] = {{ede::not_supported, {}}};
constexpr ExtendedError kNotReady[] = {{ede::not_ready, "too many queries are waiting"}};
constexpr ExtendedError kNoUpstream[] = {{ede::network_error, "no upstream is configured"}};
constexpr ExtendedError kTooManyRecords[] = {
    {ede::other, "the local records are more than a message can hold"}};

Outcome outcome_of(const Written& written) {
  if (written.size == 0) return {Outcome::Kind::too_large, written.whole_size, {}};
  return {Outcome::Kind::answered, written.size, {}};
}

}  // namespace

Forwarder::Impl::Impl(std::shared_ptr<const ForwarderConfig> config, SharedCache* cache,
                      base::Rng& rng, Instant start)
    : config_(std::move(config)),
      cache_(cache),
      rng_(rng),
      local_(*config_),
      trusts_ad_(std::ranges::any_of(config_->upstreams, &UpstreamConfig::trusted_ad)),
      policy_(config_->upstreams),
      wheel_(start),
      table_(config_->max_flights, config_->max_waiters, rng) {
  const auto known = [&](UpstreamIndex i) { return i < config_->upstreams.size(); };
  BOXGRAM_CHECK(std::ranges::all_of(config_->default_group, known));
  for (const auto& rule : config_->rules) BOXGRAM_CHECK(std::ranges::all_of(rule.upstreams, known));
}

AnswerOptions Forwarder::Impl::options_for(const Asker& asker) const {
  AnswerOptions options;
  options.transport = asker.transport;
  options.limit = asker.limit;
  // What comes from an upstream that is not trusted has lost its AD before it was stored; but the
  // cache may be older than a reload that ended the trust.
  options.authentic_allowed = trusts_ad_;
  return options;
}

std::span<const UpstreamIndex> Forwarder::Impl::group_for(const ForwardRule* rule) const {
  if (rule == nullptr) return config_->default_group;
  return rule->upstreams;
}

Outcome Forwarder::Impl::query(Instant now, std::uint64_t tag, Bytes bytes, const Asker& asker,
                               MutableBytes out) {
  ++counters_.queries;
  const auto parsed = parse_query(bytes);
  if (!parsed) {
    const auto rcode = rcode_of(parsed.error());
    if (rcode) {
      ++counters_.malformed;
      return refuse(bytes, *rcode, {}, asker, out);
    }
    ++counters_.dropped;
    const bool too_short = parsed.error() == QueryError::too_short;
    return {Outcome::Kind::dropped, 0, too_short ? QueryDrop::too_short : QueryDrop::is_response};
  }
  if (is_refused(*parsed)) {
    ++counters_.refused;
    return refuse(bytes, Rcode::refused, kNotSupported, asker, out);
  }
  const QueryKey key(*parsed);
  const auto [source, rule] = local_.place_of(key);
  if (source != Source::upstream) return answer_locally(*parsed, key, source, bytes, asker, out);

  const Asked asked{now, tag, *parsed, key, bytes, asker, rule};
  bool has_stale = false;
  if (cache_ != nullptr) {
    const auto found = look_up(
        asked, config_->stale.enabled ? ServeStale::unless_refresh_is_due : ServeStale::never, out);
    if (found.written.whole_size != 0) {
      ++(found.hit == CacheHit::stale ? counters_.stale_answers : counters_.cache_hits);
      return outcome_of(found.written);
    }
    has_stale = found.hit == CacheHit::stale && config_->stale.enabled;
  }
  if (group_for(rule).empty()) {
    ++counters_.upstream_failures;
    return refuse(bytes, Rcode::server_failure, kNoUpstream, asker, out);
  }
  return ask_upstream(asked, has_stale, out);
}

/// An answer that consists of an RCODE.
Outcome Forwarder::Impl::refuse(Bytes bytes, Rcode rcode, std::span<const ExtendedError> errors,
                                const Asker& asker, MutableBytes out) {
  const std::size_t limit = std::min(asker.limit, out.size());
  const std::size_t size = make_error_response(bytes, rcode, errors, out.first(limit));
  // Only a sealed datagram can be smaller than the smallest answer.
  if (size == 0) return {Outcome::Kind::too_large, kPlainUdpSize, {}};
  return {Outcome::Kind::answered, size, {}};
}

Outcome Forwarder::Impl::answer_locally(const Query& query, const QueryKey& key, Source source,
                                        Bytes bytes, const Asker& asker, MutableBytes out) {
  switch (source) {
    case Source::zone:
      ++counters_.from_zone;
      break;
    case Source::block_list:
      ++counters_.blocked;
      break;
    case Source::special_name:
      ++counters_.special;
      break;
    default:
      ++counters_.minimal_any;
      break;
  }
  const auto answer = local_.build(key, source, local_builder_);
  if (!answer) return refuse(bytes, Rcode::server_failure, kTooManyRecords, asker, out);
  AnswerOptions options = options_for(asker);
  options.errors = answer->errors;
  return outcome_of(write_answer(answer->view, query, options, {}, out));
}

CacheAnswer Forwarder::Impl::look_up(const Asked& asked, ServeStale serve_stale, MutableBytes out) {
  return cache_->answer(asked.key, asked.query, options_for(asked.asker), serve_stale, asked.now,
                        out, zone_size(asked.rule));
}

bool Forwarder::Impl::is_down(std::span<const UpstreamIndex> group) const {
  return std::ranges::all_of(
      group, [&](UpstreamIndex i) { return policy_.health(i) == UpstreamState::Health::down; });
}

Outcome Forwarder::Impl::ask_upstream(const Asked& asked, bool has_stale, MutableBytes out) {
  const std::uint64_t hash = table_.hash_of(asked.key);
  if (Flight* flight = table_.find(asked.key, hash); flight != nullptr) {
    // Who comes after the client response timer need not wait for it again.
    if (flight->has_stale && asked.now >= flight->stale_at) {
      const auto stale = answer_stale(asked, out);
      if (stale) return *stale;
    }
    if (flight->waiter_count >= config_->max_waiters_per_flight || !join(*flight, asked))
      return overloaded(asked, out);
    ++counters_.coalesced;
    return {Outcome::Kind::pending, 0, {}};
  }
  const auto group = group_for(asked.rule);
  // The names of a dead group wait their whole time: they must not take the places of all others.
  const bool crowded = table_.flight_count() >= config_->max_flights / 2;
  Flight* flight = crowded && is_down(group) ? nullptr : table_.start(asked.key, hash);
  if (flight == nullptr) return overloaded(asked, out);
  if (!join(*flight, asked)) {
    table_.close(*flight);
    table_.release(*flight);
    return overloaded(asked, out);
  }
  flight->rule = asked.rule;
  flight->group = group;
  flight->has_stale = has_stale;
  start(*flight, asked.now);
  return {Outcome::Kind::pending, 0, {}};
}

bool Forwarder::Impl::join(Flight& flight, const Asked& asked) {
  Waiter* waiter = table_.add_waiter(flight);
  if (waiter == nullptr) return false;
  const auto name = Name::from_wire(asked.query.name);
  BOXGRAM_CHECK(name.has_value());
  waiter->tag = asked.tag;
  waiter->since = asked.now;
  waiter->id = asked.query.id;
  waiter->flags = asked.query.flags;
  waiter->udp_size = asked.query.udp_size;
  waiter->has_opt = asked.query.has_opt;
  waiter->transport = asked.asker.transport;
  waiter->limit = asked.asker.limit;
  waiter->name = *name;
  return true;
}

std::optional<Outcome> Forwarder::Impl::answer_stale(const Asked& asked, MutableBytes out) {
  if (cache_ == nullptr || !config_->stale.enabled) return std::nullopt;
  const auto found = look_up(asked, ServeStale::always, out);
  if (found.written.whole_size == 0) return std::nullopt;
  ++counters_.stale_answers;
  return outcome_of(found.written);
}

/// No place for another query: old data is better than none, a failure better than silence.
Outcome Forwarder::Impl::overloaded(const Asked& asked, MutableBytes out) {
  ++counters_.over_capacity;
  const auto stale = answer_stale(asked, out);
  if (stale) return *stale;
  return refuse(asked.bytes, Rcode::server_failure, kNotReady, asked.asker, out);
}

Explanation Forwarder::Impl::explain(Bytes bytes) const {
  Explanation result;
  const auto parsed = parse_query(bytes);
  if (!parsed || is_refused(*parsed)) return result;
  const QueryKey key(*parsed);
  const auto [source, rule] = local_.place_of(key);
  result.source = source;
  if (source != Source::upstream) {
    local_.explain(key, result);
    return result;
  }
  if (rule != nullptr) result.entry = rule->suffix;
  std::uint64_t taken = 0;
  while (const auto next = policy_.choose(group_for(rule), taken, {})) {
    result.upstreams.push_back(*next);
    taken |= std::uint64_t{1} << *next;
  }
  return result;
}

Forwarder::Forwarder(std::shared_ptr<const ForwarderConfig> config, SharedCache* cache,
                     base::Rng& rng, Instant start)
    : impl_(std::make_unique<Impl>(std::move(config), cache, rng, start)) {}
Forwarder::~Forwarder() = default;

Outcome Forwarder::query(Instant now, std::uint64_t tag, Bytes query, const Asker& asker,
                         MutableBytes out) {
  return impl_->query(now, tag, query, asker, out);
}
bool Forwarder::poll_action(Action& action) {
  return impl_->poll_action(action);
}
bool Forwarder::poll_answer(Instant now, Answered& answered, MutableBytes out) {
  return impl_->poll_answer(now, answered, out);
}
void Forwarder::upstream_answer(Instant now, TryId id, Bytes answer) {
  impl_->upstream_answer(now, id, answer);
}
void Forwarder::upstream_failed(Instant now, TryId id, TryFailure why) {
  impl_->upstream_failed(now, id, why);
}
Bytes Forwarder::upstream_deferred(Instant now, TryId id) {
  return impl_->upstream_deferred(now, id);
}
void Forwarder::handle_timeout(Instant now) {
  impl_->handle_timeout(now);
}
std::optional<Instant> Forwarder::next_timeout() const {
  return impl_->next_timeout();
}
Explanation Forwarder::explain(Bytes query) const {
  return impl_->explain(query);
}
std::size_t Forwarder::in_flight() const {
  return impl_->table().flight_count();
}
std::size_t Forwarder::waiting() const {
  return impl_->table().waiter_count();
}
const ForwarderCounters& Forwarder::counters() const {
  return impl_->counters();
}
const base::LatencyHistogram& Forwarder::waits() const {
  return impl_->waits();
}
std::size_t Forwarder::upstream_count() const {
  return impl_->policy().size();
}
UpstreamState Forwarder::upstream_state(UpstreamIndex i) const {
  return impl_->policy().state(i);
}

}  // namespace boxgram::dns
