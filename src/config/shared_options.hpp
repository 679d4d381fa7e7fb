// The rows that the gateway's and the stub's tables have in common.
#pragma once

#include <algorithm>
#include <array>
#include <type_traits>

#include <boxgram/dns/record_text.hpp>

#include "loader.hpp"
#include "values.hpp"

namespace boxgram::config {

using Set = base::expected<void, std::string>;

/// Stores a parsed value or passes its error on.
template <class Field, class T>
Set store(Field& field, Value<T>&& value) {
  if (!value) return base::unexpected<std::string>(std::move(value.error()));
  if constexpr (std::is_integral_v<Field> && !std::is_same_v<Field, bool>) {
    field = static_cast<Field>(*value);
  } else {
    field = std::move(*value);
  }
  return {};
}

/// Appends a parsed value to a list or passes its error on. A list takes a value once.
template <class Field, class T>
Set append(std::vector<Field>& list, Value<T>&& value) {
  if (!value) return base::unexpected<std::string>(std::move(value.error()));
  list.push_back(std::move(*value));
  return {};
}

/// A text that must not be empty.
Value<std::string> parse_text(std::string_view text);
Value<dns::Name> parse_domain(std::string_view text);
/// One entry of a block list, which dns/ has read without a complaint.
Value<std::string> parse_blocked_name(std::string_view text);
Value<BlockAnswer> parse_block_answer(std::string_view text);
Value<LogLevel> parse_log_level(std::string_view text);
Value<LogFormat> parse_log_format(std::string_view text);
/// A TTL in whole seconds, at most a week's multiple that fits DNS (2^31 - 1 s).
Value<std::uint32_t> parse_ttl(std::string_view text);

template <class Config>
constexpr auto cache_options() {
  using O = Option<Config>;
  return std::array{
      O{"cache.enabled", "--cache", "on|off", "keep answers and serve them again",
        OptionKind::on_off,
        +[](Config& c, std::string_view v) { return store(c.cache.enabled, parse_on_off(v)); }},
      O{"cache.max_bytes", "--cache-size", "SIZE", "memory for cached answers, such as 64MiB",
        OptionKind::amount,
        +[](Config& c, std::string_view v) {
          // Below 64 KiB a single large answer would empty the cache; above 64 GiB it is a slip.
          return store(c.cache.max_bytes, parse_size(v, 64ull << 10, 64ull << 30));
        }},
      O{"cache.min_ttl", "--cache-min-ttl", "TIME", "raise shorter lifetimes to this (0: never)",
        OptionKind::amount,
        +[](Config& c, std::string_view v) { return store(c.cache.min_ttl, parse_ttl(v)); }},
      O{"cache.max_ttl", "--cache-max-ttl", "TIME", "cut longer lifetimes to this (0: never)",
        OptionKind::amount,
        +[](Config& c, std::string_view v) { return store(c.cache.max_ttl, parse_ttl(v)); }},
      O{"cache.max_stale", "--cache-max-stale", "TIME",
        "serve expired answers for so long while no upstream answers (0: never)",
        OptionKind::amount,
        +[](Config& c, std::string_view v) {
          return store(c.cache.max_stale,
                       parse_duration(v, base::Duration{0}, std::chrono::hours(24 * 7)));
        }},
      O{"cache.nxdomain_cut", "--nxdomain-cut", "on|off",
        "nothing exists below a name that does not exist", OptionKind::on_off,
        +[](Config& c, std::string_view v) {
          return store(c.cache.nxdomain_cut, parse_on_off(v));
        }},
  };
}

template <class Config>
constexpr auto local_options() {
  using O = Option<Config>;
  return std::array{
      O{"local.records", "--record", "RECORD", "a record of our own: \"NAME [TTL] TYPE DATA...\"",
        OptionKind::list,
        +[](Config& c, std::string_view v) {
          return append(c.local.records, dns::parse_record(v));
        },
        +[](Config& c) { c.local.records.clear(); }},
      O{"local.hosts_files", "--hosts-file", "FILE", "names from a file like /etc/hosts",
        OptionKind::list,
        +[](Config& c, std::string_view v) { return append(c.local.hosts_files, parse_text(v)); },
        +[](Config& c) { c.local.hosts_files.clear(); }},
      O{"local.zones", "--local-zone", "DOMAIN",
        "names below it exist only if a record of ours says so", OptionKind::list,
        +[](Config& c, std::string_view v) { return append(c.local.zones, parse_domain(v)); },
        +[](Config& c) { c.local.zones.clear(); }},
      O{"local.special_names", "--special-names", "on|off",
        "answer localhost, .onion, private reverse zones and the like ourselves",
        OptionKind::on_off,
        +[](Config& c, std::string_view v) {
          return store(c.local.special_names, parse_on_off(v));
        }},
      O{"block.files", "--block-file", "FILE", "names to block: one a line, or like /etc/hosts",
        OptionKind::list,
        +[](Config& c, std::string_view v) { return append(c.block.files, parse_text(v)); },
        +[](Config& c) { c.block.files.clear(); }},
      O{"block.names", "--block", "NAME", "block NAME and all below it (=NAME: it alone)",
        OptionKind::list,
        +[](Config& c, std::string_view v) { return append(c.block.names, parse_blocked_name(v)); },
        +[](Config& c) { c.block.names.clear(); }},
      O{"block.answer", "--block-answer", "KIND",
        "what a blocked name gets: nxdomain | nodata | null | refused", OptionKind::text,
        +[](Config& c, std::string_view v) {
          return store(c.block.answer, parse_block_answer(v));
        }},
  };
}

template <class Config>
constexpr auto service_options() {
  using O = Option<Config>;
  return std::array{
      O{"trusted_ad", "--trusted-ad", "on|off",
        "pass on \"authentic data\": we trust the upstreams and the way to them",
        OptionKind::on_off,
        +[](Config& c, std::string_view v) { return store(c.trusted_ad, parse_on_off(v)); }},
      O{"metrics", "--metrics", "ADDR:PORT", "serve Prometheus metrics at http://ADDR:PORT/metrics",
        OptionKind::text,
        +[](Config& c, std::string_view v) {
          return store(c.metrics, base::parse_socket_address(v, 0));
        }},
      O{"log.level", "--log-level", "LEVEL", "error | warning | info | debug", OptionKind::text,
        +[](Config& c, std::string_view v) { return store(c.log.level, parse_log_level(v)); }},
      O{"log.format", "--log-format", "FORMAT", "text, or json: one object a line",
        OptionKind::text,
        +[](Config& c, std::string_view v) { return store(c.log.format, parse_log_format(v)); }},
      O{"log.queries", "--log-queries", "on|off", "log every query with its name",
        OptionKind::on_off,
        +[](Config& c, std::string_view v) { return store(c.log.queries, parse_on_off(v)); }},
  };
}

/// All rows of a command in one list.
template <class Config, class... Parts>
std::vector<Option<Config>> concatenate(const Parts&... parts) {
  std::vector<Option<Config>> rows;
  (rows.insert(rows.end(), parts.begin(), parts.end()), ...);
  return rows;
}

/// Contradictions between settings that both configurations have.
template <class Config>
std::optional<Contradiction> check_shared(const Config& config) {
  if (config.listen.empty())
    return Contradiction{"listen", "an empty list", "name an address, or leave the key out"};
  for (auto a = config.listen.begin(); a != config.listen.end(); ++a)
    if (std::find(a + 1, config.listen.end(), *a) != config.listen.end())
      return Contradiction{"listen", fmt::format("{} stands here twice", base::to_string(*a)),
                           "name each address once"};
  if (config.cache.max_ttl != 0 && config.cache.min_ttl > config.cache.max_ttl)
    return Contradiction{"cache.min_ttl",
                         fmt::format("{}s is more than cache.max_ttl, {}s", config.cache.min_ttl,
                                     config.cache.max_ttl),
                         "lower it, or raise cache.max_ttl"};
  return std::nullopt;
}

}  // namespace boxgram::config
