#include "dht/item_store.hpp"

#include <gtest/gtest.h>

#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::Authorship;
using dht::ErrorCode;
using dht::Item;
using dht::ItemStore;
using dht::NodeId;

constexpr base::Instant kNow = base::Instant{} + 1000h;

SocketAddress from(unsigned index) {
  return SocketAddress::v4(20, static_cast<std::uint8_t>(index / 256),
                           static_cast<std::uint8_t>(index), 1, 6881);
}

struct ItemStoreTest : testing::Test {
  NodeId at_distance(std::uint8_t distance) const {
    NodeId id = self;
    id.bytes[0] ^= distance;
    return id;
  }
  static Item immutable(std::string_view value) { return {base::as_bytes(value), std::nullopt}; }
  static Item signed_item(std::string_view value, std::int64_t sequence) {
    Authorship author;
    author.sequence = sequence;
    return {base::as_bytes(value), author};
  }
  std::optional<ErrorCode> put(const Item& item, std::optional<std::int64_t> cas = {}) {
    return store.put(kNow, target, item, cas, from(1));
  }
  std::string value(base::Instant now = kNow) {
    const auto item = store.find(now, target);
    return item ? std::string(base::as_text(item->value)) : "";
  }

  SeededRng rng{1};
  NodeId self = NodeId::random(rng);
  NodeId target = NodeId::random(rng);
  ItemStore store{self, rng};
};

TEST_F(ItemStoreTest, GivesBackWhatWasPut) {
  EXPECT_EQ(value(), "");
  EXPECT_EQ(put(immutable("5:hello")), std::nullopt);
  EXPECT_EQ(value(), "5:hello");
  EXPECT_FALSE(store.find(kNow, target)->author);
}

TEST_F(ItemStoreTest, ItemsExpireAfterTwoHoursUnlessPutAgain) {
  put(immutable("5:hello"));
  EXPECT_EQ(value(kNow + 2h - 1ns), "5:hello");
  EXPECT_EQ(value(kNow + 2h), "");
  EXPECT_EQ(store.put(kNow + 1h, target, immutable("5:hello"), {}, from(2)), std::nullopt);
  store.expire(kNow + 2h);
  EXPECT_EQ(value(kNow + 2h), "5:hello");
  store.expire(kNow + 3h);
  EXPECT_EQ(store.size(), 0u);
  EXPECT_EQ(store.counters().refreshed, 1u);
}

TEST_F(ItemStoreTest, HigherSequenceReplaces) {
  put(signed_item("1:a", 1));
  EXPECT_EQ(put(signed_item("1:b", 2)), std::nullopt);
  EXPECT_EQ(value(), "1:b");
  EXPECT_EQ(store.find(kNow, target)->author->sequence, 2);
}

TEST_F(ItemStoreTest, LowerSequenceIsError302) {
  put(signed_item("1:b", 2));
  EXPECT_EQ(put(signed_item("1:a", 1)), ErrorCode::sequence_too_low);
  EXPECT_EQ(value(), "1:b");
}

TEST_F(ItemStoreTest, SameSequenceWithAnotherValueIsError302) {
  put(signed_item("1:a", 1));
  EXPECT_EQ(put(signed_item("1:b", 1)), ErrorCode::sequence_too_low);
  EXPECT_EQ(put(signed_item("1:a", 1)), std::nullopt) << "the same again prolongs it";
}

TEST_F(ItemStoreTest, CasOtherThanTheStoredSequenceIsError301) {
  put(signed_item("1:a", 5));
  EXPECT_EQ(put(signed_item("1:b", 6), 4), ErrorCode::cas_mismatch);
  EXPECT_EQ(put(signed_item("1:b", 6), 6), ErrorCode::cas_mismatch);
  EXPECT_EQ(value(), "1:a");
  EXPECT_EQ(put(signed_item("1:b", 6), 5), std::nullopt);
  EXPECT_EQ(value(), "1:b");
}

TEST_F(ItemStoreTest, CasOnNothingStoredStores) {
  EXPECT_EQ(put(signed_item("1:a", 5), 4), std::nullopt);
}

TEST_F(ItemStoreTest, AnExpiredItemIsInNobodysWay) {
  put(signed_item("1:z", 9));
  EXPECT_EQ(store.put(kNow + 2h, target, signed_item("1:a", 1), 7, from(1)), std::nullopt);
  EXPECT_EQ(value(kNow + 2h), "1:a");
}

TEST_F(ItemStoreTest, WhenFullTheFarthestGivesWay) {
  ItemStore small(self, rng, 16);
  for (std::uint8_t i = 0; i < 16; ++i)
    small.put(kNow, at_distance(static_cast<std::uint8_t>(100 + i)), immutable("1:a"), {}, from(i));
  EXPECT_EQ(small.put(kNow, at_distance(200), immutable("1:a"), {}, from(50)), ErrorCode::server);
  EXPECT_EQ(small.counters().too_far, 1u);
  EXPECT_EQ(small.put(kNow, at_distance(50), immutable("1:a"), {}, from(50)), std::nullopt);
  EXPECT_EQ(small.size(), 16u);
  EXPECT_FALSE(small.find(kNow, at_distance(115)));
  EXPECT_TRUE(small.find(kNow, at_distance(114)));
}

TEST_F(ItemStoreTest, ANetworkBringsInAnEighthOfTheItems) {
  ItemStore small(self, rng, 64);
  for (std::uint8_t i = 0; i < 20; ++i)
    small.put(kNow, at_distance(i), immutable("1:a"), {}, SocketAddress::v4(20, 1, 1, i, 1));
  EXPECT_EQ(small.size(), 8u);
  EXPECT_EQ(small.counters().over_share, 12u);
  small.expire(kNow + 2h);
  EXPECT_EQ(small.put(kNow + 2h, at_distance(99), immutable("1:a"), {},
                      SocketAddress::v4(20, 1, 1, 1, 1)),
            std::nullopt);
}

TEST_F(ItemStoreTest, AFloodStaysWithinItsBounds) {
  ItemStore small(self, rng, 32);
  base::Instant now = kNow;
  for (unsigned i = 0; i < 20'000; ++i) {
    small.put(now, at_distance(static_cast<std::uint8_t>(rng.below(256))),
              signed_item("1:a", static_cast<std::int64_t>(rng.below(5))), {},
              from(static_cast<unsigned>(rng.below(500))));
    now += std::chrono::milliseconds(rng.below(5000));
    ASSERT_LE(small.size(), 32u);
  }
  EXPECT_GT(small.counters().evicted, 0u);
  small.expire(now + 2h);
  EXPECT_EQ(small.size(), 0u);
}

}  // namespace
}  // namespace boxgram::test
