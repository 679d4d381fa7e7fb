#include "text_table.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>

namespace boxgram::tools {
namespace {

using control::Json;

constexpr std::string_view kUnits[] = {"_us", "_s", "_bytes", "_unix", "_ratio"};

std::string_view unit_of(std::string_view key) {
  for (const auto unit : kUnits)
    if (key.ends_with(unit)) return unit;
  return {};
}

/// "3d 4h", "12m 5s", "45s".
std::string age_text(std::int64_t seconds) {
  if (seconds < 0) return "-" + age_text(-seconds);
  const auto s = static_cast<std::uint64_t>(seconds);
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3'600) return fmt::format("{}m {}s", s / 60, s % 60);
  if (s < 86'400) return fmt::format("{}h {}m", s / 3'600, s / 60 % 60);
  return fmt::format("{}d {}h", s / 86'400, s / 3'600 % 24);
}

std::string time_text(std::int64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm utc{};
  std::array<char, 32> text{};
  if (gmtime_r(&time, &utc) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &utc) == 0)
    return std::to_string(unix_seconds);
  return text.data();
}

std::string number_text(const Json& value) {
  if (value.is_number_integer() && value >= 0) return with_commas(value.get<std::uint64_t>());
  if (value.is_number_integer()) return fmt::format("{}", value.get<std::int64_t>());
  return fmt::format("{:.4g}", value.get<double>());
}

/// Names for things, to be copied into a command: no commas.
bool is_identifier(std::string_view key) {
  return key == "id" || key == "serial";
}

/// A number of JSON as an integer; a peer's may be of any size.
std::int64_t whole(const Json& value) {
  const double number = value.get<double>();
  constexpr double kMost = 9e15;
  return static_cast<std::int64_t>(std::clamp(number, -kMost, kMost));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", byte);
  }
  return out;
}

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string duration_text(double microseconds) {
  if (microseconds < 1'000) return fmt::format("{:.0f} us", microseconds);
  if (microseconds < 1e6) return fmt::format("{:.1f} ms", microseconds / 1e3);
  return fmt::format("{:.2f} s", microseconds / 1e6);
}

std::string bytes_text(double bytes) {
  constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t i = 0;
  for (; bytes >= 1'024 && i + 1 < std::size(kNames); ++i) bytes /= 1'024;
  return i == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kNames[i]);
}

std::string with_unit(std::string_view key, const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return printable(value.get_ref<const std::string&>());
  if (value.is_array()) {
    std::string text;
    for (const Json& each : value) text += (text.empty() ? "" : ", ") + with_unit(key, each);
    return text;
  }
  if (!value.is_number()) return value.is_null() ? "-" : printable(value.dump());
  if (is_identifier(key)) return value.dump();
  const auto unit = unit_of(key);
  if (unit == "_us") return duration_text(value.get<double>());
  if (unit == "_bytes") return bytes_text(value.get<double>());
  if (unit == "_ratio") return fmt::format("{:.1f} %", value.get<double>() * 100);
  if (unit == "_s") return age_text(whole(value));
  if (unit == "_unix") return time_text(whole(value));
  return number_text(value);
}

std::string title_of(std::string_view key) {
  const auto unit = unit_of(key);
  if (unit != "_ratio") key.remove_suffix(unit.size());
  std::string title = printable(key);
  std::replace(title.begin(), title.end(), '_', ' ');
  return title;
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (const auto& title : titles_) widths.push_back(title.size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].text.size());
  std::string text;
  const auto add_cell = [&](std::size_t i, const std::string& cell, bool right) {
    const std::string blanks(widths[i] - cell.size(), ' ');
    const bool is_last = i + 1 == widths.size();
    text += right ? blanks + cell : cell + (is_last ? "" : blanks);
    text += is_last ? "\n" : "  ";
  };
  const bool titled = std::any_of(titles_.begin(), titles_.end(),
                                  [](const std::string& title) { return !title.empty(); });
  for (std::size_t i = 0; titled && i < titles_.size(); ++i) {
    std::string title = titles_[i];
    std::transform(title.begin(), title.end(), title.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    add_cell(i, title, !rows_.empty() && rows_.front()[i].right);
  }
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) add_cell(i, row[i].text, row[i].right);
  return text;
}

TextTable table_of(const Json& rows, const std::vector<std::string>& keys) {
  std::vector<std::string> titles;
  for (const auto& key : keys) titles.push_back(title_of(key));
  TextTable table(std::move(titles));
  if (!rows.is_array()) return table;
  for (const Json& row : rows) {
    std::vector<TextTable::Cell> cells;
    for (const auto& key : keys) {
      const bool has = row.is_object() && row.contains(key);
      const Json value = has ? row.at(key) : Json();
      cells.push_back({with_unit(key, value), value.is_number()});
    }
    table.add(std::move(cells));
  }
  return table;
}

}  // namespace boxgram::tools
