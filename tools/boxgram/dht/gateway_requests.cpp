#include "gateway_requests.hpp"

#include <utility>

#include <boxgram/base/check.hpp>
#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

using stream::FailReason;

stream::ClientConfig client_config(const packet::Stamp& stamp,
                                   const GatewayRequests::Options& options) {
  stream::ClientConfig config;
  config.identity = stamp.identity;
  config.pinned_key = stamp.pinned;
  if (options.client_key) config.client_key = options.client_key->copy();
  config.capacity = GatewayRequests::kCapacity;
  config.request_lifetime = options.lifetime;
  config.ask_again = options.ask_again;
  return config;
}

/// Whether another gateway may do better. Time that is over is over for all.
bool worth_another(FailReason why) {
  return why != FailReason::timed_out && why != FailReason::malformed;
}

}  // namespace

GatewayRequests::Gateway::Gateway(net::EventLoop& loop, base::Rng& rng, const packet::Stamp& stamp,
                                  const Options& options, std::function<void()> settle)
    : client(client_config(stamp, options), rng, net::wall_clock(), net::now()),
      link(loop, stamp.address, client, {settle}),
      timer(loop.io(), [this, settle] {
        client.handle_timeout(net::now());
        settle();
      }) {}

GatewayRequests::GatewayRequests(net::EventLoop& loop, base::Rng& rng,
                                 std::span<const packet::Stamp> gateways, const Options& options,
                                 Handlers handlers)
    : lifetime_(options.lifetime), handlers_(std::move(handlers)) {
  for (const packet::Stamp& stamp : gateways) {
    if (!stamp.tcp) continue;
    gateways_.push_back(std::make_unique<Gateway>(
        loop, rng, stamp, options, [this, index = gateways_.size()] { settle(index); }));
  }
  BOXGRAM_CHECK(!gateways_.empty());
}

void GatewayRequests::ask(std::uint64_t tag, base::Bytes query) {
  requests_[tag] = {{query.begin(), query.end()}, preferred_, 0, net::now() + lifetime_};
  send(tag);
}

void GatewayRequests::send(std::uint64_t tag) {
  Request& request = requests_.find(tag)->second;
  const std::size_t index = request.gateway;
  Gateway& gateway = *gateways_[index];
  ++request.tries;
  if (gateway.client.request(net::now(), packet::FrameType::dht, request.query, tag) == 0)
    return failed(tag, FailReason::refused);
  settle(index);
}

void GatewayRequests::settle(std::size_t index) {
  Gateway& gateway = *gateways_[index];
  if (gateway.settling) return;
  gateway.settling = true;
  stream::ClientEvent event;
  while (gateway.client.poll_event(net::now(), event)) take(index, event);
  gateway.settling = false;
  gateway.link.settle();
  gateway.timer.want(gateway.client.next_timeout());
}

void GatewayRequests::take(std::size_t index, const stream::ClientEvent& event) {
  if (const auto* answered = std::get_if<stream::Answered>(&event)) {
    preferred_ = index;
    if (requests_.erase(answered->tag) == 0) return;  // given up before
    // Whoever is told may ask again, which would overwrite the answer where it stands.
    const std::vector<std::uint8_t> message(answered->payload.begin(), answered->payload.end());
    handlers_.on_answer(answered->tag, message);
  } else if (const auto* request = std::get_if<stream::RequestFailed>(&event)) {
    failed(request->tag, request->reason);
  } else if (const auto* down = std::get_if<stream::ConnectionDown>(&event)) {
    down_ = *down;
  }
}

void GatewayRequests::give_up() {
  for (const auto& [tag, request] : std::exchange(requests_, {}))
    handlers_.on_failed(tag, FailReason::connection_lost);
}

void GatewayRequests::failed(std::uint64_t tag, FailReason why) {
  const auto found = requests_.find(tag);
  if (found == requests_.end()) return;  // given up before
  Request& request = found->second;
  if (worth_another(why) && request.tries < gateways_.size() && net::now() < request.deadline) {
    request.gateway = (request.gateway + 1) % gateways_.size();
    return send(tag);
  }
  requests_.erase(found);
  handlers_.on_failed(tag, why);
}

}  // namespace boxgram::tools
