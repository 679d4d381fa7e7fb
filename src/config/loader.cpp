#include "loader.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace boxgram::config {
namespace {

std::string_view expectation(OptionKind kind) {
  switch (kind) {
    case OptionKind::text:
      return "a string in quotes";
    case OptionKind::number:
      return "an integer";
    case OptionKind::amount:
      return "a string with a unit in quotes, or an integer";
    case OptionKind::on_off:
      return "true or false";
    case OptionKind::list:
      return "a string or an array of strings";
    case OptionKind::mapping:
      return "a table whose values are strings or arrays of strings";
  }
  return "";
}

bool takes(OptionKind kind, TomlValue::Type type) {
  switch (kind) {
    case OptionKind::number:
      return type == TomlValue::Type::integer;
    case OptionKind::amount:
      return type == TomlValue::Type::integer || type == TomlValue::Type::text;
    case OptionKind::on_off:
      return type == TomlValue::Type::boolean;
    default:
      return type == TomlValue::Type::text;
  }
}

}  // namespace

std::string to_string(const ConfigError& error) {
  auto text = error.source;
  if (error.line != 0) text += fmt::format(":{}:{}", error.line, error.column);
  text += (text.empty() ? "" : ": ") + error.message;
  if (!error.hint.empty()) text += "\n  hint: " + error.hint;
  return text;
}

std::optional<std::string> refuse_type(OptionKind kind, const TomlSetting& setting) {
  const auto refuse = [&](std::string_view found) {
    return fmt::format("expected {}, found {}", expectation(kind), found);
  };
  const bool several = kind == OptionKind::list || kind == OptionKind::mapping;
  const std::size_t depth = kind == OptionKind::mapping ? 2 : setting.path.size();
  if (setting.table) {
    if (kind == OptionKind::mapping && setting.path.size() == 1) return std::nullopt;
    return refuse("an empty table");
  }
  if (setting.path.size() != depth) return refuse("something else");
  if (setting.array && !several) return refuse("an array");
  if (setting.array && setting.values.empty() && kind == OptionKind::mapping)
    return refuse("an empty array");
  for (const auto& value : setting.values)
    if (!takes(kind, value.type)) return refuse(value.type_name);
  return std::nullopt;
}

base::expected<std::string, ConfigError> read_text(const std::string& path) {
  constexpr std::size_t kMaxSize = 1 << 20;
  const auto fail = [&](std::string message, std::string hint) {
    return base::unexpected<ConfigError>(
        ConfigError{.source = path, .message = std::move(message), .hint = std::move(hint)});
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(fmt::format("cannot be read: {}", std::strerror(errno)),
                errno == ENOENT ? "give the path of an existing file, or leave --config out"
                                : "let the user that runs boxgram read it");
  std::string text(kMaxSize + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A folder opens well and only fails here.
  if (file.bad()) return fail("cannot be read: it is not an ordinary file", {});
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxSize)
    return fail("larger than 1 MiB", "keep long lists in hosts files and block lists of their own");
  return text;
}

std::string join(const std::vector<std::string>& path) {
  std::string name;
  for (const auto& part : path) name += (name.empty() ? "" : ".") + part;
  return name;
}

}  // namespace boxgram::config
