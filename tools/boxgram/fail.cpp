#include <cstdio>

#include <fmt/format.h>

#include "commands.hpp"

namespace boxgram::tools {

int fail(Exit code, const std::string& message, const std::string& hint) {
  fmt::print(stderr, "boxgram: {}\n", message);
  if (!hint.empty()) fmt::print(stderr, "  hint: {}\n", hint);
  return code;
}

}  // namespace boxgram::tools
