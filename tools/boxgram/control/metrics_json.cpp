#include "metrics_json.hpp"

#include <cmath>

#include <fmt/format.h>

namespace boxgram::tools {
namespace {

using control::Json;

std::string_view short_name(std::string_view name) {
  constexpr std::string_view kPrefix = "boxgram_";
  constexpr std::string_view kSuffix = "_total";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  return name;
}

/// Counters stay integers, as long as a double can hold them.
Json number(double value) {
  constexpr double kExact = 9'007'199'254'740'992;
  if (value >= 0 && value < kExact && std::trunc(value) == value)
    return static_cast<std::uint64_t>(value);
  return value;
}

Json value_of(const prometheus::ClientMetric& metric, prometheus::MetricType type) {
  if (type == prometheus::MetricType::Counter) return number(metric.counter.value);
  if (type != prometheus::MetricType::Summary) return number(metric.gauge.value);
  Json summary = {{"count", metric.summary.sample_count}, {"sum", metric.summary.sample_sum}};
  for (const auto& quantile : metric.summary.quantile)
    summary[fmt::format("{}", quantile.quantile)] = quantile.value;
  return summary;
}

}  // namespace

Json metrics_json(const MetricFamilies& families) {
  Json all = Json::object();
  for (const auto& family : families) {
    Json& member = all[std::string(short_name(family.name))];
    for (const auto& metric : family.metric) {
      if (metric.label.empty())
        member = value_of(metric, family.type);
      else
        member[metric.label.front().value] = value_of(metric, family.type);
    }
  }
  return all;
}

}  // namespace boxgram::tools
