#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boxgram/dns/normalise.hpp>

#include "dns_message.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;
using testing::ElementsAre;

constexpr unsigned kFlags = 0x8180;  // QR, RD, RA
const Octets kOwner = pointer(12);

Octets a_record(std::uint32_t ttl = 300) {
  return record(kOwner, 1, ttl, {192, 0, 2, 1});
}

Octets response(unsigned an, unsigned ns, unsigned ar, const Octets& records,
                std::string_view name = "www.example.com", unsigned type = 1,
                unsigned flags = kFlags) {
  return header(7, flags, 1, an, ns, ar) + question(name, type) + records;
}

/// The records of a view as text, read back from a message made of it.
std::vector<std::string> lines(const AnswerView& view) {
  return lines_of(header(0, 0, 1, view.answers, view.authorities, view.additionals) +
                  Octets(view.body.begin(), view.body.end()));
}

struct Normalise : testing::Test {
  base::expected<AnswerView, AnswerError> operator()(const Octets& bytes,
                                                     std::string_view name = "www.example.com",
                                                     unsigned type = 1, bool dnssec_ok = false) {
    return normalised(builder, bytes, name, type, dnssec_ok);
  }
  AnswerBuilder builder;
};

TEST_F(Normalise, KeepsAPositiveAnswer) {
  const auto view = (*this)(response(1, 0, 1, a_record() + opt(4096)));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->kind, AnswerKind::positive);
  EXPECT_EQ(view->rcode, Rcode::no_error);
  EXPECT_EQ(view->lifetime, 300u);
  EXPECT_FALSE(view->authentic);
  EXPECT_FALSE(view->truncated);
  EXPECT_EQ(view->additionals, 0);  // OPT is hop by hop
  EXPECT_TRUE(std::ranges::equal(view->body, question("www.example.com", 1) + a_record()));
  EXPECT_THAT(lines(*view), ElementsAre("0 www.example.com. 1 1 300 c0000201"));
}

TEST_F(Normalise, MatchesIdQrOpcodeAndQuestion) {  // RFC 5452
  const Octets good = response(1, 0, 0, a_record());
  ASSERT_TRUE((*this)(good));
  Octets bad = good;
  bad[1] ^= 1;
  EXPECT_EQ((*this)(bad).error(), AnswerError::wrong_id);
  bad = good;
  bad[2] ^= 0x80;
  EXPECT_EQ((*this)(bad).error(), AnswerError::not_a_response);
  bad = good;
  bad[2] ^= 0x20;
  EXPECT_EQ((*this)(bad).error(), AnswerError::wrong_opcode);
  EXPECT_EQ((*this)(good, "www.example.net").error(), AnswerError::wrong_question);
  EXPECT_EQ((*this)(good, "ww.example.com").error(), AnswerError::wrong_question);
  EXPECT_EQ((*this)(good, "www.example.com", 28).error(), AnswerError::wrong_question);
  bad = good;
  bad[kHeaderSize + 17 + 3] = 3;  // class
  EXPECT_EQ((*this)(bad).error(), AnswerError::wrong_question);
  EXPECT_EQ((*this)(header(7, kFlags, 0, 0, 0, 0)).error(), AnswerError::wrong_question);
  EXPECT_EQ((*this)(Octets(11)).error(), AnswerError::too_short);
}

TEST_F(Normalise, ComparesTheQuestionsCaseOnlyOnDemand) {
  const Octets bytes = response(1, 0, 0, a_record(), "wWw.example.com");
  EXPECT_TRUE((*this)(bytes));
  EXPECT_EQ(normalised(builder, bytes, "www.example.com", 1, false, true).error(),
            AnswerError::wrong_question);
  EXPECT_TRUE(normalised(builder, bytes, "wWw.example.com", 1, false, true));
}

TEST_F(Normalise, RejectsEveryCutMessage) {
  const Octets whole = response(2, 1, 1,
                                record(kOwner, 5, 60, Octets{1, 'x'} + pointer(16)) +
                                    record(Octets{1, 'x'} + pointer(16), 1, 60, {1, 2, 3, 4}) +
                                    record(pointer(16), 6, 60, soa("ns.example.com", 30)) +
                                    opt(1232, 0, option(15, u16(22))));
  ASSERT_TRUE((*this)(whole));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE((*this)(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))))
        << size;
  EXPECT_EQ((*this)(whole + Octets{0}).error(), AnswerError::malformed);
}

