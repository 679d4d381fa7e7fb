// What a node asks, whom it believes, and what its owner is told.
#include <map>

#include "dht/node_harness.hpp"

namespace boxgram::test {
namespace {

using dht::Contact;
using dht::Family;
using dht::Finished;
using dht::HopKind;
using dht::NodeDrop;
using dht::Outcome;
using dht::Pinged;

struct NodeClient : testing::Test {
  NodeId random_id() { return NodeId::random(net.rng); }
  /// An id at a distance from the target whose first byte is this one.
  NodeId near_target(std::uint8_t distance) {
    NodeId made = target;
    made.bytes[0] ^= distance;
    return made;
  }
  RemoteNode stranger(std::uint8_t network) { return {random_id(), host(network), {}}; }
  std::vector<NodeId> closest() {
    std::vector<NodeId> ids;
    const auto ends = net.events<Finished>();
    for (const RemoteNode& node : ends.back().closest) ids.push_back(node.id);
    return ids;
  }

  NodeHarness net;
  NodeId target = random_id();
};

TEST_F(NodeClient, PingTellsTheRoundTrip) {
  const RemoteNode peer = stranger(1);
  net.node.ping(net.now, peer, 7);
  const auto sent = net.sent();
  ASSERT_EQ(sent.size(), 1u);
  net.now += 30ms;
  net.answer(sent[0], peer.id);
  ASSERT_EQ(net.events<Pinged>().size(), 1u);
  EXPECT_EQ(net.events<Pinged>()[0].round_trip, 30ms);
  ASSERT_EQ(net.events<Finished>().size(), 1u);
  EXPECT_EQ(net.events<Finished>()[0].tag, 7u);
  EXPECT_EQ(net.events<Finished>()[0].outcome, Outcome::done);
}

TEST_F(NodeClient, PingWithoutAnAnswerTimesOutAfter8Seconds) {
  net.node.ping(net.now, stranger(1), 7);
  net.sent();
  net.pass(7999ms);
  EXPECT_TRUE(net.events<Finished>().empty());
  net.pass(1ms);
  ASSERT_EQ(net.events<Finished>().size(), 1u);
  EXPECT_EQ(net.events<Finished>()[0].outcome, Outcome::timed_out);
}

TEST_F(NodeClient, PingOfAnUnknownIdLearnsIt) {
  const NodeId id = random_id();
  net.node.ping(net.now, {{}, host(1), {}}, 7);
  net.answer(net.sent().at(0), id);
  EXPECT_EQ(net.events<Pinged>().at(0).node.id, id);
  EXPECT_TRUE(net.knows(id));
}

TEST_F(NodeClient, OneEndpointIsOneNodeWithAndWithoutItsId) {
  // Where addresses are local, several nodes of a network count, but not one of them twice.
  dht::NodeConfig config;
  config.addresses = dht::AddressPolicy::and_local;
  NodeHarness local(std::move(config));
  const RemoteNode seed{random_id(), SocketAddress::v4(127, 0, 0, 1, 6881), {}};
  local.introduce(seed);
  const RemoteNode same_without_id{{}, seed.address, {}};
  local.node.bootstrap(local.now, {&same_without_id, 1});
  local.node.find_node(local.now, target, 7);
  for (const Sent& one : local.sent()) local.answer(one, seed.id);
  const Finished finished = local.events<Finished>().back();
  EXPECT_EQ(finished.tag, 7u);
  EXPECT_EQ(finished.closest.size(), 1u);
}

TEST_F(NodeClient, MartianIsNotPinged) {
  net.node.ping(net.now, {random_id(), SocketAddress::v4(10, 0, 0, 1, 53), {}}, 7);
  EXPECT_TRUE(net.sent().empty());
  net.pass(0ms);
  net.deliver(host(9), {});
  EXPECT_EQ(net.events<Finished>().at(0).outcome, Outcome::no_nodes);
}

TEST_F(NodeClient, LookupWithNobodyToAskEndsAtOnce) {
  net.node.find_node(net.now, target, 7);
  net.deliver(host(9), {});
  ASSERT_EQ(net.events<Finished>().size(), 1u);
  EXPECT_EQ(net.events<Finished>()[0].outcome, Outcome::no_nodes);
}

TEST_F(NodeClient, LookupAsksFiveAtATimeNearestFirst) {
  std::vector<RemoteNode> nodes;
  for (std::uint8_t i = 1; i <= 20; ++i) {
    nodes.push_back({near_target(static_cast<std::uint8_t>(i * 8)), host(i), {}});
    net.introduce(nodes.back());
  }
  net.node.find_node(net.now, target, 7);
  auto sent = net.sent();
  ASSERT_EQ(sent.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(sent[i].to, nodes[i].address);
  net.answer(sent[0], nodes[0].id);
  ASSERT_EQ(net.sent().size(), 1u) << "an answer opens a slot";
  net.drop_sent = false;
  net.pass(1s);
  EXPECT_FALSE(net.sent().empty()) << "and so does a second";
}

TEST_F(NodeClient, LookupFollowsWhatItIsTold) {
  const RemoteNode first{near_target(128), host(1), {}}, second{near_target(1), host(2), {}};
  net.introduce(first);
  net.node.find_node(net.now, target, 7);
  const std::array<Contact, 1> named = {Contact{second.id, second.address}};
  dht::Reply reply;
  reply.nodes = named;
  net.answer(net.sent().at(0), first.id, reply);
  const auto sent = net.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].to, second.address);
  net.answer(sent[0], second.id);
  EXPECT_EQ(closest(), (std::vector{second.id, first.id}));
  EXPECT_EQ(net.events<Finished>().back().answered, 2u);
}

TEST_F(NodeClient, SlowNodeIsAskedAgainAndThenLeftOut) {
  net.introduce({near_target(1), host(1), {}});
  net.node.find_node(net.now, target, 7);
  std::size_t datagrams = net.sent().size();
  net.drop_sent = false;
  for (int i = 0; i < 80 && net.events<Finished>().size() < 2; ++i) {
    net.pass(100ms);
    for (const auto& sent : net.sent()) datagrams += sent.to == host(1);
  }
  EXPECT_EQ(datagrams, 4u);
  EXPECT_TRUE(closest().empty());
  EXPECT_EQ(net.events<Finished>().back().outcome, Outcome::done);
}

TEST_F(NodeClient, LateAnswerIsStillGoodFor8Seconds) {
  const RemoteNode late = stranger(1);
  net.node.ping(net.now, late, 7);
  const auto sent = net.sent();
  net.pass(7900ms);
  net.answer(sent.at(0), late.id);
  EXPECT_EQ(net.events<Pinged>().size(), 1u);
}

TEST_F(NodeClient, NodeThatFailsLeavesTheTable) {
  const RemoteNode dead = stranger(1), alive = stranger(2);
  net.introduce(dead);
  net.introduce(alive);
  net.drop_sent = false;
  for (int i = 0; i < 3600 && net.knows(dead.id); ++i) {
    net.pass(1s);
    for (const auto& sent : net.sent())
      if (sent.to == alive.address) net.answer(sent, alive.id);
  }
  EXPECT_FALSE(net.knows(dead.id));
  EXPECT_TRUE(net.knows(alive.id));
}

TEST_F(NodeClient, NobodyIsForgottenWhileOurOwnNetworkIsDown) {
  for (std::uint8_t i = 1; i <= 10; ++i) net.introduce(stranger(i));
  net.pass(2h);
  EXPECT_EQ(net.known(), 10u);
}

TEST_F(NodeClient, TableIsRefreshedOneNodeEvery5Seconds) {
  std::map<SocketAddress, NodeId> nodes;
  for (std::uint8_t i = 1; i <= 100; ++i) {
    const RemoteNode peer = stranger(i);
    nodes[peer.address] = peer.id;
    net.introduce(peer);
  }
  net.drop_sent = false;
  std::size_t asked = 0;
  for (int i = 0; i < 300; ++i) {
    net.pass(1s);
    for (const auto& sent : net.sent()) {
      net.answer(sent, nodes.at(sent.to));
      // The first minutes have lookups of the node's own as well.
      asked += i >= 240;
    }
  }
  EXPECT_GE(asked, 11u);
  EXPECT_LE(asked, 13u);
}

TEST_F(NodeClient, HintsAreFollowedFiveASecond) {
  for (std::uint8_t i = 1; i <= 200; ++i) net.query(host(i), random_id(), dht::Ping{});
  net.drop_sent = false;
  std::size_t pinged = 0;
  for (int i = 0; i < 50; ++i) {
    net.pass(100ms);
    pinged += net.sent().size();
  }
  EXPECT_GE(pinged, 23u);
  EXPECT_LE(pinged, 27u);
  EXPECT_GT(net.node.counters().hints_dropped, 0u);
}

TEST_F(NodeClient, ReadOnlyNodeSaysSoInItsQueries) {
  dht::NodeConfig config;
  config.read_only = true;
  NodeHarness silent(std::move(config));
  silent.node.ping(silent.now, stranger(1), 7);
  EXPECT_TRUE(silent.sent().at(0).query.read_only);
  net.node.ping(net.now, stranger(1), 7);
  EXPECT_FALSE(net.sent().at(0).query.read_only);
}

TEST_F(NodeClient, CancelledOperationEndsWithoutAnEvent) {
  net.introduce(stranger(1));
  const std::size_t before = net.events<Finished>().size();
  const auto operation = net.node.find_node(net.now, target, 7);
  net.sent();
  net.node.cancel(operation);
  net.node.cancel(operation);
  net.pass(20s);
  EXPECT_EQ(net.events<Finished>().size(), before);
}

TEST_F(NodeClient, OperationsBeyondTheCapacityAreRefused) {
  dht::NodeConfig config;
  config.max_operations = 4;
  NodeHarness small(std::move(config));
  unsigned begun = 0;
  for (int i = 0; i < 20; ++i) begun += small.node.ping(small.now, stranger(1), 7) != 0;
  EXPECT_LT(begun, 20u);
  EXPECT_GE(begun, 4u);
  EXPECT_GT(small.node.counters().full, 0u);
  small.sent();
  small.pass(10s);
  EXPECT_EQ(small.events<Finished>().size(), begun);
  EXPECT_NE(small.node.ping(small.now, stranger(1), 7), 0u) << "places are free again";
}

TEST_F(NodeClient, MalformedOptionalPartsOfAReplyDoNoHarm) {
  const RemoteNode peer = stranger(1);
  net.introduce(peer);
  net.node.get_peers(net.now, target, 7);
  const auto sent = net.sent();
  // A martian peer, and a string that is no peer.
  const std::string text = "d1:rd2:id20:" + std::string(base::as_text(peer.id.bytes)) +
                           "6:valuesl6:" + std::string("\x7f\0\0\1\0\1", 6) + "3:abcee1:t6:" +
                           std::string(base::as_text(sent.at(0).query.transaction)) + "1:y1:re";
  net.deliver(peer.address, Octets(text.begin(), text.end()));
  EXPECT_TRUE(net.events<dht::PeersFound>().empty());
}

TEST_F(NodeClient, PeersAreToldAsTheyArrive) {
  for (std::uint8_t i = 1; i <= 3; ++i) net.introduce(stranger(i));
  net.node.get_peers(net.now, target, 7);
  const auto sent = net.sent();
  const std::array<SocketAddress, 2> peers = {host(50), host(51)};
  dht::Reply reply;
  reply.peers = peers;
  reply.token = base::as_bytes("token");
  for (const auto& row : net.node.table(net.now))
    if (row.node.address == sent.at(0).to) net.answer(sent[0], row.node.id, reply);
  const auto found = net.events<dht::PeersFound>();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tag, 7u);
  EXPECT_EQ(found[0].from.address, sent[0].to);
  EXPECT_TRUE(net.events<Finished>().empty() || net.events<Finished>().back().tag != 7u);
}

