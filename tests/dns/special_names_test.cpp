#include <gtest/gtest.h>

#include <boxgram/dns/name.hpp>
#include <boxgram/dns/special_names.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {
namespace {

SpecialMatch match(std::string_view text, std::uint16_t type = rrtype::a) {
  return match_special_name(Name::from_text(text).value().lowered().wire(), type);
}
SpecialName kind(std::string_view text, std::uint16_t type = rrtype::a) {
  return match(text, type).kind;
}

TEST(SpecialNames, OrdinaryNamesAreNot) {
  for (const auto* text : {".", "com", "www.example.com", "localhost.example", "xlocalhost",
                           "test.example", "home.arpa.example", "in-addr.arpa", "arpa", "ip6.arpa",
                           "8.8.8.8.in-addr.arpa", "onions", "local"})
    EXPECT_EQ(kind(text), SpecialName::none) << text;
}

TEST(SpecialNames, Rfc6761) {
  EXPECT_EQ(kind("localhost"), SpecialName::loopback);
  EXPECT_EQ(kind("a.LocalHost", rrtype::aaaa), SpecialName::loopback);
  EXPECT_EQ(kind("x.test"), SpecialName::no_domain);
  EXPECT_EQ(kind("invalid"), SpecialName::no_domain);
}

TEST(SpecialNames, Rfc7686AndRfc9476) {
  EXPECT_EQ(kind("x.y.onion"), SpecialName::no_domain);
  EXPECT_EQ(kind("alt"), SpecialName::no_domain);
  EXPECT_EQ(match("x.y.onion").apex, 4u);
}

TEST(SpecialNames, Rfc8375) {
  EXPECT_EQ(kind("router.home.arpa"), SpecialName::no_domain);
  EXPECT_EQ(match("router.home.arpa").apex, 7u);
  EXPECT_EQ(kind("home.arpa"), SpecialName::no_data);
  EXPECT_EQ(kind("home.arpa", rrtype::ds), SpecialName::none) << "lies in arpa";
  EXPECT_EQ(kind("x.home.arpa", rrtype::ds), SpecialName::no_domain);
}

TEST(SpecialNames, Rfc6303ReverseZones) {
  for (const auto* text :
       {"1.0.0.10.in-addr.arpa", "1.1.168.192.in-addr.arpa", "1.1.16.172.in-addr.arpa",
        "1.1.31.172.in-addr.arpa", "1.1.254.169.in-addr.arpa", "5.0.0.127.in-addr.arpa",
        "1.2.0.192.in-addr.arpa", "1.100.51.198.in-addr.arpa", "1.113.0.203.in-addr.arpa",
        "1.1.64.100.in-addr.arpa", "1.1.127.100.in-addr.arpa", "1.0.0.0.in-addr.arpa",
        "1.d.f.ip6.arpa", "1.8.e.f.ip6.arpa", "1.b.e.f.ip6.arpa", "1.8.b.d.0.1.0.0.2.ip6.arpa"})
    EXPECT_EQ(kind(text, rrtype::ptr), SpecialName::no_domain) << text;
  for (const auto* text :
       {"1.1.15.172.in-addr.arpa", "1.1.32.172.in-addr.arpa", "1.1.63.100.in-addr.arpa",
        "1.1.128.100.in-addr.arpa", "1.1.169.192.in-addr.arpa", "1.c.f.ip6.arpa",
        "1.7.e.f.ip6.arpa", "1.1.016.172.in-addr.arpa", "172.in-addr.arpa"})
    EXPECT_EQ(kind(text, rrtype::ptr), SpecialName::none) << text;
  EXPECT_EQ(kind("10.in-addr.arpa", rrtype::soa), SpecialName::no_data);
  EXPECT_EQ(kind("255.255.255.255.in-addr.arpa", rrtype::ptr), SpecialName::no_data);
}

TEST(SpecialNames, TheLoopbackAddressesHaveAName) {
  EXPECT_EQ(kind("1.0.0.127.in-addr.arpa", rrtype::ptr), SpecialName::localhost);
  EXPECT_EQ(
      kind("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", rrtype::ptr),
      SpecialName::localhost);
}

TEST(SpecialNames, ALabelWithDotsInsideIsNoZone) {
  EXPECT_EQ(kind("10\\.in-addr.arpa", rrtype::ptr), SpecialName::none);
}

}  // namespace
}  // namespace boxgram::dns
