// Keys, stamps and messages as one word of text. Source: RFC 4648, section 5 (base64url), without
// padding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/bytes.hpp>

namespace boxgram::crypto {

/// Not for secrets: the text is not wiped.
std::string to_base64url(base::Bytes bytes);

/// Nothing if a character is foreign, a single one is left over or unused bits are set: every value
/// has one spelling.
std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text);

}  // namespace boxgram::crypto
