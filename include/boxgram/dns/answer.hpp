// An answer without what belongs to one hop or one client, and its delivery to a client.
// Source: RFC 1035, section 4.1; RFC 6891; RFC 4035, section 3.2; RFC 6840, section 5.7-5.9.
#pragma once

#include <span>

#include <boxgram/base/bytes.hpp>
#include <boxgram/dns/extended_error.hpp>
#include <boxgram/dns/query.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

enum class AnswerKind : std::uint8_t {
  positive,  ///< NOERROR with data of the asked type (at the end of a CNAME chain, perhaps)
  nodata,    ///< NOERROR without (RFC 2308, section 2.2)
  nxdomain,  ///< the name, or the end of its CNAME chain, does not exist
  referral,  ///< NOERROR that only points elsewhere: NS records and no SOA
  failure,   ///< any other RCODE
};

/// The message from its question on, without OPT, with what the header and OPT must say.
/// Views point into an AnswerBuilder or a cache entry.
struct AnswerView {
  Rcode rcode = Rcode::no_error;
  AnswerKind kind = AnswerKind::failure;
  bool authentic = false;  ///< the upstream set AD
  bool truncated = false;  ///< the upstream set TC
  std::uint16_t answers = 0;
  std::uint16_t authorities = 0;
  std::uint16_t additionals = 0;  ///< OPT not counted
  /// Seconds that this may be kept: the least TTL of all records, for a negative answer also
  /// min(SOA's TTL, SOA.MINIMUM) and at most 3 h; 0: not at all (RFC 2308, sections 4 and 5).
  std::uint32_t lifetime = 0;
  /// question | answer | authority | additional; compression pointers count from the header.
  base::Bytes body = {};
  std::span<const std::uint16_t> ttl_offsets = {};  ///< into body
  base::Bytes ede_options = {};  ///< the upstream's extended errors, as EDNS options in a row
};

/// How an answer travels decides what happens when it is too large.
enum class Transport : std::uint8_t {
  udp,     ///< the client's EDNS size counts, 512 without; TC=1 beyond
  tcp,     ///< only the limit counts
  sealed,  ///< only the limit counts; nothing is written beyond it
};

struct AnswerOptions {
  Transport transport = Transport::udp;
  std::size_t limit = kMaxMessageSize;  ///< of the transport, bytes
  bool authentic_allowed = false;       ///< the upstream's AD can be trusted
  bool recursion_available = true;
  std::span<const ExtendedError> errors =
      {};  ///< ours, before the upstream's; sent if there is an OPT
};

struct Written {
  std::size_t size = 0;        ///< bytes in `out`; 0 if nothing was written (sealed, too large)
  std::size_t whole_size = 0;  ///< what the whole answer takes: larger than size if cut
  bool truncated = false;      ///< TC is set
};

/// The age of an answer: TTLs count down by `seconds`; a stale answer has `stale_ttl` in every
/// record instead (RFC 8767, section 4).
struct Age {
  std::uint32_t seconds = 0;
  std::uint32_t stale_ttl = 0;  ///< 0: fresh
};

/// Writes the answer to `query`: its ID, RD, CD and question (with its case); AA=0, AD by RFC 6840;
/// OPT with our own size if and only if the query has one. When it does not fit, extended errors
/// give way first, then all records (TC=1); for Transport::sealed nothing is written.
/// REQUIRES: the answer's question is the query's; out.size() >= 512; limit >= 512 unless sealed.
/// Cost: one copy and a walk over the TTLs; no allocation.
Written write_answer(const AnswerView& answer, const Query& query, const AnswerOptions& options,
                     Age age, base::MutableBytes out);

}  // namespace boxgram::dns
