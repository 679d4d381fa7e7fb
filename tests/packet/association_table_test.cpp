#include "packet/association_table.hpp"

#include <gtest/gtest.h>

#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::Association;
using packet::AssociationTable;
using packet::SessionId;

base::SocketAddress address(unsigned i) {
  return base::SocketAddress::v4(10, static_cast<std::uint8_t>(i >> 16),
                                 static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i),
                                 4000);
}

struct Table {
  explicit Table(std::size_t capacity, std::uint16_t per_prefix = 64) {
    config.max_associations = capacity;
    config.probation_per_prefix = per_prefix;
    table.emplace(config, rng, counters);
  }
  SessionId make(base::Instant now, const base::SocketAddress& from, packet::KeyId key_id = {}) {
    SessionId sid;
    rng.fill(sid);
    crypto::SharedKey key;
    rng.fill(key.bytes());
    table->make(now, {sid, {}, key_id, 0, from}, key);
    return sid;
  }
  bool confirm(base::Instant now, const SessionId& sid) {
    Association* association = table->find(now, sid);
    if (association != nullptr) table->touch(now, *association);
    return association != nullptr;
  }

  SeededRng rng{1};
  packet::ServerConfig config;
  packet::ServerCounters counters;
  std::optional<AssociationTable> table;
};

TEST(AssociationTable, FindsWhatWasMade) {
  Table t(1000);
  const SessionId sid = t.make({}, address(1));
  ASSERT_NE(t.table->find({}, sid), nullptr);
  EXPECT_EQ(t.table->find({}, sid)->sid, sid);
  SessionId other = sid;
  other[0] ^= 1;
  EXPECT_EQ(t.table->find({}, other), nullptr);
}

