#include "sim/world.hpp"

#include <algorithm>
#include <tuple>

#include <boxgram/base/check.hpp>

namespace boxgram::sim {
namespace {

constexpr std::uint64_t kFnvPrime = 0x100000001b3;

/// Puts the earliest key at the front of a heap.
constexpr auto kLater = [](const auto& a, const auto& b) {
  return std::tie(a.at, a.order) > std::tie(b.at, b.order);
};

}  // namespace

std::size_t World::AddressHash::operator()(const SocketAddress& address) const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < 16; i += 8)
    hash = (hash ^ base::load_be64(address.ip.data() + i)) * kFnvPrime;
  hash = (hash ^ address.port) * kFnvPrime;
  return hash ^ hash >> 29;
}

World::World(std::uint64_t seed, const LinkOptions& link) : rng_(seed), link_(link) {
  // Not zero, so that a forgotten `now` shows.
  now_ += 1000s;
}

void World::add(Node& node, const SocketAddress& address) {
  BOXGRAM_CHECK(!by_address_.contains(address));
  node.host_ = hosts_.size();
  hosts_.push_back({&node, address, false, {}});
  by_address_[address] = node.host_;
  read_deadline(node.host_);
}

void World::remove(Node& node) {
  Host& host = hosts_[node.host_];
  BOXGRAM_CHECK(host.node == &node);
  by_address_.erase(host.address);
  host = Host{};
}

void World::rebind(Node& node, const SocketAddress& address) {
  by_address_.erase(hosts_[node.host_].address);
  hosts_[node.host_].address = address;
  by_address_[address] = node.host_;
}

SocketAddress World::address_of(const Node& node) const {
  return hosts_.at(node.host_).address;
}

World::Host* World::host_at(const SocketAddress& address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : &hosts_[found->second];
}

bool World::chance(std::uint32_t thousandths) {
  return thousandths != 0 && rng_.below(1000) < thousandths;
}

void World::send(const Node& from, const SocketAddress& to, base::Bytes bytes) {
  const SocketAddress source = hosts_[from.host_].address;
  for (Tap* tap : taps_) tap->on_sent(*this, source, to, bytes);
  const Host* target = host_at(to);
  if (hosts_[from.host_].cut || (target != nullptr && target->cut)) return;
  if (bytes.size() > link_.mtu) return;
  const int copies = chance(link_.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (chance(link_.loss)) continue;
    std::vector<std::uint8_t> damaged;
    base::Bytes copy = bytes;
    if (chance(link_.truncate)) copy = copy.first(rng_.below(copy.size()));
    if (chance(link_.bit_flip) && !copy.empty()) {
      damaged.assign(copy.begin(), copy.end());
      damaged[rng_.below(copy.size())] ^= static_cast<std::uint8_t>(1 << rng_.below(8));
      copy = damaged;
    }
    const auto jitter = static_cast<std::uint64_t>(link_.jitter.count());
    const Duration delay =
        link_.delay + Duration(jitter == 0 ? 0 : static_cast<Duration::rep>(rng_.below(jitter)));
    queue(source, to, copy, delay);
  }
}

void World::inject(const SocketAddress& from, const SocketAddress& to, base::Bytes bytes,
                   Duration delay) {
  for (Tap* tap : taps_) tap->on_injected(bytes);
  queue(from, to, bytes, delay);
}

/// A slot for an event at that time.
std::size_t World::event(Instant at) {
  if (free_events_.empty()) {
    free_events_.push_back(events_.size());
    events_.emplace_back();
  }
  const std::size_t index = free_events_.back();
  free_events_.pop_back();
  event_heap_.push_back({at, sequence_++, index});
  std::push_heap(event_heap_.begin(), event_heap_.end(), kLater);
  return index;
}

void World::queue(const SocketAddress& from, const SocketAddress& to, base::Bytes bytes,
                  Duration delay) {
  Event& event = events_[this->event(now_ + delay)];
  event.from = from;
  event.to = to;
  event.bytes.assign(bytes.begin(), bytes.end());
}

