#include "gateway_dht.hpp"

#include <boxgram/net/clock.hpp>

#include "../log.hpp"

namespace boxgram::tools {

GatewayDht::GatewayDht(net::EventLoop& loop, DhtNodeOptions options)
    : loop_(loop),
      options_(std::move(options)),
      nodes_(loop, rng_, options_, [this](const dht::NodeEvent& event) {
        service_->handle_event(event);
        if (std::holds_alternative<dht::Finished>(event)) tell_soon();
      }) {}

GatewayDht::~GatewayDht() {
  nodes_.save();
}

base::expected<std::unique_ptr<GatewayDht>, std::string> GatewayDht::start(
    net::EventLoop& loop, const config::DhtConfig& config, const std::string& state_dir) {
  DhtNodeOptions options;
  std::vector<std::string> unknown;
  auto seeds = read_seeds(config.bootstrap, unknown);
  if (!seeds) return base::unexpected<std::string>(seeds.error());
  for (const auto& text : unknown)
    log::warning("the host of a DHT node is not found", {{"node", text}});
  options.seeds = std::move(*seeds);
  options.listen = config.listen;
  options.mainline = config.mainline;
  options.sealed = !config.listen.empty() || config.mainline.empty();
  options.state_dir = state_dir + "/dht";
  options.local = is_laboratory(options);
  options.max_operations = gateway::DhtService::kMaxOperations;
  std::unique_ptr<GatewayDht> made(new GatewayDht(loop, std::move(options)));
  if (auto started = made->nodes_.start(); !started)
    return base::unexpected<std::string>(started.error());
  made->service_.emplace(gateway::DhtServiceConfig{config.announce},
                         gateway::DhtService::Nodes{made->nodes_.node(dht::Overlay::mainline),
                                                    made->nodes_.node(dht::Overlay::sealed)});
  made->nodes_.settle();
  return made;
}

void GatewayDht::request(base::Handle connection, std::uint32_t id, base::Bytes payload) {
  service_->request(net::now(), connection, id, payload);
  nodes_.settle();
  tell_soon();  // what was refused at once
}

void GatewayDht::forget(base::Handle connection) {
  service_->forget(connection);
}

/// A node may be in the middle of telling its events, and whoever gets an answer may ask again.
void GatewayDht::tell_soon() {
  if (telling_) return;
  telling_ = true;
  loop_.post([this] {
    telling_ = false;
    gateway::DhtService::Answered answered;
    while (service_->poll_answer(answered))
      if (on_answer_) on_answer_(answered);
  });
}

}  // namespace boxgram::tools
