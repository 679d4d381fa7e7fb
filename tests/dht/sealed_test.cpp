// The sealed overlay's edge: what a node does with boxes, and the table of associations it asks by.
#include <gtest/gtest.h>

#include <boxgram/dht/node.hpp>
#include <boxgram/packet/datagram.hpp>

#include "dht/sealed_peers.hpp"
#include "support/allocation_count.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::NodeDrop;
using dht::NodeId;
using dht::RemoteNode;
using dht::SealedPeers;
using dht::SealedReceived;
using Octets = std::vector<std::uint8_t>;
using Kind = SealedReceived::Kind;

const SocketAddress kNode = SocketAddress::v4(20, 0, 0, 1, 5443);
const SocketAddress kClient = SocketAddress::v4(20, 0, 1, 1, 4000);

struct Sealed : testing::Test {
  Sealed() {
    crypto::KeyPair pair = crypto::generate_key_pair(rng);
    secret = pair.secret_key.copy();
    there = remote_node(dht::SealedContact{pair.public_key, kNode});
    node.emplace(config(), rng, wall, now);
    now += 10s;  // the time in which a fresh node asks everybody for a cookie
  }
  dht::NodeConfig config() const {
    dht::NodeConfig made;
    made.overlay = dht::Overlay::sealed;
    made.secret_key = secret.copy();
    made.port = kNode.port;
    return made;
  }
  template <class Method>
  static Octets message(const Method& method, std::optional<dht::NodeHint> hint = {}) {
    dht::Query query;
    query.transaction = base::as_bytes("tt");
    query.hint = hint;
    query.arguments = method;
    return encoded(query);
  }
  template <class Message>
  static Octets encoded(const Message& message) {
    Octets bytes(dht::kMaxMessage);
    bytes.resize(dht::encode(message, dht::Overlay::sealed, bytes));
    return bytes;
  }
  Octets seal(const Octets& text, std::size_t room = 100, base::Handle request = 7) {
    Octets out(packet::kMaxDatagram);
    out.resize(peers.seal(now, there, request, text, room, out));
    return out;
  }
  Octets serve(Octets datagram, const SocketAddress& from = kClient) {
    Octets out(dht::Node::kMaxDatagram);
    out.resize(node->handle_datagram(now, from, datagram, out));
    dht::NodeEvent event;
    while (node->poll_event(event)) {
    }
    return out;
  }
  /// What the client makes of a datagram; its message is copied to `answer`.
  SealedReceived take(const Octets& datagram, const SocketAddress& from = kNode) {
    Octets copy = datagram;
    const SealedReceived received = peers.receive(now, from, copy);
    answer.assign(received.message.begin(), received.message.end());
    return received;
  }
  SealedReceived exchange(const Octets& text, std::size_t room = 100,
                          const SocketAddress& from = kClient) {
    return take(serve(seal(text, room), from));
  }
  dht::Response response() const {
    const auto decoded = dht::decode(answer, dht::Overlay::sealed);
    if (!decoded || !std::holds_alternative<dht::Response>(*decoded)) {
      ADD_FAILURE() << "no response: " << base::as_text(answer);
      return {};
    }
    return std::get<dht::Response>(*decoded);
  }
  Octets token_for(const NodeId& of) {
    exchange(message(dht::GetPeers{of, {}, false, false}), 300);
    const auto token = response().token;
    return {token.begin(), token.end()};
  }
  std::uint64_t drops(NodeDrop reason) const {
    return node->counters().drops[static_cast<std::size_t>(reason)];
  }

  SeededRng rng{1};
  base::Instant now = base::Instant{} + 1000h;
  base::WallClock wall{base::Instant{} + 1000h, 1767225600000};
  crypto::SecretKey secret;
  RemoteNode there;
  std::optional<dht::Node> node;
  SealedPeers peers{rng, wall};
  NodeId target = NodeId::random(rng);
  Octets answer;
};

