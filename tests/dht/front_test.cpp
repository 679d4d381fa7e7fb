#include <deque>
#include <optional>

#include <gtest/gtest.h>

#include <boxgram/dht/front.hpp>

#include "node_harness.hpp"

namespace boxgram::test {
namespace {

using dht::Front;
using dht::FrontConfig;
using dht::FrontDrop;

SocketAddress local(std::uint16_t port, std::uint8_t last = 1) {
  return SocketAddress::v4(127, 0, 0, last, port);
}

dht::GetPeers get_peers(const NodeId& hash) {
  return {hash, {}, false, false};
}

/// What the front asks its owner for.
struct Asked {
  std::uint64_t tag = 0;
  Octets bytes;
  dht::Query query;  // views into bytes
};

struct Late {
  std::size_t node = 0;
  SocketAddress to;
  Octets bytes;
};

class FrontTest : public testing::Test {
 protected:
  static FrontConfig config(std::uint16_t nodes) {
    FrontConfig config;
    for (std::uint16_t i = 0; i < nodes; ++i) config.nodes.push_back(local(7000 + i));
    return config;
  }
  void use(FrontConfig config) { front.emplace(std::move(config), rng); }

  template <class Method>
  Octets query(const Method& method, const SocketAddress& from = local(6000),
               std::size_t node = 0) {
    dht::Query query;
    query.transaction = base::as_bytes("tt");
    query.id = NodeId::random(rng);
    query.arguments = method;
    return deliver(NodeHarness::encoded(query), from, node);
  }
  Octets deliver(const Octets& datagram, const SocketAddress& from, std::size_t node = 0) {
    const std::size_t size = front->handle_datagram(now, node, from, datagram, out_);
    return {out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(size)};
  }
  std::deque<Asked> asked() {
    std::deque<Asked> all;
    Front::Request request;
    while (front->poll_request(request, out_)) {
      Asked& one = all.emplace_back();
      one.tag = request.tag;
      one.bytes.assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(request.size));
      one.query = std::get<dht::Query>(*dht::decode(one.bytes, dht::Overlay::mainline));
    }
    return all;
  }
  std::vector<Late> late() {
    std::vector<Late> all;
    Front::Transmit transmit;
    while (front->poll_transmit(now, transmit, out_))
      all.push_back({transmit.node,
                     transmit.to,
                     {out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(transmit.size)}});
    return all;
  }
  void answer(std::uint64_t tag, dht::Reply reply) {
    reply.transaction = base::as_bytes("f");
    if (!reply.effort) reply.effort = dht::Effort{9, 8, 0};
    front->answered(now, tag, NodeHarness::encoded(reply));
  }
  void pass(base::Duration time) {
    now += time;
    front->handle_timeout(now);
  }
  static std::vector<SocketAddress> peers(const dht::Response& response) {
    std::vector<SocketAddress> peers;
    response.peers.for_each(dht::AddressPolicy::and_local,
                            [&](const SocketAddress& peer) { peers.push_back(peer); });
    return peers;
  }
  [[nodiscard]] std::uint64_t drops(FrontDrop reason) const {
    return front->counters().drops[static_cast<std::size_t>(reason)];
  }
  /// A get_peers that is answered with nothing; its token.
  Octets token(const NodeId& target, const SocketAddress& from) {
    const Octets now_or_later = query(get_peers(target), from);
    for (const Asked& one : asked()) answer(one.tag, {});
    const auto replies = late();
    const Octets bytes = now_or_later.empty() ? replies.back().bytes : now_or_later;
    const auto response = response_of(bytes);
    return {response.token.begin(), response.token.end()};
  }

  SeededRng rng{1};
  base::Instant now = base::Instant{} + 100h;
  std::optional<Front> front{std::in_place, config(1), rng};
  NodeId hash = NodeId::random(rng);

