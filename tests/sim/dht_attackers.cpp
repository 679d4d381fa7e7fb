#include "sim/dht_attackers.hpp"

#include <algorithm>

namespace boxgram::sim {
namespace {

std::optional<dht::NodeId> target_of(const dht::Query& query) {
  if (const auto* find = std::get_if<dht::FindNode>(&query.arguments)) return find->target;
  if (const auto* peers = std::get_if<dht::GetPeers>(&query.arguments)) return peers->info_hash;
  if (const auto* item = std::get_if<dht::GetItem>(&query.arguments)) return item->target;
  return std::nullopt;
}

}  // namespace

void DhtAttacker::on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) {
  const auto message = dht::decode(bytes, dht::Overlay::mainline);
  if (!message || !std::holds_alternative<dht::Query>(*message)) return;
  const auto& query = std::get<dht::Query>(*message);
  dht::Reply reply;
  reply.transaction = query.transaction;
  reply.id = id_;
  std::vector<dht::Contact> named;
  if (const auto target = target_of(query)) {
    named = names(*target);
    reply.nodes = named;
    reply.token = base::as_bytes("token");
  }
  stores_swallowed_ += std::holds_alternative<dht::PutItem>(query.arguments) ||
                       std::holds_alternative<dht::AnnouncePeer>(query.arguments);
  std::array<std::uint8_t, dht::kMaxMessage> out;
  const std::size_t size = dht::encode(reply, dht::Overlay::mainline, out);
  world.send(*this, from, base::Bytes(out).first(size));
}

void DhtAttacker::on_timeout(World& world) {
  next_ = world.now() + 1s;
  dht::Query ping;
  ping.transaction = base::as_bytes("aa");
  ping.id = id_;
  ping.arguments = dht::Ping{};
  std::array<std::uint8_t, dht::kMaxMessage> out;
  const std::size_t size = dht::encode(ping, dht::Overlay::mainline, out);
  world.send(*this, victims_[next_victim_++ % victims_.size()], base::Bytes(out).first(size));
}

std::vector<dht::Contact> Sybil::names(const dht::NodeId& target) {
  std::vector<dht::Contact> named = all_;
  std::ranges::sort(named,
                    [&](const auto& a, const auto& b) { return closer(target, a.id, b.id); });
  named.resize(std::min<std::size_t>(named.size(), 8));
  return named;
}

std::vector<dht::Contact> Liar::names(const dht::NodeId& target) {
  std::vector<dht::Contact> named;
  for (int i = 0; i < 8; ++i) {
    dht::NodeId made = target;
    for (std::size_t k = 8; k < made.bytes.size(); ++k)
      made.bytes[k] = static_cast<std::uint8_t>(rng().below(256));
    const auto byte = [this] { return static_cast<std::uint8_t>(rng().below(256)); };
    named.push_back({made, SocketAddress::v4(200, byte(), byte(), byte(), 6881)});
  }
  return named;
}

}  // namespace boxgram::sim