TEST_F(Sealed, PingIsAnsweredInOneRoundTripAndThenWithoutAScalarMultiplication) {
  EXPECT_EQ(exchange(message(dht::Ping{})).kind, Kind::answer);
  EXPECT_EQ(response().ip, kClient);
  EXPECT_EQ(peers.counters().initials, 1u);
  EXPECT_EQ(exchange(message(dht::Ping{})).kind, Kind::answer);
  EXPECT_EQ(peers.counters().initials, 1u);
  EXPECT_EQ(peers.counters().shorts, 1u);
  EXPECT_EQ(peers.counters().associations, 1u);
}

TEST_F(Sealed, ReplyIsExactlyAsLongAsItsRequest) {
  for (const std::size_t room : {10u, 300u, 600u, 1100u})
    for (int i = 0; i < 2; ++i) {
      const Octets request = seal(message(dht::FindNode{target, {}}), room);
      const Octets reply = serve(request);
      EXPECT_EQ(reply.size(), request.size());
      EXPECT_EQ(take(reply).kind, Kind::answer);
    }
}

TEST_F(Sealed, FreshNodeAsksForACookieFirst) {
  node.emplace(config(), rng, wall, now);
  const SealedReceived retry = exchange(message(dht::Ping{}));
  EXPECT_EQ(retry.kind, Kind::again);
  EXPECT_EQ(retry.request, 7u);
  EXPECT_EQ(exchange(message(dht::Ping{})).kind, Kind::answer);
}

TEST_F(Sealed, WrongClockCostsOneRoundTrip) {
  wall.unix_ms += 3600'000;
  SealedPeers hasty(rng, wall);
  Octets out(packet::kMaxDatagram);
  const auto ask = [&] {
    out.resize(packet::kMaxDatagram);
    out.resize(hasty.seal(now, there, 7, message(dht::Ping{}), 100, out));
    Octets reply = serve(out);
    return hasty.receive(now, kNode, reply).kind;
  };
  EXPECT_EQ(ask(), Kind::again);
  EXPECT_EQ(ask(), Kind::answer);
}

// What changes something is done for a proven address only.
TEST_F(Sealed, AnnounceInAnInitialIsRefusedWithNeedAssoc) {
  const Octets token = token_for(target);
  SealedPeers stranger(rng, wall);
  const Octets announce = message(dht::AnnouncePeer{target, 1000, false, false, token});
  Octets out(packet::kMaxDatagram);
  out.resize(stranger.seal(now, there, 9, announce, 100, out));
  Octets reply = serve(out);
  EXPECT_EQ(node->counters().peers_stored, 0u);
  const SealedReceived first = stranger.receive(now, kNode, reply);
  EXPECT_EQ(first.kind, Kind::again) << "the refusal brought the association along";
  out.resize(packet::kMaxDatagram);
  out.resize(stranger.seal(now, there, 9, announce, 100, out));
  reply = serve(out);
  EXPECT_EQ(stranger.receive(now, kNode, reply).kind, Kind::answer);
  EXPECT_EQ(node->counters().peers_stored, 1u);
}

TEST_F(Sealed, PutInAnInitialIsRefusedWithNeedAssoc) {
  const dht::Item item{base::as_bytes("5:hello"), std::nullopt};
  exchange(message(dht::GetItem{target_of(item), {}, {}}), 300);
  const auto granted = response().token;
  const Octets token(granted.begin(), granted.end());
  SealedPeers stranger(rng, wall);
  Octets out(packet::kMaxDatagram);
  out.resize(stranger.seal(now, there, 9, message(dht::PutItem{token, item, {}}), 100, out));
  serve(out);
  EXPECT_EQ(node->counters().items_stored, 0u);
}

