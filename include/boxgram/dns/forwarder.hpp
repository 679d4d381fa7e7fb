// The forwarding core: from a client's query to its answer, by local data, cache or upstreams.
// Sans-IO: the gateway runs it over plain resolvers, the stub over sealed gateways.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/latency_histogram.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dns/answer.hpp>
#include <boxgram/dns/forwarder_config.hpp>

namespace boxgram::dns {

class SharedCache;

/// Names one try of one query at one upstream. Never 0.
using TryId = base::Handle;

/// Tries of one query at most.
inline constexpr std::size_t kMaxTries = 8;

/// A try's place in a table of the owner's: no two open tries share one, and all are below
/// max_flights * kMaxTries. Bits 0..23 of a TryId are the place of its query, bits 24..31 its
/// number among the query's tries.
constexpr std::size_t try_place(TryId id) {
  return (id & 0xff'ffff) * kMaxTries + (id >> 24 & 0xff);
}

/// How the client asked; decides what happens to an answer that is too large (answer.hpp).
struct Asker {
  Transport transport = Transport::udp;
  std::size_t limit = kMaxMessageSize;  ///< the most bytes an answer may have
};

/// Why a query gets no answer at all.
enum class QueryDrop : std::uint8_t { too_short, is_response };

/// What query() made of a client's query.
struct Outcome {
  enum class Kind : std::uint8_t {
    answered,   ///< `size` bytes in `out`
    too_large,  ///< sealed only: the answer has `size` bytes, more than the limit
    pending,    ///< exactly one Answered with this tag will follow within 3 s
    dropped     ///< `drop` says why
  };
  Kind kind = Kind::dropped;
  std::size_t size = 0;
  QueryDrop drop{};
};

/// An answer that became ready.
struct Answered {
  std::uint64_t tag = 0;   ///< as given to query()
  bool too_large = false;  ///< sealed only: nothing was written, the answer has `size` bytes
  std::size_t size = 0;
};

/// What to do with an upstream.
struct Action {
  enum class Kind : std::uint8_t { send, cancel };
  Kind kind = Kind::send;
  TryId id = 0;
  UpstreamIndex upstream = 0;
  base::Bytes query;         ///< send: valid until the next call of any member
  base::Duration timeout{};  ///< send: report `timed_out` after that long
};

/// Why a try ended without an answer.
enum class TryFailure : std::uint8_t {
  timed_out,    ///< nothing came in time
  unreachable,  ///< no route, no socket, or the transport is not ready
  refused,      ///< the host says that nothing listens there
  busy,         ///< the transport holds as many queries as it may; says nothing of the upstream
  too_large,    ///< a sealed gateway: the answer exists, but it has no way that could carry it
  rejected      ///< the transport will not carry this query
};

/// Where an answer comes from, or would come from.
enum class Source : std::uint8_t {
  refused,  ///< malformed or a meta type: an error answer
  zone,
  block_list,
  special_name,
  minimal_any,
  upstream
};

/// The way a query would take, for people.
struct Explanation {
  Source source = Source::refused;
  /// zone: the owner of the records or the local zone; block_list: the listed name; special_name:
  /// the top of its zone; upstream: the suffix of the forward rule, if one applies.
  std::optional<Name> entry;
  bool entry_is_exact = false;           ///< block_list: names below the entry are not blocked
  std::vector<UpstreamIndex> upstreams;  ///< in the order in which they would be tried now
};

/// What has happened since the start. Answers by kind, then events.
struct ForwarderCounters {
  std::uint64_t queries = 0;
  std::uint64_t dropped = 0;
  std::uint64_t malformed = 0;  ///< answered FORMERR, BADVERS or NOTIMP
  std::uint64_t refused = 0;    ///< AXFR, IXFR and other meta types
  std::uint64_t from_zone = 0;
  std::uint64_t blocked = 0;
  std::uint64_t special = 0;
  std::uint64_t minimal_any = 0;
  std::uint64_t cache_hits = 0;
  std::uint64_t stale_answers = 0;
  std::uint64_t upstream_answers = 0;   ///< clients' queries answered by upstream data
  std::uint64_t upstream_failures = 0;  ///< clients' queries that got SERVFAIL made here
  std::uint64_t over_capacity = 0;      ///< clients' queries that found every table full
  std::uint64_t coalesced = 0;          ///< clients' queries that joined a flight
  std::uint64_t tries = 0;
  std::uint64_t retries = 0;
  std::uint64_t hedges = 0;
  std::uint64_t failovers = 0;
  std::uint64_t probes = 0;      ///< duplicates to measure an upstream or find it back
  std::uint64_t mismatches = 0;  ///< answers that were not to our question, or malformed
  std::uint64_t too_large = 0;
  std::uint64_t deferred = 0;  ///< tries that went on by another way
};

/// One query goes: parse -> meta types -> zone -> block list -> rule, else special-use names ->
/// cache -> an identical flight -> upstream.
///
/// Use:     one mutation (query, upstream_answer, upstream_failed, handle_timeout), then drain
///          poll_action() and poll_answer(), then arm a timer for next_timeout().
/// Limits:  queries and answers of 12..65,535 bytes. `out` needs min(limit, 65,535) bytes, and 512
///          in any case.
/// Errors:  a malformed query is answered where an ID can be read, else dropped. A malformed or
///          mismatching upstream answer is counted and the try goes on.
/// Cost:    no allocation once the tables have grown; about 1 us a query without cache.
class Forwarder {
 public:
  /// `cache` may be null (no cache). `cache` and `rng` outlive the forwarder.
  Forwarder(std::shared_ptr<const ForwarderConfig> config, SharedCache* cache, base::Rng& rng,
            base::Instant start);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  Outcome query(base::Instant now, std::uint64_t tag, base::Bytes query, const Asker& asker,
                base::MutableBytes out);

  /// The next thing to do with an upstream; false when there is none. A cancel may name a try that
  /// the transport has ended in the meantime.
  bool poll_action(Action& action);
  /// The next answer that is ready; false when there is none.
  bool poll_answer(base::Instant now, Answered& answered, base::MutableBytes out);

  /// An id that is not open any more is ignored in both. A mismatching answer leaves the try open.
  void upstream_answer(base::Instant now, TryId id, base::Bytes answer);
  void upstream_failed(base::Instant now, TryId id, TryFailure why);
  /// A sealed gateway has answered that the answer fits no datagram, and the try goes on by another
  /// way, which may take three round trips to open. Its time and its end say nothing of the
  /// gateway's datagrams any more. Returns the query for that way (valid until the next call of any
  /// member); empty if nobody needs the answer: the try is over then.
  base::Bytes upstream_deferred(base::Instant now, TryId id);

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  /// Which way a query would take, the cache left aside; touches no state and no counter.
  [[nodiscard]] Explanation explain(base::Bytes query) const;

  /// Flights, those included that only measure an upstream.
  [[nodiscard]] std::size_t in_flight() const;
  /// Clients' queries that wait.
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] const ForwarderCounters& counters() const;
  /// How long those waited who had to: from query() to poll_answer(). What is answered at once,
  /// from the cache or local names, is not in it.
  [[nodiscard]] const base::LatencyHistogram& waits() const;
  [[nodiscard]] std::size_t upstream_count() const;
  [[nodiscard]] UpstreamState upstream_state(UpstreamIndex i) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace boxgram::dns
