#include "sim/tcp_path.hpp"

#include <algorithm>

#include "sim/dns_nodes.hpp"

namespace boxgram::sim {
namespace {

constexpr Duration kRetransmit = 200ms;

}  // namespace

TcpPath::TcpPath(World& world, const Node& stub, stream::Client& client, DnsGatewayNode& gateway,
                 std::function<void()> on_input)
    : world_(world),
      stub_(stub),
      client_(client),
      gateway_(gateway),
      on_input_(std::move(on_input)) {}

bool TcpPath::is_cut() const {
  return world_.is_cut(stub_) || world_.is_cut(gateway_);
}

Duration TcpPath::delay() {
  Duration total = world_.link().delay;
  while (world_.rng().below(1000) < world_.link().loss && total < kPatience) total += kRetransmit;
  return total;
}

void TcpPath::later(const std::shared_ptr<TcpConnection>& connection, Arrive arrive, Instant sent,
                    Duration delay) {
  world_.after(delay, [this, connection, arrive, sent] { (this->*arrive)(connection, sent); });
}

void TcpPath::settle() {
  if (connection_ && connection_->server_open) {
    while (const std::size_t size = client_.unsent().size()) {
      send_up(client_.unsent());
      client_.sent(size);
    }
  }
  if (client_.wants_close()) {
    forget();
    client_.disconnected();
  }
  if (client_.wants_connection()) open();
}

void TcpPath::forget() {
  if (!connection_) return;
  if (connection_->server_open) send_up({});
  connection_->client_open = false;
  connection_ = nullptr;
}

void TcpPath::open() {
  client_.connecting(world_.now());
  connection_ = std::make_shared<TcpConnection>();
  connection_->path = this;
  later(connection_, &TcpPath::syn_answered, world_.now(), 2 * delay());
}

void TcpPath::syn_answered(const std::shared_ptr<TcpConnection>& connection, Instant sent) {
  if (!connection->client_open) return;
  if (is_cut()) return later(connection, &TcpPath::syn_answered, sent, kRetransmit);
  connection->server_open = gateway_.accept(world_, connection);
  if (connection->server_open)
    client_.connected(world_.now());
  else
    client_.connect_failed();
  on_input_();
}

void TcpPath::send_up(base::Bytes bytes) {
  connection_->up.emplace_back(bytes.begin(), bytes.end());
  later(connection_, &TcpPath::arrive_up, world_.now(), delay());
}

void TcpPath::arrive_up(const std::shared_ptr<TcpConnection>& connection, Instant sent) {
  if (!connection->server_open) return;
  if (is_cut()) {
    if (world_.now() - sent < kPatience)
      return later(connection, &TcpPath::arrive_up, sent, kRetransmit);
    if (connection == connection_) reopen();
    return;
  }
  const auto piece = std::move(connection->up.front());
  connection->up.pop_front();
  gateway_.tcp_input(world_, connection, piece);
}

void TcpPath::send_down(const std::shared_ptr<TcpConnection>& connection, base::Bytes bytes) {
  connection->down.emplace_back(bytes.begin(), bytes.end());
  later(connection, &TcpPath::arrive_down, world_.now(), delay());
}

void TcpPath::arrive_down(const std::shared_ptr<TcpConnection>& connection, Instant sent) {
  if (!connection->client_open) return;
  if (is_cut()) return later(connection, &TcpPath::arrive_down, sent, kRetransmit);
  const auto piece = std::move(connection->down.front());
  connection->down.pop_front();
  if (piece.empty()) client_.peer_ended();
  for (std::size_t at = 0; at < piece.size();) {
    const base::MutableBytes room = client_.room();
    const std::size_t size = std::min(room.size(), piece.size() - at);
    if (size == 0) break;  // the client is over
    std::copy_n(piece.begin() + static_cast<std::ptrdiff_t>(at), size, room.begin());
    client_.received(size);
    at += size;
  }
  on_input_();
}

void TcpPath::reset() {
  if (!connection_ || !connection_->server_open) return;
  gateway_.tcp_reset(world_, connection_);
  client_.peer_ended();
  on_input_();
}

void TcpPath::reopen() {
  if (!connection_ || !connection_->server_open) return;
  client_.peer_ended();
  on_input_();
}

}  // namespace boxgram::sim
