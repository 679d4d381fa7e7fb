// Extended DNS errors. Source: RFC 8914.
#pragma once

#include <string_view>

#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

/// One extended error to say to a client. The text is for people and may be empty; it must outlive
/// the call it is given to.
struct ExtendedError {
  std::uint16_t code = ede::other;
  std::string_view text = {};
};

}  // namespace boxgram::dns
