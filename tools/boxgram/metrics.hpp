// Prometheus text metrics over HTTP, only when asked for. Scrapes run on a thread of their own: the
// collecting function must be safe from it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/metric_family.h>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/latency_histogram.hpp>
#include <boxgram/base/socket_address.hpp>

namespace boxgram::tools {

using MetricFamilies = std::vector<prometheus::MetricFamily>;

/// A label and its value on one sample of a family.
struct Sample {
  double value = 0;
  std::string_view label;  ///< empty: no label
  std::string label_value;
};

/// Families in the form that the server wants; names are made as Prometheus recommends
/// ("boxgram_gateway_queries_total").
prometheus::MetricFamily counter(std::string name, std::string help, std::vector<Sample> samples);
prometheus::MetricFamily gauge(std::string name, std::string help, std::vector<Sample> samples);
/// The median, the 90th and the 99th percentile, in seconds.
prometheus::MetricFamily summary(std::string name, std::string help,
                                 const base::LatencyHistogram& histogram);

class MetricsServer {
 public:
  /// Serves http://ADDRESS/metrics on one thread until destroyed. The error is a phrase for people.
  static base::expected<std::unique_ptr<MetricsServer>, std::string> start(
      const base::SocketAddress& address, std::function<MetricFamilies()> collect);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

 private:
  struct State;
  explicit MetricsServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace boxgram::tools
