// The codes of KRPC errors. Source: BEP 5, "Errors"; BEP 44, "Errors".
#pragma once

#include <cstdint>
#include <string_view>

namespace boxgram::dht {

enum class ErrorCode : std::uint16_t {
  generic = 201,
  server = 202,
  protocol = 203,  ///< malformed message, invalid argument, bad token
  method_unknown = 204,
  value_too_big = 205,
  invalid_signature = 206,
  salt_too_big = 207,
  cas_mismatch = 301,  ///< read the item again and try again
  sequence_too_low = 302,
};

/// The text that goes along with a code; short, since an error may be longer than what caused it.
std::string_view text_of(ErrorCode code);

}  // namespace boxgram::dht
