#include "log.hpp"

#include <atomic>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace boxgram::tools::log {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
// The payload is the inside of an object, already escaped.
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

std::atomic<bool> json_lines{false};
std::atomic<config::LogLevel> wanted_level{config::LogLevel::info};

std::shared_ptr<spdlog::logger> make_logger() {
  auto made = std::make_shared<spdlog::logger>("boxgram",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>());
  made->set_pattern(kTextPattern, spdlog::pattern_time_type::utc);
  return made;
}

spdlog::logger& logger() {
  static const auto instance = make_logger();
  return *instance;
}

spdlog::level::level_enum level_of(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::error:
      return spdlog::level::err;
    case config::LogLevel::warning:
      return spdlog::level::warn;
    case config::LogLevel::debug:
      return spdlog::level::debug;
    default:
      return spdlog::level::info;
  }
}

/// Bytes that are not UTF-8 become U+FFFD, control characters are escaped: a line stays a line.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_plain(const std::string& text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              ".:_-/[]+@%,") == std::string::npos;
}

std::string render(const Field& field, bool json) {
  if (const auto* text = std::get_if<std::string>(&field.value))
    return !json && is_plain(*text) ? *text : quoted(*text);
  if (const auto* flag = std::get_if<bool>(&field.value)) return *flag ? "true" : "false";
  if (const auto* real = std::get_if<double>(&field.value)) return nlohmann::json(*real).dump();
  return std::to_string(std::get<std::int64_t>(field.value));
}

}  // namespace

void configure(const config::LogConfig& config) {
  json_lines = config.format == config::LogFormat::json;
  set_level(config.level);
  logger().set_pattern(json_lines ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc);
}

void set_level(config::LogLevel level) {
  wanted_level = level;
  logger().set_level(level_of(level));
}

config::LogLevel level() {
  return wanted_level;
}

void write(config::LogLevel level, std::string_view message, Fields fields) {
  const auto wanted = level_of(level);
  if (!logger().should_log(wanted)) return;
  const bool json = json_lines;
  std::string line;
  if (json)
    line = "\"message\":" + quoted(std::string(message));
  else
    line = message;
  for (const auto& field : fields) {
    line += json ? ",\"" : " ";
    line += field.key;
    line += json ? "\":" : "=";
    line += render(field, json);
  }
  logger().log(wanted, spdlog::string_view_t(line));
}

}  // namespace boxgram::tools::log
