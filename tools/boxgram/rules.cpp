#include "rules.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include <boxgram/net/system_resolvers.hpp>

#include "local_data.hpp"

namespace boxgram::tools {
namespace {

using base::expected;
using base::unexpected;
using config::ConfigError;

dns::BlockAnswer answer_of(config::BlockAnswer answer) {
  switch (answer) {
    case config::BlockAnswer::nxdomain:
      return dns::BlockAnswer::no_domain;
    case config::BlockAnswer::nodata:
      return dns::BlockAnswer::no_data;
    case config::BlockAnswer::null_address:
      return dns::BlockAnswer::null_address;
    case config::BlockAnswer::refused:
      return dns::BlockAnswer::refused;
  }
  return dns::BlockAnswer::no_domain;
}

/// What the gateway and the stub are told alike.
expected<void, ConfigError> add_local(const config::LocalConfig& local,
                                      const config::BlockConfig& block,
                                      const config::CacheConfig& cache, dns::ForwarderConfig& rules,
                                      std::vector<std::string>& warnings) {
  auto data = load_local_data(local, block);
  if (!data) return unexpected<ConfigError>(data.error());
  rules.zone = std::move(data->zone);
  rules.block_list = std::move(data->block_list);
  rules.block_answer = answer_of(block.answer);
  rules.special_names = local.special_names;
  rules.stale.enabled = cache.max_stale > base::Duration::zero();
  std::move(data->warnings.begin(), data->warnings.end(), std::back_inserter(warnings));
  return {};
}

/// Every server once, whatever names it.
class UpstreamTable {
 public:
  UpstreamTable(GatewayRules& rules, dns::ForwarderConfig& config, bool trusted_ad)
      : rules_(rules), config_(config), trusted_ad_(trusted_ad) {}

  expected<dns::UpstreamIndex, ConfigError> index_of(const base::SocketAddress& address) {
    const auto found = std::find(rules_.upstreams.begin(), rules_.upstreams.end(), address);
    const auto index = static_cast<std::size_t>(found - rules_.upstreams.begin());
    if (found == rules_.upstreams.end()) {
      if (rules_.upstreams.size() == dns::kMaxUpstreams)
        return unexpected<ConfigError>({"upstreams", 0, 0,
                                        fmt::format("more than {} upstreams", dns::kMaxUpstreams),
                                        "two or three good ones are better than many"});
      rules_.upstreams.push_back(address);
      config_.upstreams.push_back({base::to_string(address), false, trusted_ad_});
    }
    return static_cast<dns::UpstreamIndex>(index);
  }

 private:
  GatewayRules& rules_;
  dns::ForwarderConfig& config_;
  bool trusted_ad_;
};

expected<void, ConfigError> add_upstreams(const config::GatewayConfig& config, GatewayRules& rules,
                                          dns::ForwarderConfig& forwarder) {
  auto servers = config.upstreams;
  if (servers.empty()) {
    auto system = net::system_resolvers(config.listen);
    if (system) {
      servers = system->servers;
      for (auto& line : system->ignored)
        rules.warnings.push_back(fmt::format("resolver of the system left out: {}", line));
    } else {
      rules.warnings.push_back(system.error());
    }
    if (servers.empty())
      rules.warnings.push_back(
          "no upstream: only local names and forwarded domains can be answered");
  }
  UpstreamTable table(rules, forwarder, config.trusted_ad);
  for (const auto& address : servers) {
    const auto index = table.index_of(address);
    if (!index) return unexpected<ConfigError>(index.error());
    forwarder.default_group.push_back(*index);
  }
  for (const auto& rule : config.forward) {
    dns::ForwardRule forward{rule.suffix, {}};
    for (const auto& address : rule.upstreams) {
      const auto index = table.index_of(address);
      if (!index) return unexpected<ConfigError>(index.error());
      forward.upstreams.push_back(*index);
    }
    forwarder.rules.push_back(std::move(forward));
  }
  return {};
}

}  // namespace

dns::CacheOptions cache_options(const config::CacheConfig& config) {
  dns::CacheOptions options;
  options.max_bytes = config.max_bytes;
  options.min_ttl = config.min_ttl;
  options.max_ttl = config.max_ttl;
  options.max_stale = std::chrono::duration_cast<std::chrono::seconds>(config.max_stale);
  options.nxdomain_cut = config.nxdomain_cut;
  return options;
}

expected<GatewayRules, ConfigError> gateway_rules(const config::GatewayConfig& config) {
  GatewayRules rules;
  auto forwarder = std::make_shared<dns::ForwarderConfig>();
  auto done = add_upstreams(config, rules, *forwarder).and_then([&] {
    return add_local(config.local, config.block, config.cache, *forwarder, rules.warnings);
  });
  if (!done) return unexpected<ConfigError>(done.error());
  forwarder->random_case = config.case_randomization;
  rules.log_queries = config.log.queries;
  rules.forwarder = std::move(forwarder);
  return rules;
}

expected<StubRules, ConfigError> stub_rules(const config::StubConfig& config) {
  if (config.gateways.size() > dns::kMaxUpstreams)
    return unexpected<ConfigError>({"gateways", 0, 0,
                                    fmt::format("more than {} gateways", dns::kMaxUpstreams),
                                    "two or three good ones are better than many"});
  StubRules rules;
  auto forwarder = std::make_shared<dns::ForwarderConfig>();
  for (const auto& gateway : config.gateways) {
    auto address = base::to_string(gateway.address);
    auto name = gateway.name.empty() ? address : fmt::format("{} ({})", gateway.name, address);
    const auto index = static_cast<dns::UpstreamIndex>(forwarder->upstreams.size());
    forwarder->upstreams.push_back({std::move(name), true, config.trusted_ad});
    forwarder->default_group.push_back(index);
  }
  auto done = add_local(config.local, config.block, config.cache, *forwarder, rules.warnings);
  if (!done) return unexpected<ConfigError>(done.error());
  rules.log_queries = config.log.queries;
  rules.forwarder = std::move(forwarder);
  return rules;
}

}  // namespace boxgram::tools
