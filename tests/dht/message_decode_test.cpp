#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boxgram/dht/message.hpp>

#include "kept.hpp"

namespace boxgram::dht {
namespace {

using base::as_bytes;
using base::as_text;
using testing::ElementsAre;

// The messages of BEP 5, and others made by its pattern.
constexpr std::string_view kPing = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
constexpr std::string_view kPong = "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re";
constexpr std::string_view kError = "d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee";

const NodeId kAsker = NodeId::from(as_bytes("abcdefghij0123456789"));
const NodeId kOther = NodeId::from(as_bytes("mnopqrstuvwxyz123456"));

/// A query with these arguments besides `id`, which must sort behind it.
std::string query_text(std::string_view method, std::string_view arguments) {
  return "d1:ad2:id20:abcdefghij0123456789" + std::string(arguments) + "e1:q" +
         std::to_string(method.size()) + ":" + std::string(method) + "1:t2:aa1:y1:qe";
}

std::string response_text(std::string_view results) {
  return "d1:rd2:id20:mnopqrstuvwxyz123456" + std::string(results) + "e1:t2:aa1:y1:re";
}

template <class Kind>
Kind read(std::string_view text, Overlay overlay = Overlay::mainline) {
  const auto message = decode(test::kept(text), overlay);
  EXPECT_TRUE(message) << text;
  if (!message) return Kind{};
  EXPECT_TRUE(std::holds_alternative<Kind>(*message)) << text;
  return std::get<Kind>(*message);
}

template <class Method>
Method arguments(std::string_view text, Overlay overlay = Overlay::mainline) {
  const auto query = read<Query>(text, overlay);
  EXPECT_TRUE(std::holds_alternative<Method>(query.arguments)) << text;
  return std::get<Method>(query.arguments);
}

Fault fault(std::string_view text, Overlay overlay = Overlay::mainline) {
  const auto message = decode(test::kept(text), overlay);
  EXPECT_FALSE(message) << text;
  return message ? Fault{} : message.error();
}

void expect_error_203(std::string_view text) {
  const Fault f = fault(text);
  EXPECT_EQ(f.reason, DecodeError::malformed) << text;
  EXPECT_EQ(as_text(f.transaction), "aa") << text;
  EXPECT_EQ(f.error, ErrorCode::protocol) << text;
}

void expect_drop(std::string_view text, DecodeError reason) {
  const Fault f = fault(text);
  EXPECT_EQ(f.reason, reason) << text;
  EXPECT_TRUE(f.transaction.empty()) << text;
}

std::vector<std::string> peers_of(const Response& response, AddressPolicy policy) {
  std::vector<std::string> peers;
  response.peers.for_each(policy,
                          [&](const auto& address) { peers.push_back(to_string(address)); });
  return peers;
}

TEST(DecodeQuery, PingOfBep5) {
  const auto query = read<Query>(kPing);
  EXPECT_EQ(as_text(query.transaction), "aa");
  EXPECT_EQ(query.id, kAsker);
  EXPECT_FALSE(query.read_only);
  EXPECT_TRUE(std::holds_alternative<Ping>(query.arguments));
}

TEST(DecodeQuery, FindNodeOfBep5) {
  const auto text = query_text("find_node", "6:target20:mnopqrstuvwxyz123456");
  EXPECT_EQ(arguments<FindNode>(text).target, kOther);
  EXPECT_EQ(arguments<FindNode>(text).want, Want{});
}

TEST(DecodeQuery, GetPeersOfBep5) {
  const auto method =
      arguments<GetPeers>(query_text("get_peers", "9:info_hash20:mnopqrstuvwxyz123456"));
  EXPECT_EQ(method.info_hash, kOther);
  EXPECT_FALSE(method.no_seeds);
  EXPECT_FALSE(method.scrape);
}

TEST(DecodeQuery, AnnouncePeerOfBep5) {
  const auto method =
      arguments<AnnouncePeer>(query_text("announce_peer",
                                         "12:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456"
                                         "4:porti6881e5:token8:aoeusnth"));
  EXPECT_EQ(method.info_hash, kOther);
  EXPECT_EQ(method.port, 6881);
  EXPECT_TRUE(method.implied_port);
  EXPECT_FALSE(method.seed);
  EXPECT_EQ(as_text(method.token), "aoeusnth");
}

TEST(DecodeQuery, FlagsOfBep33) {
  EXPECT_TRUE(arguments<AnnouncePeer>(query_text("announce_peer",
                                                 "9:info_hash20:mnopqrstuvwxyz123456"
                                                 "4:porti1e4:seedi1e5:token1:t"))
                  .seed);
  const auto method = arguments<GetPeers>(
      query_text("get_peers", "9:info_hash20:mnopqrstuvwxyz1234566:noseedi1e6:scrapei1e"));
  EXPECT_TRUE(method.no_seeds);
  EXPECT_TRUE(method.scrape);
}

TEST(DecodeQuery, WantOfBep32PassesOverUnknownFamilies) {
  const auto want = [](std::string_view list) {
    return arguments<FindNode>(
               query_text("find_node", "6:target20:mnopqrstuvwxyz1234564:want" + std::string(list)))
        .want;
  };
  EXPECT_EQ(want("le"), (Want{false, false}));
  EXPECT_EQ(want("l2:n4e"), (Want{true, false}));
  EXPECT_EQ(want("l2:n6e"), (Want{false, true}));
  EXPECT_EQ(want("l2:n62:n42:n9i1ee"), (Want{true, true}));
}

TEST(DecodeQuery, ReadOnlyOfBep43) {
  EXPECT_TRUE(
      read<Query>("d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe").read_only);
  EXPECT_FALSE(
      read<Query>("d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi0e1:t2:aa1:y1:qe").read_only);
}

TEST(DecodeQuery, GetAndPutOfBep44) {
  const auto get = arguments<GetItem>(query_text("get", "3:seqi7e6:target20:mnopqrstuvwxyz123456"));
  EXPECT_EQ(get.target, kOther);
  EXPECT_EQ(get.newer_than, 7);

  const auto immutable = arguments<PutItem>(query_text("put", "5:token1:t1:vd1:ai1ee"));
  EXPECT_EQ(as_text(immutable.item.value), "d1:ai1ee");
  EXPECT_FALSE(immutable.item.author);
  EXPECT_EQ(as_text(immutable.token), "t");

  const auto mutable_item =
      arguments<PutItem>("d1:ad3:casi3e2:id20:abcdefghij01234567891:k32:" + std::string(32, 'k') +
                         "4:salt3:abc3:seqi4e3:sig64:" + std::string(64, 's') +
                         "5:token1:t1:v2:hie1:q3:put1:t2:aa1:y1:qe");
  EXPECT_EQ(mutable_item.cas, 3);
  ASSERT_TRUE(mutable_item.item.author);
  EXPECT_EQ(mutable_item.item.author->sequence, 4);
  EXPECT_EQ(as_text(mutable_item.item.author->salt), "abc");
  EXPECT_EQ(mutable_item.item.author->key[31], 'k');
  EXPECT_EQ(mutable_item.item.author->signature[63], 's');
}

TEST(DecodeQuery, OversizedItemsKeepTheErrorsOfTheirOwn) {
  const std::string big = "1100:" + std::string(1100, 'v');
  const auto put = arguments<PutItem>(query_text("put", "5:token1:t1:v" + big));
  EXPECT_EQ(check(put.item), ErrorCode::value_too_big);
  const auto salted = arguments<PutItem>(
      query_text("put", "1:k32:" + std::string(32, 'k') + "4:salt65:" + std::string(65, 'a') +
                            "3:seqi4e3:sig64:" + std::string(64, 's') + "5:token1:t1:v2:hi"));
  EXPECT_EQ(check(salted.item), ErrorCode::salt_too_big);
}

TEST(DecodeQuery, OrderOfKeysDoesNotMatter) {
  const auto query = read<Query>("d1:t2:aa1:y1:q1:q4:ping1:ad2:id20:abcdefghij0123456789ee");
  EXPECT_EQ(query.id, kAsker);
}

TEST(DecodeQuery, UnknownKeysArePassedOver) {
  EXPECT_EQ(read<Query>("d1:ad3:fooi1e2:id20:abcdefghij01234567893:zzzlee"
                        "3:barde1:q4:ping1:t2:aa1:v4:LT211:y1:qe")
                .id,
            kAsker);
}

TEST(DecodeQuery, TransactionIsOneTo20Bytes) {
  const auto ping = [](std::size_t size) {
    return "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t" + std::to_string(size) + ":" +
           std::string(size, 't') + "1:y1:qe";
  };
  EXPECT_EQ(read<Query>(ping(1)).transaction.size(), 1u);
  EXPECT_EQ(read<Query>(ping(20)).transaction.size(), 20u);
  expect_drop(ping(0), DecodeError::no_transaction);
  expect_drop(ping(21), DecodeError::no_transaction);
}

TEST(DecodeQuery, MissingOrMisshapenArgumentsAreError203) {
  expect_error_203("d1:ade1:q4:ping1:t2:aa1:y1:qe");
  expect_error_203("d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe");
  expect_error_203("d1:ad2:idi7ee1:q4:ping1:t2:aa1:y1:qe");
  expect_error_203("d1:ale1:q4:ping1:t2:aa1:y1:qe");
  expect_error_203("d1:q4:ping1:t2:aa1:y1:qe");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:t2:aa1:y1:qe");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:qi1e1:t2:aa1:y1:qe");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:ro1:11:t2:aa1:y1:qe");
  expect_error_203(query_text("find_node", ""));
  expect_error_203(query_text("find_node", "6:target19:mnopqrstuvwxyz12345"));
  expect_error_203(query_text("find_node", "6:target20:mnopqrstuvwxyz1234564:wanti4e"));
  expect_error_203(query_text("get_peers", "6:target20:mnopqrstuvwxyz123456"));
  expect_error_203(query_text("get", "9:info_hash20:mnopqrstuvwxyz123456"));
  expect_error_203(query_text("get", "3:seq1:16:target20:mnopqrstuvwxyz123456"));
  for (const auto* tail :
       {"4:porti1e", "4:porti0e5:token1:t", "4:porti65536e5:token1:t", "4:porti-1e5:token1:t",
        "5:token1:t", "4:port1:15:token1:t", "4:porti1e5:token0:", "4:porti1e5:tokeni1e"})
    expect_error_203(
        query_text("announce_peer", "9:info_hash20:mnopqrstuvwxyz123456" + std::string(tail)));
  expect_error_203(query_text("put", "5:token1:t"));
  expect_error_203(query_text("put", "1:v1:x"));
  const std::string k = "1:k32:" + std::string(32, 'k');
  const std::string sig = "3:sig64:" + std::string(64, 's');
  expect_error_203(query_text("put", k + "3:seqi1e5:token1:t1:v1:x"));
  expect_error_203(query_text("put", k + sig + "5:token1:t1:v1:x"));
  expect_error_203(query_text("put", "3:seqi1e" + sig + "5:token1:t1:v1:x"));
  expect_error_203(query_text("put", k.substr(0, 3) + "31:" + std::string(31, 'k') + "3:seqi1e" +
                                         sig + "5:token1:t1:v1:x"));
  expect_error_203(query_text("put", "5:token41:" + std::string(41, 't') + "1:v1:x"));
}

TEST(DecodeQuery, ImpliedPortMakesThePortUnneeded) {
  EXPECT_EQ(
      arguments<AnnouncePeer>(query_text("announce_peer",
                                         "12:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456"
                                         "4:porti0e5:token1:t"))
          .port,
      0);
}

TEST(DecodeQuery, AKeyThatComesTwiceIsError203) {
  expect_error_203(
      "d1:ad2:id20:abcdefghij01234567892:id20:mnopqrstuvwxyz123456e"
      "1:q4:ping1:t2:aa1:y1:qe");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:t2:bb1:y1:qe");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:q1:y1:qe");
}

