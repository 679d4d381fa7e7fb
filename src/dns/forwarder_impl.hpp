// The forwarder's state; its members are spread over three files: forwarder.cpp takes queries,
// forwarder_upstream.cpp talks to upstreams, forwarder_answer.cpp hands answers out.
#pragma once

#include <vector>

#include <boxgram/base/timer_wheel.hpp>
#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/normalise.hpp>
#include <boxgram/dns/shared_cache.hpp>

#include "flight_table.hpp"
#include "local_answers.hpp"

namespace boxgram::dns {

/// The size of the shortest name whose NXDOMAIN covers a name below it: what is above a rule's
/// suffix is known from other upstreams, which do not know what is below (split horizon).
inline std::size_t zone_size(const ForwardRule* rule) {
  return rule == nullptr ? 1 : rule->suffix.size();
}

class Forwarder::Impl {
 public:
  Impl(std::shared_ptr<const ForwarderConfig> config, SharedCache* cache, base::Rng& rng,
       base::Instant start);

  // forwarder.cpp
  Outcome query(base::Instant now, std::uint64_t tag, base::Bytes bytes, const Asker& asker,
                base::MutableBytes out);
  [[nodiscard]] Explanation explain(base::Bytes bytes) const;

  // forwarder_upstream.cpp
  void upstream_answer(base::Instant now, TryId id, base::Bytes answer);
  void upstream_failed(base::Instant now, TryId id, TryFailure why);
  base::Bytes upstream_deferred(base::Instant now, TryId id);
  void handle_timeout(base::Instant now);

  // forwarder_answer.cpp
  bool poll_action(Action& action);
  bool poll_answer(base::Instant now, Answered& answered, base::MutableBytes out);

  [[nodiscard]] std::optional<base::Instant> next_timeout() const { return wheel_.next(); }
  [[nodiscard]] const FlightTable& table() const { return table_; }
  [[nodiscard]] const ForwarderCounters& counters() const { return counters_; }
  [[nodiscard]] const base::LatencyHistogram& waits() const { return waits_; }
  [[nodiscard]] const UpstreamPolicy& policy() const { return policy_; }

 private:
  /// A query of a client on its way through query().
  struct Asked {
    base::Instant now;
    std::uint64_t tag;
    const Query& query;
    const QueryKey& key;
    base::Bytes bytes;
    const Asker& asker;
    const ForwardRule* rule;
  };
  struct PendingAction {
    Action::Kind kind;
    TryId id;
    UpstreamIndex upstream;
    base::Duration timeout;
  };

  // forwarder.cpp
  Outcome refuse(base::Bytes bytes, Rcode rcode, std::span<const ExtendedError> errors,
                 const Asker& asker, base::MutableBytes out);
  Outcome answer_locally(const Query& query, const QueryKey& key, Source source, base::Bytes bytes,
                         const Asker& asker, base::MutableBytes out);
  CacheAnswer look_up(const Asked& asked, ServeStale serve_stale, base::MutableBytes out);
  Outcome ask_upstream(const Asked& asked, bool has_stale, base::MutableBytes out);
  [[nodiscard]] bool is_down(std::span<const UpstreamIndex> group) const;
  bool join(Flight& flight, const Asked& asked);
  std::optional<Outcome> answer_stale(const Asked& asked, base::MutableBytes out);
  Outcome overloaded(const Asked& asked, base::MutableBytes out);
  [[nodiscard]] AnswerOptions options_for(const Asker& asker) const;
  [[nodiscard]] std::span<const UpstreamIndex> group_for(const ForwardRule* rule) const;

  // forwarder_upstream.cpp
  void start(Flight& flight, base::Instant now);
  bool launch(Flight& flight, UpstreamIndex upstream, Try::Kind kind, base::Instant now);
  bool try_another(Flight& flight, Try::Kind kind, base::Instant now);
  void on_timer(Flight& flight, base::Instant now);
  void note_silences(Flight& flight, base::Instant now);
  void set_timer(Flight& flight);
  void take_answer(Flight& flight, Try& winner, AnswerView view, base::Instant now);
  void keep_failure(Flight& flight, Try& from, const AnswerView& view, base::Instant now);
  void after_failure(Flight& flight, base::Instant now);
  void give_up(Flight& flight, base::Instant now);
  void complete(Flight& flight, Ready ready);
  void end_linger(Flight& flight, base::Instant now);
  void close_try(Flight& flight, Try& t);
  void retire(Flight& flight);
  [[nodiscard]] bool worth_waiting(Flight& flight) const;
  [[nodiscard]] Flight* find_try(TryId id, Try*& found);
  [[nodiscard]] base::Bytes build_query(const Flight& flight, const Try& t);

  // forwarder_answer.cpp
  void make_ready(Flight& flight, Ready ready);
  bool write_for(base::Instant now, Flight& flight, const Waiter& waiter, Answered& answered,
                 base::MutableBytes out);
  AnswerView failure_view(Flight& flight);
  Written write_too_large(const Flight& flight, const Query& query, AnswerOptions& options,
                          base::MutableBytes out);
  void settle_live_answer();

  std::shared_ptr<const ForwarderConfig> config_;
  SharedCache* cache_;
  base::Rng& rng_;
  LocalAnswers local_;
  bool trusts_ad_;
  UpstreamPolicy policy_;
  base::TimerWheel wheel_;
  FlightTable table_;
  ForwarderCounters counters_;
  base::LatencyHistogram waits_;

  AnswerBuilder builder_;        // upstream answers
  AnswerBuilder local_builder_;  // everything made here
  AnswerView live_view_;         // in builder_; of flight live_
  base::Handle live_ = 0;

  base::Handle first_ready_ = 0;
  base::Handle last_ready_ = 0;
  std::vector<PendingAction> actions_;
  std::size_t next_action_ = 0;
  std::array<std::uint8_t, kMaxUpstreamQuerySize> query_{};
};

}  // namespace boxgram::dns
