// The sealed overlay: the same nodes, their messages in boxes.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include <boxgram/packet/datagram.hpp>

#include "sim/dht_nodes.hpp"

namespace boxgram::sim {
namespace {

/// Sees every datagram: what goes back is never more than what came, and nothing readable is in it.
class SealedTap final : public Tap {
 public:
  void on_sent(World&, const SocketAddress& from, const SocketAddress& to,
               base::Bytes bytes) override {
    ++datagrams_;
    const std::string_view text = base::as_text(bytes);
    for (const std::string& word : words_) readable_ += text.find(word) != std::string_view::npos;
    const auto type = packet::parse_header(bytes);
    if (!type) {
      ++not_sealed_;
      return;
    }
    const bool reply = *type == packet::DatagramType::msg || *type == packet::DatagramType::retry ||
                       *type == packet::DatagramType::reset;
    if (!reply) asked_[{from, to}] += static_cast<std::int64_t>(bytes.size());
    if (reply && (asked_[{to, from}] -= static_cast<std::int64_t>(bytes.size())) < 0) ++amplified_;
  }

  void look_for(std::string word) { words_.push_back(std::move(word)); }
  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }
  [[nodiscard]] std::uint64_t readable() const { return readable_; }
  [[nodiscard]] std::uint64_t not_sealed() const { return not_sealed_; }
  [[nodiscard]] std::uint64_t amplified() const { return amplified_; }

 private:
  std::map<std::pair<SocketAddress, SocketAddress>, std::int64_t> asked_;
  std::vector<std::string> words_;
  std::uint64_t datagrams_ = 0, readable_ = 0, not_sealed_ = 0, amplified_ = 0;
};

struct DhtSealed : testing::Test {
  /// Boxes cost, so this network is smaller.
  static std::size_t nodes() { return std::max<std::size_t>(sim_nodes() / 4, 40); }
  DhtSealed() {
    net.world.add(tap);
    tap.look_for("d1:ad2:id20:");
    tap.look_for("d1:rd");
    tap.look_for("snodes");
  }
  void TearDown() override {
    EXPECT_GT(tap.datagrams(), 0u);
    EXPECT_EQ(tap.not_sealed(), 0u);
    EXPECT_EQ(tap.readable(), 0u);
    EXPECT_EQ(tap.amplified(), 0u) << "a reply is never longer than its request";
    EXPECT_EQ(net.world.spins(), 0u);
  }