TEST(DecodeQuery, WhatIsUnsoundBehindTheTransactionIsError203) {
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qeX");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:q");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:vi-0e1:y1:qe");
  expect_error_203("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae");
}

TEST(DecodeQuery, UnknownMethodsAreError204) {
  const Fault f = fault(query_text("vote", "6:target20:mnopqrstuvwxyz123456"));
  EXPECT_EQ(f.reason, DecodeError::method_unknown);
  EXPECT_EQ(f.error, ErrorCode::method_unknown);
  EXPECT_EQ(as_text(f.transaction), "aa");
}

TEST(Decode, NoiseIsDropped) {
  for (const auto* text : {"", "d", "e", "x", "de"}) {
    const Fault f = fault(text);
    EXPECT_TRUE(f.transaction.empty()) << text;
  }
  expect_drop("hello", DecodeError::not_bencode);
  expect_drop("le", DecodeError::not_bencode);
  expect_drop("i1e", DecodeError::not_bencode);
  expect_drop("de", DecodeError::no_transaction);
  expect_drop("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe", DecodeError::no_transaction);
  expect_drop("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:ti1e1:y1:qe",
              DecodeError::no_transaction);
  expect_drop("d1:ad2:id020:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
              DecodeError::not_bencode);
}

TEST(Decode, LongMessagesAreDropped) {
  const auto with_padding = [](std::size_t size) {
    return "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:v" + std::to_string(size) + ":" +
           std::string(size, 'x') + "1:y1:qe";
  };
  EXPECT_EQ(with_padding(1436).size(), kMaxMessage);
  read<Query>(with_padding(1436));
  expect_drop(with_padding(1437), DecodeError::too_long);
}

