#include "sim/dns_nodes.hpp"

#include <utility>

#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>

#include "dns/dns_message.hpp"

namespace boxgram::sim {
namespace {

using test::Octets;
using test::operator+;

/// The TXT data of a name: strings of 255 bytes at most, filled by its hash.
Octets text_of(base::Bytes name, std::size_t size) {
  std::uint32_t hash = 2166136261u;
  for (const std::uint8_t c : name) hash = (hash ^ dns::lower(c)) * 16777619u;
  Octets out;
  while (size > 0) {
    const std::size_t part = std::min<std::size_t>(size, 256);
    out.push_back(static_cast<std::uint8_t>(part - 1));
    for (std::size_t i = 1; i < part; ++i) out.push_back(static_cast<std::uint8_t>(hash += 7));
    size -= part;
  }
  return out;
}

/// The size that stands in "nI.sSIZE.example".
std::size_t size_in(base::Bytes name) {
  const std::size_t second = name[0] + 1u;
  std::size_t size = 0;
  for (std::size_t i = 2; i <= name[second]; ++i) size = size * 10 + (name[second + i] - '0');
  return size;
}

Octets resolve(base::Bytes query) {
  const auto parsed = dns::parse_query(query);
  const Octets name(parsed->name.begin(), parsed->name.end());
  return test::header(parsed->id, 0x8180, 1, 1, 0, 1) + name + test::u16(parsed->type) +
         test::u16(parsed->rr_class) +
         test::record(test::pointer(12), dns::rrtype::txt, 300, text_of(name, size_in(name))) +
         test::opt(1232);
}

std::shared_ptr<const dns::ForwarderConfig> stub_rules(std::size_t gateways) {
  auto rules = std::make_shared<dns::ForwarderConfig>();
  for (std::size_t i = 0; i < gateways; ++i) {
    rules->upstreams.push_back({"gateway " + std::to_string(i), true, false});
    rules->default_group.push_back(static_cast<dns::UpstreamIndex>(i));
  }
  rules->special_names = false;
  return rules;
}

std::vector<stub::GatewayConfig> configs_of(
    const std::vector<std::pair<SocketAddress, DnsGatewayNode*>>& gateways) {
  std::vector<stub::GatewayConfig> configs;
  for (const auto& gateway : gateways) configs.push_back(gateway.second->client_config());
  return configs;
}

}  // namespace

std::string name_of(std::uint32_t index, std::size_t size) {
  return "n" + std::to_string(index) + ".s" + std::to_string(size) + ".example";
}

DnsGatewayNode::DnsGatewayNode(const DnsGatewayOptions& options, std::uint64_t seed)
    : options_(options), rng_(seed) {
  rng_.fill(identity_seed_.bytes());
  rng_.fill(pinned_secret_.bytes());
  start(Instant{} - 1h);
}

std::shared_ptr<dns::ForwarderConfig> DnsGatewayNode::rules() const {
  auto rules = std::make_shared<dns::ForwarderConfig>();
  rules->upstreams = {{"resolver", false, false}};
  rules->default_group = {0};
  return rules;
}

void DnsGatewayNode::start(Instant now) {
  packet::KeyRotationConfig config;
  if (rotation_) config.last_serial = rotation_->last_serial();
  rotation_ = std::make_unique<packet::KeyRotation>(
      config, rng_, wall_clock(), now, crypto::SigningKey(identity_seed_),
      options_.pinned ? std::optional(pinned_secret_.copy()) : std::nullopt, crypto::SharedKey());
  cache_ = std::make_unique<dns::SharedCache>(dns::CacheOptions{}, rng_, 1);
  worker_ = std::make_unique<gateway::Worker>(packet::ServerConfig{}, rotation_->snapshot(),
                                              rules(), options_.cache ? cache_.get() : nullptr,
                                              rng_, wall_clock(), now);
  streams_ = std::make_unique<gateway::StreamWorker>(
      stream::ServerConfig{}, rotation_->snapshot(), rules(),
      options_.cache ? cache_.get() : nullptr, rng_, wall_clock(), now);
}

void DnsGatewayNode::restart(World& world) {
  crash();
  start(world.now());
}

void DnsGatewayNode::crash() {
  worker_.reset();
  streams_.reset();
  upstream_.clear();
  for (auto& [handle, connection] : std::exchange(connections_, {})) {
    connection->server_open = false;
    connection->path->send_down(connection, {});
  }
}

void DnsGatewayNode::drain(World& world) {
  worker_->drain();
  streams_->server().drain(world.now());
  settle(world);
}

stub::GatewayConfig DnsGatewayNode::client_config() const {
  stub::GatewayConfig config;
  config.packets.identity = crypto::SigningKey(identity_seed_).verify_key();
  if (options_.pinned) config.packets.pinned_key = crypto::public_key_of(pinned_secret_);
  config.streams = options_.streams;
  return config;
}

bool DnsGatewayNode::accept(World& world, const std::shared_ptr<TcpConnection>& connection) {
  if (!streams_) return false;
  connection->handle = streams_->server().accept(world.now(), SocketAddress::v4(203, 0, 113, 7, 1));
  if (connection->handle != 0) connections_[connection->handle] = connection;
  return connection->handle != 0;
}

void DnsGatewayNode::tcp_input(World& world, const std::shared_ptr<TcpConnection>& connection,
                               base::Bytes bytes) {
  if (bytes.empty())
    streams_->server().peer_ended(connection->handle);
  else
    connection->inbox.insert(connection->inbox.end(), bytes.begin(), bytes.end());
  settle(world);
}

void DnsGatewayNode::tcp_reset(World& world, const std::shared_ptr<TcpConnection>& connection) {
  streams_->server().peer_ended(connection->handle);
  settle(world);
}

void DnsGatewayNode::send(World& world, const SocketAddress& to, base::Bytes bytes) {
  credit_[to] -= static_cast<std::int64_t>(bytes.size());
  if (credit_[to] < 0) ++amplified_;
  world.send(*this, to, bytes);
}

void DnsGatewayNode::on_datagram(World& world, const SocketAddress& from,
                                 base::MutableBytes bytes) {
  if (!worker_) return;
  credit_[from] += static_cast<std::int64_t>(bytes.size());
  std::array<std::uint8_t, packet::kMaxDatagram> out;
  const std::size_t in_size = bytes.size();
  const auto handled = worker_->receive(world.now(), {from, {}, 0}, bytes, out);
  if (handled.kind == gateway::Worker::Handled::Kind::transmit) {
    if (handled.size > in_size) ++amplified_;
    send(world, from, base::Bytes(out).first(handled.size));
  }
  settle(world);
}

void DnsGatewayNode::on_timeout(World& world) {
  if (!worker_) return;
  if (rotation_->next_timeout() <= world.now() && rotation_->handle_timeout(world.now())) {
    worker_->install(rotation_->snapshot());
    streams_->server().install(rotation_->snapshot());
  }
  while (!upstream_.empty() && upstream_.begin()->first <= world.now()) {
    const auto event = upstream_.extract(upstream_.begin()).mapped();
    if (event.answer.empty())
      event.lines->upstream_failed(world.now(), event.generation, event.id,
                                   dns::TryFailure::timed_out);
    else
      event.lines->upstream_answer(world.now(), event.generation, event.id, event.answer);
  }
  worker_->handle_timeout(world.now());
  streams_->handle_timeout(world.now());
  settle(world);
}

std::optional<Instant> DnsGatewayNode::next_timeout() const {
  if (!worker_) return std::nullopt;
  Instant next = rotation_->next_timeout();
  if (const auto deadline = worker_->next_timeout()) next = std::min(next, *deadline);
  if (const auto deadline = streams_->next_timeout()) next = std::min(next, *deadline);
  if (!upstream_.empty()) next = std::min(next, upstream_.begin()->first);
  return next;
}

bool DnsGatewayNode::feed(TcpConnection& connection) {
  const base::MutableBytes room = streams_->server().room(connection.handle);
  const std::size_t size = std::min(room.size(), connection.inbox.size());
  const auto end = connection.inbox.begin() + static_cast<std::ptrdiff_t>(size);
  std::copy(connection.inbox.begin(), end, room.begin());
  connection.inbox.erase(connection.inbox.begin(), end);
  streams_->server().received(connection.handle, size);
  return size > 0;
}

void DnsGatewayNode::handle(World& world, const gateway::StreamEvent& event) {
  if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
    streams_->admit(world.now(), proven->connection, {true, false});
  } else if (const auto* ended = std::get_if<stream::ConnectionEnded>(&event)) {
    const auto connection = connections_.extract(ended->connection).mapped();
    const base::Bytes last = streams_->server().unsent(connection->handle);
    if (!last.empty()) connection->path->send_down(connection, last);
    connection->path->send_down(connection, {});
    connection->server_open = false;
    streams_->server().closed(connection->handle);
  }
}

