#include <array>

#include <gtest/gtest.h>

#include <boxgram/dht/contact.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::dht {
namespace {

base::SocketAddress address_of(std::string_view text) {
  auto address = base::parse_listen_address(text, 0);
  EXPECT_TRUE(address) << text;
  return address.value_or(base::SocketAddress{});
}

template <class Entry>
std::vector<std::uint8_t> compact(const Entry& entry) {
  std::array<std::uint8_t, kMaxCompactSize> buffer;
  base::Writer out(buffer);
  write_compact(out, entry);
  EXPECT_TRUE(out.ok());
  return {out.written().begin(), out.written().end()};
}

template <class Entry>
void expect_round_trip(const Entry& entry, std::size_t size) {
  const Family family = family_of([&] {
    if constexpr (std::is_same_v<Entry, base::SocketAddress>)
      return entry;
    else
      return entry.address;
  }());
  const auto bytes = compact(entry);
  EXPECT_EQ(bytes.size(), size);
  EXPECT_EQ(compact_size<Entry>(family), size);
  EXPECT_EQ(read_compact<Entry>(bytes, family, AddressPolicy::internet), entry);
}

TEST(Compact, EntriesHaveTheSizesOfTheirFamilies) {
  test::SeededRng rng(1);
  const NodeId id = NodeId::random(rng);
  crypto::PublicKey key;
  rng.fill(key);
  const auto v4 = address_of("198.51.100.7:6881");
  const auto v6 = address_of("[2001:db8::7]:6881");
  expect_round_trip(v4, 6);
  expect_round_trip(v6, 18);
  expect_round_trip(Contact{id, v4}, 26);
  expect_round_trip(Contact{id, v6}, 38);
  expect_round_trip(SealedContact{key, v4}, 38);
  expect_round_trip(SealedContact{key, v6}, 50);
}

TEST(Compact, AddressStandsBehindIdInNetworkOrder) {
  Contact contact{NodeId{}, address_of("1.2.3.4:258")};
  contact.id.bytes[0] = 0xaa;
  const auto bytes = compact(contact);
  EXPECT_EQ(bytes[0], 0xaa);
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin() + 20, bytes.end()),
            (std::vector<std::uint8_t>{1, 2, 3, 4, 1, 2}));
}

TEST(Compact, ListsMustHoldWholeEntries) {
  const std::vector<std::uint8_t> bytes(104, 9);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto list = CompactList<Contact>::from(base::Bytes(bytes).first(size), Family::v4);
    EXPECT_EQ(list.has_value(), size % 26 == 0) << size;
    EXPECT_EQ(list ? list->size() : 0, size / 26 * list.has_value());
  }
  EXPECT_TRUE(CompactList<SealedContact>::from(base::Bytes(bytes).first(100), Family::v6));
  EXPECT_FALSE(CompactList<SealedContact>::from(base::Bytes(bytes).first(100), Family::v4));
}

TEST(Compact, ListGivesEachEntryOrLeavesItOut) {
  std::array<std::uint8_t, 78> buffer;
  base::Writer out(buffer);
  NodeId id;
  id.bytes.fill(7);
  write_compact(out, Contact{id, address_of("198.51.100.1:1")});
  write_compact(out, Contact{id, address_of("127.0.0.1:2")});
  write_compact(out, Contact{id, address_of("198.51.100.3:3")});
  const auto list = CompactList<Contact>::from(out.written(), Family::v4);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ(list->at(0, AddressPolicy::internet)->address, address_of("198.51.100.1:1"));
  EXPECT_FALSE(list->at(1, AddressPolicy::internet));
  EXPECT_EQ(list->at(1, AddressPolicy::and_local)->address, address_of("127.0.0.1:2"));
  EXPECT_EQ(list->at(2, AddressPolicy::internet)->address, address_of("198.51.100.3:3"));
}

TEST(Compact, Ipv4InIpv6FormIsNoAddress) {
  std::array<std::uint8_t, 18> bytes{};
  bytes[10] = bytes[11] = 0xff;
  bytes[12] = 198;
  bytes[15] = 1;
  bytes[17] = 80;
  EXPECT_FALSE(read_compact<base::SocketAddress>(bytes, Family::v6, AddressPolicy::and_local));
}

TEST(Martian, NoDatagramGoesWhereNoHostIs) {
  for (const auto* text :
       {"198.51.100.7:0", "0.0.0.0:1", "0.1.2.3:1", "224.0.0.1:1", "239.255.255.255:1",
        "240.0.0.1:1", "255.255.255.255:1", "[::]:1", "[ff02::1]:1", "[fe80::1]:1", "[::7]:1",
        "[64:ff9b::7f00:1]:1", "[100::1]:1", "[4000::1]:1"}) {
    EXPECT_TRUE(is_martian(address_of(text), AddressPolicy::internet)) << text;
    EXPECT_TRUE(is_martian(address_of(text), AddressPolicy::and_local)) << text;
  }
}

TEST(Martian, LocalAddressesAreReachedOnlyByThoseWhoAskForIt) {
  for (const auto* text : {"127.0.0.1:1", "10.0.0.1:1", "172.16.0.1:1", "172.31.255.255:1",
                           "192.168.0.1:1", "169.254.0.1:1", "100.64.0.1:1", "100.127.255.255:1",
                           "[::1]:1", "[fd00::1]:1", "[fc00::1]:1"}) {
    EXPECT_TRUE(is_martian(address_of(text), AddressPolicy::internet)) << text;
    EXPECT_FALSE(is_martian(address_of(text), AddressPolicy::and_local)) << text;
  }
}

TEST(Martian, OrdinaryAddressesAreNone) {
  for (const auto* text : {"1.0.0.1:1", "9.9.9.9:53", "11.0.0.1:1", "100.63.0.1:1", "100.128.0.1:1",
                           "172.15.0.1:1", "172.32.0.1:1", "192.167.0.1:1", "223.255.255.255:65535",
                           "[2001:db8::1]:1", "[2000::1]:1", "[3fff::1]:1"})
    EXPECT_FALSE(is_martian(address_of(text), AddressPolicy::internet)) << text;
}

}  // namespace
}  // namespace boxgram::dht