TEST(Decode, OnlyQueriesAreAnsweredWithErrors) {
  for (const auto* text :
       {"d1:rd2:id19:mnopqrstuvwxyz12345e1:t2:aa1:y1:re", "d1:rle1:t2:aa1:y1:re", "d1:t2:aa1:y1:re",
        "d1:eli201ee1:t2:aa1:y1:ee", "d1:e3:foo1:t2:aa1:y1:ee", "d1:t2:aa1:y1:ee",
        "d1:t2:aa1:y1:xe", "d1:t2:aa1:yi1ee", "d1:t2:aae",
        "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:reX", "d1:q4:ping1:t2:aa1:y1:re"})
    expect_drop(text, DecodeError::malformed);
}

TEST(DecodeResponse, PongOfBep5) {
  const auto response = read<Response>(kPong);
  EXPECT_EQ(as_text(response.transaction), "aa");
  EXPECT_EQ(response.id, kOther);
  EXPECT_TRUE(response.nodes.empty());
  EXPECT_TRUE(response.peers.empty());
  EXPECT_TRUE(response.token.empty());
  EXPECT_FALSE(response.ip);
  EXPECT_FALSE(response.item);
}

TEST(DecodeResponse, PeersOfBep5) {
  const auto response =
      read<Response>(response_text("5:token8:aoeusnth6:valuesl6:axje.u6:idhtnme"));
  EXPECT_EQ(as_text(response.token), "aoeusnth");
  EXPECT_THAT(peers_of(response, AddressPolicy::internet),
              ElementsAre("97.120.106.101:11893", "105.100.104.116:28269"));
}

