// The gateways and rules of one configuration of a stub, with their sockets.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <boxgram/config/stub_config.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/stub/core.hpp>

#include "gateway_link.hpp"
#include "rules.hpp"
#include "stream_link.hpp"

namespace boxgram::tools {

/// A reload makes another one; the old one lives until the last of its clients has an answer.
struct StubLine {
  std::vector<stub::GatewayConfig> gateways;
  std::unique_ptr<stub::Core> core;
  bool log_queries = false;
  std::vector<std::unique_ptr<GatewayLink>> links;
  std::vector<std::unique_ptr<StreamLink>> streams;
};

/// Takes over what the line `before` (may be null) has learnt of its gateways' keys. `settle` is
/// called after any input of the line. `loop`, `rng` and `cache` (may be null) outlive it.
StubLine make_stub_line(net::EventLoop& loop, base::Rng& rng, dns::SharedCache* cache,
                        const config::StubConfig& config, const StubRules& rules,
                        const StubLine* before, const std::function<void()>& settle);

}  // namespace boxgram::tools
