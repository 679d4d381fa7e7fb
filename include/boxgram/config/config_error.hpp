// What is wrong with a configuration, said so that a person can mend it.
#pragma once

#include <cstdint>
#include <string>

namespace boxgram::config {

struct ConfigError {
  std::string source;        ///< the file's name, or the flag ("--listen")
  std::uint32_t line = 0;    ///< from 1; 0 where the whole file or a flag is meant
  std::uint32_t column = 0;  ///< from 1; 0 as for `line`
  std::string message;       ///< what was found and what was expected
  std::string hint;          ///< how to mend it; may be empty
};

/// "gateway.toml:3:1: unknown key 'lisen'", and a second line "hint: ..." if there is one.
std::string to_string(const ConfigError& error);

}  // namespace boxgram::config
