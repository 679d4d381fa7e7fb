#include "sim/dht_nodes.hpp"

#include <algorithm>
#include <cstdlib>

#include <boxgram/base/check.hpp>

#include "sim/packet_nodes.hpp"

namespace boxgram::sim {

DhtHost::DhtHost(dht::NodeConfig config, const dht::RemoteNode& self, std::uint64_t seed,
                 Instant start)
    : self_(self), rng_(seed), node_(std::move(config), rng_, wall_clock(), start) {}

void DhtHost::on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) {
  std::array<std::uint8_t, dht::Node::kMaxDatagram> out;
  const std::size_t size = node_.handle_datagram(world.now(), from, bytes, out);
  if (size > 0) world.send(*this, from, base::Bytes(out).first(size));
  drain(world);
}

void DhtHost::on_timeout(World& world) {
  node_.handle_timeout(world.now());
  drain(world);
}

void DhtHost::drain(World& world) {
  dht::NodeEvent event;
  while (node_.poll_event(event)) on_event(world, event);
  std::array<std::uint8_t, dht::Node::kMaxDatagram> out;
  SocketAddress to;
  while (const std::size_t size = node_.poll_transmit(world.now(), to, out))
    world.send(*this, to, base::Bytes(out).first(size));
}

void DhtHost::on_event(World& world, const dht::NodeEvent& event) {
  const auto result_of = [&](std::uint64_t tag) -> DhtResult& {
    const auto found = results_.find(tag);
    BOXGRAM_CHECK(found != results_.end() && !found->second.finished);
    return found->second;
  };
  const auto first_result = [&](DhtResult& result) {
    if (result.first_result == Duration{}) result.first_result = world.now() - result.began;
  };
  if (const auto* peers = std::get_if<dht::PeersFound>(&event)) {
    DhtResult& result = result_of(peers->tag);
    first_result(result);
    result.peers.insert(peers->peers.begin(), peers->peers.end());
  } else if (const auto* item = std::get_if<dht::ItemFound>(&event)) {
    DhtResult& result = result_of(item->tag);
    first_result(result);
    result.value.assign(item->item.value.begin(), item->item.value.end());
    if (item->item.author) result.sequence = item->item.author->sequence;
  } else if (const auto* stored = std::get_if<dht::Stored>(&event)) {
    if (stored->error != 0) result_of(stored->tag).store_errors.push_back(stored->error);
  } else if (const auto* hop = std::get_if<dht::Hop>(&event)) {
    result_of(hop->tag).hops.push_back(*hop);
  } else if (const auto* end = std::get_if<dht::Finished>(&event)) {
    DhtResult& result = result_of(end->tag);
    result.finished = true;
    result.end = *end;
    result.end.closest = {};
    result.closest.assign(end->closest.begin(), end->closest.end());
    result.took = world.now() - result.began;
  }
}

DhtNetwork::DhtNetwork(std::uint64_t seed, const DhtOptions& options)
    : world(seed, options.link), seed_(seed), options_(options) {}

SocketAddress DhtNetwork::fresh_address() {
  const std::uint32_t network = ++last_network_;
  if (options_.family == dht::Family::v6) {
    SocketAddress address;
    base::store_be32(address.ip.data(), 0x2a000000);
    base::store_be32(address.ip.data() + 4, network);
    address.ip[15] = 1;
    address.port = 6881;
    return address;
  }
  return SocketAddress::v4(static_cast<std::uint8_t>(20 + network / 65536),
                           static_cast<std::uint8_t>(network / 256),
                           static_cast<std::uint8_t>(network), 1, 6881);
}

DhtHost& DhtNetwork::add(std::size_t contacts) {
  const SocketAddress address = fresh_address();
  if (options_.overlay == dht::Overlay::mainline)
    return start({bound_to_ip(dht::NodeId::random(world.rng()), address), address, {}}, {},
                 contacts);
  crypto::KeyPair pair = crypto::generate_key_pair(world.rng());
  const auto self = remote_node(dht::SealedContact{pair.public_key, address});
  return start(self, std::move(pair.secret_key), contacts);
}