void DnsGatewayNode::settle_streams(World& world) {
  for (bool more = true; more;) {
    more = false;
    for (auto& [handle, connection] : connections_) more |= feed(*connection);
    gateway::StreamEvent event;
    while (streams_->poll_event(world.now(), event)) {
      handle(world, event);
      more = true;
    }
  }
  stream::Server& server = streams_->server();
  while (const base::Handle handle = server.poll_transmit()) {
    const base::Bytes bytes = server.unsent(handle);
    const auto connection = connections_.find(handle);
    if (!bytes.empty() && connection != connections_.end())
      connection->second->path->send_down(connection->second, bytes);
    server.sent(handle, bytes.size());
  }
}

void DnsGatewayNode::settle(World& world) {
  settle_streams(world);
  ask_upstream(world, worker_->lines());
  ask_upstream(world, streams_->lines());
  std::array<std::uint8_t, packet::kMaxDatagram> out;
  gateway::Worker::Transmit transmit;
  while (worker_->poll_transmit(world.now(), transmit, out))
    send(world, transmit.path.from, base::Bytes(out).first(transmit.size));
}

void DnsGatewayNode::ask_upstream(World& world, gateway::ForwarderLines& lines) {
  gateway::UpstreamAction next;
  while (lines.poll_action(next)) {
    if (next.action.kind == dns::Action::Kind::cancel) continue;
    ++asked_upstream_;
    const bool lost = world.rng().below(1000) < options_.upstream_loss;
    const auto when = world.now() + (lost ? next.action.timeout : options_.upstream_delay);
    upstream_.emplace(when, UpstreamEvent{&lines, next.generation, next.action.id,
                                          lost ? Octets{} : resolve(next.action.query)});
  }
}

