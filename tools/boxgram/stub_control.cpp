#include "stub_control.hpp"

#include <boxgram/net/clock.hpp>
#include <boxgram/packet/stamp.hpp>

namespace boxgram::tools {

StubControl::StubControl(net::EventLoop& loop, Host& host, config::StubControlConfig config)
    : loop_(loop),
      config_(std::move(config)),
      clients_(config_.clients.empty() ? config_.state_dir + "/clients" : config_.clients),
      methods_(host),
      desk_(methods_, clients_),
      key_timer_(loop.io(), [this] { on_key_timer(); }) {}

base::expected<void, std::string> StubControl::open() {
  const base::Instant now = net::now();
  const base::WallClock wall = net::wall_clock();
  auto keys = KeyRing::open(config_.state_dir, {}, rng_, wall, now);
  if (!keys) return base::unexpected<std::string>(keys.error());
  keys_.emplace(std::move(*keys));
  key_timer_.want(keys_->next_timeout());
  // No DNS here: nobody is given the right to it, and these rules know no upstream.
  GatewayRules rules;
  rules.forwarder = std::make_shared<dns::ForwarderConfig>();
  streams_.emplace(loop_, desk_, keys_->snapshot(), nullptr, wall, now, rules);
  return streams_->open({&*config_.listen, 1});
}

std::string StubControl::stamp() const {
  packet::Stamp stamp;
  stamp.udp = false;
  stamp.tcp = true;
  stamp.identity = keys_->identity();
  stamp.address = streams_->local_address();
  return packet::encode_stamp(stamp);
}

void StubControl::on_key_timer() {
  if (keys_->handle_timeout(net::now())) streams_->install(keys_->snapshot());
  key_timer_.want(keys_->next_timeout());
}

}  // namespace boxgram::tools