DhtHost& DhtNetwork::start(const dht::RemoteNode& self, crypto::SecretKey secret_key,
                           std::size_t contacts) {
  dht::NodeConfig config;
  config.overlay = options_.overlay;
  config.rate_table_capacity = 64;
  config.v4 = options_.family == dht::Family::v4;
  config.v6 = !config.v4;
  if (options_.overlay == dht::Overlay::sealed) {
    config.secret_key = secret_key.copy();
    config.port = self.address.port;
  } else {
    config.id = self.id;
  }
  std::vector<dht::RemoteNode> known;
  for (std::size_t i = 0; i < contacts && !hosts_.empty(); ++i)
    known.push_back(contact(random_index()));
  hosts_.push_back(
      std::make_unique<DhtHost>(std::move(config), self, seed_ * 1'000'003 + ++made_, world.now()));
  DhtHost& host = *hosts_.back();
  host.secret_key = std::move(secret_key);
  host.node().bootstrap(world.now(), known);
  world.add(host, self.address);
  return host;
}

void DhtNetwork::restart(std::size_t index) {
  replace(index, contact(index));
}

void DhtNetwork::move(std::size_t index) {
  replace(index, remote_node(dht::SealedContact{contact(index).key, fresh_address()}));
}

void DhtNetwork::replace(std::size_t index, dht::RemoteNode self) {
  crypto::SecretKey secret_key = hosts_[index]->secret_key.copy();
  kill(index);
  start(self, std::move(secret_key), 3);
  std::swap(hosts_[index], hosts_.back());
}

void DhtNetwork::grow(std::size_t count, Duration pause, Duration settle) {
  for (std::size_t i = 0; i < count; ++i) {
    add();
    world.run_for(pause);
  }
  world.run_for(settle);
}

void DhtNetwork::kill(std::size_t index) {
  world.remove(*hosts_[index]);
  std::swap(hosts_[index], hosts_.back());
  hosts_.pop_back();
}

std::vector<dht::NodeId> DhtNetwork::truly_closest(const dht::NodeId& target, std::size_t asker,
                                                   std::size_t count) const {
  std::vector<dht::NodeId> all;
  for (std::size_t i = 0; i < hosts_.size(); ++i)
    if (i != asker) all.push_back(contact(i).id);
  count = std::min(count, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [&](const auto& a, const auto& b) { return closer(target, a, b); });
  all.resize(count);
  return all;
}

DhtResult DhtNetwork::find_node(std::size_t index, const dht::NodeId& target) {
  return run(index, [&](dht::Node& node, Instant now, std::uint64_t tag) {
    node.find_node(now, target, tag);
  });
}

DhtResult DhtNetwork::get(std::size_t index, const dht::NodeId& target) {
  return run(index,
             [&](dht::Node& node, Instant now, std::uint64_t tag) { node.get(now, target, tag); });
}

DhtResult DhtNetwork::put(std::size_t index, std::string_view bencoded) {
  return run(index, [&](dht::Node& node, Instant now, std::uint64_t tag) {
    node.put(now, dht::Item{base::as_bytes(bencoded), std::nullopt}, tag);
  });
}

std::size_t sim_nodes() {
  const char* wish = std::getenv("BOXGRAM_DHT_NODES");
  return wish == nullptr ? 250 : std::strtoull(wish, nullptr, 10);
}

std::size_t hits(const std::vector<dht::NodeId>& truth, const std::vector<dht::RemoteNode>& found) {
  return static_cast<std::size_t>(std::ranges::count_if(truth, [&](const dht::NodeId& id) {
    return std::ranges::find(found, id, &dht::RemoteNode::id) != found.end();
  }));
}

}  // namespace boxgram::sim
