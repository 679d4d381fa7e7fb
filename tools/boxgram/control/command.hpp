// A command as people write it: words to a method and its parameters. All from the table of
// methods.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/control/methods.hpp>

namespace boxgram::tools {

struct Command {
  enum class Kind : std::uint8_t { call, watch, top, help, quit };
  Kind kind = Kind::call;
  const control::Method* method = nullptr;  ///< call, watch; help: of one command, or nullptr
  control::Json params = control::Json::object();
  std::optional<std::string> file;  ///< cache dump, cache load; nothing: standard output or input
  bool json = false;
};

struct UsageError {
  std::string message;
  std::string hint;
};

/// Words as the shell gives them: `cache flush --suffix example.org`. "--json" may stand anywhere.
base::expected<Command, UsageError> parse_command(std::span<const std::string> words);

/// The words of a line of the prompt.
std::vector<std::string> split_words(std::string_view line);

/// What may stand in place of the last word of `line` (which is empty behind a blank).
std::vector<std::string> completions(std::string_view line);

/// "cache flush [NAME] [--suffix NAME] [--all]".
std::string usage_of(const control::Method& method);
/// All commands, a line each; or one with its parameters and an example.
std::string help_text(const control::Method* method);

}  // namespace boxgram::tools
