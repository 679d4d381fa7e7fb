// Which upstream gets the next try, and when another try is due: measured round trips, health with
// back-off and probing, and a budget for duplicates. Knows indices and times only, no message.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boxgram/base/time.hpp>

namespace boxgram::dns {

/// One server that queries can be sent to.
struct UpstreamConfig {
  std::string name;          ///< for people: an address, or a gateway's name
  bool retransmits = false;  ///< its transport sends lost datagrams again by itself
  bool trusted_ad = false;   ///< its AD bit is believed (RFC 4035, section 4.9.3)
};

using UpstreamIndex = std::uint16_t;

/// More upstreams than anybody lists; a mask of them fits a word.
inline constexpr std::size_t kMaxUpstreams = 64;

/// Round-trip statistics of one upstream.
/// Source: RFC 6298 for srtt and rttvar; p95 from a histogram of four buckets an octave whose
/// counts are halved every 256 samples, so that it follows the last few hundred queries.
class RoundTrip {
 public:
  /// The first retry is never later: the promise is that one lost datagram costs at most 400 ms,
  /// and the timer wheel may fire a tick late.
  static constexpr base::Duration kMaxRetry = base::Duration{380'000'000};
  /// A resolver on this machine answers in microseconds from its cache but not what it must fetch.
  static constexpr base::Duration kMinRetry = base::Duration{50'000'000};
  /// A hedge earlier than this costs more than the wait it saves.
  static constexpr base::Duration kMinHedge = base::Duration{10'000'000};

  void sample(base::Duration rtt);

  [[nodiscard]] bool measured() const { return samples_ > 0; }
  [[nodiscard]] base::Duration srtt() const { return srtt_; }
  /// The upper edge of the bucket that holds the 95th percentile; zero before the first sample.
  [[nodiscard]] base::Duration p95() const { return p95_; }
  /// How long a datagram is waited for before it counts as lost.
  [[nodiscard]] base::Duration retry_after() const;
  /// How long the first try runs before a hedge is worth a duplicate.
  [[nodiscard]] base::Duration hedge_after() const;

 private:
  static constexpr std::size_t kBuckets = 64;  // 128 us to 8 s

  void update_p95();

  base::Duration srtt_{};
  base::Duration rttvar_{};
  base::Duration p95_{};
  std::array<std::uint16_t, kBuckets> counts_{};
  std::uint16_t total_ = 0;
  std::uint64_t samples_ = 0;
};

/// What people are told about one upstream.
struct UpstreamState {
  enum class Health : std::uint8_t { healthy, suspect, down };
  std::string_view name;
  Health health = Health::healthy;
  base::Duration srtt{};
  base::Duration p95{};
  std::uint64_t sent = 0;      ///< tries, duplicates included
  std::uint64_t answered = 0;  ///< matching answers of any RCODE
  std::uint64_t silent = 0;    ///< tries without an answer when the retry timer fired
  std::uint64_t failed = 0;    ///< tries that the transport gave up
  std::uint64_t poor = 0;      ///< SERVFAIL and the like where another upstream knew the answer
};

/// Health: one silence makes an upstream suspect (others go first, it gets a duplicate of the next
/// query), a second one, sent after the first was noticed, or a transport failure, takes it down.
/// A down upstream is probed with a duplicate of a real query, at most once in 1 s, 2 s .. 60 s; a
/// matching answer makes it healthy at once. When every upstream is down all are used all the same.
class UpstreamPolicy {
 public:
  static constexpr base::Duration kFirstBackoff = base::Duration{1'000'000'000};
  static constexpr base::Duration kMaxBackoff = base::Duration{60'000'000'000};
  /// A round trip older than this is measured again by a duplicate: the little exploration.
  static constexpr base::Duration kExploreEvery = base::Duration{15'000'000'000};
  /// Extra queries (hedges, explorations, duplicates to suspects): 10 in 100, bursts of 8.
  static constexpr std::int32_t kExtraPercent = 10;
  static constexpr std::int32_t kExtraBurst = 8;
  /// So many poor answers in a row take an upstream down: it would win by being fast.
  static constexpr std::uint32_t kPoorLimit = 3;

  /// REQUIRES: upstreams.size() <= kMaxUpstreams. `upstreams` outlives the policy.
  explicit UpstreamPolicy(std::span<const UpstreamConfig> upstreams);

  /// The best of `group` outside `excluded`: by health, then fewest entries in `tried`, then round
  /// trip (unmeasured ones last, in the order of the group).
  [[nodiscard]] std::optional<UpstreamIndex> choose(std::span<const UpstreamIndex> group,
                                                    std::uint64_t excluded,
                                                    std::span<const UpstreamIndex> tried) const;
  /// An upstream of `group` outside `excluded` that is to get a duplicate of this query now.
  std::optional<UpstreamIndex> choose_probe(std::span<const UpstreamIndex> group,
                                            std::uint64_t excluded, base::Instant now);

  /// A new query of a client: earns a tenth of an extra query.
  void earn_extra();
  /// Takes one extra query out of the budget; false if there is none.
  bool take_extra();

  void sent(UpstreamIndex i) { ++states_[i].counters.sent; }
  /// A matching answer came; `useful` unless its RCODE is SERVFAIL or the like (a fast failure
  /// says nothing about the round trip of an answer, so it is no sample).
  void answered(UpstreamIndex i, base::Instant sent_at, base::Instant now, bool useful);
  /// The retry timer of a try fired without an answer.
  void silent(UpstreamIndex i, base::Instant sent_at, base::Instant now);
  /// The transport gave a try up.
  void failed(UpstreamIndex i, base::Instant now);
  /// Answered with a failure what another upstream could answer.
  void poor(UpstreamIndex i, base::Instant now);
  /// Another upstream was faster though this one started `elapsed` earlier: at least that slow.
  void overtaken(UpstreamIndex i, base::Duration elapsed);

  [[nodiscard]] const RoundTrip& round_trip(UpstreamIndex i) const { return states_[i].rtt; }
  [[nodiscard]] UpstreamState::Health health(UpstreamIndex i) const { return states_[i].health; }
  [[nodiscard]] UpstreamState state(UpstreamIndex i) const;
  [[nodiscard]] std::size_t size() const { return states_.size(); }

 private:
  struct State {
    RoundTrip rtt;
    UpstreamState::Health health = UpstreamState::Health::healthy;
    std::uint32_t poor_in_a_row = 0;
    base::Duration backoff = kFirstBackoff;
    base::Instant probe_at = base::Instant::min();
    base::Instant noticed_at = base::Instant::min();   // when the last silence was noticed
    base::Instant answered_at = base::Instant::min();  // when the last answer came
    UpstreamState counters;
  };

  void take_down(State& state, base::Instant now);

  std::span<const UpstreamConfig> configs_;
  std::vector<State> states_;
  std::int32_t extra_ = kExtraBurst * 100;  // in hundredths of a query
};

}  // namespace boxgram::dns
