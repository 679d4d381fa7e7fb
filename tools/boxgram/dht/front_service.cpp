#include "front_service.hpp"

#include <boxgram/net/clock.hpp>

#include "../log.hpp"

namespace boxgram::tools {
namespace {

/// Clients that wait have been answered long before, but the next one may profit.
constexpr base::Duration kRequestTime = std::chrono::seconds(30);

}  // namespace

FrontService::FrontService(net::EventLoop& loop, base::Rng& rng)
    : loop_(loop), rng_(rng), timer_(loop.io(), [this] {
        front_->handle_timeout(net::now());
        settle();
      }) {}

base::expected<std::unique_ptr<FrontService>, std::string> FrontService::start(
    net::EventLoop& loop, base::Rng& rng, const config::DhtFrontConfig& config,
    std::span<const packet::Stamp> gateways) {
  std::unique_ptr<FrontService> made(new FrontService(loop, rng));
  base::SocketAddress address = *config.listen;
  dht::FrontConfig front;
  for (std::uint32_t i = 0; i < config.nodes; ++i) {
    if (auto bound = made->bind(address); !bound)
      return base::unexpected<std::string>(bound.error());
    address = made->sockets_.back().local_address();  // where the first port was left open
    front.nodes.push_back(address);
    ++address.port;
  }
  front.clients = config.clients;
  front.announce = config.announce;
  made->front_.emplace(std::move(front), rng);
  made->use_gateways(gateways);
  return made;
}

base::expected<void, std::string> FrontService::bind(const base::SocketAddress& address) {
  net::UdpOptions options;
  options.max_datagram = dht::Front::kMaxDatagram;
  net::UdpHandlers handlers;
  handlers.on_batch = [this, node = sockets_.size()](auto batch) { on_batch(node, batch); };
  handlers.on_drained = [this] { settle(); };
  auto socket = net::UdpSocket::bind(loop_.io(), address, options, std::move(handlers));
  if (!socket) return base::unexpected<std::string>(socket.error());
  sockets_.push_back(std::move(*socket));
  return {};
}

void FrontService::use_gateways(std::span<const packet::Stamp> gateways) {
  GatewayRequests::Options options;
  options.lifetime = kRequestTime;
  GatewayRequests::Handlers handlers;
  handlers.on_answer = [this](std::uint64_t tag, base::Bytes message) {
    front_->answered(net::now(), tag, message);
    settle();
  };
  handlers.on_failed = [this](std::uint64_t tag, stream::FailReason why) {
    log::debug("no gateway has answered a DHT request", {{"reason", stream::to_string(why)}});
    front_->failed(net::now(), tag);
    settle();
  };
  settling_ = true;  // nothing more is asked of the old ones
  if (gateways_) gateways_->give_up();
  settling_ = false;
  gateways_ =
      std::make_unique<GatewayRequests>(loop_, rng_, gateways, options, std::move(handlers));
  settle();
}

void FrontService::on_batch(std::size_t node, std::span<const net::Datagram> batch) {
  const base::Instant now = net::now();
  net::UdpSocket& socket = sockets_[node];
  for (const net::Datagram& datagram : batch) {
    const std::size_t size =
        front_->handle_datagram(now, node, datagram.from, datagram.data, socket.next());
    if (size > 0) socket.commit(datagram.from, size, datagram.local);
  }
}

/// After any input: ask gateways, send what became ready, set the timer.
void FrontService::settle() {
  if (settling_) return;  // a request ended while it was being made
  settling_ = true;
  std::array<std::uint8_t, dht::Front::kMaxDatagram> bytes;
  dht::Front::Request request;
  while (front_->poll_request(request, bytes))
    gateways_->ask(request.tag, base::Bytes(bytes).first(request.size));
  dht::Front::Transmit transmit;
  while (front_->poll_transmit(net::now(), transmit, bytes)) {
    net::UdpSocket& socket = sockets_[transmit.node];
    std::copy_n(bytes.begin(), transmit.size, socket.next().begin());
    socket.commit(transmit.to, transmit.size);
  }
  for (auto& socket : sockets_) socket.flush();
  timer_.want(front_->next_timeout());
  settling_ = false;
}

std::string FrontService::listening() const {
  std::string text = base::to_string(sockets_.front().local_address());
  if (sockets_.size() > 1) text += " to " + base::to_string(sockets_.back().local_address());
  return text;
}

}  // namespace boxgram::tools
