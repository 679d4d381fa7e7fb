// Settings as a table: a row is a key of the file and a flag of the command line at once, so that
// neither can know something that the other does not, and `--help` is written from it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/config_error.hpp>
#include <boxgram/config/gateway_config.hpp>
#include <boxgram/config/stub_config.hpp>

namespace boxgram::config {

enum class OptionKind : std::uint8_t {
  text,     ///< a TOML string
  number,   ///< a TOML integer
  amount,   ///< a TOML string with a unit ("64MiB", "2h"), or an integer of the base unit
  on_off,   ///< a TOML boolean; on | off as a flag
  list,     ///< a TOML string or an array of strings; the flag may be repeated
  mapping,  ///< a TOML table of strings or arrays of strings; as a flag KEY=VALUE, repeated
};

template <class Config>
struct Option {
  std::string_view key;    ///< as in the file, with dots: "cache.max_bytes"
  std::string_view flag;   ///< with its dashes: "--cache-size"
  std::string_view value;  ///< for people: "ADDR:PORT"
  std::string_view help;
  OptionKind kind;
  /// Takes one value (one element of a list). The error is a phrase that says what was expected.
  base::expected<void, std::string> (*set)(Config&, std::string_view);
  /// Empties a list before its first element is set; null for the other kinds.
  void (*clear)(Config&) = nullptr;
};

/// All options of a command, in the order in which people should read them.
std::span<const Option<GatewayConfig>> gateway_options();
std::span<const Option<StubConfig>> stub_options();

/// A flag and the values given for it.
struct FlagValues {
  std::string flag;
  std::vector<std::string> values;
};

/// Reads `path` (if it is not empty), lets the flags override it, and checks the whole: what a
/// start and a reload both do.
base::expected<GatewayConfig, ConfigError> merge_gateway_config(
    const std::string& path, const std::vector<FlagValues>& flags);
base::expected<StubConfig, ConfigError> merge_stub_config(const std::string& path,
                                                          const std::vector<FlagValues>& flags);

}  // namespace boxgram::config
