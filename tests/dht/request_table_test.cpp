#include "dht/request_table.hpp"

#include <set>

#include <gtest/gtest.h>

#include "dht/address_votes.hpp"
#include "dht/network_size.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::Request;
using dht::RequestKind;
using dht::RequestTable;
using Due = RequestTable::Due;

constexpr base::Instant kNow = base::Instant{} + 1000h;

struct RequestTableTest : testing::Test {
  Request* add() {
    return table.add(RequestKind::ping, {{}, SocketAddress::v4(20, 0, 0, 1, 1), {}}, {}, 0);
  }
  /// What is due at that time, as the handles of slow and dead requests.
  std::pair<std::vector<base::Handle>, std::vector<base::Handle>> due(base::Instant now) {
    std::vector<base::Handle> slow, dead;
    Due what{};
    while (Request* request = table.expire(now, what)) {
      (what == Due::slow ? slow : dead).push_back(request->self);
      if (what == Due::dead) table.release(*request);
    }
    return {slow, dead};
  }
  using Handles = std::vector<base::Handle>;

  SeededRng rng{1};
  RequestTable table{8, rng};
};

TEST_F(RequestTableTest, SendsFirstInFirstOut) {
  const Request* first = add();
  const Request* second = add();
  EXPECT_EQ(table.take_ready(kNow), first);
  EXPECT_EQ(table.take_ready(kNow), second);
  EXPECT_EQ(table.take_ready(kNow), nullptr);
}

TEST_F(RequestTableTest, FindsByTransactionOnceItIsSent) {
  Request* request = add();
  const auto transaction = RequestTable::transaction_of(*request);
  EXPECT_EQ(table.find(transaction), nullptr) << "nobody can answer what nobody has seen";
  table.take_ready(kNow);
  EXPECT_EQ(table.find(transaction), request);
  for (std::size_t i = 0; i < transaction.size(); ++i) {
    auto other = transaction;
    other[i] ^= 1;
    EXPECT_EQ(table.find(other), nullptr);
  }
  EXPECT_EQ(table.find(base::Bytes(transaction).first(5)), nullptr);
  table.release(*request);
  EXPECT_EQ(table.find(transaction), nullptr);
}

TEST_F(RequestTableTest, IsSlowAfterASecondAndDeadAfterEight) {
  const base::Handle handle = add()->self;
  table.take_ready(kNow);
  EXPECT_EQ(table.next(), kNow + 1s);
  EXPECT_EQ(due(kNow + 1s - 1ns), (std::pair(Handles{}, Handles{})));
  EXPECT_EQ(due(kNow + 1s), (std::pair(Handles{handle}, Handles{})));
  EXPECT_EQ(table.next(), kNow + 8s);
  EXPECT_EQ(due(kNow + 8s), (std::pair(Handles{}, Handles{handle})));
  EXPECT_FALSE(table.next());
}

TEST_F(RequestTableTest, SentAgainItLivesEightSecondsMore) {
  Request* request = add();
  table.take_ready(kNow);
  due(kNow + 1s);
  table.send_again(*request);
  EXPECT_EQ(table.take_ready(kNow + 1s), request);
  EXPECT_EQ(request->tries, 2u);
  EXPECT_EQ(due(kNow + 8s).second, Handles{});
  EXPECT_EQ(due(kNow + 9s).second, Handles{request->self});
}

TEST_F(RequestTableTest, SlownessFollowsTheRoundTrips) {
  for (int i = 0; i < 50; ++i) {
    Request* request = add();
    table.take_ready(kNow);
    table.measure(kNow + 20ms, *request);
    table.release(*request);
  }
  EXPECT_EQ(table.slow_after(), RequestTable::kMinSlow);
  for (int i = 0; i < 50; ++i) {
    Request* request = add();
    table.take_ready(kNow);
    table.measure(kNow + 5s, *request);
    table.release(*request);
  }
  EXPECT_EQ(table.slow_after(), RequestTable::kMaxSlow);
}

TEST_F(RequestTableTest, AnAnswerAfterASecondTryTeachesNothing) {
  Request* request = add();
  table.take_ready(kNow);
  table.send_again(*request);
  table.take_ready(kNow);
  table.measure(kNow + 20ms, *request);
  EXPECT_EQ(table.slow_after(), RequestTable::kMaxSlow);
}

TEST_F(RequestTableTest, RefusesBeyondItsCapacity) {
  for (int i = 0; i < 8; ++i) EXPECT_NE(add(), nullptr);
  EXPECT_EQ(add(), nullptr);
}

// The median of lookups among 1,000 random ids.
TEST(NetworkSize, IsWithinAQuarterOfTheTruth) {
  SeededRng rng(7);
  std::vector<std::uint64_t> ids(1000);
  for (auto& id : ids) id = rng.u64();
  dht::NetworkSize size;
  EXPECT_EQ(size.radius(8), 0u);
  for (int i = 0; i < 16; ++i) {
    const std::uint64_t target = rng.u64();
    std::vector<std::uint64_t> distances;
    for (const auto id : ids) distances.push_back(id ^ target);
    std::ranges::nth_element(distances, distances.begin() + 7);
    size.add(8, distances[7]);
  }
  EXPECT_NEAR(size.nodes(), 1000, 250);
  EXPECT_NEAR(static_cast<double>(size.radius(8)) / 18446744073709551616.0, 0.008, 0.003);
}

TEST(NetworkSize, ACrowdAroundSomeTargetsDoesNotMoveIt) {
  dht::NetworkSize size;
  for (int i = 0; i < 10; ++i) size.add(8, std::uint64_t{1} << 56);
  const double before = size.nodes();
  for (int i = 0; i < 6; ++i) size.add(8, 1000);
  EXPECT_EQ(size.nodes(), before);
}

TEST(AddressVotes, NeedFourNetworksAndTheMajority) {
  dht::AddressVotes votes;
  const auto voter = [](std::uint8_t network) { return SocketAddress::v4(20, 0, network, 1, 1); };
  const auto ours = SocketAddress::v4(99, 0, 0, 1, 0).ip;
  const auto lie = SocketAddress::v4(66, 0, 0, 1, 0).ip;
  for (std::uint8_t i = 0; i < 4; ++i) EXPECT_FALSE(votes.vote(voter(i), lie) && i < 3);
  EXPECT_EQ(votes.current(), lie) << "four are enough while nobody says otherwise";
  for (std::uint8_t i = 10; i < 14; ++i) EXPECT_FALSE(votes.vote(voter(i), ours)) << "four to four";
  EXPECT_EQ(votes.vote(voter(14), ours), ours);
  EXPECT_FALSE(votes.vote(voter(15), ours)) << "that is known";
}

TEST(AddressVotes, OldVotesAreForgotten) {
  dht::AddressVotes votes;
  const auto voter = [](std::uint8_t network) { return SocketAddress::v4(20, 0, network, 1, 1); };
  const auto before = SocketAddress::v4(99, 0, 0, 1, 0).ip;
  const auto after = SocketAddress::v4(99, 0, 0, 2, 0).ip;
  for (std::uint8_t i = 0; i < 50; ++i) votes.vote(voter(i), before);
  std::uint8_t i = 50;
  while (i < 200 && votes.current() != after) votes.vote(voter(i++), after);
  EXPECT_LE(i, 50u + 9u);
}

}  // namespace
}  // namespace boxgram::test
