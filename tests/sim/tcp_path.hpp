// TCP between a stub's stream::Client and a gateway in the simulated world: one connection after
// the other, bytes in order after the link's delay. What datagrams lose, TCP has late.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include <boxgram/stream/client.hpp>

#include "sim/world.hpp"

namespace boxgram::sim {

class DnsGatewayNode;
class TcpPath;

/// Pieces under way; an empty one is the end.
struct TcpConnection {
  TcpPath* path = nullptr;
  base::Handle handle = 0;  ///< at the gateway
  std::deque<std::vector<std::uint8_t>> up, down;
  std::vector<std::uint8_t> inbox;  ///< has arrived; the server has no room for it yet
  bool client_open = true;
  bool server_open = false;
};

class TcpPath {
 public:
  /// After so long without a byte the stub takes another connection (tools::StreamLink).
  static constexpr Duration kPatience = 2s;

  /// `on_input` as for tools::StreamLink. All outlive this.
  TcpPath(World& world, const Node& stub, stream::Client& client, DnsGatewayNode& gateway,
          std::function<void()> on_input);

  /// Opens, writes and closes as the client wants.
  void settle();
  /// A reset: both ends see the end at once.
  void reset();
  /// The stub gives its connection up, as its address is another one.
  void reopen();

  /// From the gateway; empty: the end.
  void send_down(const std::shared_ptr<TcpConnection>& connection, base::Bytes bytes);

 private:
  using Arrive = void (TcpPath::*)(const std::shared_ptr<TcpConnection>&, Instant);

  void open();
  void forget();
  void later(const std::shared_ptr<TcpConnection>& connection, Arrive arrive, Instant sent,
             Duration delay);
  void send_up(base::Bytes bytes);
  void syn_answered(const std::shared_ptr<TcpConnection>& connection, Instant sent);
  void arrive_up(const std::shared_ptr<TcpConnection>& connection, Instant sent);
  void arrive_down(const std::shared_ptr<TcpConnection>& connection, Instant sent);
  [[nodiscard]] Duration delay();
  [[nodiscard]] bool is_cut() const;

  World& world_;
  const Node& stub_;
  stream::Client& client_;
  DnsGatewayNode& gateway_;
  std::function<void()> on_input_;
  std::shared_ptr<TcpConnection> connection_;
};

}  // namespace boxgram::sim
