#include "stub_line.hpp"

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

/// As long as a GatewayLink waits for a gateway that was asked; what waits still has time to be
/// asked again.
constexpr base::Duration kStreamPatience = std::chrono::seconds(2);

std::vector<stub::GatewayConfig> gateway_configs(const config::StubConfig& config) {
  std::vector<stub::GatewayConfig> gateways;
  for (const packet::Stamp& stamp : config.gateways) {
    stub::GatewayConfig gateway;
    gateway.packets.identity = stamp.identity;
    gateway.packets.pinned_key = stamp.pinned;
    gateway.packets.key_per_query = config.key_per_query;
    gateway.streams = stamp.tcp;
    gateways.push_back(gateway);
  }
  return gateways;
}

/// What the line before has learnt of this gateway's keys: a reload opens no way back to older
/// ones.
void take_over_keys(const StubLine& before, packet::ClientConfig& client) {
  if (!client.identity) return;
  for (std::size_t i = 0; i < before.gateways.size(); ++i) {
    if (before.gateways[i].packets.identity != client.identity) continue;
    const packet::Client& known = before.core->client(i);
    client.certificate = known.certificate();
    client.highest_serial = known.state(net::now()).highest_serial;
  }
}

void add_links(net::EventLoop& loop, StubLine& line, std::size_t i, const packet::Stamp& stamp,
               const std::function<void()>& settle) {
  stub::Core* const core = line.core.get();
  StreamLink* stream = nullptr;
  if (core->stream(i) != nullptr) {
    auto link = std::make_unique<StreamLink>(loop, stamp.address, *core->stream(i),
                                             StreamLink::Handlers{[settle, core, i] {
                                               core->stream_input(net::now(), i);
                                               settle();
                                             }},
                                             kStreamPatience);
    stream = link.get();
    line.streams.push_back(std::move(link));
  }
  GatewayLink::Handlers handlers;
  handlers.on_batch = [core, i](std::span<const net::Datagram> batch) {
    const base::Instant now = net::now();
    for (const net::Datagram& datagram : batch) core->gateway_datagram(now, i, datagram.data);
  };
  handlers.on_drained = settle;
  handlers.on_reopened = [settle, core, stream, i] {
    core->address_changed(net::now(), i);
    if (stream != nullptr) {
      stream->reopen();
      core->stream_input(net::now(), i);
    }
    settle();
  };
  line.links.push_back(std::make_unique<GatewayLink>(loop, stamp.address, std::move(handlers)));
}

}  // namespace

StubLine make_stub_line(net::EventLoop& loop, base::Rng& rng, dns::SharedCache* cache,
                        const config::StubConfig& config, const StubRules& rules,
                        const StubLine* before, const std::function<void()>& settle) {
  StubLine line;
  line.log_queries = rules.log_queries;
  line.gateways = gateway_configs(config);
  if (before != nullptr)
    for (stub::GatewayConfig& gateway : line.gateways) take_over_keys(*before, gateway.packets);
  line.core = std::make_unique<stub::Core>(line.gateways, rules.forwarder, cache, rng,
                                           net::wall_clock(), net::now());
  for (std::size_t i = 0; i < config.gateways.size(); ++i)
    add_links(loop, line, i, config.gateways[i], settle);
  return line;
}

}  // namespace boxgram::tools
