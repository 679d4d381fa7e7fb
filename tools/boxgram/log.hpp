// The log: one line an event on stderr, for people or as JSON. Names of queries come here only if
// the configuration asks for it. Safe from any thread; not for the data path (it locks).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include <boxgram/config/dns_config.hpp>

namespace boxgram::tools::log {

struct Field {
  std::string_view key;
  std::variant<std::string, std::int64_t, double, bool> value;

  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class Integer>
  requires std::is_integral_v<Integer> Field(std::string_view k, Integer v)
      : key(k), value(static_cast<std::int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

/// Sets level and form; also for a reload. Before the first call: text, level info.
void configure(const config::LogConfig& config);

/// Until the next configure().
void set_level(config::LogLevel level);
config::LogLevel level();

/// Text: "2026-01-31T12:00:00.123Z info  message key=value key="two words"".
/// JSON: {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"message","key":"value"}.
void write(config::LogLevel level, std::string_view message, Fields fields = {});

inline void error(std::string_view message, Fields fields = {}) {
  write(config::LogLevel::error, message, fields);
}
inline void warning(std::string_view message, Fields fields = {}) {
  write(config::LogLevel::warning, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(config::LogLevel::info, message, fields);
}
inline void debug(std::string_view message, Fields fields = {}) {
  write(config::LogLevel::debug, message, fields);
}

}  // namespace boxgram::tools::log