// BEP 32: each family has its own lookup, and what is named of the other one belongs there.
TEST_F(NodeClient, NodesOfTheOtherFamilyAreAskedInItsLookup) {
  dht::NodeConfig config;
  config.v6 = true;
  NodeHarness dual(std::move(config));
  const RemoteNode v4{random_id(), host(1), {}};
  const RemoteNode v6{random_id(), base::parse_socket_address("[2a00:1::1]:6881", 0).value(), {}};
  const RemoteNode other{
      near_target(1), base::parse_socket_address("[2a00:2::1]:1", 0).value(), {}};
  dual.introduce(v4);
  dual.introduce(v6);
  dual.node.find_node(dual.now, target, 7);
  auto sent = dual.sent();
  ASSERT_EQ(sent.size(), 2u);
  const std::array<Contact, 1> named = {Contact{other.id, other.address}};
  dht::Reply reply;
  reply.nodes6 = named;
  for (const Sent& one : sent) {
    EXPECT_EQ(std::get<dht::FindNode>(one.query.arguments).want, (dht::Want{true, true}));
    if (one.to == v4.address) dual.answer(one, v4.id, reply);
  }
  const auto next = dual.sent();
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].to, other.address);
  dual.answer(next[0], other.id);
  for (const Sent& one : sent)
    if (one.to == v6.address) dual.answer(one, v6.id);
  EXPECT_EQ(dual.events<Finished>().back().closest.size(), 3u);
}

