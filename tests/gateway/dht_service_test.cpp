#include <gtest/gtest.h>

#include <boxgram/gateway/dht_service.hpp>

#include "dht/node_harness.hpp"

namespace boxgram::gateway {
namespace {

using namespace std::chrono_literals;
using dht::NodeId;
using dht::Overlay;
using test::NodeHarness;
using test::Octets;

/// A service with a node of Mainline that knows one other node.
class DhtServiceTest : public testing::Test {
 protected:
  DhtServiceTest() {
    net.introduce(other);
    net.all_events.clear();
  }
  static dht::NodeConfig config() {
    dht::NodeConfig config;
    config.max_operations = DhtService::kMaxOperations;
    return config;
  }

  template <class Method>
  void ask(const Method& method, base::Handle connection = 1, std::uint32_t id = 7,
           Overlay overlay = Overlay::mainline) {
    dht::Query query;
    query.transaction = base::as_bytes("c1");
    query.arguments = method;
    Octets bytes(dht::kMaxMessage);
    bytes.resize(encode(query, overlay, bytes));
    service.request(net.now, connection, id, bytes);
  }
  void tell() {
    for (const auto& event : net.all_events) service.handle_event(event);
    net.all_events.clear();
  }
  /// The other node answers what it is asked.
  void serve(dht::Reply reply = {}) {
    for (const auto& sent : net.sent()) net.answer(sent, other.id, reply);
    tell();
  }
  std::vector<DhtService::Answered> answers() {
    std::vector<DhtService::Answered> all;
    DhtService::Answered answered;
    while (service.poll_answer(answered)) all.push_back(std::move(answered));
    return all;
  }

  NodeHarness net{config()};
  dht::RemoteNode other{NodeId::random(net.rng), test::host(5), {}};
  DhtService service{{}, {&net.node, nullptr}};
  NodeId hash = NodeId::random(net.rng);
};

TEST_F(DhtServiceTest, APingIsAnsweredAtOnce) {
  ask(dht::Ping{});
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].connection, 1u);
  EXPECT_EQ(all[0].id, 7u);
  const auto response = test::response_of(all[0].message);
  EXPECT_EQ(base::as_text(response.transaction), "c1");
  EXPECT_EQ(response.id, net.node.id(dht::Family::v4));
}

TEST_F(DhtServiceTest, PeersComeSortedAndOnceWithWhatTheLookupTook) {
  ask(dht::GetPeers{hash, {}, false, false});
  EXPECT_EQ(service.running(), 1u);
  EXPECT_TRUE(answers().empty());
  const base::SocketAddress found[] = {test::host(9), test::host(8), test::host(9)};
  dht::Reply reply;
  reply.peers = found;
  reply.token = base::as_bytes("tok");
  serve(reply);
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  const auto response = test::response_of(all[0].message);
  std::vector<base::SocketAddress> peers;
  response.peers.for_each(dht::AddressPolicy::internet, [&](const auto& p) { peers.push_back(p); });
  EXPECT_EQ(peers, (std::vector{test::host(8), test::host(9)}));
  EXPECT_EQ(response.effort, (dht::Effort{1, 1, 0}));
  ASSERT_EQ(response.nodes.size(), 1u);
  EXPECT_EQ(response.nodes.at(0, dht::AddressPolicy::internet)->address, other.address);
  EXPECT_EQ(service.running(), 0u);
}

TEST_F(DhtServiceTest, APutTellsHowManyNodesTookTheItem) {
  const Octets value = {'2', ':', 'h', 'i'};
  ask(dht::PutItem{base::as_bytes("-"), dht::Item{value, std::nullopt}, std::nullopt});
  dht::Reply reply;
  reply.token = base::as_bytes("tok");
  serve(reply);  // the lookup
  serve();       // the put
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(test::response_of(all[0].message).effort->stored, 1u);
}

TEST_F(DhtServiceTest, AnItemThatIsWrongIsRefusedBeforeAnybodyIsAsked) {
  const base::Bytes unsorted = base::as_bytes("d1:bi1e1:ai1ee");
  ask(dht::PutItem{base::as_bytes("-"), dht::Item{unsorted, std::nullopt}, std::nullopt});
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(test::error_of(all[0].message), 203);
  EXPECT_TRUE(net.sent().empty());
}

TEST_F(DhtServiceTest, NobodyIsAnnouncedUnlessThatIsWanted) {
  const dht::AnnouncePeer announce{hash, 6999, false, false, base::as_bytes("-")};
  ask(announce);
  EXPECT_EQ(test::error_of(answers().at(0).message), 204);
  EXPECT_TRUE(net.sent().empty());
  service.configure({.announce = true});
  ask(announce);
  dht::Reply reply;
  reply.token = base::as_bytes("tok");
  serve(reply);
  serve();
  EXPECT_EQ(test::response_of(answers().at(0).message).effort->stored, 1u);
}

TEST_F(DhtServiceTest, TheFormOfAQueryNamesTheOverlay) {
  ask(dht::FindNode{hash, {}}, 1, 7, Overlay::sealed);
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(test::error_of(all[0].message), 202);
  EXPECT_NE(base::as_text(all[0].message).find("not in the sealed overlay"), std::string::npos);
}

TEST_F(DhtServiceTest, WhatIsNoQueryGetsAnErrorOrAnEmptyAnswer) {
  service.request(net.now, 1, 1, base::as_bytes("d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"));
  service.request(net.now, 1, 2,
                  base::as_bytes("d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe"));
  service.request(net.now, 1, 3, base::as_bytes("noise"));
  service.request(net.now, 1, 4, base::as_bytes("d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re"));
  const auto all = answers();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(test::error_of(all[0].message), 203);
  EXPECT_EQ(test::error_of(all[1].message), 204);
  EXPECT_TRUE(all[2].message.empty());
  EXPECT_TRUE(all[3].message.empty());
}

TEST_F(DhtServiceTest, ASessionHasItsShareAndAllHaveABound) {
  for (std::size_t i = 0; i < DhtService::kMaxOfSession + 3; ++i) ask(dht::FindNode{hash, {}});
  EXPECT_EQ(service.running(), DhtService::kMaxOfSession);
  EXPECT_EQ(service.counters().over_share, 3u);
  for (const auto& answered : answers()) EXPECT_EQ(test::error_of(answered.message), 202);
  for (base::Handle connection = 2; connection < 12; ++connection)
    for (std::size_t i = 0; i < DhtService::kMaxOfSession; ++i)
      ask(dht::FindNode{hash, {}}, connection);
  EXPECT_EQ(service.running(), DhtService::kMaxOperations);
  EXPECT_GT(service.counters().full, 0u);
}

TEST_F(DhtServiceTest, ASessionThatEndsTakesItsOperationsAlong) {
  ask(dht::FindNode{hash, {}}, 1);
  ask(dht::FindNode{hash, {}}, 2);
  ask(dht::Ping{}, 1);
  service.forget(1);
  EXPECT_EQ(service.running(), 1u);
  EXPECT_EQ(service.counters().abandoned, 1u);
  serve();
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].connection, 2u);
  for (std::size_t i = 0; i < DhtService::kMaxOfSession; ++i) ask(dht::FindNode{hash, {}}, 1);
  EXPECT_EQ(service.counters().over_share, 0u);
}

TEST_F(DhtServiceTest, SilentNodesEndInAnAnswerToo) {
  ask(dht::GetPeers{hash, {}, false, false});
  net.pass(60s);
  tell();
  const auto all = answers();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(test::response_of(all[0].message).effort, (dht::Effort{1, 0, 0}));
}

}  // namespace
}  // namespace boxgram::gateway
