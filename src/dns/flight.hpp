// A query that is under way to upstreams, the tries it has made, and who waits for it.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/base/timer_wheel.hpp>
#include <boxgram/dns/answer.hpp>
#include <boxgram/dns/forwarder_config.hpp>
#include <boxgram/dns/query_key.hpp>
#include <boxgram/dns/upstream.hpp>

namespace boxgram::dns {

/// One query at one upstream.
struct Try {
  enum class Kind : std::uint8_t { first, retry, hedge, failover, probe };
  UpstreamIndex upstream = 0;
  std::uint16_t id = 0;  ///< of the DNS message
  Kind kind = Kind::first;
  bool open = false;      ///< an answer would still be taken
  bool silent = false;    ///< its silence has been counted
  bool poor = false;      ///< answered SERVFAIL or the like
  bool deferred = false;  ///< goes on by another way, which says nothing of the upstream
  base::Instant sent_at{};
  std::uint64_t case_seed = 0;  ///< random case of the question, 0 for none
};

/// A client's query, without what its flight knows already.
struct Waiter {
  std::uint64_t tag = 0;
  base::Handle next = 0;
  base::Instant since{};
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::uint16_t udp_size = 0;
  bool has_opt = false;
  Transport transport = Transport::udp;
  std::size_t limit = 0;
  Name name;  ///< in the client's case
};

/// What a flight's waiters get.
enum class Ready : std::uint8_t {
  nothing,    ///< they wait
  answer,     ///< the upstream's answer
  stale,      ///< what the cache still holds
  failure,    ///< an RCODE with extended errors
  too_large,  ///< the answer fits no datagram of the sealed path
};

/// A copy of an answer, for when the builder that holds it is needed for the next one first.
struct SavedAnswer {
  AnswerView view;  ///< points into the vectors
  std::vector<std::uint8_t> body;
  std::vector<std::uint16_t> ttl_offsets;
  std::vector<std::uint8_t> ede_options;

  void save(const AnswerView& from) {
    body.assign(from.body.begin(), from.body.end());
    ttl_offsets.assign(from.ttl_offsets.begin(), from.ttl_offsets.end());
    ede_options.assign(from.ede_options.begin(), from.ede_options.end());
    view = from;
    view.body = body;
    view.ttl_offsets = ttl_offsets;
    view.ede_options = ede_options;
  }
};

struct Flight {
  /// Retries at 380 ms, growing by half, reach the deadline after five; the others are for hedges,
  /// failures and probes. A flight that has used them up waits.
  static constexpr std::size_t kMaxTries = 8;
  static constexpr std::uint8_t kRoot[1] = {0};

  QueryKey key{base::Bytes(kRoot), 0, 0, false, false};
  base::Handle handle = 0;
  std::uint64_t hash = 0;
  base::Handle next_in_bucket = 0;
  base::Handle next_ready = 0;

  base::Handle first_waiter = 0;
  base::Handle last_waiter = 0;
  std::size_t waiter_count = 0;

  const ForwardRule* rule = nullptr;  ///< the one that names the group, if any
  std::span<const UpstreamIndex> group;
  std::array<Try, kMaxTries> tries;
  std::size_t try_count = 0;

  base::Timer timer;
  base::Instant deadline{};
  base::Instant stale_at{};
  base::Instant hedge_at{};
  base::Instant retry_at{};
  base::Duration retry_delay{};

  Ready ready = Ready::nothing;
  bool queued = false;     ///< in the list of flights with answers
  bool done = false;       ///< takes no waiter any more
  bool has_stale = false;  ///< the cache holds an expired answer
  bool network_error = false;
  bool too_large = false;   ///< an upstream has the answer and no way that could carry it
  bool busy = false;        ///< a transport had no place for a try
  std::uint8_t rounds = 0;  ///< times that every upstream had failed

  bool has_kept = false;  ///< a failure that an upstream has answered, for want of better
  Rcode rcode = Rcode::server_failure;
  std::vector<std::uint8_t> kept_ede;
  SavedAnswer saved;

  /// Everything but the vectors' memory, for the next tenant of the slot.
  void reset() {
    next_in_bucket = next_ready = first_waiter = last_waiter = 0;
    waiter_count = try_count = 0;
    ready = Ready::nothing;
    queued = done = has_stale = network_error = busy = too_large = has_kept = false;
    rounds = 0;
    rcode = Rcode::server_failure;
    kept_ede.clear();
  }

  [[nodiscard]] std::span<Try> made() { return {tries.data(), try_count}; }

  /// There is something to answer, should nothing better come.
  [[nodiscard]] bool has_something() const { return has_kept || too_large; }

  /// An upstream has the answer; if this fails, it is for the way.
  [[nodiscard]] bool any_deferred() {
    return std::ranges::any_of(made(), [](const Try& t) { return t.deferred; });
  }

  [[nodiscard]] bool any_open(bool probes_too) {
    for (const Try& t : made())
      if (t.open && (probes_too || t.kind != Try::Kind::probe)) return true;
    return false;
  }
};

}  // namespace boxgram::dns