TEST_F(NodeClient, FamilyWithoutASocketIsNotAsked) {
  const RemoteNode v4{random_id(), host(1), {}};
  net.introduce(v4);
  net.node.find_node(net.now, target, 7);
  const std::array<Contact, 1> named = {
      Contact{near_target(1), base::parse_socket_address("[2a00:2::1]:1", 0).value()}};
  dht::Reply reply;
  reply.nodes6 = named;
  net.answer(net.sent().at(0), v4.id, reply);
  EXPECT_TRUE(net.sent().empty());
  EXPECT_EQ(net.events<Finished>().back().answered, 1u);
}

TEST_F(NodeClient, AddressIsBelievedWhenFourNetworksAgree) {
  const SocketAddress ours = SocketAddress::v4(99, 1, 2, 3, 777);
  const NodeId before = net.node.id(Family::v4);
  dht::Reply reply;
  reply.ip = ours;
  for (std::uint8_t i = 1; i <= 4; ++i) {
    EXPECT_TRUE(net.events<dht::AddressLearnt>().empty());
    const RemoteNode voter = stranger(i);
    net.node.ping(net.now, voter, 7);
    net.answer(net.sent().at(0), voter.id, reply);
  }
  ASSERT_EQ(net.events<dht::AddressLearnt>().size(), 1u);
  EXPECT_EQ(net.events<dht::AddressLearnt>()[0].address.ip, ours.ip);
  EXPECT_NE(net.node.id(Family::v4), before);
  EXPECT_TRUE(is_bound_to_ip(net.node.id(Family::v4), ours));
  EXPECT_EQ(net.known(), 4u) << "the table is filed anew";
}