 private:
  std::array<std::uint8_t, Front::kMaxDatagram> out_{};
};

TEST_F(FrontTest, AnswersAPingAndSaysWhereItCameFrom) {
  const Octets reply = query(dht::Ping{});
  EXPECT_EQ(response_of(reply).id, front->id(0));
  EXPECT_EQ(response_of(reply).ip, local(6000));
}

TEST_F(FrontTest, ServesNobodyElse) {
  EXPECT_TRUE(query(dht::Ping{}, host(1)).empty());
  EXPECT_TRUE(query(dht::Ping{}, local(0)).empty());
  EXPECT_EQ(drops(FrontDrop::stranger), 2u);
  FrontConfig wider = config(1);
  wider.clients = {host(1, 1, 0)};
  use(std::move(wider));
  EXPECT_FALSE(query(dht::Ping{}, host(1)).empty());
  EXPECT_TRUE(query(dht::Ping{}, host(2)).empty());
}

TEST_F(FrontTest, MalformedQueriesGet203AndNoiseNothing) {
  const auto octets = [](std::string_view text) { return Octets(text.begin(), text.end()); };
  EXPECT_EQ(error_of(deliver(octets("d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"), local(6000))), 203);
  EXPECT_TRUE(deliver(octets("hello"), local(6000)).empty());
  EXPECT_TRUE(
      deliver(octets("d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re"), local(6000)).empty());
  EXPECT_EQ(drops(FrontDrop::malformed), 1u);
  EXPECT_EQ(drops(FrontDrop::not_query), 1u);
}

TEST_F(FrontTest, NamesItsVirtualNodesOnlyNearestFirst) {
  use(config(16));
  for (std::uint8_t i = 0; i < 16; ++i) {
    NodeId target{};
    target.bytes[0] = static_cast<std::uint8_t>(i << 4);
    const Octets bytes = query(dht::FindNode{target, {}}, local(6000), 3);
    const auto reply = response_of(bytes);
    ASSERT_EQ(reply.nodes.size(), 8u);
    EXPECT_EQ(reply.nodes.at(0, dht::AddressPolicy::and_local)->address, local(7000 + i));
    EXPECT_EQ(reply.id, front->id(3));
  }
}

TEST_F(FrontTest, HonoursWant) {
  const Octets both = query(dht::FindNode{hash, {true, true}});
  EXPECT_EQ(response_of(both).nodes.size(), 1u);
  EXPECT_NE(base::as_text(both).find("6:nodes60:"), std::string_view::npos);
  const Octets other = query(dht::FindNode{hash, {false, true}});
  EXPECT_EQ(base::as_text(other).find("5:nodes"), std::string_view::npos);
}

TEST_F(FrontTest, ALookupIsAskedForOnceAndAnswersAllWhoWait) {
  EXPECT_TRUE(query(get_peers(hash), local(6000)).empty());
  EXPECT_TRUE(query(get_peers(hash), local(6001)).empty());
  const auto requests = asked();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(std::get<dht::GetPeers>(requests[0].query.arguments).info_hash, hash);
  EXPECT_EQ(requests[0].query.id, NodeId{}) << "nobody's id";
  const std::vector<SocketAddress> found = {host(1), host(2)};
  dht::Reply reply;
  reply.peers = found;
  const dht::Contact other{NodeId::random(rng), host(9)};
  reply.nodes = std::span(&other, 1);
  answer(requests[0].tag, reply);
  const auto replies = late();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].to, local(6000));
  EXPECT_EQ(replies[1].to, local(6001));
  for (const Late& one : replies) {
    const auto response = response_of(one.bytes);
    auto named = peers(response);
    std::sort(named.begin(), named.end());
    EXPECT_EQ(named, found);
    EXPECT_FALSE(response.token.empty());
    EXPECT_TRUE(response.nodes.empty()) << "others' nodes are named to nobody";
  }
}

TEST_F(FrontTest, AResultIsGoodForAWhileAndThenAskedForAgain) {
  query(get_peers(hash));
  const SocketAddress found[] = {host(1)};
  dht::Reply reply;
  reply.peers = found;
  answer(asked()[0].tag, reply);
  late();
  pass(10s);
  EXPECT_EQ(peers(response_of(query(get_peers(hash)))).size(), 1u);
  EXPECT_TRUE(asked().empty());
  pass(Front::kFresh);
  EXPECT_TRUE(query(get_peers(hash)).empty());
  EXPECT_EQ(asked().size(), 1u);
}

TEST_F(FrontTest, WhoeverWaitedForTooLongHearsWhatIsKnown) {
  query(get_peers(hash));
  const auto requests = asked();
  ASSERT_TRUE(front->next_timeout().has_value());
  EXPECT_EQ(*front->next_timeout(), now + Front::kPatience);
  pass(Front::kPatience);
  const auto replies = late();
  ASSERT_EQ(replies.size(), 1u);
  const auto response = response_of(replies[0].bytes);
  EXPECT_FALSE(response.token.empty());
  EXPECT_EQ(response.nodes.size(), 1u) << "BEP 5: values or nodes";
  EXPECT_EQ(front->next_timeout(), std::nullopt);
  const SocketAddress found[] = {host(1)};
  dht::Reply reply;
  reply.peers = found;
  answer(requests[0].tag, reply);
  EXPECT_TRUE(late().empty());
  EXPECT_EQ(peers(response_of(query(get_peers(hash)))).size(), 1u);
}

TEST_F(FrontTest, AFailedLookupIsAnsweredAsAnEmptyOne) {
  query(get_peers(hash));
  front->failed(now, asked()[0].tag);
  ASSERT_EQ(late().size(), 1u);
  EXPECT_FALSE(query(get_peers(hash)).empty()) << "not asked for again at once";
  EXPECT_EQ(front->counters().failed, 1u);
}

TEST_F(FrontTest, ClientsOfOneFrontFindEachOther) {
  const Octets given = token(hash, local(6000, 2));
  const Octets reply = query(dht::AnnouncePeer{hash, 6999, false, false, given}, local(6000, 2));
  EXPECT_EQ(error_of(reply), 0);
  EXPECT_TRUE(asked().empty()) << "nobody else is told";
  const Octets found = query(get_peers(hash), local(6001, 3));
  EXPECT_EQ(peers(response_of(found)), std::vector{local(6999, 2)});
}