void World::at(Instant when, std::function<void()> action) {
  events_[event(std::max(when, now_))].action = std::move(action);
}

void World::partition(const Node& node, bool cut) {
  hosts_[node.host_].cut = cut;
}

void World::heal() {
  link_ = LinkOptions{};
  for (Host& host : hosts_) host.cut = false;
}

void World::read_deadline(std::size_t index) {
  Host& host = hosts_[index];
  if (host.node == nullptr) return;
  const auto deadline = host.node->next_timeout();
  if (deadline == host.deadline) return;
  host.deadline = deadline;
  if (!deadline) return;
  deadline_heap_.push_back({*deadline, index, index});
  std::push_heap(deadline_heap_.begin(), deadline_heap_.end(), kLater);
}

void World::read_all_deadlines() {
  for (std::size_t i = 0; i < hosts_.size(); ++i) read_deadline(i);
}

std::optional<Instant> World::next_event() {
  while (!deadline_heap_.empty()) {
    const Key& first = deadline_heap_.front();
    if (hosts_[first.index].deadline == first.at) break;
    std::pop_heap(deadline_heap_.begin(), deadline_heap_.end(), kLater);
    deadline_heap_.pop_back();
  }
  std::optional<Instant> next;
  if (!event_heap_.empty()) next = event_heap_.front().at;
  if (!deadline_heap_.empty() && (!next || deadline_heap_.front().at < *next))
    next = deadline_heap_.front().at;
  return next;
}

void World::fire_timeouts() {
  while (!deadline_heap_.empty() && deadline_heap_.front().at <= now_) {
    const Key first = deadline_heap_.front();
    std::pop_heap(deadline_heap_.begin(), deadline_heap_.end(), kLater);
    deadline_heap_.pop_back();
    Host& host = hosts_[first.index];
    if (host.node == nullptr || host.deadline != first.at) continue;
    host.deadline.reset();
    host.node->on_timeout(*this);
    read_deadline(first.index);
    const auto& then = hosts_[first.index].deadline;
    if (then && *then <= now_) ++spins_;
    BOXGRAM_CHECK(spins_ < 10'000);
  }
}

void World::run_until(Instant end) {
  read_all_deadlines();
  while (const auto next = next_event()) {
    if (*next > end) break;
    now_ = std::max(now_, *next);
    // One event at a time, timers between them: each is a step that checkers may look at.
    if (!event_heap_.empty() && event_heap_.front().at <= now_) {
      const std::size_t index = event_heap_.front().index;
      std::pop_heap(event_heap_.begin(), event_heap_.end(), kLater);
      event_heap_.pop_back();
      serve(index);
    }
    fire_timeouts();
  }
  now_ = std::max(now_, end);
}

void World::serve(std::size_t index) {
  // Taken out, because what happens now may need more slots.
  Event event = std::move(events_[index]);
  if (event.action) {
    event.action();
    read_all_deadlines();
  } else {
    deliver(event.from, event.to, event.bytes);
  }
  event.action = nullptr;
  events_[index] = std::move(event);
  free_events_.push_back(index);
}

void World::deliver(const SocketAddress& from, const SocketAddress& to, base::MutableBytes bytes) {
  Host* target = host_at(to);
  if (target == nullptr || target->cut) return;
  ++delivered_;
  trace(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  trace(from.ip);
  trace(from.port);
  trace(bytes);
  Node& node = *target->node;
  node.on_datagram(*this, from, bytes);
  read_deadline(node.host_);
}

void World::trace(base::Bytes bytes) {
  for (const std::uint8_t byte : bytes) trace_hash_ = (trace_hash_ ^ byte) * kFnvPrime;
}

void World::trace(std::uint64_t value) {
  std::uint8_t bytes[8];
  base::store_be64(bytes, value);
  trace(base::Bytes(bytes));
}

}  // namespace boxgram::sim