TEST_F(NodeClient, OneNetworkHasOneVote) {
  dht::Reply reply;
  reply.ip = SocketAddress::v4(99, 1, 2, 3, 777);
  for (std::uint8_t i = 1; i <= 20; ++i) {
    const RemoteNode voter{random_id(), host(1, i), {}};
    net.node.ping(net.now, voter, 7);
    net.answer(net.sent().at(0), voter.id, reply);
  }
  EXPECT_TRUE(net.events<dht::AddressLearnt>().empty());
}

TEST_F(NodeClient, SavedTableIsPingedBeforeItIsBelieved) {
  std::vector<RemoteNode> nodes;
  for (std::uint8_t i = 1; i <= 20; ++i) {
    nodes.push_back(stranger(i));
    net.introduce(nodes.back());
  }
  const Octets saved = net.node.export_table();
  NodeHarness later({}, 2);
  ASSERT_TRUE(later.node.import_table(later.now, saved));
  EXPECT_EQ(later.known(), 0u);
  later.drop_sent = false;
  for (int i = 0; i < 100; ++i) {
    later.pass(100ms);
    for (const auto& sent : later.sent())
      for (const RemoteNode& node : nodes)
        if (node.address == sent.to && node.address.ip[14] % 2 == 0) later.answer(sent, node.id);
  }
  EXPECT_EQ(later.known(), 10u) << "those that answer";
}

TEST_F(NodeClient, WhatIsNoSavedTableIsRefused) {
  const auto refused = [&](std::string_view text) {
    return !net.node.import_table(net.now, base::as_bytes(text));
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("le"));
  EXPECT_TRUE(refused("d5:nodesi1ee"));
  EXPECT_TRUE(refused("d5:nodes3:abce"));
  EXPECT_TRUE(refused("de and more"));
  EXPECT_FALSE(refused("de"));
}

TEST_F(NodeClient, JoinsAgainAndAgainUntilSomebodyAnswers) {
  const std::array<RemoteNode, 1> seed = {RemoteNode{{}, host(1), {}}};
  net.node.bootstrap(net.now, seed);
  net.drop_sent = false;
  std::vector<base::Instant> tries;
  for (int i = 0; i < 3000; ++i) {
    net.pass(100ms);
    for (const auto& sent : net.sent()) {
      EXPECT_EQ(sent.to, host(1));
      tries.push_back(net.now);
    }
  }
  EXPECT_GE(tries.size(), 20u);
  EXPECT_LE(tries.size(), 60u);
  EXPECT_GE(tries.back() - tries.front(), 200s);
}

}  // namespace
}  // namespace boxgram::test
