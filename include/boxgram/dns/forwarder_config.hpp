// What a Forwarder is told once: upstreams, rules, local names, block lists, timers, capacities.
#pragma once

#include <cstdint>
#include <vector>

#include <boxgram/base/time.hpp>
#include <boxgram/dns/block_list.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/upstream.hpp>
#include <boxgram/dns/zone.hpp>

namespace boxgram::dns {

/// Names at and below `suffix` go to these upstreams only. The longest suffix wins; a rule also
/// wins over the special-use names (split horizon: home.arpa of the own router), unless it is for
/// the root.
struct ForwardRule {
  Name suffix;
  std::vector<UpstreamIndex> upstreams;  ///< not empty
};

/// What a blocked name gets, with the extended error 15 (Blocked).
enum class BlockAnswer : std::uint8_t {
  no_domain,     ///< NXDOMAIN
  null_address,  ///< 0.0.0.0 and ::, NODATA for other types
  refused,       ///< REFUSED
  no_data        ///< NODATA
};

/// Serve-stale (RFC 8767); works only with a cache, whose options say how old and how often.
struct StaleConfig {
  bool enabled = true;
  /// After this long without an answer, expired data is served and the refresh goes on: the
  /// client response timer, below the usual stub's 2 s.
  base::Duration client_timer = base::Duration{1'800'000'000};
};

/// Immutable once given to a Forwarder; one object serves all workers. To change it, make a new
/// Forwarder and keep the old one until its in_flight() is 0.
struct ForwarderConfig {
  std::vector<UpstreamConfig> upstreams;  ///< at most kMaxUpstreams; may be empty
  /// Who is asked for names without a rule. Empty: nobody, they get SERVFAIL; a rule's upstreams
  /// must not see what is not theirs.
  std::vector<UpstreamIndex> default_group;
  std::vector<ForwardRule> rules;
  Zone zone;
  BlockList block_list;
  BlockAnswer block_answer = BlockAnswer::no_domain;
  /// Answer localhost, invalid, test, onion, home.arpa, alt and private reverse zones here
  /// (RFC 6761, 6303, 7686, 8375, 9476).
  bool special_names = true;
  /// Random case in upstream questions, required back (for plain resolvers: 0x20).
  bool random_case = false;
  /// ANY is answered here with one HINFO record (RFC 8482); else it is forwarded.
  bool minimal_any = true;
  StaleConfig stale;
  /// Every query is answered by then, SERVFAIL at worst: below the 3 s that are promised.
  base::Duration deadline = base::Duration{2'900'000'000};
  /// Queries upstream at once. At 100 ms each this is 40,000 a second and worker. Those for a group
  /// whose upstreams are all down get half of it.
  std::size_t max_flights = 4096;
  /// Clients' queries waiting for them; beyond, SERVFAIL at once.
  std::size_t max_waiters = 16384;
  /// Waiters of one flight: one name must not take all places.
  std::size_t max_waiters_per_flight = 1024;
};

}  // namespace boxgram::dns
