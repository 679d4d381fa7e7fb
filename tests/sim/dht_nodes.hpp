// DHT nodes in a World: a host that runs a dht::Node, and a whole network of them with an oracle
// that knows what no node can know.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include <boxgram/dht/node.hpp>

#include "sim/world.hpp"

namespace boxgram::sim {

/// What became of an operation.
struct DhtResult {
  bool finished = false;
  dht::Finished end;
  std::vector<dht::RemoteNode> closest;
  std::set<SocketAddress> peers;
  std::vector<std::uint8_t> value;
  std::optional<std::int64_t> sequence;
  std::vector<std::int64_t> store_errors;
  std::vector<dht::Hop> hops;
  Instant began{};
  Duration took{};
  Duration first_result{};  ///< until the first peer or item, if one came
};

class DhtHost final : public Node {
 public:
  /// `self` is what others know of it.
  DhtHost(dht::NodeConfig config, const dht::RemoteNode& self, std::uint64_t seed, Instant start);

  void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) override;
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return node_.next_timeout();
  }

  [[nodiscard]] const dht::RemoteNode& self() const { return self_; }
  /// Sealed: of the node's long-term key.
  crypto::SecretKey secret_key;
  [[nodiscard]] dht::Node& node() { return node_; }
  [[nodiscard]] const dht::Node& node() const { return node_; }
  /// After calls of node(): sends what they left to send.
  void drain(World& world);

  /// Runs an operation: `start(node, now, tag)` begins it. Gives its tag.
  template <class F>
  std::uint64_t run(World& world, F&& start) {
    const std::uint64_t tag = ++last_tag_;
    results_[tag].began = world.now();
    start(node_, world.now(), tag);
    drain(world);
    world.wake(*this);
    return tag;
  }
  [[nodiscard]] const DhtResult& result(std::uint64_t tag) const { return results_.at(tag); }
  void forget(std::uint64_t tag) { results_.erase(tag); }

 private:
  void on_event(World& world, const dht::NodeEvent& event);

  dht::RemoteNode self_;
  test::SeededRng rng_;
  dht::Node node_;
  std::uint64_t last_tag_ = 0;
  std::map<std::uint64_t, DhtResult> results_;
};

struct DhtOptions {
  dht::Overlay overlay = dht::Overlay::mainline;
  dht::Family family = dht::Family::v4;
  LinkOptions link{.delay = 20ms, .jitter = 60ms};
};

/// Honest nodes, each in a network of its own.
class DhtNetwork {
 public:
  DhtNetwork(std::uint64_t seed, const DhtOptions& options = {});

  /// A node that knows `contacts` others, at random, from which it joins.
  DhtHost& add(std::size_t contacts = 3);
  /// So many, with a pause between, then time to settle.
  void grow(std::size_t count, Duration pause = 100ms, Duration settle = 2min);
  /// It loses its memory, but for its key and its address, and comes back at once.
  void restart(std::size_t index);
  /// The same with another address.
  void move(std::size_t index);
  /// It goes without a word.
  void kill(std::size_t index);

  [[nodiscard]] std::size_t size() const { return hosts_.size(); }
  [[nodiscard]] DhtHost& host(std::size_t index) { return *hosts_[index]; }
  [[nodiscard]] std::size_t random_index() { return world.rng().below(hosts_.size()); }
  [[nodiscard]] SocketAddress fresh_address();
  [[nodiscard]] const dht::RemoteNode& contact(std::size_t index) const {
    return hosts_[index]->self();
  }

  /// The `count` nearest of the living but one, who asks, nearest first.
  [[nodiscard]] std::vector<dht::NodeId> truly_closest(const dht::NodeId& target, std::size_t asker,
                                                       std::size_t count = 8) const;
  /// Runs one operation at one node until it has ended.
  template <class F>
  DhtResult run(std::size_t index, F&& start) {
    DhtHost& host = *hosts_[index];
    const std::uint64_t tag = host.run(world, start);
    for (int i = 0; i < 600 && !host.result(tag).finished; ++i) world.run_for(100ms);
    DhtResult result = host.result(tag);
    host.forget(tag);
    return result;
  }
  DhtResult find_node(std::size_t index, const dht::NodeId& target);
  DhtResult get(std::size_t index, const dht::NodeId& target);
  DhtResult put(std::size_t index, std::string_view bencoded);

  World world;

 private:
  /// A copy: the one who names it is about to go.
  void replace(std::size_t index, dht::RemoteNode self);
  DhtHost& start(const dht::RemoteNode& self, crypto::SecretKey secret_key, std::size_t contacts);

  std::uint64_t seed_;
  DhtOptions options_;
  std::uint32_t last_network_ = 0;
  std::uint64_t made_ = 0;
  std::vector<std::unique_ptr<DhtHost>> hosts_;
};

/// The size of the networks that tests grow: 250, so that all tests take seconds, or what
/// BOXGRAM_DHT_NODES says (thousands take minutes).
std::size_t sim_nodes();

/// How many of `truth` are among `found`.
std::size_t hits(const std::vector<dht::NodeId>& truth, const std::vector<dht::RemoteNode>& found);

}  // namespace boxgram::sim