TEST(DecodeResponse, PeersOfBothFamiliesMayStandTogether) {
  using namespace std::string_literals;
  const auto v6 = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1"s;
  const auto loopback = "\x7f\0\0\1\1\1"s;
  const auto text = response_text("6:valuesl6:axje.u18:" + v6 + "3:abci1e6:" + loopback + "e");
  const auto response = read<Response>(text);
  EXPECT_THAT(peers_of(response, AddressPolicy::internet),
              ElementsAre("97.120.106.101:11893", "[2001:db8::1]:6881"));
  EXPECT_THAT(peers_of(response, AddressPolicy::and_local),
              ElementsAre("97.120.106.101:11893", "[2001:db8::1]:6881", "127.0.0.1:257"));
}

TEST(DecodeResponse, NodesMustBeWhole) {
  const std::string node = "abcdefghij0123456789axje.u";
  const auto response = read<Response>(response_text("5:nodes52:" + node + node));
  ASSERT_EQ(response.nodes.size(), 2u);
  EXPECT_EQ(response.nodes.at(1, AddressPolicy::internet)->id, kAsker);
  expect_drop(response_text("5:nodes51:" + node + node.substr(1)), DecodeError::malformed);
  expect_drop(response_text("6:nodes626:" + node), DecodeError::malformed);
  expect_drop(response_text("5:nodesle"), DecodeError::malformed);
}