  DhtNetwork net{41, {.overlay = dht::Overlay::sealed}};
  SealedTap tap;
};

TEST_F(DhtSealed, FindsExactlyTheClosestNodes) {
  net.grow(nodes(), 100ms, 10min);
  for (int i = 0; i < 30; ++i) {
    const auto target = dht::NodeId::random(net.world.rng());
    const std::size_t asker = net.random_index();
    const DhtResult result = net.find_node(asker, target);
    EXPECT_EQ(hits(net.truly_closest(target, asker), result.closest), 8u);
    EXPECT_LT(result.took, 3s);
  }
}

TEST_F(DhtSealed, EveryNodeLearnsItsAddressAndSoItsId) {
  net.grow(nodes(), 100ms, 5min);
  for (std::size_t i = 0; i < net.size(); ++i)
    EXPECT_EQ(net.host(i).node().id(dht::Family::v4), net.contact(i).id);
}

TEST_F(DhtSealed, AnnouncedPeersAreFoundAndNoInfohashIsSeen) {
  net.grow(nodes(), 100ms, 5min);
  const auto infohash = dht::NodeId::random(net.world.rng());
  tap.look_for(std::string(base::as_text(infohash.bytes)));
  const DhtResult announced =
      net.run(net.random_index(), [&](dht::Node& node, Instant now, std::uint64_t tag) {
        node.announce(now, infohash, tag, {.port = 1234});
      });
  EXPECT_GE(announced.end.stored, 7u);
  const DhtResult found = net.run(
      net.random_index(),
      [&](dht::Node& node, Instant now, std::uint64_t tag) { node.get_peers(now, infohash, tag); });
  EXPECT_EQ(found.peers.size(), 1u);
  EXPECT_EQ(found.peers.begin()->port, 1234);
}

TEST_F(DhtSealed, ItemOfAThousandBytesIsStoredAndFound) {
  net.grow(nodes(), 100ms, 5min);
  const std::string value = "996:" + std::string(996, 'v');
  tap.look_for("vvvvvvvv");
  const DhtResult put = net.put(net.random_index(), value);
  EXPECT_GE(put.end.stored, 7u);
  const DhtResult got = net.get(net.random_index(), dht::immutable_target(base::as_bytes(value)));
  EXPECT_EQ(base::as_text(got.value), value);
}

// Half of all questions go without an answer; four tries leave six in a hundred.
TEST_F(DhtSealed, LossAndDamageOnlyCostTime) {
  net.grow(nodes(), 100ms, 10min);
  LinkOptions link = DhtOptions{}.link;
  link.loss = 200;
  link.duplicate = 50;
  link.bit_flip = 50;
  link.truncate = 50;
  net.world.set_link(link);
  double share = 0;
  for (int i = 0; i < 30; ++i) {
    const auto target = dht::NodeId::random(net.world.rng());
    const std::size_t asker = net.random_index();
    const DhtResult result = net.find_node(asker, target);
    EXPECT_TRUE(result.finished);
    share += static_cast<double>(hits(net.truly_closest(target, asker), result.closest)) / 8;
  }
  std::printf("share %.3f\n", share / 30);
  EXPECT_GE(share / 30, 0.88);
}

// Its associations are gone, its key is not: RESET tells those that ask it.
TEST_F(DhtSealed, RestartedNodeIsAskedAgainWithoutAPause) {
  net.grow(40, 100ms, 3min);
  const std::size_t asker = 0;
  const auto ping = [&](std::size_t index) {
    return net.run(asker, [&](dht::Node& node, Instant now, std::uint64_t tag) {
      node.ping(now, net.contact(index), tag);
    });
  };
  EXPECT_EQ(ping(5).end.outcome, dht::Outcome::done);
  EXPECT_EQ(ping(5).end.outcome, dht::Outcome::done);
  net.restart(5);
  net.world.run_for(6s);
  const DhtResult again = ping(5);
  EXPECT_EQ(again.end.outcome, dht::Outcome::done);
  EXPECT_LT(again.took, 1s);
}

TEST_F(DhtSealed, NodeThatMovedIsKnownAtItsNewAddress) {
  net.grow(30, 100ms, 5min);
  const auto before = net.contact(7);
  net.move(7);
  net.world.run_for(30min);
  std::size_t old_good = 0, known = 0;
  for (std::size_t i = 0; i < net.size(); ++i)
    for (const auto& row : net.host(i).node().table(net.world.now())) {
      old_good +=
          row.node.key == before.key && row.node.address == before.address && row.failures == 0;
      known += row.node == net.contact(7);
    }
  EXPECT_EQ(old_good, 0u);
  EXPECT_GE(known, 25u);
}

TEST_F(DhtSealed, NobodyIsToldOfHimself) {
  net.grow(2, 100ms, 5min);
  const DhtResult result = net.run(0, [&](dht::Node& node, Instant now, std::uint64_t tag) {
    node.find_node(now, net.contact(0).id, tag, true);
  });
  ASSERT_EQ(result.hops.size(), 1u);
  EXPECT_EQ(result.hops[0].nodes, 0u);
}

TEST_F(DhtSealed, OverIpv6LookupsAreExactToo) {
  DhtNetwork v6(42, {.overlay = dht::Overlay::sealed, .family = dht::Family::v6});
  v6.world.add(tap);
  v6.grow(nodes(), 100ms, 10min);
  for (int i = 0; i < 20; ++i) {
    const auto target = dht::NodeId::random(v6.world.rng());
    const std::size_t asker = v6.random_index();
    const DhtResult result = v6.find_node(asker, target);
    EXPECT_EQ(hits(v6.truly_closest(target, asker), result.closest), 8u);
  }
}

TEST_F(DhtSealed, SameSeedGivesTheSameTrace) {
  const auto history = [](std::uint64_t seed) {
    DhtNetwork small(seed, {.overlay = dht::Overlay::sealed});
    small.grow(30, 50ms, 1min);
    return small.world.trace_hash();
  };
  EXPECT_EQ(history(5), history(5));
  EXPECT_NE(history(5), history(6));
  net.grow(2, 100ms, 1s);
}

}  // namespace
}  // namespace boxgram::sim
