// One plain DNS server, asked through c-ares: UDP, over TCP when the answer is truncated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

/// c-ares carries one try: no retry, no failover, no cache, no health memory. All that is above.
struct AresUpstreamOptions {
  base::SocketAddress server;  ///< without scope: c-ares 1.18 cannot name one
  /// Sockets, so source ports, that queries are spread over at random.
  std::size_t channels = 4;
  /// Queries of one server that c-ares holds, each for 3 s unless it is answered: 4,096 names that
  /// wait, with four tries each. At each event of a channel c-ares walks all of its queries that
  /// expire within the same second (55 us for 1,000), so a dead server must not collect more.
  std::size_t max_in_flight = 16'384;
  /// A channel is replaced after so many queries or so long, whichever is first, because its source
  /// port never changes: the port and the ID are all that an off-path forger has to guess.
  std::uint32_t channel_queries = 4096;
  base::Duration channel_lifetime = std::chrono::seconds(20);
};

enum class UpstreamFailure : std::uint8_t {
  timed_out,
  unreachable,  ///< closed port, no route, connection refused or broken
  closed,       ///< c-ares gave up for a reason of its own (memory, descriptors)
  bad_query     ///< shorter than a DNS header
};

struct AresUpstreamHandlers {
  /// The answer as it came (any RCODE), with the caller's ID and the question's letters as sent by
  /// the server; the bytes are valid during the call. c-ares has compared ID, type, class and
  /// (without case) name.
  std::function<void(std::uint64_t tag, base::Bytes answer)> on_answer;
  std::function<void(std::uint64_t tag, UpstreamFailure)> on_failure;
  /// After the last answer of a wake-up: the place to flush sockets and to read deadlines.
  std::function<void()> on_drained;
};

struct AresUpstreamCounters {
  std::uint64_t sent = 0;
  std::uint64_t full = 0;  ///< refused by send(): max_in_flight
  std::uint64_t answered = 0;
  std::uint64_t failed[4] = {};  ///< by UpstreamFailure
  std::uint64_t late = 0;        ///< answers after the timeout or after cancel(): ignored
  std::uint64_t channels_opened = 0;
  std::uint64_t edns_lost = 0;  ///< channels replaced because a FORMERR made c-ares drop EDNS
};

class AresUpstream {
 public:
  /// The error is a phrase for people. `rng` must outlive this.
  static base::expected<AresUpstream, std::string> create(asio::io_context& io,
                                                          const AresUpstreamOptions& options,
                                                          base::Rng& rng,
                                                          AresUpstreamHandlers handlers);

  /// No call of a handler after this. May be called inside a handler.
  ~AresUpstream();
  AresUpstream(AresUpstream&&) noexcept;
  AresUpstream& operator=(AresUpstream&&) noexcept;

  /// Sends a query with an ID of our own (the caller's is given back in the answer). Exactly one
  /// on_answer or on_failure follows, never inside this call, unless it is cancelled. False when
  /// full: then none follows. The query should end in a bare 11-byte OPT record: c-ares takes the
  /// last 11 bytes off when a server answers FORMERR without OPT, and asks again without.
  /// REQUIRES: `tag` is not in flight; timeout <= 5 s.
  bool send(std::uint64_t tag, base::Bytes query, base::Duration timeout);

  /// No handler will be called for this tag; a tag that is not in flight is ignored.
  void cancel(std::uint64_t tag);

  /// Queries that c-ares still holds, those cancelled or timed out included.
  [[nodiscard]] std::size_t in_flight() const;
  [[nodiscard]] const AresUpstreamCounters& counters() const;

 private:
  class Impl;
  explicit AresUpstream(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace boxgram::net
