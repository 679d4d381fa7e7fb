#include <algorithm>
#include <bit>
#include <tuple>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/upstream.hpp>

namespace boxgram::dns {

using base::Duration;
using base::Instant;
using Health = UpstreamState::Health;

namespace {

constexpr std::uint64_t kFirstBucketUs = 128;

std::size_t bucket_of(Duration rtt) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(rtt.count() / 1000, 0));
  if (us < kFirstBucketUs) return 0;
  const auto octave = static_cast<std::size_t>(std::bit_width(us)) - 1;  // 7 for 128 us
  const auto quarter = static_cast<std::size_t>(us >> (octave - 2) & 3);
  return std::min<std::size_t>((octave - 7) * 4 + quarter, 63);
}

Duration upper_edge(std::size_t bucket) {
  const std::uint64_t quarter = (kFirstBucketUs / 4) << (bucket / 4);
  return std::chrono::microseconds{static_cast<std::int64_t>(quarter * (bucket % 4 + 5))};
}

}  // namespace

void RoundTrip::sample(Duration rtt) {
  if (samples_++ == 0) {
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {
    rttvar_ += (std::chrono::abs(srtt_ - rtt) - rttvar_) / 4;
    srtt_ += (rtt - srtt_) / 8;
  }
  ++counts_[bucket_of(rtt)];
  if (++total_ == 256) {
    total_ = 0;
    for (auto& count : counts_) total_ = static_cast<std::uint16_t>(total_ + (count /= 2));
  }
  // The walk costs more than the rest; after a warm-up every 16th sample moves the value enough.
  if (samples_ < 32 || samples_ % 16 == 0) update_p95();
}

void RoundTrip::update_p95() {
  unsigned above = 0;
  for (std::size_t i = kBuckets; i-- > 0;) {
    above += counts_[i];
    if (above * 20 > total_) {
      p95_ = upper_edge(i);
      return;
    }
  }
}

Duration RoundTrip::retry_after() const {
  if (!measured()) return kMaxRetry;
  return std::clamp(std::max(srtt_ + 4 * rttvar_, 2 * p95_), kMinRetry, kMaxRetry);
}

Duration RoundTrip::hedge_after() const {
  // Fewer than 20 samples have no 95th percentile.
  if (samples_ < 20) return retry_after();
  return std::clamp(p95_, kMinHedge, kMaxRetry);
}

UpstreamPolicy::UpstreamPolicy(std::span<const UpstreamConfig> upstreams)
    : configs_(upstreams), states_(upstreams.size()) {
  BOXGRAM_CHECK(upstreams.size() <= kMaxUpstreams);
}

std::optional<UpstreamIndex> UpstreamPolicy::choose(std::span<const UpstreamIndex> group,
                                                    std::uint64_t excluded,
                                                    std::span<const UpstreamIndex> tried) const {
  std::optional<UpstreamIndex> best;
  std::tuple<Health, std::ptrdiff_t, Duration> best_rank;
  for (const UpstreamIndex i : group) {
    if ((excluded >> i & 1) != 0) continue;
    const State& state = states_[i];
    const auto tries = std::count(tried.begin(), tried.end(), i);
    const auto rtt = state.rtt.measured() ? state.rtt.srtt() : Duration::max();
    const std::tuple rank{state.health, tries, rtt};
    if (best && rank >= best_rank) continue;
    best = i;
    best_rank = rank;
  }
  return best;
}

std::optional<UpstreamIndex> UpstreamPolicy::choose_probe(std::span<const UpstreamIndex> group,
                                                          std::uint64_t excluded, Instant now) {
  for (const UpstreamIndex i : group) {
    if ((excluded >> i & 1) != 0) continue;
    State& state = states_[i];
    if (now < state.probe_at) continue;
    if (state.health == Health::down) {
      state.probe_at = now + state.backoff;
      state.backoff = std::min(2 * state.backoff, kMaxBackoff);
      return i;
    }
    if (!take_extra()) continue;
    // Once in a back-off for a suspect, else exploration; an answer puts the next one far away.
    state.probe_at = now + kFirstBackoff;
    return i;
  }
  return std::nullopt;
}

void UpstreamPolicy::earn_extra() {
  extra_ = std::min(extra_ + kExtraPercent, kExtraBurst * 100);
}

bool UpstreamPolicy::take_extra() {
  if (extra_ < 100) return false;
  extra_ -= 100;
  return true;
}

void UpstreamPolicy::answered(UpstreamIndex i, Instant sent_at, Instant now, bool useful) {
  State& state = states_[i];
  ++state.counters.answered;
  state.answered_at = now;
  if (useful) {
    state.rtt.sample(now - sent_at);
    state.poor_in_a_row = 0;
  } else if (state.poor_in_a_row >= kPoorLimit) {
    return;  // down for its failures; one more does not bring it back
  }
  state.health = Health::healthy;
  state.backoff = kFirstBackoff;
  state.probe_at = now + kExploreEvery;
}

void UpstreamPolicy::silent(UpstreamIndex i, Instant sent_at, Instant now) {
  State& state = states_[i];
  ++state.counters.silent;
  // It answers others: this one query is slow or lost, the upstream is there.
  if (state.answered_at > sent_at) return;
  // A burst that is lost together is one event.
  if (state.health != Health::healthy && sent_at < state.noticed_at) return;
  state.noticed_at = now;
  if (state.health == Health::healthy) {
    state.health = Health::suspect;
    state.probe_at = now;
  } else {
    take_down(state, now);
  }
}

void UpstreamPolicy::failed(UpstreamIndex i, Instant now) {
  State& state = states_[i];
  ++state.counters.failed;
  take_down(state, now);
}

void UpstreamPolicy::poor(UpstreamIndex i, Instant now) {
  State& state = states_[i];
  ++state.counters.poor;
  if (++state.poor_in_a_row >= kPoorLimit) take_down(state, now);
}

void UpstreamPolicy::overtaken(UpstreamIndex i, Duration elapsed) {
  // One that has never answered is not measured by being late.
  RoundTrip& rtt = states_[i].rtt;
  if (rtt.measured() && elapsed > rtt.p95()) rtt.sample(elapsed);
}

void UpstreamPolicy::take_down(State& state, Instant now) {
  if (state.health == Health::down) return;
  state.health = Health::down;
  state.backoff = kFirstBackoff;
  state.probe_at = now + state.backoff;
  state.backoff *= 2;
}

UpstreamState UpstreamPolicy::state(UpstreamIndex i) const {
  const State& state = states_[i];
  UpstreamState result = state.counters;
  result.name = configs_[i].name;
  result.health = state.health;
  result.srtt = state.rtt.srtt();
  result.p95 = state.rtt.p95();
  return result;
}

}  // namespace boxgram::dns
