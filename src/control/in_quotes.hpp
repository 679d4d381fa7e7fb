// What somebody else has written, inside of a message for people.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace boxgram::control {

/// Short, and nothing that a terminal would act on.
inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "'";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", byte);
  }
  return out + (text.size() > kShown ? "...'" : "'");
}

}  // namespace boxgram::control
