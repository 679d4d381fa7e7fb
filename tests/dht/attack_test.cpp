// Attacks that work, or have worked, against other implementations; a test for each.
#include <set>

#include "dht/node_harness.hpp"

namespace boxgram::test {
namespace {

using dht::Contact;
using dht::FindNode;
using dht::Finished;
using dht::NodeDrop;
using dht::Ping;

struct Attack : testing::Test {
  NodeId random_id() { return NodeId::random(net.rng); }
  RemoteNode stranger(std::uint8_t network, std::uint8_t last = 1) {
    return {random_id(), host(network, last), {}};
  }
  /// A reply that nobody asked for.
  Octets pong(base::Bytes transaction, const NodeId& id) {
    dht::Reply reply;
    reply.transaction = transaction;
    reply.id = id;
    return NodeHarness::encoded(reply);
  }

  NodeHarness net;
};

// jech/dht, and so Transmission: 12 of 12 unsolicited pongs make a node "good".
TEST_F(Attack, UnsolicitedPongsMakeNobodyGood) {
  for (std::uint8_t i = 1; i <= 12; ++i)
    net.deliver(host(i), pong(base::as_bytes("pn\0\0"), random_id()));
  EXPECT_EQ(net.known(), 0u);
  EXPECT_EQ(net.drops(NodeDrop::unknown_tid), 12u);
  net.drop_sent = false;
  net.pass(10s);
  EXPECT_TRUE(net.sent().empty()) << "not even a hint";
}

TEST_F(Attack, AnswerIsTakenOnceOnly) {
  const RemoteNode peer = stranger(1);
  net.node.ping(net.now, peer, 1);
  const auto sent = net.sent();
  net.answer(sent.at(0), peer.id);
  net.answer(sent.at(0), peer.id);
  EXPECT_EQ(net.events<dht::Pinged>().size(), 1u);
  EXPECT_EQ(net.drops(NodeDrop::unknown_tid), 1u);
}

// pubky/mainline: tokens made by CRC32C are forged 10,000 times of 10,000 (see also
// TokenTest.WriteTokenCannotBeForged).
TEST_F(Attack, WriteTokenCannotBeForged) {
  const NodeId target = random_id();
  for (int i = 0; i < 1000; ++i) {
    Octets guess(8);
    net.rng.fill(guess);
    net.now += 100ms;  // below the rate that is answered
    const Octets reply = net.query(host(static_cast<std::uint8_t>(i % 250)), random_id(),
                                   dht::AnnouncePeer{target, 1, false, false, guess});
    EXPECT_EQ(error_of(reply), 203);
  }
  EXPECT_EQ(net.node.counters().peers_stored, 0u);
}

// dht-rpc (hyperdht): replies are matched by a sequential 16-bit id, their source is not compared.
TEST_F(Attack, AnswerFromAnotherSourceIsRefused) {
  const RemoteNode peer = stranger(1);
  net.node.ping(net.now, peer, 1);
  const auto sent = net.sent();
  auto elsewhere = sent.at(0);
  for (const auto& from : {host(2), host(1, 2), host(1, 1, 6882)}) {
    elsewhere.to = from;
    net.answer(elsewhere, peer.id);
  }
  EXPECT_EQ(net.drops(NodeDrop::wrong_endpoint), 3u);
  EXPECT_TRUE(net.events<dht::Pinged>().empty());
  net.answer(sent.at(0), peer.id);
  EXPECT_EQ(net.events<dht::Pinged>().size(), 1u) << "and the true one still counts";
}

TEST_F(Attack, TransactionIdsCannotBeGuessed) {
  std::set<Octets> seen;
  for (int i = 0; i < 500; ++i) {
    const RemoteNode peer = stranger(1);
    net.node.ping(net.now, peer, 1);
    const auto sent = net.sent();
    const auto transaction = sent.at(0).query.transaction;
    EXPECT_TRUE(seen.emplace(transaction.begin(), transaction.end()).second);
    // From the right address, with the ids next to the right one.
    for (const int step : {-1, 1, 256}) {
      Octets guess(transaction.begin(), transaction.end());
      base::store_be32(guess.data() + 2, base::load_be32(guess.data() + 2) + step);
      net.deliver(peer.address, pong(guess, peer.id));
    }
    net.answer(sent.at(0), peer.id);
  }
  EXPECT_EQ(net.drops(NodeDrop::unknown_tid), 1500u);
}

// libtorrent 2.0.8: get_peers 11.8x, BEP 44 get 15.3x. A forged source gets what its budget holds.
TEST_F(Attack, BytesToAForgedSourceAreBudgeted) {
  for (std::uint8_t i = 1; i <= 60; ++i) net.introduce(stranger(i));
  const NodeId target = random_id();
  std::size_t bytes = 0;
  for (int i = 0; i < 10'000; ++i) {
    // From every host of one network, forged, at 1,000 a second.
    const auto victim = host(200, static_cast<std::uint8_t>(i));
    bytes += net.query(victim, random_id(), dht::GetPeers{target, {}, false, false}, true).size();
    net.now += 1ms;
  }
  EXPECT_GT(bytes, 32'000u);
  EXPECT_LE(bytes, 32'000u + 10 * 8'000u);
  EXPECT_GT(net.drops(NodeDrop::byte_budget) + net.drops(NodeDrop::rate_limited), 9'000u);
}

TEST_F(Attack, ReplyStaysBelow1024Bytes) {
  for (std::uint8_t i = 1; i <= 60; ++i) net.introduce(stranger(i));
  const NodeId target = random_id();
  for (std::uint8_t i = 1; i <= 200; ++i) {
    const Octets reply =
        net.query(host(i), random_id(), dht::GetPeers{target, {true, true}, false, false}, true);
    EXPECT_LE(reply.size(), 1024u);
    const auto token = response_of(reply).token;
    net.query(host(i), random_id(),
              dht::AnnouncePeer{target, i, false, false, Octets(token.begin(), token.end())}, true);
  }
}

// aria2: its rate limit bans whoever is named as the source of a flood.
TEST_F(Attack, ForgedFloodTakesNothingButAnswersFromItsVictim) {
  const RemoteNode victim = stranger(1);
  net.introduce(victim);
  for (int i = 0; i < 1000; ++i) net.query(host(1, 77), random_id(), Ping{}, true);
  EXPECT_FALSE(net.query(victim.address, victim.id, Ping{}).empty())
      << "a flood in its network's name leaves a known node its own allowance";
  for (int i = 0; i < 1000; ++i) net.query(victim.address, victim.id, Ping{});
  EXPECT_TRUE(net.query(victim.address, victim.id, Ping{}).empty());
  EXPECT_TRUE(net.knows(victim.id));
  net.node.ping(net.now, victim, 9);
  net.answer(net.sent().at(0), victim.id);
  EXPECT_EQ(net.events<dht::Pinged>().back().tag, 9u) << "its answers count";
  net.now += 1s;
  EXPECT_FALSE(net.query(victim.address, victim.id, Ping{}).empty()) << "and it is over at once";
}

// Mainline at large: nodes that answer each lookup under an id made for its target.
TEST_F(Attack, IdMadeForTheTargetIsEvicted) {
  const RemoteNode liar = stranger(1);
  net.introduce(liar);
  NodeId target = random_id();
  net.node.find_node(net.now, target, 7);
  NodeId made = target;
  made.bytes[19] ^= 1;
  net.answer(net.sent().at(0), made);
  EXPECT_EQ(net.drops(NodeDrop::wrong_id), 1u);
  EXPECT_TRUE(net.events<Finished>().back().closest.empty());
  EXPECT_FALSE(net.knows(liar.id));
  EXPECT_FALSE(net.knows(made));
}

TEST_F(Attack, NeighboursThatALiarMakesUpAreOneForANetwork) {
  const RemoteNode liar = stranger(1);
  net.introduce(liar);
  const NodeId target = random_id();
  net.node.find_node(net.now, target, 7);
  std::vector<Contact> made;
  for (std::uint8_t i = 0; i < 16; ++i) {
    NodeId id = target;
    id.bytes[19] ^= static_cast<std::uint8_t>(i + 1);
    made.push_back({id, host(66, static_cast<std::uint8_t>(i + 1))});
  }
  dht::Reply reply;
  reply.nodes = made;
  net.answer(net.sent().at(0), liar.id, reply);
  std::size_t asked = 0;
  for (int i = 0; i < 20; ++i) {
    for (const auto& sent : net.sent()) {
      ++asked;
      for (const Contact& contact : made)
        if (contact.address == sent.to) net.answer(sent, contact.id);
    }
  }
  EXPECT_LE(asked, 2u);

  EXPECT_LE(net.events<Finished>().back().closest.size(), 2u);
}

TEST_F(Attack, ManyIdsOfOneAddressAreOneNode) {
  for (std::uint16_t port = 1; port <= 50; ++port) {
    const RemoteNode made{random_id(), host(1, 1, port), {}};
    net.node.ping(net.now, made, 1);
    net.answer(net.sent().at(0), made.id);
  }
  EXPECT_EQ(net.known(), 1u);
}

TEST_F(Attack, OurOwnIdIsNobodyElse) {
  const NodeId ours = net.node.id(dht::Family::v4);
  net.node.ping(net.now, {{}, host(1), {}}, 1);
  net.answer(net.sent().at(0), ours);
  EXPECT_EQ(net.known(), 0u);
  EXPECT_EQ(net.drops(NodeDrop::own_id), 1u);
  // Named by others it is passed over.
  const RemoteNode liar = stranger(2);
  net.introduce(liar);
  net.node.find_node(net.now, random_id(), 7);
  const std::array<Contact, 1> named = {Contact{ours, host(3)}};
  dht::Reply reply;
  reply.nodes = named;
  net.answer(net.sent().at(0), liar.id, reply);
  EXPECT_TRUE(net.sent().empty());
}

TEST_F(Attack, MartiansThatALiarNamesAreNotAsked) {
  const RemoteNode liar = stranger(1);
  net.introduce(liar);
  net.node.find_node(net.now, random_id(), 7);
  const std::array<Contact, 4> named = {
      Contact{random_id(), SocketAddress::v4(127, 0, 0, 1, 22)},
      Contact{random_id(), SocketAddress::v4(192, 168, 1, 1, 80)},
      Contact{random_id(), SocketAddress::v4(255, 255, 255, 255, 6881)},
      Contact{random_id(), host(4, 1, 0)}};
  dht::Reply reply;
  reply.nodes = named;
  net.answer(net.sent().at(0), liar.id, reply);
  net.drop_sent = false;
  net.pass(5s);
  EXPECT_TRUE(net.sent().empty());
}

// A forged hint costs its target one ping, however often it comes.
TEST_F(Attack, ForgedHintsPingTheirTargetOnce) {
  for (int i = 0; i < 100; ++i) {
    net.query(host(1), random_id(), Ping{});
    net.now += 10ms;
  }
  net.drop_sent = false;
  net.pass(100ms);
  EXPECT_LE(net.sent().size(), 1u);
}

// A value that does not fit its target, or whose signature is wrong, reaches nobody.
TEST_F(Attack, ItemThatIsNotWhatItClaimsIsNotTold) {
  const RemoteNode liar = stranger(1);
  net.introduce(liar);
  net.node.get(net.now, random_id(), 7);
  dht::Reply reply;
  reply.token = base::as_bytes("token");
  reply.item = dht::Item{base::as_bytes("5:wrong"), std::nullopt};
  net.answer(net.sent().at(0), liar.id, reply);
  EXPECT_TRUE(net.events<dht::ItemFound>().empty());
  EXPECT_EQ(net.drops(NodeDrop::bad_item), 1u);
  EXPECT_TRUE(net.events<Finished>().back().closest.empty());
}

TEST_F(Attack, MutableItemUnderAForgedSignatureIsNotTold) {
  const crypto::SigningKey key(crypto::SigningSeed(std::array<std::uint8_t, 32>{9}));
  dht::Authorship author;
  author.key = key.verify_key();
  author.sequence = 5;
  author.signature = dht::sign_item(key, {}, 4, base::as_bytes("5:hello"));
  const RemoteNode liar = stranger(1);
  net.introduce(liar);
  net.node.get(net.now, dht::mutable_target(author.key, {}), 7);
  dht::Reply reply;
  reply.item = dht::Item{base::as_bytes("5:hello"), author};
  net.answer(net.sent().at(0), liar.id, reply);
  EXPECT_TRUE(net.events<dht::ItemFound>().empty());
  EXPECT_EQ(net.drops(NodeDrop::bad_item), 1u);
}

}  // namespace
}  // namespace boxgram::test
