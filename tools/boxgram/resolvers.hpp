// The plain resolvers behind a gateway's forwarders: those of the rules in force, and older ones
// until nobody waits for them any more.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/gateway/forwarder_lines.hpp>
#include <boxgram/net/ares_upstream.hpp>
#include <boxgram/net/event_loop.hpp>

#include "rules.hpp"

namespace boxgram::tools {

class Resolvers {
 public:
  /// `settle` is called after answers have come in. All references outlive this.
  Resolvers(net::EventLoop& loop, base::Rng& rng, gateway::ForwarderLines& lines,
            std::function<void()> settle);

  /// Opens those of the first rules, which `lines` has already. The error is a phrase for people.
  base::expected<void, std::string> open(const GatewayRules& rules);

  /// Opens those of new rules and gives the rules to the forwarders; after an error all is as
  /// before.
  base::expected<void, std::string> reload(base::Instant now, const GatewayRules& rules);

  /// Does what the forwarders want done. Call after everything that may have changed them. True if
  /// a resolver had no place for a query: there may be an answer now that says so.
  bool run_actions(base::Instant now);

  [[nodiscard]] const std::shared_ptr<const dns::ForwarderConfig>& rules() const {
    return sets_.back().rules;
  }

 private:
  /// By the index in the rules of a generation.
  struct Set {
    gateway::Generation generation = 0;
    std::shared_ptr<const dns::ForwarderConfig> rules;
    std::vector<net::AresUpstream> servers;
  };

  base::expected<void, std::string> add(gateway::Generation generation, const GatewayRules& rules);

  net::EventLoop& loop_;
  base::Rng& rng_;
  gateway::ForwarderLines& lines_;
  std::function<void()> settle_;
  std::vector<Set> sets_;  // oldest first
};

}  // namespace boxgram::tools
