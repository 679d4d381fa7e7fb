// A deterministic network: virtual time, nodes, links with faults. One thread, integers only: one
// seed gives one history on every compiler, which trace_hash() proves.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::sim {

using base::Duration;
using base::Instant;
using base::SocketAddress;
using namespace std::chrono_literals;

/// What a link does to a datagram; chances in thousandths.
struct LinkOptions {
  Duration delay = 10ms;
  Duration jitter = 0ms;  ///< up to so much more; larger than the gap of two sends, it reorders
  std::uint32_t loss = 0;
  std::uint32_t duplicate = 0;
  std::uint32_t bit_flip = 0;
  std::uint32_t truncate = 0;
  std::size_t mtu = 1500;  ///< of UDP payload: larger ones vanish
};

class World;

/// A host. It acts only when the world calls it, and sends by World::send(). Its deadline is read
/// again after each such call and after each scripted action; whoever calls a node in between calls
/// World::wake().
class Node {
 public:
  virtual ~Node() = default;
  virtual void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) = 0;
  virtual void on_timeout(World& world) = 0;
  [[nodiscard]] virtual std::optional<Instant> next_timeout() const = 0;

 private:
  friend class World;
  std::size_t host_ = 0;  // its place in the world
};

/// Sees what honest nodes send, before any fault: a checker, or an attacker on the path.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void on_sent(World& world, const SocketAddress& from, const SocketAddress& to,
                       base::Bytes bytes) = 0;
  /// What attackers send; nothing to see for most.
  virtual void on_injected(base::Bytes) {}
};

class World {
 public:
  explicit World(std::uint64_t seed, const LinkOptions& link = {});
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] test::SeededRng& rng() { return rng_; }

  /// Nodes and taps belong to the caller and must outlive the world's last run, or be removed.
  void add(Node& node, const SocketAddress& address);
  /// What is under way to it is lost.
  void remove(Node& node);
  void add(Tap& tap) { taps_.push_back(&tap); }
  /// A NAT gives the node another address: what is under way to the old one is lost.
  void rebind(Node& node, const SocketAddress& address);
  [[nodiscard]] SocketAddress address_of(const Node& node) const;

  /// From an honest node: seen by taps, then subject to the link's faults.
  void send(const Node& from, const SocketAddress& to, base::Bytes bytes);
  /// From an attacker: any source address, no faults.
  void inject(const SocketAddress& from, const SocketAddress& to, base::Bytes bytes,
              Duration delay = 1ms);

  /// A scripted action.
  void at(Instant when, std::function<void()> action);
  void after(Duration delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }

  void set_link(const LinkOptions& link) { link_ = link; }
  [[nodiscard]] const LinkOptions& link() const { return link_; }
  /// Cuts a node off in both directions, or joins it again.
  void partition(const Node& node, bool cut);
  [[nodiscard]] bool is_cut(const Node& node) const { return hosts_[node.host_].cut; }
  /// A perfect network from now on.
  void heal();

  /// The node was called from outside: its deadline may be another one now.
  void wake(Node& node) { read_deadline(node.host_); }

  void run_until(Instant end);
  void run_for(Duration duration) { run_until(now_ + duration); }

  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  /// Calls of on_timeout() that did not move the node's deadline forward: a spinning node.
  [[nodiscard]] std::uint64_t spins() const { return spins_; }

 private:
  struct Host {
    Node* node = nullptr;  // null: removed
    SocketAddress address;
    bool cut = false;
    std::optional<Instant> deadline;
  };
  struct Event {
    SocketAddress from, to;
    std::vector<std::uint8_t> bytes;
    std::function<void()> action;
  };
  /// What the heaps hold: small, and `order` makes every history the only one.
  struct Key {
    Instant at;
    std::uint64_t order;  // events: a sequence number; deadlines: the host
    std::size_t index;
  };
  struct AddressHash {
    std::size_t operator()(const SocketAddress& address) const;
  };

  [[nodiscard]] Host* host_at(const SocketAddress& address);
  std::size_t event(Instant at);
  void queue(const SocketAddress& from, const SocketAddress& to, base::Bytes bytes, Duration delay);
  void serve(std::size_t index);
  void deliver(const SocketAddress& from, const SocketAddress& to, base::MutableBytes bytes);
  void read_deadline(std::size_t host);
  void read_all_deadlines();
  void fire_timeouts();
  [[nodiscard]] std::optional<Instant> next_event();
  bool chance(std::uint32_t thousandths);
  void trace(base::Bytes bytes);
  void trace(std::uint64_t value);

  Instant now_{};
  test::SeededRng rng_;
  LinkOptions link_;
  std::vector<Host> hosts_;
  std::unordered_map<SocketAddress, std::size_t, AddressHash> by_address_;
  std::vector<Tap*> taps_;
  std::vector<Event> events_;  // slots, reused with their buffers
  std::vector<std::size_t> free_events_;
  std::vector<Key> event_heap_;
  std::vector<Key> deadline_heap_;  // may hold deadlines that are not a host's any more
  std::uint64_t sequence_ = 0;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325;
  std::uint64_t delivered_ = 0;
  std::uint64_t spins_ = 0;
};

}  // namespace boxgram::sim