TEST_F(Sealed, AnnounceFromAnotherAddressOnTheSameAssociationIsRefused) {
  const Octets token = token_for(target);
  const Octets announce = message(dht::AnnouncePeer{target, 1000, false, false, token});
  SocketAddress elsewhere = kClient;
  elsewhere.port = 4001;
  EXPECT_NE(exchange(announce, 100, elsewhere).kind, Kind::answer);
  EXPECT_EQ(node->counters().peers_stored, 0u);
  EXPECT_EQ(exchange(announce).kind, Kind::answer);
  EXPECT_EQ(node->counters().peers_stored, 1u);
}

TEST_F(Sealed, ItemThatDoesNotFitTellsItsSize) {
  const std::string value = "900:" + std::string(900, 'v');
  const dht::Item item{base::as_bytes(value), std::nullopt};
  exchange(message(dht::GetItem{target_of(item), {}, {}}), 300);
  const auto granted = response().token;
  const Octets token(granted.begin(), granted.end());
  ASSERT_EQ(exchange(message(dht::PutItem{token, item, {}})).kind, Kind::answer);
  const SealedReceived small = exchange(message(dht::GetItem{target_of(item), {}, {}}), 300);
  ASSERT_EQ(small.kind, Kind::again);
  EXPECT_GE(small.room, 900u);
  EXPECT_EQ(exchange(message(dht::GetItem{target_of(item), {}, {}}), small.room).kind,
            Kind::answer);
  EXPECT_EQ(base::as_text(response().item->value), value);
}

// The largest item of BEP 44 travels, and if its association has gone meanwhile, another is
// fetched.
TEST_F(Sealed, LargestMutableItemFitsADatagram) {
  const crypto::SigningKey key(crypto::SigningSeed(std::array<std::uint8_t, 32>{9}));
  const std::string value = "996:" + std::string(996, 'v');
  dht::Authorship author{key.verify_key(), {}, 1'000'000, {}};
  author.signature = dht::sign_item(key, {}, author.sequence, base::as_bytes(value));
  const dht::Item item{base::as_bytes(value), author};
  exchange(message(dht::GetItem{target_of(item), {}, {}}), 300);
  const auto granted = response().token;
  const Octets token(granted.begin(), granted.end());
  Octets put(SealedPeers::kMaxMessage);
  dht::Query query;
  query.transaction = base::as_bytes("tttttt");
  query.hint = dht::NodeHint{there.key, 1};
  query.arguments = dht::PutItem{token, item, {}};
  put.resize(dht::encode(query, dht::Overlay::sealed, put));
  ASSERT_FALSE(put.empty());
  peers.lost(kNode);
  peers.lost(kNode);
  ASSERT_EQ(peers.size(), 0u);
  EXPECT_EQ(exchange(put).kind, Kind::again);
  EXPECT_EQ(node->counters().items_stored, 0u);
  EXPECT_EQ(exchange(put).kind, Kind::answer);
  EXPECT_EQ(node->counters().items_stored, 1u);
  EXPECT_EQ(exchange(message(dht::GetItem{target_of(item), {}, {}}), 1100).kind, Kind::answer);
  EXPECT_EQ(base::as_text(response().item->value), value);
}

// PROTOCOL.md, "DHT": a query proves nothing, it is a hint for one ping.
TEST_F(Sealed, HintOfAQueryIsPingedAtItsOwnKey) {
  const crypto::KeyPair claimed = crypto::generate_key_pair(rng);
  exchange(message(dht::Ping{}, dht::NodeHint{claimed.public_key, 4444}));
  exchange(message(dht::Ping{}, dht::NodeHint{claimed.public_key, 4444}));
  EXPECT_EQ(node->table_size(dht::Family::v4), 0u);
  now += 1s;
  node->handle_timeout(now);
  Octets out(dht::Node::kMaxDatagram);
  SocketAddress to;
  ASSERT_GT(node->poll_transmit(now, to, out), 0u);
  SocketAddress expected = kClient;
  expected.port = 4444;
  EXPECT_EQ(to, expected);
  const auto header = packet::parse_initial(out);
  EXPECT_EQ(header.key_id, packet::key_id(claimed.public_key)) << "only that key can answer";
  EXPECT_EQ(node->poll_transmit(now, to, out), 0u);
}

