// How a node answers others.
#include <boxgram/crypto/hash.hpp>

#include "dht/node_harness.hpp"
#include "support/allocation_count.hpp"

namespace boxgram::test {
namespace {

using dht::AnnouncePeer;
using dht::FindNode;
using dht::GetItem;
using dht::GetPeers;
using dht::NodeDrop;
using dht::Ping;
using dht::PutItem;

struct NodeServer : testing::Test {
  NodeId random_id() { return NodeId::random(net.rng); }
  /// The token that the node gives for a target.
  Octets token_for(const SocketAddress& from, const NodeId& of) {
    const Octets reply = net.query(from, id, GetPeers{of, {}, false, false});
    const auto token = response_of(reply).token;
    return {token.begin(), token.end()};
  }
  Octets announce(const SocketAddress& from, const NodeId& what, const Octets& token,
                  std::uint16_t port = 1000, bool implied = false) {
    return net.query(from, id, AnnouncePeer{what, port, implied, false, token});
  }
  std::vector<SocketAddress> peers(const NodeId& of) {
    std::vector<SocketAddress> found;
    const Octets reply = net.query(host(200), id, GetPeers{of, {}, false, false});
    response_of(reply).peers.for_each(dht::AddressPolicy::internet,
                                      [&](const SocketAddress& peer) { found.push_back(peer); });
    return found;
  }
  Octets put(const dht::Item& item, const Octets& token, std::optional<std::int64_t> cas = {}) {
    return net.query(host(1), id, PutItem{token, item, cas});
  }

