#include <gtest/gtest.h>

#include <boxgram/dns/hosts.hpp>
#include <boxgram/dns/record_text.hpp>
#include <boxgram/dns/types.hpp>
#include <boxgram/dns/zone.hpp>

namespace boxgram::dns {
namespace {

using Match = Zone::Match;

Name name(std::string_view text) {
  return Name::from_text(text).value();
}

struct ZoneTest : testing::Test {
  Zone zone;
  void add(std::string_view lines) { ASSERT_EQ(add_records(lines, zone).mistakes, 0u); }
  Zone::Result find(std::string_view text, std::uint16_t type = rrtype::a) {
    return zone.find(name(text), type);
  }
};

TEST_F(ZoneTest, EmptyHoldsNothing) {
  EXPECT_TRUE(zone.empty());
  EXPECT_EQ(find("a.example").match, Match::none);
}

TEST_F(ZoneTest, FindsRecordsInAnyCase) {
  add("A.example A 192.0.2.1\na.EXAMPLE A 192.0.2.2");
  const auto found = find("a.Example");
  EXPECT_EQ(found.match, Match::records);
  ASSERT_EQ(found.set_count, 1u);
  EXPECT_EQ(found.sets[0]->size(), 2u);
}

TEST_F(ZoneTest, IgnoresTheSameRecordTwice) {
  add("a.example A 192.0.2.1\na.example 5 A 192.0.2.1");
  EXPECT_EQ(zone.size(), 1u);
}

TEST_F(ZoneTest, AnotherTypeOfAnExistingNameIsNodata) {
  add("a.example A 192.0.2.1");
  const auto found = find("a.example", rrtype::https);
  EXPECT_EQ(found.match, Match::no_data);
  EXPECT_EQ(found.apex, name("a.example"));
}

TEST_F(ZoneTest, NamesBesideAreNotOurs) {
  add("a.example A 192.0.2.1");
  EXPECT_EQ(find("example").match, Match::none);
  EXPECT_EQ(find("b.a.example").match, Match::none);
}

TEST_F(ZoneTest, NxdomainOnlyBelowALocalZone) {
  add("a.b.lan A 192.0.2.1");
  zone.add_local(name("lan"));
  EXPECT_EQ(find("x.lan").match, Match::no_domain);
  EXPECT_EQ(find("x.lan").apex, name("lan"));
  EXPECT_EQ(find("xlan").match, Match::none);
  EXPECT_EQ(find("lan").match, Match::no_data) << "the top exists";
  EXPECT_EQ(find("b.lan").match, Match::no_data) << "an empty non-terminal exists (RFC 8020)";
  EXPECT_EQ(find("a.b.lan", rrtype::txt).apex, name("lan"));
}

TEST_F(ZoneTest, TheClosestLocalZoneOwnsTheSoa) {
  zone.add_local(name("lan"));
  zone.add_local(name("sub.lan"));
  EXPECT_EQ(find("x.sub.lan").apex, name("sub.lan"));
}

TEST_F(ZoneTest, FollowsCnameInside) {
  add("a.lan CNAME b.lan\nb.lan CNAME c.lan\nc.lan A 192.0.2.1");
  const auto found = find("a.lan");
  EXPECT_EQ(found.match, Match::records);
  ASSERT_EQ(found.set_count, 3u);
  EXPECT_EQ(found.sets[2]->front().type, rrtype::a);
  EXPECT_EQ(find("a.lan", rrtype::cname).set_count, 1u);
}

TEST_F(ZoneTest, AChainEndsWhereTheZoneEnds) {
  add("a.lan CNAME www.example.org\nb.lan CNAME c.lan\nc.lan TXT x");
  EXPECT_EQ(find("a.lan").match, Match::records);
  EXPECT_EQ(find("a.lan").set_count, 1u);
  EXPECT_EQ(find("b.lan").set_count, 1u);
}

TEST_F(ZoneTest, ACnameLoopEnds) {
  add("a.lan CNAME b.lan\nb.lan CNAME a.lan");
  const auto found = find("a.lan");
  EXPECT_EQ(found.match, Match::records);
  EXPECT_EQ(found.set_count, Zone::kMaxChain + 1);
}

TEST_F(ZoneTest, HostsFilesGiveAddressesAndReverseNames) {
  const auto report = add_hosts(
      "# comment\n"
      "127.0.0.1\tlocalhost lo # the rest\n"
      "192.0.2.7  nas.lan nas\n"
      "2001:db8::7 nas.lan\n"
      "192.0.2.7 second.lan\n"
      "fe80::1%eth0 link.lan\r\n"
      "0.0.0.0 nowhere.lan\n",
      zone);
  EXPECT_EQ(report.mistakes, 0u);
  EXPECT_EQ(report.entries, 8u);
  EXPECT_EQ(find("nas").sets[0]->front().rdata, (std::vector<std::uint8_t>{192, 0, 2, 7}));
  EXPECT_EQ(find("nas.lan", rrtype::aaaa).sets[0]->front().rdata.size(), 16u);
  const auto reverse = find("7.2.0.192.in-addr.arpa", rrtype::ptr);
  ASSERT_EQ(reverse.match, Match::records);
  ASSERT_EQ(reverse.sets[0]->size(), 1u) << "the first line names the address";
  EXPECT_EQ(Name::from_wire(reverse.sets[0]->front().rdata).value(), name("nas.lan"));
  EXPECT_EQ(
      find("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", rrtype::ptr)
          .match,
      Match::records);
  EXPECT_EQ(find("0.0.0.0.in-addr.arpa", rrtype::ptr).match, Match::none);
}

TEST_F(ZoneTest, HostsMistakesSayLineAndExpectation) {
  const auto report =
      add_hosts("192.0.2.1 a.lan\nnas.lan 192.0.2.1\n192.0.2.2\n192.0.2.3 a..b", zone);
  EXPECT_EQ(report.entries, 1u);
  EXPECT_EQ(report.mistakes, 3u);
  ASSERT_EQ(report.first.size(), 3u);
  EXPECT_EQ(report.first[0].line, 2u);
  EXPECT_EQ(report.first[0].what, "expected an IP address, found \"nas.lan\"");
  EXPECT_EQ(report.first[1].line, 3u);
  EXPECT_EQ(report.first[1].what, "expected a name after the address \"192.0.2.2\"");
  EXPECT_EQ(report.first[2].what, "expected a domain name, found \"a..b\"");
}

TEST_F(ZoneTest, KeepsTenMistakesAndCountsAll) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "nonsense\n";
  const auto report = add_hosts(text, zone);
  EXPECT_EQ(report.mistakes, 100u);
  EXPECT_EQ(report.first.size(), ListReport::kKept);
}

}  // namespace
}  // namespace boxgram::dns