TEST_F(Sealed, OurOwnKeyIsNoHint) {
  exchange(message(dht::Ping{}, dht::NodeHint{there.key, 4444}));
  EXPECT_EQ(drops(NodeDrop::own_id), 1u);
}

TEST_F(Sealed, AnswerOutsideOfABoxOfTheNodeAskedIsRefused) {
  dht::Reply reply;
  reply.transaction = base::as_bytes("tttttt");
  exchange(encoded(reply));
  EXPECT_EQ(drops(NodeDrop::unknown_tid), 1u);
  EXPECT_EQ(node->table_size(dht::Family::v4), 0u);
}

TEST_F(Sealed, PlainMessageGetsNothing) {
  EXPECT_TRUE(serve(message(dht::Ping{})).empty());
  EXPECT_TRUE(serve({}).empty());
  EXPECT_EQ(drops(NodeDrop::not_sealed), 2u);
}

TEST_F(Sealed, ClientTakesAnAnswerOnce) {
  const Octets reply = serve(seal(message(dht::Ping{})));
  EXPECT_EQ(take(reply).kind, Kind::answer);
  EXPECT_EQ(take(reply).kind, Kind::nothing);
  EXPECT_EQ(peers.counters().late, 1u);
}

TEST_F(Sealed, ClientTakesNoAnswerFromElsewhere) {
  const Octets reply = serve(seal(message(dht::Ping{})));
  SocketAddress elsewhere = kNode;
  ++elsewhere.port;
  EXPECT_EQ(take(reply, elsewhere).kind, Kind::nothing);
  EXPECT_EQ(take(reply).kind, Kind::answer);
}

TEST_F(Sealed, ClientTakesNoForgedAnswer) {
  const Octets reply = serve(seal(message(dht::Ping{})));
  for (std::size_t i = 0; i < reply.size(); ++i) {
    Octets forged = reply;
    forged[i] ^= 1;
    EXPECT_EQ(take(forged).kind, Kind::nothing) << i;
  }
  EXPECT_EQ(take(reply).kind, Kind::answer);
}

TEST_F(Sealed, ResetEndsAnAssociationOnlyWithItsToken) {
  exchange(message(dht::Ping{}));
  node.emplace(config(), rng, wall, now);  // restarted: the key is there, associations are not
  now += 10s;
  const Octets reset = serve(seal(message(dht::Ping{})));
  ASSERT_EQ(reset.size(), packet::kResetSize);
  Octets forged = reset;
  forged.back() ^= 1;
  EXPECT_EQ(take(forged).kind, Kind::nothing);
  EXPECT_EQ(peers.size(), 1u);
  EXPECT_EQ(take(reset).kind, Kind::again);
  EXPECT_EQ(peers.size(), 0u);
  EXPECT_EQ(exchange(message(dht::Ping{})).kind, Kind::answer);
}

TEST_F(Sealed, TwoLossesInARowBeginAnewAssociation) {
  exchange(message(dht::Ping{}));
  peers.lost(kNode);
  exchange(message(dht::Ping{}));
  peers.lost(kNode);
  EXPECT_EQ(peers.size(), 1u) << "an answer lay between";
  peers.lost(kNode);
  EXPECT_EQ(peers.size(), 0u);
}

TEST_F(Sealed, AssociationsLiveTenMinutesAtMost) {
  exchange(message(dht::Ping{}));
  now += 599s;
  exchange(message(dht::Ping{}));
  EXPECT_EQ(peers.counters().associations, 1u);
  now += 2s;
  exchange(message(dht::Ping{}));
  EXPECT_EQ(peers.counters().associations, 2u);
  EXPECT_EQ(peers.size(), 1u);
}

