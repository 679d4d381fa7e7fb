#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boxgram/dht/message.hpp>

#include "kept.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::dht {
namespace {

using base::as_bytes;
using base::as_text;

const NodeId kAsker = NodeId::from(as_bytes("abcdefghij0123456789"));
const NodeId kOther = NodeId::from(as_bytes("mnopqrstuvwxyz123456"));
constexpr std::size_t kRoom = 2'000;

Query query_of(decltype(Query::arguments) arguments) {
  Query query;
  query.transaction = as_bytes("aa");
  query.id = kAsker;
  query.arguments = arguments;
  return query;
}

Reply reply_of() {
  Reply reply;
  reply.transaction = as_bytes("aa");
  reply.id = kOther;
  return reply;
}

template <class What>
std::string text_of(const What& what, Overlay overlay = Overlay::mainline,
                    std::size_t room = kRoom) {
  std::vector<std::uint8_t> out(room);
  const std::size_t size = encode(what, overlay, out);
  EXPECT_LE(size, room);
  const base::Bytes written = base::Bytes(out).first(size);
  EXPECT_TRUE(size == 0 || bencode::is_canonical(written));
  return std::string(as_text(written));
}

Response decoded(const std::string& text, Overlay overlay = Overlay::mainline) {
  const auto message = decode(test::kept(text), overlay);
  EXPECT_TRUE(message) << text;
  return message ? std::get<Response>(*message) : Response{};
}

std::size_t count_peers(const Response& response) {
  std::size_t count = 0;
  response.peers.for_each(AddressPolicy::internet, [&](const auto&) { ++count; });
  return count;
}

std::vector<Contact> contacts(std::size_t count, Family family = Family::v4) {
  test::SeededRng rng(count);
  std::vector<Contact> list;
  for (std::size_t i = 0; i < count; ++i) {
    const auto n = static_cast<std::uint8_t>(i + 1);
    Contact contact{NodeId::random(rng), base::SocketAddress::v4(198, 51, 100, n, 6881)};
    if (family == Family::v6) {
      contact.address.ip = {0x20, 0x01, 0x0d, 0xb8};
      contact.address.ip[15] = n;
    }
    list.push_back(contact);
  }
  return list;
}

std::vector<base::SocketAddress> peers(std::size_t count) {
  std::vector<base::SocketAddress> list;
  for (std::size_t i = 0; i < count; ++i)
    list.push_back(base::SocketAddress::v4(203, 0, 113, static_cast<std::uint8_t>(i), 50'000));
  return list;
}

TEST(EncodeQuery, IsTheTextOfBep5) {
  EXPECT_EQ(text_of(query_of(Ping{})), "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(FindNode{kOther, {}})),
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node"
            "1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(GetPeers{kOther, {}, false, false})),
            "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers"
            "1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(AnnouncePeer{kOther, 6881, true, false, as_bytes("aoeusnth")})),
            "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456"
            "4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe");
}

TEST(EncodeQuery, WritesWhatTheOtherBepsAdd) {
  EXPECT_EQ(text_of(query_of(FindNode{kOther, {true, true}})),
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee"
            "1:q9:find_node1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(GetPeers{kOther, {}, true, true})),
            "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456"
            "6:noseedi1e6:scrapei1ee1:q9:get_peers1:t2:aa1:y1:qe");
  Query query = query_of(Ping{});
  query.read_only = true;
  EXPECT_EQ(text_of(query), "d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(GetItem{kOther, {}, 7})),
            "d1:ad2:id20:abcdefghij01234567893:seqi7e6:target20:mnopqrstuvwxyz123456e"
            "1:q3:get1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(GetItem{kOther, {}, {}, as_bytes("abc")})),
            "d1:ad2:id20:abcdefghij01234567894:salt3:abc6:target20:mnopqrstuvwxyz123456e"
            "1:q3:get1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query_of(PutItem{as_bytes("tok"), {as_bytes("2:hi"), {}}, 5})),
            "d1:ad2:id20:abcdefghij01234567895:token3:tok1:v2:hie1:q3:put1:t2:aa1:y1:qe");
  Authorship author{{}, as_bytes("abc"), 4, {}};
  author.key.fill('k');
  author.signature.fill('s');
  EXPECT_EQ(text_of(query_of(PutItem{as_bytes("tok"), {as_bytes("2:hi"), author}, 3})),
            "d1:ad3:casi3e2:id20:abcdefghij01234567891:k32:" + std::string(32, 'k') +
                "4:salt3:abc3:seqi4e3:sig64:" + std::string(64, 's') +
                "5:token3:tok1:v2:hie1:q3:put1:t2:aa1:y1:qe");
}

TEST(EncodeQuery, SealedHasAHintInsteadOfAnId) {
  Query query = query_of(FindNode{kOther, {}});
  query.hint.emplace();
  query.hint->key.fill('k');
  query.hint->port = 0x4142;
  EXPECT_EQ(text_of(query, Overlay::sealed),
            "d1:ad4:node34:" + std::string(32, 'k') +
                "AB6:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe");
  EXPECT_EQ(text_of(query), text_of(query_of(FindNode{kOther, {}}))) << "not in Mainline";
}

TEST(EncodeQuery, GoesWithoutItsHintWhereThatDoesNotFit) {
  Query query = query_of(Ping{});
  query.hint.emplace();
  const auto full = text_of(query, Overlay::sealed);
  const auto bare = text_of(query_of(Ping{}), Overlay::sealed);
  EXPECT_EQ(text_of(query, Overlay::sealed, full.size()), full);
  EXPECT_EQ(text_of(query, Overlay::sealed, full.size() - 1), bare);
  EXPECT_EQ(text_of(query, Overlay::sealed, bare.size()), bare);
  EXPECT_EQ(text_of(query, Overlay::sealed, bare.size() - 1), "");
}

TEST(EncodeReply, IsTheTextOfBep5) {
  EXPECT_EQ(text_of(reply_of()), "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re");
  Reply reply = reply_of();
  reply.token = as_bytes("aoeusnth");
  const std::vector<base::SocketAddress> two = {
      base::SocketAddress::v4('a', 'x', 'j', 'e', 0x2e75),
      base::SocketAddress::v4('i', 'd', 'h', 't', 0x6e6d)};
  reply.peers = two;
  EXPECT_EQ(text_of(reply),
            "d1:rd2:id20:mnopqrstuvwxyz1234565:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee"
            "1:t2:aa1:y1:re");
}

TEST(EncodeReply, PresentListsAreWrittenEvenIfEmpty) {
  Reply reply = reply_of();
  reply.nodes.emplace();
  EXPECT_EQ(text_of(reply), "d1:rd2:id20:mnopqrstuvwxyz1234565:nodes0:e1:t2:aa1:y1:re");
}

TEST(EncodeReply, SaysWhereTheQueryCameFrom) {
  Reply reply = reply_of();
  reply.ip = base::SocketAddress::v4('a', 'x', 'j', 'e', 0x2e75);
  EXPECT_EQ(text_of(reply), "d2:ip6:axje.u1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re");
  EXPECT_EQ(text_of(reply, Overlay::mainline, 58),
            "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re");
}

TEST(EncodeReply, ItemsGoWithoutNodes) {
  const auto near = contacts(8);
  Reply reply = reply_of();
  reply.nodes = near;
  reply.token = as_bytes("tok");
  reply.item = Item{as_bytes("2:hi"), {}};
  EXPECT_EQ(text_of(reply), "d1:rd2:id20:mnopqrstuvwxyz1234565:token3:tok1:v2:hie1:t2:aa1:y1:re");
  reply.item->author = Authorship{{}, as_bytes("salt"), 9, {}};
  const auto response = decoded(text_of(reply));
  ASSERT_TRUE(response.item && response.item->author);
  EXPECT_EQ(response.item->author->sequence, 9);
  EXPECT_TRUE(response.item->author->salt.empty()) << "bystanders do not learn it";
}

TEST(EncodeReply, AGatewaySaysWhatItTook) {
  Reply reply = reply_of();
  reply.effort = Effort{9, 8, 7};
  const std::string text = text_of(reply);
  EXPECT_EQ(text,
            "d1:rd8:answeredi8e5:askedi9e2:id20:mnopqrstuvwxyz1234566:storedi7ee1:t2:aa1:y1:re");
  const auto message = decode(as_bytes(text), Overlay::mainline);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(std::get<Response>(*message).effort, reply.effort);
  for (const auto* wrong : {"d1:rd5:askedi-1e2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
                            "d1:rd5:asked1:12:id20:abcdefghij0123456789e1:t2:aa1:y1:re"})
    EXPECT_FALSE(decode(as_bytes(std::string_view(wrong)), Overlay::mainline).has_value());
}

TEST(EncodeReply, AGatewaysAnswerMayBeLongerThanADatagram) {
  std::vector<base::SocketAddress> peers(8189, base::SocketAddress::v4(192, 0, 2, 1, 1));
  Reply reply = reply_of();
  reply.peers = peers;
  std::vector<std::uint8_t> bytes(65'535);
  bytes.resize(encode(reply, Overlay::mainline, bytes));
  EXPECT_GT(bytes.size(), 65'000u);
  EXPECT_FALSE(decode(bytes, Overlay::mainline).has_value());
  const auto message = decode(bytes, Overlay::mainline, 65'535);
  ASSERT_TRUE(message.has_value());
  std::size_t count = 0;
  std::get<Response>(*message).peers.for_each(AddressPolicy::and_local,
                                              [&](const base::SocketAddress&) { ++count; });
  EXPECT_GT(count, 8150u);
}

TEST(EncodeReply, SequenceAloneSaysThatTheItemIsNotNewer) {
  Reply reply = reply_of();
  reply.sequence = 9;
  EXPECT_EQ(text_of(reply), "d1:rd2:id20:mnopqrstuvwxyz1234563:seqi9ee1:t2:aa1:y1:re");
}

TEST(EncodeReply, TheLargestItemFits) {
  const std::string value = "996:" + std::string(996, 'v');
  const std::string token(kMaxToken, 't');
  const std::string transaction(kMaxTransaction, 't');
  Reply reply = reply_of();
  reply.transaction = as_bytes(transaction);
  reply.token = as_bytes(token);
  reply.ip = contacts(1, Family::v6)[0].address;
  reply.item = Item{as_bytes(value), Authorship{{}, {}, INT64_MAX, {}}};
  EXPECT_TRUE(decoded(text_of(reply, Overlay::mainline, kMaxItemReply)).ip);
}

TEST(EncodeReply, GoesWithoutWhatCanBeSparedBeforeItGoesNotAtAll) {
  const std::string value = "996:" + std::string(996, 'v');
  Reply reply = reply_of();
  reply.token = as_bytes("aoeusnth");
  reply.ip = base::SocketAddress::v4(198, 51, 100, 7, 6881);
  reply.item = Item{as_bytes(value), Authorship{{}, {}, INT64_MAX, {}}};
  const std::size_t whole = text_of(reply).size();
  const auto at = [&](std::size_t room) {
    return decoded(text_of(reply, Overlay::mainline, room));
  };
  EXPECT_TRUE(at(whole).ip);
  EXPECT_FALSE(at(whole - 1).ip);
  EXPECT_FALSE(at(whole - 1).token.empty());
  const std::size_t least = least_size(reply, Overlay::mainline);
  EXPECT_TRUE(at(least).token.empty());
  EXPECT_TRUE(at(least).item);
  EXPECT_EQ(text_of(reply, Overlay::mainline, least - 1), "");

  // Without an item the token is what matters.
  reply.item.reset();
  const std::size_t without_item = least_size(reply, Overlay::mainline);
  EXPECT_FALSE(at(without_item).token.empty());
  EXPECT_EQ(text_of(reply, Overlay::mainline, without_item - 1), "");
}

TEST(EncodeReply, TheLargestItemFitsTheLargestSealedAnswer) {
  const std::string value = "996:" + std::string(996, 'v');
  Reply reply = reply_of();
  reply.transaction = as_bytes("tttttt");
  reply.token = as_bytes("aoeusnth");
  reply.ip = contacts(1, Family::v6)[0].address;
  reply.item = Item{as_bytes(value), Authorship{{}, {}, INT64_MAX, {}}};
  constexpr std::size_t kRoomInMsg = 1172;  // PROTOCOL.md, "Datagrams"
  EXPECT_LE(least_size(reply, Overlay::sealed), kRoomInMsg);
}

TEST(EncodeReply, ListsAreShortenedToWhatFits) {
  const auto near = contacts(8);
  const auto near6 = contacts(8, Family::v6);
  const auto fifty = peers(50);
  Reply reply = reply_of();
  reply.nodes = near;
  reply.nodes6 = near6;
  reply.peers = fifty;
  reply.token = as_bytes("aoeusnth");
  const auto whole = decoded(text_of(reply));
  EXPECT_EQ(whole.nodes.size(), 8u);
  EXPECT_EQ(whole.nodes6.size(), 8u);
  EXPECT_EQ(count_peers(whole), 50u);
  std::size_t nodes = 0;
  for (std::size_t room = 0; room < kRoom; ++room) {
    const auto text = text_of(reply, Overlay::mainline, room);
    if (text.empty()) {
      EXPECT_EQ(nodes, 0u) << room;
      continue;
    }
    const auto response = decoded(text);
    EXPECT_GE(response.nodes.size(), nodes) << room;
    nodes = response.nodes.size();
    for (std::size_t i = 0; i < nodes; ++i)
      EXPECT_EQ(response.nodes.at(i, AddressPolicy::internet), near[i]) << "the nearest stay";
    const std::size_t values = count_peers(response);
    // The peers, which come last, use what is left, as soon as their frame fits.
    const std::size_t needed = values == 0 ? 18 : 8;
    EXPECT_TRUE(values == 50 || room - text.size() < needed) << room;
  }
  EXPECT_EQ(nodes, 8u);
}

TEST(EncodeReply, NoRoomIsLeftThatAnotherEntryWouldFitInto) {
  const auto near = contacts(8);
  Reply reply = reply_of();
  reply.nodes = near;
  const std::size_t bare = text_of(reply_of()).size() + std::string("5:nodes0:").size();
  for (std::size_t count = 1; count <= 8; ++count) {
    const std::size_t digits = count * 26 < 100 ? 2 : 3;
    const std::size_t exact = bare - 1 + digits + count * 26;
    EXPECT_EQ(decoded(text_of(reply, Overlay::mainline, exact)).nodes.size(), count);
    EXPECT_EQ(text_of(reply, Overlay::mainline, exact).size(), exact);
    EXPECT_EQ(decoded(text_of(reply, Overlay::mainline, exact - 1)).nodes.size(), count - 1);
  }
}

TEST(EncodeReply, EachOverlayNamesItsOwnNodesOnly) {
  const auto near = contacts(2);
  std::vector<SealedContact> sealed(3);
  for (auto& contact : sealed) contact.address = near[0].address;
  Reply reply = reply_of();
  reply.nodes = near;
  reply.sealed_nodes = sealed;
  const auto in_mainline = decoded(text_of(reply));
  EXPECT_EQ(in_mainline.nodes.size(), 2u);
  EXPECT_EQ(text_of(reply).find("snodes"), std::string::npos);
  const auto in_sealed = text_of(reply, Overlay::sealed);
  EXPECT_EQ(decoded(in_sealed, Overlay::sealed).sealed_nodes.size(), 3u);
  EXPECT_EQ(in_sealed.find("5:nodes"), std::string::npos);
  EXPECT_EQ(in_sealed.find("2:id"), std::string::npos);
}

TEST(EncodeError, IsShort) {
  std::array<std::uint8_t, 100> out;
  const std::size_t size = encode_error(as_bytes("aa"), ErrorCode::protocol, out);
  EXPECT_EQ(as_text(base::Bytes(out).first(size)), "d1:eli203e14:protocol errore1:t2:aa1:y1:ee");
  for (const ErrorCode code :
       {ErrorCode::generic, ErrorCode::server, ErrorCode::protocol, ErrorCode::method_unknown,
        ErrorCode::value_too_big, ErrorCode::invalid_signature, ErrorCode::salt_too_big,
        ErrorCode::cas_mismatch, ErrorCode::sequence_too_low}) {
    const std::size_t length = encode_error(as_bytes("aa"), code, out);
    const auto message = decode(base::Bytes(out).first(length), Overlay::mainline);
    ASSERT_TRUE(message);
    EXPECT_EQ(std::get<Error>(*message).code, static_cast<int>(code));
    EXPECT_FALSE(std::get<Error>(*message).text.empty());
  }
  EXPECT_EQ(encode_error(as_bytes("aa"), ErrorCode::protocol, base::MutableBytes(out).first(41)),
            0u);
}

}  // namespace
}  // namespace boxgram::dht