TEST_F(Normalise, RejectsTwoOptsAndMisplacedOpt) {
  EXPECT_EQ((*this)(response(0, 0, 2, opt(512) + opt(512))).error(), AnswerError::malformed);
  EXPECT_EQ((*this)(response(1, 0, 0, opt(512))).error(), AnswerError::malformed);
  EXPECT_EQ((*this)(response(0, 0, 1, record(labels("x"), 41, 0, {}))).error(),
            AnswerError::malformed);
  EXPECT_EQ((*this)(response(0, 0, 1, opt(512, 0, {0, 1, 0, 9}))).error(), AnswerError::malformed);
}

TEST_F(Normalise, MakesTheTtlsOfAnRrsetItsMinimum) {  // RFC 2181, section 5.2
  const auto view = (*this)(response(3, 0, 1,
                                     a_record(300) + record(kOwner, 16, 500, {1, 'x'}) +
                                         record(kOwner, 1, 100, {192, 0, 2, 2}) +
                                         record(labels("b"), 1, 900, {1, 1, 1, 1})));
  ASSERT_TRUE(view);
  EXPECT_THAT(lines(*view),
              ElementsAre("0 www.example.com. 1 1 100 c0000201", "0 www.example.com. 16 1 500 0178",
                          "0 www.example.com. 1 1 100 c0000202", "2 b. 1 1 900 01010101"));
  EXPECT_EQ(view->lifetime, 100u);
}

TEST_F(Normalise, TellsRrsigsOfDifferentTypesApart) {
  const Octets covers_a = u16(1) + Octets(16) + Octets{0};
  const Octets covers_txt = u16(16) + Octets(16) + Octets{0};
  const auto view = (*this)(response(3, 0, 0,
                                     a_record(300) + record(kOwner, 46, 300, covers_a) +
                                         record(kOwner, 46, 60, covers_txt)),
                            "www.example.com", 1, true);
  ASSERT_TRUE(view);
  EXPECT_EQ(base::load_be32(&view->body[view->ttl_offsets[1]]), 300u);
  EXPECT_EQ(base::load_be32(&view->body[view->ttl_offsets[2]]), 60u);
}

TEST_F(Normalise, TakesATtlWithTheTopBitAsZero) {  // RFC 2181, section 8
  const auto view = (*this)(response(1, 0, 0, a_record(0x80000000)));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->lifetime, 0u);
  EXPECT_THAT(lines(*view), ElementsAre("0 www.example.com. 1 1 0 c0000201"));
}