TEST_F(Sealed, AnotherKeyAtAnAddressIsAnotherAssociation) {
  exchange(message(dht::Ping{}));
  const crypto::KeyPair other = crypto::generate_key_pair(rng);
  Octets out(packet::kMaxDatagram);
  const auto size = peers.seal(now, remote_node(dht::SealedContact{other.public_key, kNode}), 8,
                               message(dht::Ping{}), 100, out);
  EXPECT_EQ(packet::parse_header(base::Bytes(out).first(size)), packet::DatagramType::initial);
  EXPECT_EQ(peers.size(), 1u);
}

TEST_F(Sealed, LowOrderKeyIsNotAsked) {
  RemoteNode weak = there;
  weak.key = {};
  Octets out(packet::kMaxDatagram);
  EXPECT_EQ(peers.seal(now, weak, 8, message(dht::Ping{}), 100, out), 0u);
  EXPECT_EQ(peers.size(), 0u);
}

TEST_F(Sealed, TheLongestUnusedAssociationGivesWay) {
  SealedPeers small(rng, wall, 3);
  const auto ask = [&](std::uint8_t last) {
    Octets out(packet::kMaxDatagram);
    RemoteNode to = there;
    to.address = SocketAddress::v4(20, 0, 9, last, 1);
    return small.seal(now, to, 8, message(dht::Ping{}), 100, out);
  };
  for (std::uint8_t i = 1; i <= 3; ++i) ask(i);
  ask(1);
  ask(4);
  EXPECT_EQ(small.size(), 3u);
  EXPECT_EQ(small.counters().evicted, 1u);
  const auto made = small.counters().associations;
  ask(1);
  ask(3);
  ask(4);
  EXPECT_EQ(small.counters().associations, made) << "2 was the one to go";
  ask(2);
  EXPECT_EQ(small.counters().associations, made + 1);
}

TEST_F(Sealed, ForkedProcessUsesNoKeyTwice) {
  struct ForkingRng final : base::Rng {
    SeededRng inner{5};
    std::uint64_t forks = 0;
    void fill(base::MutableBytes out) override { inner.fill(out); }
    std::uint64_t generation() const override { return forks; }
  } forking;
  SealedPeers peers_of_forked(forking, wall);
  Octets out(packet::kMaxDatagram);
  peers_of_forked.seal(now, there, 8, message(dht::Ping{}), 100, out);
  const auto before = packet::parse_initial(out).client_key;
  ++forking.forks;
  peers_of_forked.seal(now, there, 8, message(dht::Ping{}), 100, out);
  EXPECT_NE(packet::parse_initial(out).client_key, before);
}

TEST_F(Sealed, AnswersOnALiveAssociationAllocateNothing) {
  exchange(message(dht::Ping{}));
  for (int i = 0; i < 3; ++i) {
    Octets request = seal(message(dht::GetPeers{target, {}, false, false}), 300);
    std::array<std::uint8_t, dht::Node::kMaxDatagram> out;
    const std::size_t before = allocation_count();
    const std::size_t size = node->handle_datagram(now, kClient, request, out);
    EXPECT_EQ(allocation_count(), before);
    EXPECT_EQ(size, request.size());
    EXPECT_EQ(take({out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)}).kind,
              Kind::answer);
  }
}

TEST_F(Sealed, NodesOfOneKindAreNeverNamedAsTheOther) {
  exchange(message(dht::FindNode{target, {true, true}}), 900);
  EXPECT_TRUE(response().nodes.empty());
  const std::string_view text = base::as_text(answer);
  EXPECT_NE(text.find("6:snodes"), std::string_view::npos);
  EXPECT_EQ(text.find("5:nodes"), std::string_view::npos);
  EXPECT_EQ(text.find("2:id"), std::string_view::npos) << "ids are computed, never sent";
}

}  // namespace
}  // namespace boxgram::test
