// Results as people read them: units, and aligned columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boxgram/control/json_rpc.hpp>

namespace boxgram::tools {

/// What a peer has written, made harmless for a terminal: printable ASCII stays, else "\xNN".
std::string printable(std::string_view text);

/// A value with its unit, which the end of its key says (docs/control.md, "Units"): "_us", "_s",
/// "_bytes", "_unix", "_ratio".
std::string with_unit(std::string_view key, const control::Json& value);
/// What a person calls it: "left" of "left_s", "hit ratio" of "hit_ratio".
std::string title_of(std::string_view key);

/// "1,234,567".
std::string with_commas(std::uint64_t number);
/// "850 us", "12.3 ms", "1.20 s"; of microseconds.
std::string duration_text(double microseconds);
/// "12.3 MiB".
std::string bytes_text(double bytes);

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> titles) : titles_(std::move(titles)) {}

  struct Cell {
    std::string text;
    bool right = false;  ///< a number
  };
  /// REQUIRES: as many cells as titles.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  /// Columns two blanks apart, the titles above in capitals unless they are all empty.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::vector<std::vector<Cell>> rows_;
};

/// A table of the members `keys` of each object in `rows`.
TextTable table_of(const control::Json& rows, const std::vector<std::string>& keys);

}  // namespace boxgram::tools
