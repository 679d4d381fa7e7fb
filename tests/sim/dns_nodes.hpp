// Sealed DNS as nodes of a World: a gateway over a made-up resolver, and a stub with its clients.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boxgram/gateway/stream_worker.hpp>
#include <boxgram/gateway/worker.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/stub/core.hpp>

#include "sim/packet_nodes.hpp"
#include "sim/tcp_path.hpp"
#include "sim/world.hpp"

namespace boxgram::sim {

/// "nINDEX.sSIZE.example": the made-up resolver answers with a TXT record of SIZE bytes that the
/// index decides, so a wrong answer shows.
std::string name_of(std::uint32_t index, std::size_t size);

struct DnsGatewayOptions {
  bool pinned = true;
  Duration upstream_delay = 5ms;
  std::uint32_t upstream_loss = 0;  ///< thousandths of the queries that the resolver never answers
  bool cache = true;
  bool streams = true;
};

class DnsGatewayNode final : public Node {
 public:
  DnsGatewayNode(const DnsGatewayOptions& options, std::uint64_t seed);

  void restart(World& world);  ///< loses its memory; keeps a pinned key
  void crash();
  void drain(World& world);

  void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) override;
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override;

  /// False: nothing listens there.
  bool accept(World& world, const std::shared_ptr<TcpConnection>& connection);
  /// Empty: the end.
  void tcp_input(World& world, const std::shared_ptr<TcpConnection>& connection, base::Bytes bytes);
  void tcp_reset(World& world, const std::shared_ptr<TcpConnection>& connection);

  [[nodiscard]] stub::GatewayConfig client_config() const;
  [[nodiscard]] gateway::StreamWorker& streams() { return *streams_; }
  [[nodiscard]] const gateway::Worker& worker() const { return *worker_; }
  gateway::Worker& worker() { return *worker_; }
  [[nodiscard]] std::uint64_t asked_upstream() const { return asked_upstream_; }
  [[nodiscard]] std::uint64_t amplified() const { return amplified_; }
  void set_upstream_delay(Duration delay) { options_.upstream_delay = delay; }
  void set_upstream_loss(std::uint32_t thousandths) { options_.upstream_loss = thousandths; }
  std::shared_ptr<dns::ForwarderConfig> rules() const;

 private:
  struct UpstreamEvent {
    gateway::ForwarderLines* lines;
    gateway::Generation generation;
    dns::TryId id;
    std::vector<std::uint8_t> answer;  // empty: it times out
  };

  void start(Instant now);
  void settle(World& world);
  void ask_upstream(World& world, gateway::ForwarderLines& lines);
  void settle_streams(World& world);
  bool feed(TcpConnection& connection);
  void handle(World& world, const gateway::StreamEvent& event);
  void send(World& world, const SocketAddress& to, base::Bytes bytes);

  DnsGatewayOptions options_;
  test::SeededRng rng_;
  crypto::SigningSeed identity_seed_;
  crypto::SecretKey pinned_secret_;
  std::unique_ptr<packet::KeyRotation> rotation_;
  std::unique_ptr<dns::SharedCache> cache_;
  std::unique_ptr<gateway::Worker> worker_;
  std::unique_ptr<gateway::StreamWorker> streams_;
  std::map<base::Handle, std::shared_ptr<TcpConnection>> connections_;
  std::multimap<Instant, UpstreamEvent> upstream_;
  std::map<SocketAddress, std::int64_t> credit_;
  std::uint64_t asked_upstream_ = 0;
  std::uint64_t amplified_ = 0;
};

class StubNode final : public Node {
 public:
  StubNode(World& world, const std::vector<std::pair<SocketAddress, DnsGatewayNode*>>& gateways,
           bool cache, std::uint64_t seed, std::int64_t clock_error_ms = 0);

  struct Query {
    Instant asked{};
    Duration took{};
    std::size_t size = 0;       ///< of the TXT record asked for
    std::uint32_t answers = 0;  ///< must end at 1
    unsigned rcode = 99;
    bool truncated = false;
    bool wrong = false;  ///< another ID or question, or data that was not asked for
    bool has_data = false;
  };
  /// Asks for name_of(index, size) TXT; the answer goes to queries()[the result].
  std::size_t ask(World& world, std::uint32_t index, std::size_t size = 40, bool tcp = false,
                  std::uint16_t edns_size = 1232);

  void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) override;
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return core_.next_timeout();
  }

  [[nodiscard]] const std::vector<Query>& queries() const { return queries_; }
  [[nodiscard]] const stub::Core& core() const { return core_; }
  [[nodiscard]] TcpPath& tcp(std::size_t i) { return *tcp_[i]; }
  void address_changed(World& world);

 private:
  void take(World& world, std::size_t index, base::Bytes answer);
  void settle(World& world);

  std::vector<SocketAddress> gateways_;
  test::SeededRng rng_;
  std::unique_ptr<dns::SharedCache> cache_;
  stub::Core core_;
  std::vector<std::unique_ptr<TcpPath>> tcp_;
  std::vector<Query> queries_;
  std::vector<std::vector<std::uint8_t>> sent_;
};

}  // namespace boxgram::sim
