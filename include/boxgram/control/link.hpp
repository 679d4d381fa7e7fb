// A control client's way to its server: requests out, responses in. The stream transport is one; a
// test has another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boxgram/base/expected.hpp>

namespace boxgram::control {

struct LinkError {
  enum class Kind : std::uint8_t {
    unreachable,       ///< nobody takes a connection there
    wrong_server_key,  ///< somebody answers who does not hold the key that the stamp names
    not_authorised,    ///< the server does not serve control to this key
    truncated,         ///< the connection ended before the response
    timed_out          ///< no response in time
  };
  Kind kind = Kind::unreachable;
  std::string message;  ///< a phrase for people
};

/// Blocks; one request at a time. After an error it is of no more use.
class Link {
 public:
  virtual ~Link() = default;
  virtual base::expected<std::string, LinkError> exchange(std::string_view request) = 0;
};

}  // namespace boxgram::control
