#include "gateway_worker.hpp"

#include <utility>

#include <boxgram/net/clock.hpp>

#include "log.hpp"
#include "query_log.hpp"

namespace boxgram::tools {
namespace {

/// Datagrams that one wake-up may give to another worker. The kernel steers by itself, so only a
/// train with several owners or a kernel without steering brings any; more is a flood.
constexpr std::size_t kMaxHandover = 256;

/// Datagrams that may wait for one worker, from all others and all their wake-ups: a worker that is
/// busy with scalar multiplications must not collect a flood in memory.
constexpr std::size_t kMaxInbox = 1024;

}  // namespace

GatewayWorker::GatewayWorker(net::EventLoop& loop, const packet::ServerConfig& server,
                             std::shared_ptr<const packet::ServerKeys> keys,
                             dns::SharedCache* cache, base::WallClock wall, base::Instant start,
                             const GatewayRules& rules)
    : loop_(loop),
      first_rules_(rules),
      worker_(server, std::move(keys), rules.forwarder, cache, rng_, wall, start),
      resolvers_(loop, rng_, worker_.lines(), [this] { settle(); }),
      outbound_(server.workers),
      log_queries_(rules.log_queries),
      timer_(loop.io(), [this] {
        worker_.handle_timeout(net::now());
        settle();
      }) {}

base::expected<void, std::string> GatewayWorker::bind(
    std::span<const base::SocketAddress> addresses, bool reuse_port) {
  for (const auto& address : addresses) {
    const auto index = static_cast<std::uint8_t>(sockets_.size());
    net::UdpHandlers handlers;
    handlers.on_batch = [this, index](std::span<const net::Datagram> b) { on_batch(index, b); };
    handlers.on_drained = [this] { settle(); };
    net::UdpOptions options;
    options.reuse_port = reuse_port;
    options.gro = true;
    options.dont_fragment = true;
    auto socket = net::UdpSocket::bind(loop_.io(), address, options, std::move(handlers));
    if (!socket) return base::unexpected<std::string>(socket.error());
    sockets_.push_back(std::move(*socket));
  }
  return {};
}

base::expected<void, std::string> GatewayWorker::open_upstreams() {
  timer_.want(worker_.next_timeout());
  return resolvers_.open(first_rules_);
}

void GatewayWorker::on_batch(std::uint8_t socket, std::span<const net::Datagram> batch) {
  const base::Instant now = net::now();
  for (const net::Datagram& datagram : batch)
    handle(now, {datagram.from, datagram.local, socket}, datagram.data);
}

void GatewayWorker::handle(base::Instant now, const gateway::Path& path,
                           base::MutableBytes datagram) {
  net::UdpSocket& socket = sockets_[path.socket];
  const auto handled = worker_.receive(now, path, datagram, socket.next());
  if (log_queries_ && !handled.query.empty()) log_query(handled.query, path.from);
  if (handled.kind == gateway::Worker::Handled::Kind::transmit) {
    socket.commit(path.from, handled.size, path.local);
  } else if (handled.kind == gateway::Worker::Handled::Kind::misrouted) {
    auto& queue = outbound_[handled.owner];
    if (queue.size() < kMaxHandover)
      queue.push_back({path, {datagram.begin(), datagram.end()}});
    else
      ++handover_drops_;
  }
}

void GatewayWorker::hand_over() {
  for (std::size_t owner = 0; owner < outbound_.size(); ++owner) {
    const std::size_t count = outbound_[owner].size();
    if (count == 0) continue;
    GatewayWorker& peer = *peers_[owner];
    if (peer.inbox_.fetch_add(count, std::memory_order_relaxed) + count > kMaxInbox) {
      peer.inbox_.fetch_sub(count, std::memory_order_relaxed);
      handover_drops_ += count;
      outbound_[owner].clear();
      continue;
    }
    handed_over_ += count;
    peer.loop_.post([&peer, datagrams = std::exchange(outbound_[owner], {})]() mutable {
      peer.take_over(std::move(datagrams));
    });
  }
}

void GatewayWorker::take_over(std::vector<HandedOver> datagrams) {
  const base::Instant now = net::now();
  for (HandedOver& one : datagrams) handle(now, one.path, one.datagram);
  inbox_.fetch_sub(datagrams.size(), std::memory_order_relaxed);
  settle();
}

/// After any input: ask upstreams, send what became ready, set the timer.
void GatewayWorker::settle() {
  const base::Instant now = net::now();
  resolvers_.run_actions(now);
  send_late_answers(now);
  hand_over();
  for (net::UdpSocket& socket : sockets_) socket.flush();
  timer_.want(worker_.next_timeout());
  if (on_empty_ && worker_.pending() == 0) std::exchange(on_empty_, nullptr)();
}

void GatewayWorker::send_late_answers(base::Instant now) {
  std::array<std::uint8_t, packet::kMaxDatagram> bytes;
  gateway::Worker::Transmit transmit;
  while (worker_.poll_transmit(now, transmit, bytes)) {
    net::UdpSocket& socket = sockets_[transmit.path.socket];
    std::memcpy(socket.next().data(), bytes.data(), transmit.size);
    socket.commit(transmit.path.from, transmit.size, transmit.path.local);
  }
}

void GatewayWorker::install(std::shared_ptr<const packet::ServerKeys> keys) {
  worker_.install(std::move(keys));
}

bool GatewayWorker::reload(const GatewayRules& rules) {
  const auto done = resolvers_.reload(net::now(), rules);
  if (!done) {
    log::error("the new upstreams cannot be opened; the old rules stay",
               {{"reason", done.error()}});
    return false;
  }
  log_queries_ = rules.log_queries;
  settle();
  return true;
}

void GatewayWorker::drain(std::function<void()> on_empty) {
  worker_.drain();
  on_empty_ = std::move(on_empty);
  settle();
}

Explained GatewayWorker::explain(base::Bytes query) const {
  const dns::Forwarder& forwarder = worker_.lines().current();
  Explained explained{forwarder.explain(query), resolvers_.rules(), {}};
  for (const dns::UpstreamIndex i : explained.way.upstreams) {
    const auto state = forwarder.upstream_state(i);
    explained.upstreams.push_back({std::string(state.name), state});
  }
  return explained;
}

WorkerSnapshot GatewayWorker::snapshot() const {
  WorkerSnapshot copy;
  copy.worker = worker_.counters();
  copy.server = worker_.server_counters();
  const dns::Forwarder& forwarder = worker_.lines().current();
  copy.forwarder = forwarder.counters();
  copy.waits = forwarder.waits();
  copy.rules = resolvers_.rules();
  for (std::size_t i = 0; i < forwarder.upstream_count(); ++i)
    copy.upstreams.push_back(forwarder.upstream_state(static_cast<dns::UpstreamIndex>(i)));
  for (const net::UdpSocket& socket : sockets_) {
    net::add(copy.udp, socket.counters());
    copy.kernel_drops += socket.kernel_drops();
  }
  copy.associations = worker_.associations();
  copy.pending = worker_.pending();
  copy.handed_over = handed_over_;
  copy.handover_drops = handover_drops_;
  return copy;
}

}  // namespace boxgram::tools
