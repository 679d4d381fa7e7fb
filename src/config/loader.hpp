// From settings in a file and flags to a checked struct, driven by the table of options.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <boxgram/config/option.hpp>

#include "nearest.hpp"
#include "toml_file.hpp"

namespace boxgram::config {

/// A contradiction between settings that are each right alone.
struct Contradiction {
  std::string_view key;  ///< the one to change
  std::string message;
  std::string hint;
};

/// Why this kind of option does not take this value, or nothing.
std::optional<std::string> refuse_type(OptionKind kind, const TomlSetting& setting);

/// Reads a file as a whole; at most 1 MiB, since a configuration is written by hand.
base::expected<std::string, ConfigError> read_text(const std::string& path);

std::string join(const std::vector<std::string>& path);

template <class Config>
class Loader {
 public:
  Loader(std::span<const Option<Config>> options, std::string source)
      : options_(options), source_(std::move(source)), settings_of_(options.size()) {}

  using Check = std::optional<Contradiction> (*)(const Config&);

  /// Reads a file's text (none: null), lets the flags override it, then calls `check` for settings
  /// that depend on each other.
  base::expected<Config, ConfigError> load(std::optional<std::string_view> text,
                                           const std::vector<FlagValues>& flags, Check check) {
    base::expected<void, ConfigError> done;
    if (text) done = apply_file(*text);
    if (done) done = apply_flags(flags);
    if (!done) return base::unexpected<ConfigError>(std::move(done.error()));
    return finish(check);
  }

 private:
  base::expected<void, ConfigError> apply_file(std::string_view text) {
    auto settings = read_toml(text, source_);
    if (!settings) return base::unexpected<ConfigError>(std::move(settings.error()));
    for (const auto& setting : *settings)
      if (auto done = apply(setting); !done) return done;
    return {};
  }

  base::expected<void, ConfigError> apply_flags(const std::vector<FlagValues>& flags) {
    for (const auto& given : flags) {
      const auto* option = find([&](const auto& o) { return o.flag == given.flag; });
      if (option == nullptr) return fail({given.flag, 0, 0, "unknown flag", {}});
      if (option->clear != nullptr) option->clear(config_);
      place(*option) = {given.flag, 0, 0, {}, {}};
      for (const auto& value : given.values)
        if (auto set = option->set(config_, value); !set)
          return fail({given.flag, 0, 0, set.error(), {}});
    }
    return {};
  }

  base::expected<Config, ConfigError> finish(Check check) {
    if (auto wrong = check(config_)) {
      const auto* option = find([&](const auto& o) { return o.key == wrong->key; });
      ConfigError error = place(*option);
      if (error.source.empty()) error.source = source_;
      error.message = fmt::format("{}: {}", wrong->key, wrong->message);
      error.hint = wrong->hint;
      return base::unexpected<ConfigError>(std::move(error));
    }
    return std::move(config_);
  }

  static base::unexpected<ConfigError> fail(ConfigError error) {
    return base::unexpected<ConfigError>(std::move(error));
  }

  template <class Predicate>
  const Option<Config>* find(Predicate&& wanted) const {
    for (const auto& option : options_)
      if (wanted(option)) return &option;
    return nullptr;
  }

  /// Where an option was set last, as an error without a message.
  ConfigError& place(const Option<Config>& option) {
    return settings_of_[static_cast<std::size_t>(&option - options_.data())];
  }

  base::expected<void, ConfigError> apply(const TomlSetting& setting) {
    const auto name = join(setting.path);
    const auto* option = find([&](const auto& o) {
      return o.kind == OptionKind::mapping ? o.key == setting.path.front() : o.key == name;
    });
    if (option == nullptr) {
      if (setting.table && is_section(name)) return {};
      return fail({source_, setting.line, setting.column, fmt::format("unknown key '{}'", name),
                   suggestion(name)});
    }
    if (const auto reason = refuse_type(option->kind, setting))
      return fail(
          {source_, setting.line, setting.column, fmt::format("{}: {}", name, *reason), {}});
    if (option->clear != nullptr && option->kind == OptionKind::list) option->clear(config_);
    place(*option) = {source_, setting.line, setting.column, {}, {}};
    for (const auto& value : setting.values) {
      const auto text =
          option->kind == OptionKind::mapping ? setting.path[1] + "=" + value.text : value.text;
      if (auto set = option->set(config_, text); !set)
        return fail({source_, value.line, value.column, fmt::format("{}: {}", name, set.error()),
                     fmt::format("{}: {}", option->key, option->help)});
    }
    return {};
  }

  bool is_section(std::string_view name) const {
    return find([&](const auto& o) {
             return o.key.starts_with(name) && o.key.substr(name.size()).starts_with('.');
           }) != nullptr;
  }

  std::string suggestion(std::string_view name) const {
    std::vector<std::string_view> keys;
    for (const auto& option : options_) keys.push_back(option.key);
    const auto near = nearest(name, keys);
    return near.empty()
               ? "the keys are listed in `boxgram gateway --help` and `boxgram stub --help`"
               : fmt::format("did you mean '{}'?", near);
  }

  std::span<const Option<Config>> options_;
  std::string source_;
  Config config_;
  std::vector<ConfigError> settings_of_;
};

/// Reads `path` if it is not empty, then the flags.
template <class Config>
base::expected<Config, ConfigError> load_and_merge(std::span<const Option<Config>> options,
                                                   const std::string& path,
                                                   const std::vector<FlagValues>& flags,
                                                   typename Loader<Config>::Check check) {
  if (path.empty()) return Loader<Config>(options, {}).load(std::nullopt, flags, check);
  const auto text = read_text(path);
  if (!text) return base::unexpected<ConfigError>(text.error());
  return Loader<Config>(options, path).load(*text, flags, check);
}

}  // namespace boxgram::config
