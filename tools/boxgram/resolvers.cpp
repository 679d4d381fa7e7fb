#include "resolvers.hpp"

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

dns::TryFailure failure_of(net::UpstreamFailure failure) {
  switch (failure) {
    case net::UpstreamFailure::timed_out:
      return dns::TryFailure::timed_out;
    case net::UpstreamFailure::unreachable:
    case net::UpstreamFailure::closed:
      return dns::TryFailure::unreachable;
    case net::UpstreamFailure::bad_query:
      break;
  }
  return dns::TryFailure::rejected;
}

}  // namespace

Resolvers::Resolvers(net::EventLoop& loop, base::Rng& rng, gateway::ForwarderLines& lines,
                     std::function<void()> settle)
    : loop_(loop), rng_(rng), lines_(lines), settle_(std::move(settle)) {}

base::expected<void, std::string> Resolvers::open(const GatewayRules& rules) {
  return add(lines_.generation(), rules);
}

base::expected<void, std::string> Resolvers::reload(base::Instant now, const GatewayRules& rules) {
  auto added = add(lines_.generation() + 1, rules);
  if (added) lines_.reload(now, rules.forwarder);
  return added;
}

base::expected<void, std::string> Resolvers::add(gateway::Generation generation,
                                                 const GatewayRules& rules) {
  Set set{generation, rules.forwarder, {}};
  for (const auto& address : rules.upstreams) {
    net::AresUpstreamHandlers handlers;
    handlers.on_answer = [this, generation](std::uint64_t tag, base::Bytes answer) {
      lines_.upstream_answer(net::now(), generation, tag, answer);
    };
    handlers.on_failure = [this, generation](std::uint64_t tag, net::UpstreamFailure failure) {
      lines_.upstream_failed(net::now(), generation, tag, failure_of(failure));
    };
    handlers.on_drained = settle_;
    net::AresUpstreamOptions options;
    options.server = address;
    auto server = net::AresUpstream::create(loop_.io(), options, rng_, std::move(handlers));
    if (!server) return base::unexpected<std::string>(server.error());
    set.servers.push_back(std::move(*server));
  }
  sets_.push_back(std::move(set));
  return {};
}

bool Resolvers::run_actions(base::Instant now) {
  bool failed = false;
  gateway::UpstreamAction next;
  while (lines_.poll_action(next)) {
    for (Set& set : sets_) {
      if (set.generation != next.generation) continue;
      net::AresUpstream& server = set.servers[next.action.upstream];
      if (next.action.kind == dns::Action::Kind::cancel)
        server.cancel(next.action.id);
      else if (!server.send(next.action.id, next.action.query, next.action.timeout)) {
        lines_.upstream_failed(now, next.generation, next.action.id, dns::TryFailure::busy);
        failed = true;
      }
      break;
    }
  }
  while (sets_.front().generation < lines_.oldest_generation()) sets_.erase(sets_.begin());
  return failed;
}

}  // namespace boxgram::tools
