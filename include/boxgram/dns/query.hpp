// A client's query: parsed without a copy, and the answers to one that cannot be served.
// Source: RFC 1035, section 4.1; RFC 6891 (OPT); RFC 9619 (one question).
#pragma once

#include <optional>
#include <span>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/dns/extended_error.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

enum class QueryError : std::uint8_t {
  too_short,         ///< less than a header: no ID to answer to, dropped
  not_a_query,       ///< QR is set: dropped, or two servers could answer each other for ever
  not_implemented,   ///< an opcode other than QUERY: NOTIMP
  not_one_question,  ///< QDCOUNT is not 1: FORMERR
  bad_question,      ///< the question is cut short, compressed or too long: FORMERR
  bad_record,        ///< a record is cut short, has a bad name, or bytes are left over: FORMERR
  bad_opt,           ///< two OPTs, an OPT outside of additional or of the root: FORMERR
  bad_version,       ///< EDNS version above 0: BADVERS
};

/// What to answer; nothing where silence is right.
std::optional<Rcode> rcode_of(QueryError error);

/// Views point into the parsed bytes, which must outlive this.
struct Query {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;  ///< the header's, as sent
  base::Bytes name;         ///< wire form, uncompressed, in the client's case
  std::uint16_t type = 0;
  std::uint16_t rr_class = 0;
  bool has_opt = false;
  bool dnssec_ok = false;                  ///< DO
  std::uint16_t udp_size = kPlainUdpSize;  ///< what the client takes over UDP, at least 512

  [[nodiscard]] bool recursion_desired() const { return flags & flag::recursion_desired; }
  [[nodiscard]] bool checking_disabled() const { return flags & flag::checking_disabled; }
  [[nodiscard]] bool authentic_data() const { return flags & flag::authentic_data; }
};

/// Parses and checks a whole message: every record is walked in bounds, nothing may be left over.
/// Cost: one walk, no copy, no allocation.
base::expected<Query, QueryError> parse_query(base::Bytes message);

/// Answers `query` with nothing but an RCODE: ID, opcode, RD and CD kept, the question echoed when
/// it can be read, OPT (with the errors given) only if the query has one. QR and RA set.
/// Returns the size, or 0 when there must be no answer (less than a header, QR set) or `out` is too
/// small. 12 + 259 + 11 bytes are enough without `errors`; errors that do not fit are left out.
std::size_t make_error_response(base::Bytes query, Rcode rcode,
                                std::span<const ExtendedError> errors, base::MutableBytes out);

/// A query of ours to an upstream.
struct UpstreamQuery {
  std::uint16_t id = 0;
  base::Bytes name = {};  ///< wire form, uncompressed
  std::uint16_t type = 0;
  std::uint16_t rr_class = rrclass::in;
  bool recursion_desired = true;
  bool checking_disabled = false;
  bool authentic_data = false;
  bool dnssec_ok = false;
  std::uint16_t udp_size = kOwnUdpSize;
  /// Empty: the name as it is. Else 32 bytes: bit i of the string of bits says the case of byte i
  /// of the name, where it is a letter (1 upper): "0x20".
  base::Bytes case_bits = {};
};

inline constexpr std::size_t kMaxUpstreamQuerySize = kHeaderSize + 255 + 4 + 11;

/// Writes header, question, and our own OPT as the last 11 bytes. Options of the client do not
/// exist here: cookies, client-subnet and keepalive belong to one hop (RFC 6891, section 6.2.6).
/// Returns the size. REQUIRES: out.size() >= kMaxUpstreamQuerySize.
std::size_t build_upstream_query(const UpstreamQuery& query, base::MutableBytes out);

}  // namespace boxgram::dns