TEST(DecodeResponse, OwnAddressIsAdvice) {
  const auto with_ip = [](std::string_view ip) {
    return "d2:ip" + std::to_string(ip.size()) + ":" + std::string(ip) +
           "1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re";
  };
  EXPECT_EQ(to_string(*read<Response>(with_ip("axje.u")).ip), "97.120.106.101:11893");
  EXPECT_FALSE(read<Response>(with_ip("axje")).ip);
  EXPECT_FALSE(read<Response>(with_ip("")).ip);
}

TEST(DecodeResponse, ItemsOfBep44) {
  const auto immutable = read<Response>(response_text("5:token1:t1:vli1ee"));
  ASSERT_TRUE(immutable.item);
  EXPECT_EQ(as_text(immutable.item->value), "li1ee");
  EXPECT_FALSE(immutable.item->author);

  const std::string k = "1:k32:" + std::string(32, 'k');
  const std::string sig = "3:sig64:" + std::string(64, 's');
  const auto signed_item = read<Response>(response_text(k + "3:seqi9e" + sig + "5:token1:t1:v1:x"));
  ASSERT_TRUE(signed_item.item && signed_item.item->author);
  EXPECT_EQ(signed_item.item->author->sequence, 9);
  EXPECT_EQ(signed_item.sequence, 9);

  const auto not_newer = read<Response>(response_text("3:seqi9e5:token1:t"));
  EXPECT_EQ(not_newer.sequence, 9);
  EXPECT_FALSE(not_newer.item);
  expect_drop(response_text(k + sig + "5:token1:t1:v1:x"), DecodeError::malformed);
}

TEST(DecodeError, GenericErrorOfBep5) {
  const auto error = read<Error>(kError);
  EXPECT_EQ(error.code, 201);
  EXPECT_EQ(as_text(error.text), "A Generic Error Ocurred");
  EXPECT_EQ(as_text(error.transaction), "aa");
}

TEST(DecodeSealed, IdIsNeitherNeededNorBelieved) {
  EXPECT_EQ(read<Query>("d1:ade1:q4:ping1:t2:aa1:y1:qe", Overlay::sealed).id, NodeId{});
  EXPECT_EQ(read<Query>(kPing, Overlay::sealed).id, NodeId{});
  EXPECT_EQ(read<Response>(kPong, Overlay::sealed).id, NodeId{});
}

TEST(DecodeSealed, HintNamesTheSendersOwnNode) {
  const std::string node = std::string(32, 'k') + "\x1a\xe1";
  const std::string text = "d1:ad4:node34:" + node + "e1:q4:ping1:t2:aa1:y1:qe";
  const auto query = read<Query>(text, Overlay::sealed);
  ASSERT_TRUE(query.hint);
  EXPECT_EQ(query.hint->port, 6881);
  EXPECT_EQ(query.hint->key[0], 'k');
  EXPECT_FALSE(read<Query>(query_text("ping", "4:node34:" + node)).hint) << "not in Mainline";
  for (const auto& wrong : {"4:node33:" + node.substr(1), "4:nodei1e" + std::string(),
                            "4:node34:" + std::string(32, 'k') + std::string(2, '\0')})
    EXPECT_EQ(fault("d1:ad" + wrong + "e1:q4:ping1:t2:aa1:y1:qe", Overlay::sealed).reason,
              DecodeError::malformed);
}

TEST(DecodeSealed, EachOverlayPassesOverTheNodesOfTheOther) {
  const std::string node = "abcdefghij0123456789axje.u";
  const std::string sealed_node = std::string(32, 'k') + "axje.u";
  const auto text = response_text("5:nodes26:" + node + "6:snodes38:" + sealed_node);
  const auto mainline = read<Response>(text);
  EXPECT_EQ(mainline.nodes.size(), 1u);
  EXPECT_TRUE(mainline.sealed_nodes.empty());
  const auto sealed = read<Response>(text, Overlay::sealed);
  EXPECT_TRUE(sealed.nodes.empty());
  ASSERT_EQ(sealed.sealed_nodes.size(), 1u);
  EXPECT_EQ(to_string(sealed.sealed_nodes.at(0, AddressPolicy::internet)->address),
            "97.120.106.101:11893");
}

}  // namespace
}  // namespace boxgram::dht
