#include "sim/world.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::sim {

World::World(std::uint64_t seed, const LinkOptions& link) : rng_(seed), link_(link) {
  // Not zero, so that a forgotten `now` shows.
  now_ += 1000s;
}

void World::add(Node& node, const SocketAddress& address) {
  BOXGRAM_CHECK(!by_address_.contains(address));
  nodes_.push_back(&node);
  addresses_[&node] = address;
  by_address_[address] = &node;
}

void World::rebind(Node& node, const SocketAddress& address) {
  by_address_.erase(addresses_.at(&node));
  addresses_[&node] = address;
  by_address_[address] = &node;
}

SocketAddress World::address_of(const Node& node) const {
  return addresses_.at(&node);
}

bool World::chance(std::uint32_t thousandths) {
  return thousandths != 0 && rng_.below(1000) < thousandths;
}

void World::send(const Node& from, const SocketAddress& to, base::Bytes bytes) {
  const SocketAddress source = addresses_.at(&from);
  for (Tap* tap : taps_) tap->on_sent(*this, source, to, bytes);
  const auto target = by_address_.find(to);
  if (cut_.contains(&from) || (target != by_address_.end() && cut_.contains(target->second)))
    return;
  if (bytes.size() > link_.mtu) return;
  const int copies = chance(link_.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (chance(link_.loss)) continue;
    std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    if (chance(link_.truncate)) copy.resize(rng_.below(copy.size()));
    if (chance(link_.bit_flip) && !copy.empty())
      copy[rng_.below(copy.size())] ^= static_cast<std::uint8_t>(1 << rng_.below(8));
    const auto jitter = static_cast<std::uint64_t>(link_.jitter.count());
    const Duration delay =
        link_.delay + Duration(jitter == 0 ? 0 : static_cast<Duration::rep>(rng_.below(jitter)));
    queue(source, to, std::move(copy), delay);
  }
}

void World::inject(const SocketAddress& from, const SocketAddress& to, base::Bytes bytes,
                   Duration delay) {
  for (Tap* tap : taps_) tap->on_injected(bytes);
  queue(from, to, {bytes.begin(), bytes.end()}, delay);
}

void World::queue(const SocketAddress& from, const SocketAddress& to,
                  std::vector<std::uint8_t> bytes, Duration delay) {
  events_.push({now_ + delay, sequence_++, from, to, std::move(bytes), {}});
}

void World::at(Instant when, std::function<void()> action) {
  events_.push({std::max(when, now_), sequence_++, {}, {}, {}, std::move(action)});
}

void World::partition(const Node& node, bool cut) {
  if (cut)
    cut_.insert(&node);
  else
    cut_.erase(&node);
}

void World::heal() {
  link_ = LinkOptions{};
  cut_.clear();
}

std::optional<Instant> World::next_event() const {
  std::optional<Instant> next;
  if (!events_.empty()) next = events_.top().at;
  for (const Node* node : nodes_)
    if (const auto at = node->next_timeout(); at && (!next || *at < *next)) next = at;
  return next;
}

void World::fire_timeouts() {
  for (Node* node : nodes_) {
    const auto due = node->next_timeout();
    if (!due || *due > now_) continue;
    node->on_timeout(*this);
    const auto then = node->next_timeout();
    if (then && *then <= now_) ++spins_;
  }
}

void World::run_until(Instant end) {
  while (const auto next = next_event()) {
    if (*next > end) break;
    now_ = std::max(now_, *next);
    // One event at a time, timers between them: each is a step that checkers may look at.
    if (!events_.empty() && events_.top().at <= now_) {
      Event event = events_.top();
      events_.pop();
      if (event.action)
        event.action();
      else
        deliver(event);
    }
    fire_timeouts();
    BOXGRAM_CHECK(spins_ < 10'000);
  }
  now_ = std::max(now_, end);
}

void World::deliver(Event& event) {
  const auto target = by_address_.find(event.to);
  if (target == by_address_.end() || cut_.contains(target->second)) return;
  ++delivered_;
  trace(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  trace(event.from.ip);
  trace(event.from.port);
  trace(event.bytes);
  target->second->on_datagram(*this, event.from, event.bytes);
}

void World::trace(base::Bytes bytes) {
  for (const std::uint8_t byte : bytes) trace_hash_ = (trace_hash_ ^ byte) * 0x100000001b3;
}

void World::trace(std::uint64_t value) {
  std::uint8_t bytes[8];
  base::store_be64(bytes, value);
  trace(base::Bytes(bytes));
}

}  // namespace boxgram::sim
