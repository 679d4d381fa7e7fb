// Nodes that answer, but not honestly.
#pragma once

#include <vector>

#include "sim/dht_nodes.hpp"

namespace boxgram::sim {

/// Answers every query as an honest node would, except for what it says. It makes itself known by
/// pinging honest nodes, and answers their pings.
class DhtAttacker : public Node {
 public:
  DhtAttacker(const dht::NodeId& id, std::uint64_t seed) : id_(id), rng_(seed) {}

  void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) override;
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override { return next_; }

  /// Honest nodes that it pings in turn, one a second.
  void set_victims(std::vector<SocketAddress> victims, Instant from) {
    victims_ = std::move(victims);
    next_ = from;
  }
  [[nodiscard]] const dht::NodeId& id() const { return id_; }
  [[nodiscard]] std::uint64_t stores_swallowed() const { return stores_swallowed_; }

 protected:
  /// Whom it names to somebody who looks for `target`.
  virtual std::vector<dht::Contact> names(const dht::NodeId& target) = 0;
  test::SeededRng& rng() { return rng_; }

 private:
  dht::NodeId id_;
  test::SeededRng rng_;
  std::vector<SocketAddress> victims_;
  std::size_t next_victim_ = 0;
  std::optional<Instant> next_;
  std::uint64_t stores_swallowed_ = 0;
};

/// One of many around a target: names its accomplices only, and swallows what is stored with it.
class Sybil final : public DhtAttacker {
 public:
  using DhtAttacker::DhtAttacker;
  void set_accomplices(std::vector<dht::Contact> all) { all_ = std::move(all); }

 private:
  std::vector<dht::Contact> names(const dht::NodeId& target) override;
  std::vector<dht::Contact> all_;
};

/// Names nodes next to any target that do not exist.
class Liar final : public DhtAttacker {
 public:
  using DhtAttacker::DhtAttacker;

 private:
  std::vector<dht::Contact> names(const dht::NodeId& target) override;
};

}  // namespace boxgram::sim
