#include <gtest/gtest.h>

#include <boxgram/dns/record_text.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {
namespace {

std::string hex(base::Bytes bytes) {
  std::string text;
  for (const auto b : bytes) {
    text += "0123456789abcdef"[b >> 4];
    text += "0123456789abcdef"[b & 15];
  }
  return text;
}

/// "owner ttl type rdata", or the error.
std::string read(std::string_view line) {
  const auto record = parse_record(line);
  if (!record) return record.error();
  return record->owner.to_text() + " " + std::to_string(record->ttl) + " " +
         std::to_string(record->type) + " " + hex(record->rdata);
}

TEST(RecordText, ReadsEachType) {
  EXPECT_EQ(read("a.example A 192.0.2.1"), "a.example. 60 1 c0000201");
  EXPECT_EQ(read("a.example. 300 AAAA 2001:db8::1"),
            "a.example. 300 28 20010db8000000000000000000000001");
  EXPECT_EQ(read("a cname b."), "a. 60 5 016200");
  EXPECT_EQ(read("a NS b"), "a. 60 2 016200");
  EXPECT_EQ(read("a PTR b.c"), "a. 60 12 0162016300");
  EXPECT_EQ(read("a DNAME b"), "a. 60 39 016200");
  EXPECT_EQ(read("a MX 10 b"), "a. 60 15 000a016200");
  EXPECT_EQ(read("a SRV 1 2 5060 b"), "a. 60 33 0001000213c4016200");
  EXPECT_EQ(read("a TXT \"x y\" z"), "a. 60 16 03782079017a");
  EXPECT_EQ(read("a CAA 0 issue \"ca.x\""),
            "a. 60 257 000569737375656"
            "3612e78");
  EXPECT_EQ(read("a SOA b c 1 2 3 4 5"),
            "a. 60 6 0162000163000000000100000002000000030000000400000005");
}

TEST(RecordText, ReadsTtlAndClassInEitherOrder) {
  EXPECT_EQ(read("a 5 IN A 192.0.2.1"), "a. 5 1 c0000201");
  EXPECT_EQ(read("a in 5 A 192.0.2.1"), "a. 5 1 c0000201");
  EXPECT_EQ(read("a IN A 192.0.2.1 ; comment"), "a. 60 1 c0000201");
}

TEST(RecordText, ReadsHttpsWithItsParametersSorted) {
  EXPECT_EQ(read("a HTTPS 1 . ipv4hint=192.0.2.1,192.0.2.2 port=8443 alpn=h2,h3"),
            "a. 60 65 000100"
            "0001"
            "0006"
            "026832026833"
            "0003"
            "0002"
            "20fb"
            "0004"
            "0008"
            "c0000201c0000202");
  EXPECT_EQ(read("a SVCB 0 b"), "a. 60 64 0000016200");
  EXPECT_EQ(read("a HTTPS 1 . no-default-alpn alpn=\"h2\" ipv6hint=::1"),
            "a. 60 65 000100"
            "0001"
            "0003"
            "026832"
            "0002"
            "0000"
            "0006"
            "0010"
            "00000000000000000000000000000001");
}

TEST(RecordText, ReadsAnyTypeInHex) {
  EXPECT_EQ(read("a TYPE65280 \\# 4 0a0b 0C0D"), "a. 60 65280 0a0b0c0d");
  EXPECT_EQ(read("a A \\# 4 c0000201"), "a. 60 1 c0000201");
  EXPECT_EQ(read("a TYPE731 \\# 0"), "a. 60 731 ");
}

TEST(RecordText, UndoesEscapes) {
  EXPECT_EQ(read("a TXT \"\\\"\\\\\\065\""), "a. 60 16 03225c41");
  EXPECT_EQ(read("a TXT \\;x\\ y"), "a. 60 16 043b782079");
  EXPECT_EQ(read("a\\.b.c A 192.0.2.1"), "a\\.b.c. 60 1 c0000201");
}

TEST(RecordText, SaysWhatWasExpected) {
  EXPECT_EQ(read(""), "expected NAME [TTL] TYPE RDATA");
  EXPECT_EQ(read("a"), "expected a record type after the name");
  EXPECT_EQ(read("a..b A 192.0.2.1"), "expected a domain name, found \"a..b\"");
  EXPECT_EQ(read("a B 192.0.2.1"), "expected a record type such as A, AAAA or TYPE65, found \"B\"");
  EXPECT_EQ(read("a A"), "expected an IPv4 address, found the end of the line");
  EXPECT_EQ(read("a A ::1"), "expected an IPv4 address, found \"::1\"");
  EXPECT_EQ(read("a AAAA 192.0.2.1"), "expected an IPv6 address, found \"192.0.2.1\"");
  EXPECT_EQ(read("a A 192.0.2.1 192.0.2.2"), "expected nothing more, found \"192.0.2.2\"");
  EXPECT_EQ(read("a MX b"), "expected the preference (0 to 65535), found \"b\"");
  EXPECT_EQ(read("a 4294967296 A 192.0.2.1"),
            "expected a TTL in seconds (0 to 2147483647), found \"4294967296\"");
  EXPECT_EQ(read("a TXT \"x"), "expected a closing quote after \"x\"");
  EXPECT_EQ(read("a TXT \\999"), "expected \\DDD with DDD from 000 to 255, found \"\\999\"");
  EXPECT_EQ(read("a TXT " + std::string(256, 'x')).substr(0, 41),
            "expected a text of at most 255 octets, fo");
  EXPECT_EQ(read("a TYPE9 \\# 2 0a"), "expected 4 hexadecimal digits, found the end of the line");
  EXPECT_EQ(read("a TYPE9 \\# 1 0x"), "expected hexadecimal digits, found \"0x\"");
  EXPECT_EQ(read("a OPT \\# 0").substr(0, 22), "expected a record type");
  EXPECT_EQ(read("a TYPE41 \\# 0"), "expected a type that a record can have, found \"TYPE41\"");
  EXPECT_EQ(read("a ANY \\# 0"), "expected a type that a record can have, found \"ANY\"");
  EXPECT_EQ(read("a HTTPS 1 . ech=x").substr(0, 14), "expected alpn=");
  EXPECT_EQ(read("a HTTPS 1 . port=1 port=2"),
            "expected each parameter at most once, found \"port=2\"");
  EXPECT_EQ(read("a LOC 1 2 3"), "expected \\# LENGTH HEX... for this type, found \"1\"");
}

TEST(RecordText, TypeNamesAreReadInAnyCase) {
  EXPECT_EQ(parse_record_type("https").value(), rrtype::https);
  EXPECT_EQ(parse_record_type("type65280").value(), 65280);
  EXPECT_FALSE(parse_record_type("TYPE65536").has_value());
  EXPECT_FALSE(parse_record_type("TYPE").has_value());
  EXPECT_FALSE(parse_record_type("TYPE1x").has_value());
}

TEST(RecordText, AListCountsMistakesWithTheirLines) {
  Zone zone;
  const auto report =
      add_records("# comment\n; another\n\na A 192.0.2.1\nb A x\nc TXT \"a # b\"", zone);
  EXPECT_EQ(report.entries, 2u);
  ASSERT_EQ(report.mistakes, 1u);
  EXPECT_EQ(report.first[0].line, 5u);
  EXPECT_EQ(report.first[0].what, "expected an IPv4 address, found \"x\"");
}

}  // namespace
}  // namespace boxgram::dns
