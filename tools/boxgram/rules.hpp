// From a validated configuration to what a dns::Forwarder is told: reads the files it names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/gateway_config.hpp>
#include <boxgram/config/stub_config.hpp>
#include <boxgram/dns/cache.hpp>
#include <boxgram/dns/forwarder_config.hpp>

namespace boxgram::tools {

/// Rules, and the servers that their upstream indices stand for.
struct GatewayRules {
  std::shared_ptr<const dns::ForwarderConfig> forwarder;
  std::vector<base::SocketAddress> upstreams;
  std::vector<std::string> warnings;  ///< for the log: skipped lines, resolvers left out
  bool log_queries = false;
};

struct StubRules {
  std::shared_ptr<const dns::ForwarderConfig> forwarder;
  std::vector<std::string> warnings;
  bool log_queries = false;
};

dns::CacheOptions cache_options(const config::CacheConfig& config);

/// Without configured upstreams the system's resolvers are asked, but for our own addresses.
/// The error names the setting or the file with its line.
base::expected<GatewayRules, config::ConfigError> gateway_rules(
    const config::GatewayConfig& config);

base::expected<StubRules, config::ConfigError> stub_rules(const config::StubConfig& config);

}  // namespace boxgram::tools
