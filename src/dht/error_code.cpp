#include <boxgram/dht/error_code.hpp>

namespace boxgram::dht {

std::string_view text_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::generic:
      return "error";
    case ErrorCode::server:
      return "server error";
    case ErrorCode::protocol:
      return "protocol error";
    case ErrorCode::method_unknown:
      return "method unknown";
    case ErrorCode::value_too_big:
      return "value too big";
    case ErrorCode::invalid_signature:
      return "invalid signature";
    case ErrorCode::salt_too_big:
      return "salt too big";
    case ErrorCode::cas_mismatch:
      return "cas mismatch";
    case ErrorCode::sequence_too_low:
      return "sequence too low";
  }
  return "error";
}

}  // namespace boxgram::dht
