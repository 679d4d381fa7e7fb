// Lines and words of the texts people write: hosts files, block lists, records.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace boxgram::dns {

inline bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Takes the first word off the front of `text`; what is left is trimmed.
inline std::string_view next_word(std::string_view& text) {
  text = trim(text);
  std::size_t n = 0;
  while (n < text.size() && !is_blank(text[n])) ++n;
  const std::string_view word = text.substr(0, n);
  text = trim(text.substr(n));
  return word;
}

/// Calls f(line number, text) for every line that holds more than blanks and a comment. A comment
/// begins with one of `comment`, at the start of a line or after a blank.
template <class F>
void for_each_line(std::string_view text, std::string_view comment, F&& f) {
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (comment.find(line[i]) == std::string_view::npos) continue;
      if (i > 0 && !is_blank(line[i - 1])) continue;
      line = line.substr(0, i);
    }
    line = trim(line);
    if (!line.empty()) f(number, line);
  }
}

/// For messages to people: in quotes, cut to a readable length, without control characters.
inline std::string quoted(std::string_view text) {
  static constexpr std::size_t kShown = 40;
  std::string result = "\"";
  for (const char c : text.substr(0, kShown)) result += c >= ' ' && c < 127 ? c : '?';
  if (text.size() > kShown) result += "...";
  return result + "\"";
}

}  // namespace boxgram::dns