StubNode::StubNode(World& world,
                   const std::vector<std::pair<SocketAddress, DnsGatewayNode*>>& gateways,
                   bool cache, std::uint64_t seed, std::int64_t clock_error_ms)
    : rng_(seed),
      cache_(cache ? std::make_unique<dns::SharedCache>(dns::CacheOptions{}, rng_, 1) : nullptr),
      core_(configs_of(gateways), stub_rules(gateways.size()), cache_.get(), rng_,
            wall_clock(clock_error_ms), world.now()) {
  for (const auto& [address, gateway] : gateways) {
    const std::size_t i = gateways_.size();
    gateways_.push_back(address);
    tcp_.push_back(nullptr);
    if (stream::Client* client = core_.stream(i))
      tcp_.back() = std::make_unique<TcpPath>(world, *this, *client, *gateway, [this, &world, i] {
        core_.stream_input(world.now(), i);
        settle(world);
      });
  }
}

std::size_t StubNode::ask(World& world, std::uint32_t index, std::size_t size, bool tcp,
                          std::uint16_t edns_size) {
  const std::size_t n = queries_.size();
  const auto name = name_of(index, size);
  Octets query = test::header(static_cast<unsigned>(n & 0xffff), 0x0100, 1, 0, 0, 1) +
                 test::question(name, dns::rrtype::txt) + test::opt(edns_size);
  queries_.push_back({world.now(), {}, size, 0, 99, false, false, false});
  sent_.push_back(query);
  Octets out(65535);
  stub::Asker asker;
  // The client's identity travels as its "address", so that answers find their query.
  asker.from.scope = static_cast<std::uint32_t>(n);
  asker.connection = tcp ? 1 : 0;
  const auto outcome = core_.query(world.now(), asker, query, out);
  if (outcome.kind == stub::Core::Outcome::Kind::answered)
    take(world, n, base::Bytes(out).first(outcome.size));
  settle(world);
  return n;
}

void StubNode::take(World& world, std::size_t index, base::Bytes answer) {
  Query& query = queries_[index];
  const Octets& sent = sent_[index];
  ++query.answers;
  query.took = world.now() - query.asked;
  const std::size_t question = sent.size() - 11 - 12;
  if (answer.size() < 12 + question || base::load_be16(answer.data()) != (index & 0xffff) ||
      !std::equal(sent.begin() + 12, sent.end() - 11, answer.begin() + 12)) {
    query.wrong = true;
    return;
  }
  query.rcode = answer[3] & 0x0f;
  query.truncated = (answer[2] & 2) != 0;
  if (base::load_be16(answer.data() + 6) == 0) return;
  query.has_data = true;
  const auto text = text_of(base::Bytes(sent).subspan(12, question - 4), query.size);
  const auto start = answer.begin() + static_cast<std::ptrdiff_t>(12 + question + 12);
  query.wrong = answer.end() - start < static_cast<std::ptrdiff_t>(text.size()) ||
                !std::equal(text.begin(), text.end(), start);
}

void StubNode::on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) {
  for (std::size_t i = 0; i < gateways_.size(); ++i)
    if (gateways_[i] == from) core_.gateway_datagram(world.now(), i, bytes);
  settle(world);
}

void StubNode::on_timeout(World& world) {
  core_.handle_timeout(world.now());
  settle(world);
}

void StubNode::address_changed(World& world) {
  for (std::size_t i = 0; i < gateways_.size(); ++i) {
    core_.address_changed(world.now(), i);
    if (tcp_[i]) tcp_[i]->reopen();
  }
  settle(world);
}

void StubNode::settle(World& world) {
  std::array<std::uint8_t, packet::kMaxDatagram> datagram;
  for (std::size_t i = 0; i < gateways_.size(); ++i)
    while (const std::size_t size = core_.poll_transmit(world.now(), i, datagram))
      world.send(*this, gateways_[i], base::Bytes(datagram).first(size));
  for (const auto& tcp : tcp_)
    if (tcp) tcp->settle();
  Octets out(65535);
  stub::Core::Answer answer;
  while (core_.poll_answer(world.now(), answer, out))
    take(world, answer.asker.from.scope, base::Bytes(out).first(answer.size));
}

}  // namespace boxgram::sim