TEST(AssociationTable, FloodOfNewcomersNeverEvictsTheProven) {
  Table t(400);
  std::vector<SessionId> proven;
  for (unsigned i = 0; i < 100; ++i) {
    proven.push_back(t.make({}, address(i)));
    ASSERT_TRUE(t.confirm({}, proven.back()));
  }
  for (unsigned i = 0; i < 10'000; ++i) t.make({}, address(1000 + i));
  for (const SessionId& sid : proven) EXPECT_NE(t.table->find({}, sid), nullptr);
  EXPECT_EQ(t.table->size(), 200u);
  EXPECT_LE(t.table->slots(), 400u);
  EXPECT_EQ(t.counters.associations_evicted, 9'900u);
  EXPECT_TRUE(t.table->crowded(address(1)));
}

TEST(AssociationTable, AmongTheProvenTheLongestSilentGoesFirst) {
  Table t(8);
  std::vector<SessionId> proven;
  for (unsigned i = 0; i < 6; ++i) {
    proven.push_back(t.make({}, address(i)));
    t.confirm({}, proven.back());
  }
  EXPECT_TRUE(t.confirm({}, proven[0]));
  const SessionId next = t.make({}, address(7));
  EXPECT_TRUE(t.confirm({}, next));
  EXPECT_NE(t.table->find({}, proven[0]), nullptr);
  EXPECT_EQ(t.table->find({}, proven[1]), nullptr);
  EXPECT_EQ(t.table->size(), 6u);
}

// One address with many clients, real or made up, can prove them all.
TEST(AssociationTable, OneNetworkCannotPushOutTheProvenOfOthers) {
  Table t(80);
  std::vector<SessionId> proven;
  for (unsigned i = 0; i < 50; ++i) {
    proven.push_back(t.make({}, address(i)));
    ASSERT_TRUE(t.confirm({}, proven.back()));
  }
  for (unsigned i = 0; i < 800; ++i) t.confirm({}, t.make({}, address(1000)));
  unsigned left = 0;
  for (const SessionId& sid : proven) left += t.table->find({}, sid) != nullptr;
  EXPECT_EQ(left, 60u - 15u) << "its share is a quarter of the 60 places";
}

// Where all clients stand behind one address, the longest silent goes first as everywhere.
TEST(AssociationTable, OneNetworkAloneMayFillTheTableAndRenewItself) {
  Table t(80);
  std::vector<SessionId> sids;
  for (unsigned i = 0; i < 100; ++i) {
    sids.push_back(t.make({}, address(1)));
    ASSERT_TRUE(t.confirm({}, sids.back()));
  }
  EXPECT_EQ(t.table->on_probation(), 0u);
  EXPECT_EQ(t.table->size(), 60u);
  EXPECT_EQ(t.table->find({}, sids[39]), nullptr);
  EXPECT_NE(t.table->find({}, sids[40]), nullptr);
}

TEST(AssociationTable, OneNetworkHasALimitedShareOfProbation) {
  Table t(4000, 5);
  for (unsigned i = 0; i < 5; ++i) {
    EXPECT_FALSE(t.table->crowded(address(1)));
    t.make({}, address(1));
  }
  EXPECT_TRUE(t.table->crowded(address(1)));
  EXPECT_FALSE(t.table->crowded(address(2)));
}

TEST(AssociationTable, ConfirmingGivesTheShareBack) {
  Table t(4000, 1);
  const SessionId sid = t.make({}, address(1));
  EXPECT_TRUE(t.table->crowded(address(1)));
  t.confirm({}, sid);
  EXPECT_FALSE(t.table->crowded(address(1)));
}

TEST(AssociationTable, ProbationEndsByItself) {
  Table t(4000, 1);
  const SessionId sid = t.make({}, address(1));
  const base::Instant end = base::Instant{} + AssociationTable::kProbation;
  ASSERT_EQ(t.table->next(), end);
  t.table->expire(end - 1ms);
  EXPECT_EQ(t.table->size(), 1u);
  t.table->expire(end);
  EXPECT_EQ(t.table->size(), 0u);
  EXPECT_EQ(t.table->find(end, sid), nullptr);
  EXPECT_FALSE(t.table->crowded(address(1)));
  EXPECT_FALSE(t.table->next());
}

TEST(AssociationTable, NobodyKeepsAnAssociationBeyondItsLife) {
  Table t(100);
  const SessionId sid = t.make({}, address(1));
  base::Instant now{};
  for (; now < base::Instant{} + 659s; now += 10s) {
    ASSERT_TRUE(t.confirm(now, sid));
    t.table->expire(now);
  }
  EXPECT_FALSE(t.confirm(base::Instant{} + 660s, sid));
  EXPECT_EQ(t.table->size(), 0u);
}

TEST(AssociationTable, RetiringAKeyTakesItsAssociationsOnly) {
  Table t(100);
  const SessionId old_key = t.make({}, address(1), {1});
  const SessionId new_key = t.make({}, address(2), {2});
  t.confirm({}, new_key);
  t.table->retire([](const packet::KeyId& id) { return id == packet::KeyId{2}; });
  EXPECT_EQ(t.table->find({}, old_key), nullptr);
  EXPECT_NE(t.table->find({}, new_key), nullptr);
  EXPECT_EQ(t.counters.associations_retired, 1u);
}

TEST(AssociationTable, ReleasedSecretsAreWiped) {
  Table t(100);
  const SessionId sid = t.make({}, address(1), {1});
  const Association* slot = t.table->find({}, sid);  // slots have stable addresses
  ASSERT_NE(slot->key.bytes()[0] | slot->key.bytes()[1] | slot->key.bytes()[2], 0);
  t.table->retire([](const packet::KeyId&) { return false; });
  for (const std::uint8_t byte : slot->key.bytes()) EXPECT_EQ(byte, 0);
}

TEST(AssociationTable, ASlotsNextTenantInheritsNothing) {
  Table t(100);
  const SessionId first = t.make({}, address(1));
  Association* slot = t.table->find({}, first);
  slot->window.accept(5);
  slot->offers = 2;
  t.confirm({}, first);
  t.table->retire([](const packet::KeyId&) { return false; });
  const SessionId second = t.make({}, address(2));
  Association* again = t.table->find({}, second);
  ASSERT_EQ(again, slot);
  EXPECT_TRUE(again->window.would_accept(5));
  EXPECT_EQ(again->offers, 0);
  EXPECT_FALSE(again->confirmed);
}

TEST(AssociationTable, BooksBalanceOverALongRandomLife) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Table t(400, 65535);
    SeededRng rng(seed);
    std::vector<SessionId> all;
    base::Instant now{};
    for (int i = 0; i < 20'000; ++i) {
      now += std::chrono::milliseconds(rng.below(50));
      if (all.empty() || rng.below(3) == 0) {
        all.push_back(t.make(now, address(static_cast<unsigned>(rng.below(1000)))));
      } else {
        t.confirm(now, all[rng.below(all.size())]);
      }
      if (rng.below(100) == 0) t.table->expire(now);
      ASSERT_LE(t.table->size(), 400u);
      ASSERT_LE(t.table->on_probation(), 100u);
    }
    std::size_t found = 0;
    for (const SessionId& sid : all) found += t.table->find(now, sid) != nullptr;
    EXPECT_EQ(found, t.table->size());
    const auto& c = t.counters;
    EXPECT_EQ(c.associations_made, all.size());
    EXPECT_EQ(c.associations_made - c.associations_evicted - c.associations_expired,
              t.table->size());
  }
}

}  // namespace
}  // namespace boxgram::test
