// The streams of a gateway or a stub on its main loop: listeners, sessions, control; and for a
// gateway the resolvers and the DHT for what they ask.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/gateway/stream_worker.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>

#include "control/control_desk.hpp"
#include "dht/gateway_dht.hpp"
#include "gateway_worker.hpp"
#include "resolvers.hpp"
#include "stream_port.hpp"

namespace boxgram::tools {

/// All of it on one thread beside the workers: handshakes and slow peers cost this thread's time,
/// never theirs, and its limits are counted in one place.
class StreamService {
 public:
  /// All references outlive this.
  StreamService(net::EventLoop& loop, ControlDesk& desk,
                std::shared_ptr<const packet::ServerKeys> keys, dns::SharedCache* cache,
                base::WallClock wall, base::Instant start, const GatewayRules& rules);

  /// Listens and opens the resolvers. The error is a phrase for people.
  base::expected<void, std::string> open(std::span<const base::SocketAddress> addresses);

  /// Answers DHT requests; without, there is no such service. `dht` outlives this.
  void serve_dht(GatewayDht& dht);

  void install(std::shared_ptr<const packet::ServerKeys> keys);
  /// False (and a logged reason) if a resolver cannot be opened: the old rules stay.
  bool reload(const GatewayRules& rules);
  /// The list of clients, or what is for all, is another one.
  void clients_changed();
  /// Takes no connection any more and ends each session when its requests are answered; `on_empty`
  /// is called once none is left.
  void drain(std::function<void()> on_empty);

  [[nodiscard]] std::vector<SessionRow> sessions() const;
  void kill_session(std::uint64_t id);

  /// Of the first address listened on. REQUIRES: open() was given one.
  [[nodiscard]] const base::SocketAddress& local_address() const {
    return port_.listeners().front().local_address();
  }

  /// What its forwarder has done, in the form of a worker's.
  [[nodiscard]] WorkerSnapshot snapshot() const;
  [[nodiscard]] const gateway::StreamWorker& worker() const { return worker_; }

 private:
  void settle();
  void handle(const gateway::StreamEvent& event);
  void answer_dht(const gateway::DhtService::Answered& answered);
  void answer_control(base::Handle connection, std::uint32_t id, const std::string& text);

  crypto::SystemRng rng_;
  ControlDesk& desk_;
  GatewayRules first_rules_;
  gateway::StreamWorker worker_;
  Resolvers resolvers_;
  StreamPort port_;
  GatewayDht* dht_ = nullptr;
  net::DeadlineTimer timer_;
  std::function<void()> on_empty_;
  bool settling_ = false;
};

}  // namespace boxgram::tools
