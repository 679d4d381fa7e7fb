// Names that no upstream must be asked about, because the answer is in a standard or the question
// would tell strangers about the own network.
#pragma once

#include <cstdint>

#include <boxgram/base/bytes.hpp>

namespace boxgram::dns {

enum class SpecialName : std::uint8_t {
  none,       ///< ask as usual
  no_domain,  ///< NXDOMAIN
  no_data,    ///< the top of a zone served here: NOERROR, no such record
  loopback,   ///< localhost and below: 127.0.0.1 or ::1, NODATA for other types
  localhost   ///< PTR of 127.0.0.1 or ::1
};

struct SpecialMatch {
  SpecialName kind = SpecialName::none;
  std::size_t apex = 0;  ///< where in the name the zone's own name begins
};

/// Recognises localhost, invalid, test (RFC 6761), onion (RFC 7686), alt (RFC 9476), home.arpa
/// (RFC 8375) and the reverse zones of private and local addresses (RFC 6303, RFC 7793).
/// DS of such a zone's top lies in its parent and is asked for as usual (RFC 8375, section 4).
/// REQUIRES: `name` is a lowered name in wire form.
/// Cost: a walk over the labels and a look at the last; more only below arpa.
SpecialMatch match_special_name(base::Bytes name, std::uint16_t type);

}  // namespace boxgram::dns
