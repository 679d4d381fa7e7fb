#include "metrics.hpp"

#include <exception>

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

namespace boxgram::tools {
namespace {

class Collected : public prometheus::Collectable {
 public:
  explicit Collected(std::function<MetricFamilies()> collect) : collect_(std::move(collect)) {}
  [[nodiscard]] MetricFamilies Collect() const override { return collect_(); }

 private:
  std::function<MetricFamilies()> collect_;
};

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type,
                                const std::vector<Sample>& samples) {
  prometheus::MetricFamily made{std::move(name), std::move(help), type, {}};
  for (const auto& sample : samples) {
    prometheus::ClientMetric metric;
    if (!sample.label.empty())
      metric.label.push_back({std::string(sample.label), sample.label_value});
    (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        sample.value;
    made.metric.push_back(std::move(metric));
  }
  return made;
}

}  // namespace

prometheus::MetricFamily counter(std::string name, std::string help, std::vector<Sample> samples) {
  return family(std::move(name), std::move(help), prometheus::MetricType::Counter, samples);
}

prometheus::MetricFamily gauge(std::string name, std::string help, std::vector<Sample> samples) {
  return family(std::move(name), std::move(help), prometheus::MetricType::Gauge, samples);
}

prometheus::MetricFamily summary(std::string name, std::string help,
                                 const base::LatencyHistogram& histogram) {
  const auto seconds = [](base::Duration d) { return std::chrono::duration<double>(d).count(); };
  prometheus::ClientMetric metric;
  metric.summary.sample_count = histogram.count();
  metric.summary.sample_sum = seconds(histogram.sum());
  for (const double part : {0.5, 0.9, 0.99})
    metric.summary.quantile.push_back({part, seconds(histogram.percentile(part))});
  return {std::move(name), std::move(help), prometheus::MetricType::Summary, {std::move(metric)}};
}

struct MetricsServer::State {
  std::shared_ptr<Collected> collected;  // the exposer keeps only a weak pointer to it
  prometheus::Exposer exposer;
};

MetricsServer::MetricsServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricsServer::~MetricsServer() = default;

base::expected<std::unique_ptr<MetricsServer>, std::string> MetricsServer::start(
    const base::SocketAddress& address, std::function<MetricFamilies()> collect) {
  try {
    auto collected = std::make_shared<Collected>(std::move(collect));
    // One thread serves one scrape at a time, which is what a Prometheus server does anyway.
    auto state = std::unique_ptr<State>(
        new State{collected, prometheus::Exposer(base::to_string(address), 1)});
    state->exposer.RegisterCollectable(collected);
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
  } catch (const std::exception&) {
    return base::unexpected<std::string>(
        fmt::format("cannot serve metrics on {}: the port is taken or the address is not ours",
                    base::to_string(address)));
  }
}

}  // namespace boxgram::tools
