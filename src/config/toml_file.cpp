#include "toml_file.hpp"

#include <algorithm>
#include <tuple>

#include <toml++/toml.h>

namespace boxgram::config {
namespace {

std::string name_of(toml::node_type type) {
  switch (type) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

TomlValue read_value(const toml::node& node) {
  TomlValue value;
  value.type_name = name_of(node.type());
  value.line = node.source().begin.line;
  value.column = node.source().begin.column;
  if (const auto* text = node.as_string()) {
    value.type = TomlValue::Type::text;
    value.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    value.type = TomlValue::Type::integer;
    value.text = std::to_string(number->get());
  } else if (const auto* boolean = node.as_boolean()) {
    value.type = TomlValue::Type::boolean;
    value.text = boolean->get() ? "true" : "false";
  }
  return value;
}

/// The parser bounds how deep tables nest (256 levels), and so this recursion.
void flatten(const toml::table& table, std::vector<std::string>& path,
             std::vector<TomlSetting>& out) {
  for (const auto& [key, node] : table) {
    path.emplace_back(key.str());
    TomlSetting setting;
    setting.path = path;
    setting.line = key.source().begin.line;
    setting.column = key.source().begin.column;
    if (const auto* inner = node.as_table(); inner != nullptr && !inner->empty()) {
      flatten(*inner, path, out);
    } else {
      if (const auto* array = node.as_array()) {
        setting.array = true;
        for (const auto& element : *array) setting.values.push_back(read_value(element));
      } else if (inner != nullptr) {
        setting.table = true;
      } else {
        setting.values.push_back(read_value(node));
      }
      out.push_back(std::move(setting));
    }
    path.pop_back();
  }
}

}  // namespace

base::expected<std::vector<TomlSetting>, ConfigError> read_toml(std::string_view text,
                                                                const std::string& source) {
  try {
    const toml::table root = toml::parse(text);
    std::vector<TomlSetting> settings;
    std::vector<std::string> path;
    flatten(root, path, settings);
    std::sort(settings.begin(), settings.end(), [](const auto& a, const auto& b) {
      return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
    return settings;
  } catch (const toml::parse_error& error) {
    return base::unexpected<ConfigError>(
        ConfigError{.source = source,
                    .line = error.source().begin.line,
                    .column = error.source().begin.column,
                    .message = "not TOML: " + std::string(error.description()),
                    .hint = "a line is KEY = VALUE; texts stand in quotes, lists in [ ]"});
  }
}

}  // namespace boxgram::config
