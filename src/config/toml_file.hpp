// A TOML text as a flat list of settings with their places. The only file that knows the TOML
// library is toml_file.cpp: it takes long to compile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/config_error.hpp>

namespace boxgram::config {

struct TomlValue {
  enum class Type : std::uint8_t { other, text, integer, boolean };
  Type type = Type::other;
  std::string text;       ///< integers in decimal, booleans as true | false
  std::string type_name;  ///< for people: "a string", "an array"
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct TomlSetting {
  std::vector<std::string> path;  ///< {"cache", "max_bytes"}
  std::uint32_t line = 0;         ///< of the key
  std::uint32_t column = 0;
  bool array = false;
  bool table = false;             ///< a table without a key in it
  std::vector<TomlValue> values;  ///< one unless `array`
};

/// Reads a whole text; settings come in the order of the text.
base::expected<std::vector<TomlSetting>, ConfigError> read_toml(std::string_view text,
                                                                const std::string& source);

}  // namespace boxgram::config