TEST_F(FrontTest, SeedsAreLeftOutOnRequest) {
  const Octets given = token(hash, local(6000));
  query(dht::AnnouncePeer{hash, 0, true, true, given}, local(6000));
  EXPECT_EQ(peers(response_of(query(get_peers(hash), local(6001)))).size(), 1u);
  query(dht::GetPeers{hash, {}, true, false}, local(6001));
  const auto requests = asked();
  ASSERT_EQ(requests.size(), 1u) << "another question";
  EXPECT_TRUE(std::get<dht::GetPeers>(requests[0].query.arguments).no_seeds);
  answer(requests[0].tag, {});
  EXPECT_TRUE(peers(response_of(late()[0].bytes)).empty());
}

TEST_F(FrontTest, TokensOfOthersAreRefused) {
  const Octets given = token(hash, local(6000));
  EXPECT_EQ(error_of(query(dht::AnnouncePeer{hash, 1, false, false, given}, local(6001))), 203);
  const NodeId other = NodeId::random(rng);
  EXPECT_EQ(error_of(query(dht::AnnouncePeer{other, 1, false, false, given}, local(6000))), 203);
  EXPECT_EQ(front->counters().bad_tokens, 2u);
}

TEST_F(FrontTest, AnnouncesAreForwardedWhereThatIsWanted) {
  FrontConfig announcing = config(1);
  announcing.announce = true;
  use(std::move(announcing));
  const Octets given = token(hash, local(6000));
  EXPECT_EQ(error_of(query(dht::AnnouncePeer{hash, 0, true, false, given}, local(6000))), 0);
  const auto requests = asked();
  ASSERT_EQ(requests.size(), 1u);
  const auto& announce = std::get<dht::AnnouncePeer>(requests[0].query.arguments);
  EXPECT_EQ(announce.port, 6000);
  EXPECT_FALSE(announce.implied_port);
  answer(requests[0].tag, {});
  EXPECT_TRUE(late().empty());
}

TEST_F(FrontTest, APutIsAnsweredWithWhatBecameOfIt) {
  const Octets value = {'2', ':', 'h', 'i'};
  const dht::Item item{value, std::nullopt};
  const NodeId target = dht::target_of(item);
  query(dht::GetItem{target, {}, {}});
  answer(asked()[0].tag, {});
  const auto replies = late();
  const auto first = response_of(replies[0].bytes);
  const Octets given(first.token.begin(), first.token.end());

  EXPECT_TRUE(query(dht::PutItem{given, item, {}}).empty());
  dht::Reply stored;
  stored.effort = dht::Effort{9, 8, 7};
  answer(asked()[0].tag, stored);
  EXPECT_EQ(error_of(late()[0].bytes), 0);

  query(dht::PutItem{given, item, {}});
  Octets refusal(200);
  refusal.resize(dht::encode_error(base::as_bytes("f"), dht::ErrorCode::cas_mismatch, refusal));
  front->answered(now, asked()[0].tag, refusal);
  EXPECT_EQ(error_of(late()[0].bytes), 301);

  EXPECT_TRUE(query(dht::GetItem{target, {}, {}}).empty()) << "what was known is forgotten";
  dht::Reply found;
  found.item = item;
  answer(asked()[0].tag, found);
  EXPECT_EQ(base::as_text(response_of(late()[0].bytes).item->value), "2:hi");
}

TEST_F(FrontTest, AnItemThatIsAnotherOneIsNotPassedOn) {
  query(dht::GetItem{hash, {}, {}});
  const Octets value = {'2', ':', 'n', 'o'};
  dht::Reply found;
  found.item = dht::Item{value, std::nullopt};
  answer(asked()[0].tag, found);
  EXPECT_FALSE(response_of(late()[0].bytes).item.has_value());
}

TEST_F(FrontTest, IsBounded) {
  for (int i = 0; i < 3000; ++i) query(get_peers(NodeId::random(rng)));
  EXPECT_EQ(asked().size(), Front::kMaxUnderWay);
  for (std::size_t i = 0; i < 3000; ++i) query(get_peers(hash), local(6000));
  EXPECT_GE(front->counters().crowded, 3000u - Front::kMaxUnderWay);
  EXPECT_EQ(front->counters().requests, Front::kMaxUnderWay);
}

TEST_F(FrontTest, TheOldestResultGivesWay) {
  for (std::size_t i = 0; i < Front::kMaxRequests + 10; ++i) {
    query(get_peers(NodeId::random(rng)));
    for (const Asked& one : asked()) answer(one.tag, {});
    late();
    now += 1ms;
  }
  EXPECT_EQ(front->counters().evicted, 10u);
}

TEST_F(FrontTest, StrayAndBrokenAnswersChangeNothing) {
  answer(77, {});
  front->failed(now, 78);
  query(get_peers(hash));
  const auto requests = asked();
  front->answered(now, requests[0].tag, base::as_bytes("d1:rde"));
  answer(requests[0].tag, {});  // it has ended
  EXPECT_EQ(late().size(), 1u);
  EXPECT_EQ(front->counters().failed, 1u);
}

}  // namespace
}  // namespace boxgram::test