  NodeHarness net;
  NodeId id = random_id();
  NodeId target = random_id();
};

TEST_F(NodeServer, AnswersAPing) {
  const Octets reply = net.query(host(1), id, Ping{});
  const auto response = response_of(reply);
  EXPECT_EQ(response.id, net.node.id(dht::Family::v4));
  EXPECT_EQ(base::as_text(response.transaction), "tt");
}

TEST_F(NodeServer, TellsTheAskerItsAddress) {
  const Octets reply = net.query(host(1), id, Ping{});
  EXPECT_EQ(response_of(reply).ip, host(1));
}

TEST_F(NodeServer, NamesTheNearestNodes) {
  std::vector<NodeId> all;
  for (std::uint8_t i = 1; i <= 30; ++i) {
    all.push_back(random_id());
    net.introduce({all.back(), host(i), {}});
  }
  std::ranges::sort(all, [&](const auto& a, const auto& b) { return closer(target, a, b); });
  const Octets reply = net.query(host(100), id, FindNode{target, {}});
  const auto response = response_of(reply);
  ASSERT_EQ(response.nodes.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_EQ(response.nodes.at(i, dht::AddressPolicy::internet)->id, all[i]);
  EXPECT_TRUE(response.nodes6.empty());
}

TEST_F(NodeServer, NeverNamesTheAskerToItself) {
  net.introduce({id, host(1), {}});
  const Octets reply = net.query(host(1), id, FindNode{id, {}});
  EXPECT_TRUE(response_of(reply).nodes.empty());
}

TEST_F(NodeServer, GivesNodesOfTheFamiliesThatAreWanted) {
  dht::NodeConfig both;
  both.v6 = true;
  NodeHarness dual(std::move(both));
  dual.introduce({random_id(), host(1), {}});
  const auto v6 = base::parse_socket_address("[2a00:1::1]:6881", 0).value();
  dual.introduce({random_id(), v6, {}});
  const auto counts = [&](const SocketAddress& from, dht::Want want) {
    const Octets reply = dual.query(from, id, FindNode{target, want});
    return std::pair(response_of(reply).nodes.size(), response_of(reply).nodes6.size());
  };
  const auto other6 = base::parse_socket_address("[2a00:2::1]:6881", 0).value();
  using Counts = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(counts(host(2), {}), (Counts{1, 0}));
  EXPECT_EQ(counts(other6, {}), (Counts{0, 1}));
  EXPECT_EQ(counts(host(2), {false, true}), (Counts{0, 1}));
  EXPECT_EQ(counts(host(2), {true, true}), (Counts{1, 1}));
}

TEST_F(NodeServer, StoresAnAnnounceWithItsToken) {
  EXPECT_EQ(error_of(announce(host(1), target, token_for(host(1), target))), 0);
  EXPECT_EQ(peers(target), std::vector{host(1, 1, 1000)});
}

TEST_F(NodeServer, ImpliedPortIsTheOneThatTheQueryCameFrom) {
  announce(host(1), target, token_for(host(1), target), 1000, true);
  EXPECT_EQ(peers(target), std::vector{host(1)});
}

TEST_F(NodeServer, RefusesAnnounceWithoutAGoodToken) {
  EXPECT_EQ(error_of(announce(host(1), target, Octets(8, 0))), 203);
  EXPECT_EQ(error_of(announce(host(1), target, token_for(host(2), target))), 203);
  EXPECT_EQ(error_of(announce(host(1), target, token_for(host(1), id))), 203);
  Octets token = token_for(host(1), target);
  net.now += 10min;
  EXPECT_EQ(error_of(announce(host(1), target, token)), 203);
  EXPECT_TRUE(peers(target).empty());
  EXPECT_EQ(net.node.counters().bad_tokens, 4u);
}

TEST_F(NodeServer, LeavesSeedsOutOnRequest) {
  const Octets token = token_for(host(1), target);
  net.query(host(1), id, AnnouncePeer{target, 1000, false, true, token});
  EXPECT_EQ(peers(target).size(), 1u);
  const Octets reply = net.query(host(3), id, GetPeers{target, {}, true, false});
  EXPECT_TRUE(response_of(reply).peers.empty());
}

TEST_F(NodeServer, StoresAndReturnsAnImmutableItem) {
  const dht::Item item{base::as_bytes("12:Hello World!"), std::nullopt};
  target = target_of(item);
  EXPECT_EQ(to_hex(target), "e5f96f6f38320f0f33959cb4d3d656452117aadb") << "BEP 44's vector";
  EXPECT_EQ(error_of(put(item, token_for(host(1), target))), 0);
  const Octets reply = net.query(host(2), id, GetItem{target, {}, {}});
  const auto response = response_of(reply);
  ASSERT_TRUE(response.item);
  EXPECT_EQ(base::as_text(response.item->value), "12:Hello World!");
  EXPECT_FALSE(response.token.empty());
}

struct NodeServerMutable : NodeServer {
  dht::Item item(std::string_view value, std::int64_t sequence, std::string_view salt = "") {
    dht::Authorship author;
    author.key = key.verify_key();
    author.salt = base::as_bytes(salt);
    author.sequence = sequence;
    author.signature = dht::sign_item(key, author.salt, sequence, base::as_bytes(value));
    return {base::as_bytes(value), author};
  }
  std::int64_t put_error(const dht::Item& what, std::optional<std::int64_t> cas = {}) {
    return error_of(put(what, token_for(host(1), target_of(what)), cas));
  }

  crypto::SigningSeed seed{std::array<std::uint8_t, 32>{7}};
  crypto::SigningKey key{seed};
};

TEST_F(NodeServerMutable, StoresAndReturnsWithSequenceAndSignature) {
  const auto one = item("5:hello", 4, "salt");
  EXPECT_EQ(put_error(one), 0);
  const Octets reply = net.query(host(2), id, GetItem{target_of(one), {}, {}});
  const auto response = response_of(reply);
  ASSERT_TRUE(response.item && response.item->author);
  EXPECT_EQ(response.item->author->sequence, 4);
  dht::Item found = *response.item;
  found.author->salt = base::as_bytes("salt");
  EXPECT_EQ(check(found), std::nullopt);
}

TEST_F(NodeServerMutable, SendsNoValueThatIsNotNewer) {
  const auto one = item("5:hello", 4);
  put_error(one);
  const Octets same = net.query(host(2), id, GetItem{target_of(one), {}, 4});
  EXPECT_FALSE(response_of(same).item);
  EXPECT_EQ(response_of(same).sequence, 4);
  const Octets newer = net.query(host(2), id, GetItem{target_of(one), {}, 3});
  EXPECT_TRUE(response_of(newer).item);
}

TEST_F(NodeServerMutable, WrongSignatureIsError206) {
  auto forged = item("5:hello", 4);
  forged.author->sequence = 5;
  EXPECT_EQ(put_error(forged), 206);
}

TEST_F(NodeServerMutable, LargeValueIsError205) {
  const std::string value = "1001:" + std::string(1001, 'x');
  auto large = item("5:hello", 4);
  large.value = base::as_bytes(value);
  EXPECT_EQ(put_error(large), 205);
}

TEST_F(NodeServerMutable, LongSaltIsError207) {
  const std::string salt(65, 's');
  auto salty = item("5:hello", 4);
  salty.author->salt = base::as_bytes(salt);
  EXPECT_EQ(put_error(salty), 207);
}

TEST_F(NodeServerMutable, CasMismatchIsError301) {
  EXPECT_EQ(put_error(item("5:hello", 4)), 0);
  EXPECT_EQ(put_error(item("5:world", 5), 3), 301);
  EXPECT_EQ(put_error(item("5:world", 5), 4), 0);
}

TEST_F(NodeServerMutable, LowerSequenceIsError302) {
  EXPECT_EQ(put_error(item("5:hello", 4)), 0);
  EXPECT_EQ(put_error(item("5:world", 3)), 302);
}

TEST_F(NodeServerMutable, PutWithoutAGoodTokenIsError203) {
  EXPECT_EQ(error_of(put(item("5:hello", 4), Octets(8, 1))), 203);
}

TEST_F(NodeServer, MalformedQueryGetsError203) {
  const std::string text = "d1:ad2:id3:abce1:q4:ping1:t2:xx1:y1:qe";
  EXPECT_EQ(error_of(net.deliver(host(1), Octets(text.begin(), text.end()))), 203);
}

TEST_F(NodeServer, UnknownMethodGetsError204) {
  const std::string text = "d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:vote1:t2:xx1:y1:qe";
  EXPECT_EQ(error_of(net.deliver(host(1), Octets(text.begin(), text.end()))), 204);
}

TEST_F(NodeServer, WhatHasNoTransactionIsDropped) {
  for (const std::string text : {"", "x", "d1:y1:qe", "GET / HTTP/1.0"})
    EXPECT_TRUE(net.deliver(host(1), Octets(text.begin(), text.end())).empty());
  EXPECT_EQ(net.drops(NodeDrop::malformed), 4u);
}

TEST_F(NodeServer, QueryUnderOurOwnIdIsRefused) {
  EXPECT_TRUE(net.query(host(1), net.node.id(dht::Family::v4), Ping{}).empty());
  EXPECT_EQ(net.drops(NodeDrop::own_id), 1u);
}

TEST_F(NodeServer, MartiansGetNothing) {
  for (const auto& from :
       {SocketAddress::v4(127, 0, 0, 1, 6881), SocketAddress::v4(0, 0, 0, 0, 1),
        SocketAddress::v4(192, 168, 0, 1, 1), SocketAddress::v4(224, 0, 0, 1, 1), host(1, 1, 0)})
    EXPECT_TRUE(net.query(from, id, Ping{}).empty());
  EXPECT_EQ(net.drops(NodeDrop::bad_address), 5u);
}

TEST_F(NodeServer, LocalNetworkAnswersLocalAddresses) {
  dht::NodeConfig local;
  local.addresses = dht::AddressPolicy::and_local;
  NodeHarness inside(std::move(local));
  EXPECT_FALSE(inside.query(SocketAddress::v4(127, 0, 0, 1, 6881), id, Ping{}).empty());
}

TEST_F(NodeServer, ReadOnlyNodeAnswersNothing) {
  dht::NodeConfig config;
  config.read_only = true;
  NodeHarness silent(std::move(config));
  EXPECT_TRUE(silent.query(host(1), id, Ping{}).empty());
  const std::string text = "d1:ad2:id3:abce1:q4:ping1:t2:xx1:y1:qe";
  EXPECT_TRUE(silent.deliver(host(1), Octets(text.begin(), text.end())).empty());
  EXPECT_EQ(silent.drops(NodeDrop::read_only), 1u);
}

TEST_F(NodeServer, AQueryIsAHintThatIsPingedOnce) {
  net.query(host(1), id, Ping{});
  net.query(host(1), id, Ping{});
  EXPECT_EQ(net.known(), 0u);
  net.drop_sent = false;
  net.pass(1s);
  const auto sent = net.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].to, host(1));
  net.answer(sent[0], id);
  EXPECT_TRUE(net.knows(id));
}

TEST_F(NodeServer, AReadOnlyAskerIsNoHint) {
  net.query(host(1), id, Ping{}, true);
  net.drop_sent = false;
  net.pass(1s);
  EXPECT_TRUE(net.sent().empty());
}

TEST_F(NodeServer, AnswersAllocateNothing) {
  for (std::uint8_t i = 1; i <= 30; ++i) net.introduce({random_id(), host(i), {}});
  for (std::uint8_t i = 1; i <= 60; ++i) announce(host(i), target, token_for(host(i), target), i);
  const Octets find = NodeHarness::encoded([&] {
    dht::Query query;
    query.transaction = base::as_bytes("tt");
    query.id = id;
    query.read_only = true;
    query.arguments = FindNode{target, {}};
    return query;
  }());
  dht::Query query;
  query.transaction = base::as_bytes("tt");
  query.id = id;
  query.read_only = true;
  query.arguments = GetPeers{target, {}, false, false};
  const Octets get = NodeHarness::encoded(query);
  std::array<std::uint8_t, dht::Node::kMaxDatagram> out;
  for (const Octets& datagram : {find, get}) {
    Octets copy = datagram;
    const std::size_t before = allocation_count();
    const std::size_t size = net.node.handle_datagram(net.now, host(90), copy, out);
    EXPECT_EQ(allocation_count(), before);
    EXPECT_GT(size, 200u);
    EXPECT_LE(size, 1024u);
  }
}

}  // namespace
}  // namespace boxgram::test
