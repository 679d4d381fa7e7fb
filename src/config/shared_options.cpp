#include "shared_options.hpp"

#include <fmt/format.h>

#include <boxgram/dns/block_list.hpp>

namespace boxgram::config {
namespace {

template <class Enum>
struct Word {
  std::string_view text;
  Enum value;
};

template <class Enum, std::size_t N>
Value<Enum> parse_word(std::string_view text, const Word<Enum> (&words)[N]) {
  std::string all;
  for (const auto& word : words) {
    if (word.text == text) return word.value;
    all += (all.empty() ? "" : ", ") + std::string(word.text);
  }
  return base::unexpected<std::string>(fmt::format("'{}' is none of: {}", text, all));
}

}  // namespace

Value<std::string> parse_text(std::string_view text) {
  if (text.empty()) return base::unexpected<std::string>("an empty text means nothing here");
  return std::string(text);
}

Value<dns::Name> parse_domain(std::string_view text) {
  const auto name = dns::Name::from_text(text);
  if (!name)
    return base::unexpected<std::string>(fmt::format(
        "'{}' is not a domain name (labels of 1 to 63 characters, dots between, 253 in all)",
        text));
  return *name;
}

Value<std::string> parse_blocked_name(std::string_view text) {
  const auto report = dns::BlockList().add_text(text);
  if (!report.first.empty())
    return base::unexpected<std::string>(fmt::format("'{}': {}", text, report.first.front().what));
  if (report.entries != 1)
    return base::unexpected<std::string>(fmt::format("'{}' is not one entry", text));
  return std::string(text);
}

Value<BlockAnswer> parse_block_answer(std::string_view text) {
  static constexpr Word<BlockAnswer> kWords[] = {{"nxdomain", BlockAnswer::nxdomain},
                                                 {"nodata", BlockAnswer::nodata},
                                                 {"null", BlockAnswer::null_address},
                                                 {"refused", BlockAnswer::refused}};
  return parse_word(text, kWords);
}

Value<LogLevel> parse_log_level(std::string_view text) {
  static constexpr Word<LogLevel> kWords[] = {{"error", LogLevel::error},
                                              {"warning", LogLevel::warning},
                                              {"info", LogLevel::info},
                                              {"debug", LogLevel::debug}};
  return parse_word(text, kWords);
}

Value<LogFormat> parse_log_format(std::string_view text) {
  static constexpr Word<LogFormat> kWords[] = {{"text", LogFormat::text},
                                               {"json", LogFormat::json}};
  return parse_word(text, kWords);
}

Value<std::uint32_t> parse_ttl(std::string_view text) {
  const auto time = parse_duration(text, base::Duration{0}, std::chrono::seconds(0x7fff'ffff));
  if (!time) return base::unexpected<std::string>(time.error());
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(*time).count());
}

}  // namespace boxgram::config