TEST_F(Normalise, GivesNxdomainTheLesserOfSoaTtlAndMinimum) {  // RFC 2308, section 5
  const auto with = [&](std::uint32_t ttl, std::uint32_t minimum) {
    return (*this)(response(0, 1, 0, record(pointer(16), 6, ttl, soa("ns.example.com", minimum)),
                            "www.example.com", 1, kFlags | 3));
  };
  EXPECT_EQ(with(900, 60)->kind, AnswerKind::nxdomain);
  EXPECT_EQ(with(900, 60)->lifetime, 60u);
  EXPECT_EQ(with(60, 900)->lifetime, 60u);
  EXPECT_EQ(with(86'400, 86'400)->lifetime, 10'800u);  // at most 3 h
  EXPECT_EQ(with(86'400, 0)->lifetime, 0u);
  EXPECT_EQ(base::load_be32(&with(900, 60)->body[with(900, 60)->ttl_offsets[0]]), 60u);
}

TEST_F(Normalise, TellsNodataReferralAndEmptyApart) {  // RFC 2308, section 2.2
  const Octets soa_record = record(pointer(16), 6, 600, soa("ns.example.com", 60));
  const Octets ns_record = record(pointer(16), 2, 600, labels("ns.example.com"));
  const auto nodata = (*this)(response(0, 1, 0, soa_record));
  EXPECT_EQ(nodata->kind, AnswerKind::nodata);
  EXPECT_EQ(nodata->lifetime, 60u);
  const auto both = (*this)(response(0, 2, 0, ns_record + soa_record));
  EXPECT_EQ(both->kind, AnswerKind::nodata);
  const auto referral = (*this)(response(0, 1, 0, ns_record));
  EXPECT_EQ(referral->kind, AnswerKind::referral);
  EXPECT_EQ(referral->lifetime, 0u);
  const auto empty = (*this)(response(0, 0, 0, {}));
  EXPECT_EQ(empty->kind, AnswerKind::nodata);
  EXPECT_EQ(empty->lifetime, 0u);  // no SOA: not cached
}

TEST_F(Normalise, TakesACnameWithoutItsTargetAsNodata) {
  const Octets cname = record(kOwner, 5, 30, labels("x.example.org"));
  const auto without = (*this)(response(1, 0, 0, cname));
  EXPECT_EQ(without->kind, AnswerKind::nodata);
  EXPECT_EQ(without->lifetime, 0u);
  const auto with = (*this)(
      response(1, 1, 0, cname + record(labels("example.org"), 6, 600, soa("n.example.org", 60))));
  EXPECT_EQ(with->lifetime, 30u);
  EXPECT_EQ((*this)(response(1, 0, 0, cname, "www.example.com", 5), "www.example.com", 5)->kind,
            AnswerKind::positive);
}

TEST_F(Normalise, NotesAdTcRcodeAndItsUpperBits) {
  const auto view =
      (*this)(response(0, 0, 1, opt(512, 0x01000000), "www.example.com", 1, kFlags | 0x0227));
  ASSERT_TRUE(view);
  EXPECT_EQ(static_cast<unsigned>(view->rcode), 0x17u);
  EXPECT_EQ(view->kind, AnswerKind::failure);
  EXPECT_TRUE(view->authentic);
  EXPECT_TRUE(view->truncated);
}

TEST_F(Normalise, GivesATruncatedAnswerNoLifetime) {  // RFC 2181, section 9
  const auto view = (*this)(response(1, 0, 0, a_record(), "www.example.com", 1, kFlags | 0x0200));
  EXPECT_EQ(view->kind, AnswerKind::positive);
  EXPECT_EQ(view->lifetime, 0u);
}

TEST_F(Normalise, KeepsExtendedErrorsAndNoOtherOption) {  // RFC 8914; 7871, 7873, 7830 per hop
  const auto view = (*this)(
      response(1, 0, 1,
               a_record() + opt(512, 0,
                                option(10, Octets(16, 1)) + option(15, u16(22) + Octets{'h', 'i'}) +
                                    option(8, {0, 1, 24, 0, 1, 2, 3}) + option(12, Octets(20)) +
                                    option(15, u16(3)))));
  ASSERT_TRUE(view);
  EXPECT_TRUE(std::ranges::equal(view->ede_options,
                                 option(15, u16(22) + Octets{'h', 'i'}) + option(15, u16(3))));
  EXPECT_EQ((*this)(response(0, 0, 1, opt(512, 0, option(15, {1})))).error(),
            AnswerError::malformed);
}

TEST_F(Normalise, BoundsWhatExtendedErrorsMayTake) {
  Octets options;
  for (int i = 0; i < 50; ++i) options = options + option(15, u16(22) + Octets(94, 'x'));
  const auto view = (*this)(response(1, 0, 1, a_record() + opt(512, 0, options)));
  EXPECT_EQ(view->ede_options.size(), 500u);
}

TEST_F(Normalise, StripsDnssecRecordsOnlyWithoutDo) {  // RFC 4035, section 3.2.1
  const Octets rrsig = record(kOwner, 46, 60, u16(1) + Octets(30));
  const Octets nsec = record(kOwner, 47, 60, labels("x") + Octets{0, 1, 64});
  const Octets nsec3 = record(kOwner, 50, 60, Octets(12));
  const Octets ds = record(kOwner, 43, 60, Octets(12));
  const auto bytes = response(2, 3, 0, a_record() + rrsig + nsec + nsec3 + ds);
  EXPECT_EQ((*this)(bytes)->answers, 1);
  EXPECT_EQ((*this)(bytes)->authorities, 1);
  EXPECT_EQ((*this)(bytes)->lifetime, 60u);
  EXPECT_EQ((*this)(bytes, "www.example.com", 1, true)->answers, 2);
  EXPECT_EQ((*this)(bytes, "www.example.com", 1, true)->authorities, 3);
  for (const unsigned type : {46u, 255u})
    EXPECT_EQ((*this)(response(2, 0, 0, a_record() + rrsig, "www.example.com", type),
                      "www.example.com", type)
                  ->answers,
              2);
  EXPECT_EQ((*this)(response(2, 0, 0, nsec + rrsig, "www.example.com", 47), "www.example.com", 47)
                ->answers,
            1);
}

TEST_F(Normalise, PassesUnknownTypesAndClassesByteIdentical) {  // RFC 3597
  // What looks like a pointer inside of unknown RDATA is only bytes.
  const Octets rdata = pointer(12) + Octets{0xff, 0, 1} + pointer(0x3fff);
  const auto view = (*this)(
      response(1, 0, 1, record(kOwner, 65280, 60, rdata) + record(kOwner, 65281, 60, rdata, 4711),
               "www.example.com", 65280),
      "www.example.com", 65280);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->kind, AnswerKind::positive);
  EXPECT_THAT(lines(*view), ElementsAre("0 www.example.com. 65280 1 60 c00cff0001ffff",
                                        "2 www.example.com. 65281 4711 60 c00cff0001ffff"));
}

TEST_F(Normalise, DecompressesNamesInRdataWhenRecordsMove) {
  // The RRSIG in front is stripped, so every later offset changes.
  const unsigned mail = 12 + 21 + 12 + 40 + 12 + 2;  // of the MX target below
  const Octets bytes =
      response(3, 0, 1,
               record(kOwner, 46, 60, u16(15) + Octets(38)) +
                   record(kOwner, 15, 60, u16(10) + Octets{4, 'm', 'a', 'i', 'l'} + pointer(16)) +
                   record(kOwner, 15, 60, u16(20) + Octets{1, 'b'} + pointer(mail)) +
                   record(pointer(mail), 1, 60, {1, 2, 3, 4}),
               "www.example.com", 15);
  const auto view = (*this)(bytes, "www.example.com", 15);
  ASSERT_TRUE(view);
  EXPECT_THAT(lines(*view), ElementsAre("0 www.example.com. 15 1 60 000a mail.example.com.",
                                        "0 www.example.com. 15 1 60 0014 b.mail.example.com.",
                                        "2 mail.example.com. 1 1 60 01020304"));
  EXPECT_LE(view->body.size() + 12, bytes.size() - 52);
}

TEST_F(Normalise, WritesSrvTargetsPlainEvenIfTheyCameCompressed) {  // RFC 3597, section 4
  const auto view =
      (*this)(response(1, 0, 0, record(kOwner, 33, 60, u16(1) + u16(2) + u16(80) + pointer(16)),
                       "www.example.com", 33),
              "www.example.com", 33);
  ASSERT_TRUE(view);
  const Octets tail = u16(80) + labels("example.com");
  EXPECT_TRUE(std::ranges::equal(view->body.last(tail.size()), tail));
}

TEST_F(Normalise, ReadsEveryLayoutWithNames) {
  const Octets n = labels("N.x");
  const struct {
    unsigned type;
    Octets rdata;
  } cases[] = {{2, n},
               {3, n},
               {4, n},
               {5, n},
               {7, n},
               {8, n},
               {9, n},
               {12, n},
               {14, n + n},
               {17, n + n},
               {18, u16(1) + n},
               {21, u16(1) + n},
               {26, u16(1) + n + n},
               {30, n + Octets{1, 2}},
               {24, Octets(18) + n + Octets{1, 2}},
               {35, u16(1) + u16(2) + Octets{1, 'u', 0, 2, 'x', 'y'} + n}};
  for (const auto& c : cases) {
    const auto bytes = [&](const Octets& rdata) {
      return response(1, 0, 0, record(kOwner, c.type, 60, rdata), "www.example.com", c.type);
    };
    EXPECT_TRUE((*this)(bytes(c.rdata), "www.example.com", c.type)) << c.type;
    const bool open = c.type == 24 || c.type == 30;
    EXPECT_EQ(static_cast<bool>((*this)(bytes(c.rdata + Octets{0}), "www.example.com", c.type)),
              open)
        << c.type;
    const Octets cut(c.rdata.begin(), c.rdata.end() - (open ? 3 : 1));
    EXPECT_FALSE((*this)(bytes(cut), "www.example.com", c.type)) << c.type;
    EXPECT_FALSE((*this)(bytes({}), "www.example.com", c.type)) << c.type;
  }
}

TEST_F(Normalise, CompressesWhatCameWithoutCompression) {
  const Octets name = labels("www.example.com");
  const auto view = (*this)(response(2, 1, 0,
                                     record(name, 5, 60, labels("a.www.example.com")) +
                                         record(labels("a.www.example.com"), 1, 60, {1, 2, 3, 4}) +
                                         record(labels("com"), 2, 60, labels("b.example.com"))));
  ASSERT_TRUE(view);
  const Octets expected = question("www.example.com", 1) +
                          record(pointer(12), 5, 60, Octets{1, 'a'} + pointer(12)) +
                          record(pointer(45), 1, 60, {1, 2, 3, 4}) +
                          record(pointer(24), 2, 60, Octets{1, 'b'} + pointer(16));
  EXPECT_TRUE(std::ranges::equal(view->body, expected));
}

TEST_F(Normalise, KeepsTheCaseOfNamesInRdata) {
  const auto view = (*this)(
      response(1, 0, 0, record(kOwner, 5, 60, labels("Foo.EXAMPLE.com")), "www.example.com", 5),
      "www.example.com", 5);
  EXPECT_THAT(lines(*view), ElementsAre("0 www.example.com. 5 1 60 Foo.EXAMPLE.com."));
}

TEST_F(Normalise, KeepsLabelsOfAnyOctets) {  // RFC 2181, section 11
  const Octets odd = {4, 0, '.', 0xff, '\\', 0};
  const auto view = (*this)(response(1, 0, 0, record(kOwner, 12, 60, odd), "www.example.com", 12),
                            "www.example.com", 12);
  EXPECT_TRUE(std::ranges::equal(view->body.last(6), odd));
}

TEST_F(Normalise, IsNeverLargerThanACompressedAnswerOfManyRecords) {
  Octets records;
  for (unsigned i = 0; i < 3'000; ++i) records = records + record(kOwner, 1, 60 + i, u32(i));
  const Octets bytes = response(3'000, 0, 0, records);
  const auto view = (*this)(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->body.size() + 12, bytes.size());
  EXPECT_EQ(view->lifetime, 60u);
  EXPECT_EQ(base::load_be32(&view->body[view->ttl_offsets.back()]), 60u);
}

TEST_F(Normalise, SaysTooLargeWhenPlainNamesDoNotFit) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "abc.";
  Octets records;
  for (unsigned i = 0; i < 300; ++i)
    records = records + record(pointer(12), 33, 60, Octets(6) + pointer(12));
  EXPECT_EQ((*this)(response(300, 0, 0, records, text, 33), text, 33).error(),
            AnswerError::too_large);
}

TEST_F(Normalise, TakesTheLargestAnswer) {
  Octets bytes = response(1, 0, 0, {}, "x", 16);
  const std::size_t left = kMaxMessageSize - bytes.size() - 12;
  bytes = bytes + record(kOwner, 16, 60, Octets(left, 0));
  ASSERT_EQ(bytes.size(), kMaxMessageSize);
  const auto view = (*this)(bytes, "x", 16);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->body.size() + 12, kMaxMessageSize);
}

TEST(AnswerBuilder, BuildsAnAnswerOfOurOwn) {
  AnswerBuilder builder;
  const Name owner = *Name::from_text("Host.local");
  builder.start(owner.wire(), rrtype::a, rrclass::in);
  ASSERT_TRUE(builder.add(Section::answer, owner, rrtype::a, rrclass::in, 60, Octets{10, 0, 0, 1}));
  builder.add_extended_error(ede::other, base::as_bytes("x"));
  const AnswerView view = builder.finish(Rcode::no_error, false, false);
  EXPECT_EQ(view.kind, AnswerKind::positive);
  EXPECT_EQ(view.lifetime, 60u);
  EXPECT_TRUE(std::ranges::equal(
      view.body, question("Host.local", 1) + record(pointer(12), 1, 60, {10, 0, 0, 1})));
  EXPECT_TRUE(std::ranges::equal(view.ede_options, option(15, u16(0) + Octets{'x'})));
}

TEST(AnswerBuilder, CompressesHundredsOfNamesWithoutAFault) {
  AnswerBuilder builder;
  const Name asked = *Name::from_text("example.com");
  builder.start(asked.wire(), rrtype::ns, rrclass::in);
  std::vector<std::string> expected;
  for (int i = 0; i < 1'000; ++i) {
    const std::string text = "h" + std::to_string(i * 7 % 400) + ".z" + std::to_string(i % 90) +
                             (i % 3 == 0 ? ".example.com." : ".Example.org.");
    const Name target = *Name::from_text(text);
    ASSERT_TRUE(builder.add(Section::answer, asked, rrtype::ns, rrclass::in, 9, target.wire()));
    expected.push_back("0 example.com. 2 1 9 " + text);
  }
  EXPECT_EQ(lines(builder.finish(Rcode::no_error, false, false)), expected);
}

}  // namespace
}  // namespace boxgram::dns
