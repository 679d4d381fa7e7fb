#include <gtest/gtest.h>

#include <boxgram/dns/message_text.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/record_text.hpp>

#include "dns/dns_message.hpp"

namespace boxgram::dns {
namespace {

using test::Octets;
using test::operator+;

/// A response with one record, taken from its own presentation form.
Octets response_with(const char* line) {
  const auto record = parse_record(line);
  EXPECT_TRUE(record) << line;
  const auto name = record->owner.wire();
  return test::header(0x1234, 0x8180, 1, 1, 0, 0) + Octets(name.begin(), name.end()) +
         test::u16(record->type) + test::u16(1) +
         test::record(test::pointer(12), record->type, record->ttl, record->rdata);
}

TEST(MessageText, WritesRecordsAsTheyAreRead) {
  for (const std::pair<const char*, const char*>& c : {
           std::pair{"a.example. 60 A 192.0.2.1", "192.0.2.1"},
           std::pair{"a.example. 60 AAAA 2001:db8::1", "2001:db8::1"},
           std::pair{"a.example. 60 CNAME b.example.", "b.example."},
           std::pair{"a.example. 60 MX 10 mail.example.", "10 mail.example."},
           std::pair{"a.example. 60 SRV 1 2 443 s.example.", "1 2 443 s.example."},
           std::pair{"a.example. 60 TXT \"one two\" three", "\"one two\" \"three\""},
           std::pair{"a.example. 60 CAA 0 issue \"ca.example\"", "0 issue \"ca.example\""},
           std::pair{"a.example. 60 SOA a. b. 1 2 3 4 5", "a. b. 1 2 3 4 5"},
           std::pair{"a.example. 60 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.7",
                     "1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.7"},
           std::pair{"a.example. 60 TYPE4711 \\# 3 ABCDEF", "\\# 3 ABCDEF"},
       }) {
    const auto text = message_text(response_with(c.first));
    ASSERT_TRUE(text) << c.first;
    ASSERT_EQ(text->answer.size(), 1u);
    EXPECT_EQ(text->answer[0].data, c.second);
    EXPECT_EQ(text->answer[0].owner, "a.example.");
    EXPECT_EQ(text->answer[0].ttl, 60u);
  }
}

TEST(MessageText, ShowsRdataThatBreaksItsTypeAsBytes) {
  auto m = response_with("a.example. 60 MX 10 mail.example.");
  m.back() = 5;  // the name's end becomes the length of a label that is not there
  const auto text = message_text(m);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->answer[0].data.substr(0, 5), "\\# 16");
}

TEST(MessageText, LetsNoAnswerWriteToTheTerminal) {
  for (const char* record : {
           "a.example. 60 CAA 0 \"\\027]0;x\" \"\\027\"",
           "a.example. 60 TXT \"\\027\"",
           "a.example. 60 TYPE65 \\# 9 0001 00 0001 0002 01 1B",
           "a\\027.example. 60 CNAME \\027.",
       }) {
    const auto text = message_text(response_with(record));
    ASSERT_TRUE(text) << record;
    EXPECT_EQ((text->answer[0].owner + text->answer[0].data).find('\x1b'), std::string::npos)
        << record;
  }
  const Octets error = test::option(15, test::u16(0) + Octets{'a', 0x1b, '[', 0x9b});
  const auto text = message_text(test::header(1, 0x8180, 1, 0, 0, 1) +
                                 test::question("a.example", 1) + test::opt(1232, 0, error));
  ASSERT_TRUE(text);
  ASSERT_EQ(text->errors.size(), 1u);
  EXPECT_EQ(text->errors[0].text, "a\\027[\\155");
}

TEST(MessageText, EveryTruncationIsAnError) {
  const auto m = response_with("a.example. 60 MX 10 mail.example.");
  for (std::size_t n = 0; n < m.size(); ++n)
    EXPECT_FALSE(message_text(base::Bytes(m).first(n))) << n;
}

TEST(MessageText, NamesFlagsAndCodes) {
  EXPECT_EQ(flags_text(0x8180), "qr rd ra");
  EXPECT_EQ(flags_text(0x8730), "qr aa tc rd ad cd");
  EXPECT_EQ(rcode_text(Rcode::nx_domain), "NXDOMAIN");
  EXPECT_EQ(rcode_text(Rcode::bad_version), "BADVERS");
  EXPECT_EQ(rcode_text(static_cast<Rcode>(3000)), "RCODE3000");
  EXPECT_EQ(record_type_text(28), "AAAA");
  EXPECT_EQ(record_type_text(4711), "TYPE4711");
}

}  // namespace
}  // namespace boxgram::dns
