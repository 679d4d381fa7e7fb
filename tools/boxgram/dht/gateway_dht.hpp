// The DHT of a gateway: its nodes, and the service that asks them for clients in streams.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/gateway_config.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/gateway/dht_service.hpp>
#include <boxgram/net/event_loop.hpp>

#include "nodes.hpp"

namespace boxgram::tools {

class GatewayDht {
 public:
  using OnAnswer = std::function<void(const gateway::DhtService::Answered&)>;

  /// Starts the nodes, whose state lies in "dht" below `state_dir`. The error is a line for people.
  /// `loop` outlives this.
  static base::expected<std::unique_ptr<GatewayDht>, std::string> start(
      net::EventLoop& loop, const config::DhtConfig& config, const std::string& state_dir);
  ~GatewayDht();
  GatewayDht(const GatewayDht&) = delete;
  GatewayDht& operator=(const GatewayDht&) = delete;

  /// Answers are told on the loop, never inside a call of this object.
  void on_answer(OnAnswer on_answer) { on_answer_ = std::move(on_answer); }

  void configure(const config::DhtConfig& config) { service_->configure({config.announce}); }
  void request(base::Handle connection, std::uint32_t id, base::Bytes payload);
  void forget(base::Handle connection);

  [[nodiscard]] const DhtNodes& nodes() const { return nodes_; }
  [[nodiscard]] const gateway::DhtService& service() const { return *service_; }

 private:
  GatewayDht(net::EventLoop& loop, DhtNodeOptions options);
  void tell_soon();

  net::EventLoop& loop_;
  crypto::SystemRng rng_;
  DhtNodeOptions options_;
  std::optional<gateway::DhtService> service_;
  DhtNodes nodes_;
  OnAnswer on_answer_;
  bool telling_ = false;
};

}  // namespace boxgram::tools
