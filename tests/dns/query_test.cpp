#include <gtest/gtest.h>

#include <boxgram/dns/query.hpp>
#include <boxgram/dns/query_key.hpp>

#include "dns_message.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;

QueryError error_of(const Octets& message) {
  const auto query = parse_query(message);
  EXPECT_FALSE(query);
  return query ? QueryError{} : query.error();
}

Octets error_response(const Octets& query, Rcode rcode,
                      const std::vector<ExtendedError>& errors = {}) {
  Octets out(1232);
  out.resize(make_error_response(query, rcode, errors, out));
  return out;
}

unsigned flags_of(const Octets& message) {
  return base::load_be16(&message[2]);
}

TEST(ParseQuery, ReadsNameTypeClassAndFlags) {
  const Octets bytes = header(0xabcd, 0x0130, 1, 0, 0, 0) + question("WwW.example.com", 28, 3);
  const auto query = parse_query(bytes);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->id, 0xabcd);
  EXPECT_TRUE(std::ranges::equal(query->name, labels("WwW.example.com")));  // the client's case
  EXPECT_EQ(query->type, 28);
  EXPECT_EQ(query->rr_class, 3);
  EXPECT_TRUE(query->recursion_desired());
  EXPECT_TRUE(query->authentic_data());
  EXPECT_TRUE(query->checking_disabled());
  EXPECT_FALSE(query->has_opt);
  EXPECT_FALSE(query->dnssec_ok);
  EXPECT_EQ(query->udp_size, 512);
}

TEST(ParseQuery, ReadsOptWithSizeAndDo) {
  const Octets bytes = header(1, 0x0100, 1, 0, 0, 1) + question("a", 1) +
                       opt(4096, 0x8000, option(10, Octets(8)) + option(65001, {}));
  const auto query = parse_query(bytes);
  ASSERT_TRUE(query);
  EXPECT_TRUE(query->has_opt);
  EXPECT_TRUE(query->dnssec_ok);
  EXPECT_EQ(query->udp_size, 4096);
}

TEST(ParseQuery, TakesAnEdnsSizeBelow512As512) {  // RFC 6891, section 6.2.3
  EXPECT_EQ(parse_query(header(1, 0, 1, 0, 0, 1) + question("a", 1) + opt(100))->udp_size, 512);
}

TEST(ParseQuery, PassesUnknownTypesClassesOptionsAndFlags) {  // RFC 5625
  EXPECT_TRUE(parse_query(header(1, 0x0140, 1, 0, 0, 1) + question("a", 65280, 65281) +
                          opt(1232, 0x7fff, option(65001, {1, 2, 3}))));
}

TEST(ParseQuery, DropsWhatIsShorterThanAHeader) {
  for (std::size_t size = 0; size < 12; ++size) {
    const Octets bytes(size);
    EXPECT_EQ(error_of(bytes), QueryError::too_short);
    EXPECT_TRUE(error_response(bytes, Rcode::format_error).empty());
  }
  EXPECT_EQ(rcode_of(QueryError::too_short), std::nullopt);
}

TEST(ParseQuery, DropsResponses) {
  const Octets bytes = header(1, 0x8100, 1, 0, 0, 0) + question("a", 1);
  EXPECT_EQ(error_of(bytes), QueryError::not_a_query);
  EXPECT_EQ(rcode_of(QueryError::not_a_query), std::nullopt);
  EXPECT_TRUE(error_response(bytes, Rcode::format_error).empty());
}

TEST(ParseQuery, AnswersUnknownOpcodesNotImplementedWithTheQuestion) {  // RFC 1035
  for (unsigned opcode = 1; opcode < 16; ++opcode) {
    const Octets bytes = header(0x77, opcode << 11 | 0x0100, 1, 0, 0, 0) + question("Abc.de", 6);
    EXPECT_EQ(error_of(bytes), QueryError::not_implemented);
    const Octets response = error_response(bytes, *rcode_of(QueryError::not_implemented));
    EXPECT_EQ(response, header(0x77, 0x8184 | opcode << 11, 1, 0, 0, 0) + question("Abc.de", 6));
  }
}

TEST(ParseQuery, RejectsQdcountOtherThanOne) {  // RFC 9619
  EXPECT_EQ(error_of(header(1, 0, 0, 0, 0, 0)), QueryError::not_one_question);
  EXPECT_EQ(error_of(header(1, 0, 2, 0, 0, 0) + question("a", 1) + question("b", 1)),
            QueryError::not_one_question);
  EXPECT_EQ(rcode_of(QueryError::not_one_question), Rcode::format_error);
  EXPECT_EQ(error_response(header(1, 0, 0, 0, 0, 0), Rcode::format_error),
            header(1, 0x8081, 0, 0, 0, 0));
}

TEST(ParseQuery, RejectsAQuestionCutShortAnywhere) {
  const Octets whole = header(9, 0x0100, 1, 0, 0, 0) + question("www.example", 1);
  for (std::size_t size = 12; size < whole.size(); ++size) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(error_of(cut), QueryError::bad_question);
    EXPECT_EQ(error_response(cut, Rcode::format_error), header(9, 0x8181, 0, 0, 0, 0));
  }
}

TEST(ParseQuery, RejectsACompressedQuestion) {
  EXPECT_EQ(error_of(header(1, 0, 1, 0, 0, 0) + pointer(4) + u16(1) + u16(1)),
            QueryError::bad_question);
}

TEST(ParseQuery, RejectsRecordsCutShortAnywhere) {
  const Octets start = header(1, 0, 1, 0, 0, 1) + question("a", 1);
  const Octets whole = start + opt(1232, 0, option(10, Octets(8)));
  for (std::size_t size = start.size(); size < whole.size(); ++size)
    EXPECT_EQ(error_of(Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
              QueryError::bad_record);
  EXPECT_EQ(rcode_of(QueryError::bad_record), Rcode::format_error);
}

TEST(ParseQuery, RejectsBytesLeftOver) {
  EXPECT_EQ(error_of(query_for("a", 1) + Octets{0}), QueryError::bad_record);
  EXPECT_EQ(error_of(query_for("a", 1, false) + Octets{0}), QueryError::bad_record);
}

TEST(ParseQuery, RejectsTwoOpts) {  // RFC 6891, section 6.1.1
  const Octets bytes = header(1, 0, 1, 0, 0, 2) + question("a", 1) + opt(1232) + opt(1232);
  EXPECT_EQ(error_of(bytes), QueryError::bad_opt);
  EXPECT_EQ(rcode_of(QueryError::bad_opt), Rcode::format_error);
}

TEST(ParseQuery, RejectsOptOutsideOfAdditionalOrBelowTheRoot) {
  EXPECT_EQ(error_of(header(1, 0, 1, 1, 0, 0) + question("a", 1) + opt(1232)), QueryError::bad_opt);
  EXPECT_EQ(
      error_of(header(1, 0, 1, 0, 0, 1) + question("a", 1) + record(labels("x"), 41, 0, {}, 1232)),
      QueryError::bad_opt);
}

TEST(ParseQuery, RejectsOptionsThatDoNotFillOpt) {
  const Octets start = header(1, 0, 1, 0, 0, 1) + question("a", 1);
  EXPECT_EQ(error_of(start + opt(1232, 0, {0})), QueryError::bad_opt);
  EXPECT_EQ(error_of(start + opt(1232, 0, {0, 10, 0, 9, 1})), QueryError::bad_opt);
}

TEST(ParseQuery, AnswersEdnsVersionsAboveZeroBadVersion) {  // RFC 6891, section 6.1.3
  const Octets bytes = header(5, 0x0100, 1, 0, 0, 1) + question("a", 1) + opt(1232, 0x00010000);
  EXPECT_EQ(error_of(bytes), QueryError::bad_version);
  EXPECT_EQ(error_response(bytes, *rcode_of(QueryError::bad_version)),
            header(5, 0x8180, 1, 0, 0, 1) + question("a", 1) + opt(1232, 0x01000000));
}

TEST(ErrorResponse, KeepsIdRdCdQuestionAndDo) {
  const Octets bytes = query_for("WWW.x", 16, true, true, 0x0110);
  EXPECT_EQ(error_response(bytes, Rcode::refused),
            header(0x1234, 0x8195, 1, 0, 0, 1) + question("WWW.x", 16) + opt(1232, 0x8000));
}

TEST(ErrorResponse, CarriesExtendedErrorsOnlyIfTheQueryHasOpt) {  // RFC 8914
  const std::vector<ExtendedError> errors = {{ede::network_error, "no route"}, {ede::blocked, {}}};
  const Octets text = {'n', 'o', ' ', 'r', 'o', 'u', 't', 'e'};
  EXPECT_EQ(error_response(query_for("a", 1), Rcode::server_failure, errors),
            header(0x1234, 0x8182, 1, 0, 0, 1) + question("a", 1) +
                opt(1232, 0, option(15, u16(23) + text) + option(15, u16(15))));
  EXPECT_EQ(error_response(query_for("a", 1, false), Rcode::server_failure, errors),
            header(0x1234, 0x8182, 1, 0, 0, 0) + question("a", 1));
}

TEST(ErrorResponse, LeavesOutErrorsThatDoNotFit) {
  const Octets query = query_for("a", 1);
  const std::string text(100, 'x');
  const ExtendedError error{ede::other, text};
  Octets out(12 + 7 + 11 + 105);
  EXPECT_EQ(make_error_response(query, Rcode::refused, {&error, 1}, out), 30u);
  out.resize(29);
  EXPECT_EQ(make_error_response(query, Rcode::refused, {&error, 1}, out), 0u);
}

TEST(ErrorResponse, NeverSaysNoErrorForAnExtendedRcodeWithoutOpt) {
  EXPECT_EQ(flags_of(error_response(query_for("a", 1, false), Rcode::bad_version)) & 15, 2u);
}

TEST(ErrorResponse, DoesNotReadBeyondAnyCutQuery) {
  const Octets whole = query_for("www.example", 1, true, true);
  for (std::size_t size = 12; size <= whole.size(); ++size) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const Octets response = error_response(cut, Rcode::format_error);
    ASSERT_GE(response.size(), 12u);
    EXPECT_EQ(base::load_be16(response.data()), 0x1234);
  }
}

TEST(BuildUpstreamQuery, WritesQuestionAndItsOwnOptLast) {
  const Octets name = labels("www.Example.com");
  Octets out(kMaxUpstreamQuerySize);
  out.resize(build_upstream_query({.id = 0x4242, .name = name, .type = 28}, out));
  EXPECT_EQ(out, header(0x4242, 0x0100, 1, 0, 0, 1) + question("www.Example.com", 28) + opt(1232));
}

TEST(BuildUpstreamQuery, CopiesDoCdAndAd) {  // RFC 4035
  const Octets name = labels("a");
  Octets out(kMaxUpstreamQuerySize);
  out.resize(build_upstream_query({.id = 1,
                                   .name = name,
                                   .type = 1,
                                   .recursion_desired = false,
                                   .checking_disabled = true,
                                   .authentic_data = true,
                                   .dnssec_ok = true,
                                   .udp_size = 4096},
                                  out));
  EXPECT_EQ(out, header(1, 0x0030, 1, 0, 0, 1) + question("a", 1) + opt(4096, 0x8000));
}

TEST(BuildUpstreamQuery, SetsTheCaseOfLettersOnly) {
  const Octets name = labels("aB1-z");
  Octets out(kMaxUpstreamQuerySize);
  const Octets ones(32, 0xff);
  build_upstream_query({.name = name, .type = 1, .case_bits = ones}, out);
  EXPECT_TRUE(std::ranges::equal(base::Bytes(out).subspan(12, 7), labels("AB1-Z")));
  const Octets zeros(32, 0);
  build_upstream_query({.name = name, .type = 1, .case_bits = zeros}, out);
  EXPECT_TRUE(std::ranges::equal(base::Bytes(out).subspan(12, 7), labels("ab1-z")));
}

TEST(BuildUpstreamQuery, HoldsTheLongestName) {
  std::string text;
  for (int i = 0; i < 127; ++i) text += "a.";
  const Octets name = labels(text);
  Octets out(kMaxUpstreamQuerySize);
  EXPECT_EQ(build_upstream_query({.name = name, .type = 1}, out), kMaxUpstreamQuerySize);
  EXPECT_TRUE(parse_query(out));
}

TEST(QueryKey, IgnoresCaseAndSeesEverythingElse) {
  const auto key = [](std::string_view name, std::uint16_t type, std::uint16_t rr_class,
                      bool dnssec_ok,
                      bool cd) { return QueryKey(labels(name), type, rr_class, dnssec_ok, cd); };
  const QueryKey base_key = key("www.example", 1, 1, false, false);
  EXPECT_EQ(base_key, key("WWW.eXample", 1, 1, false, false));
  EXPECT_FALSE(base_key == key("wwv.example", 1, 1, false, false));
  EXPECT_FALSE(base_key == key("www.example", 2, 1, false, false));
  EXPECT_FALSE(base_key == key("www.example", 1, 3, false, false));
  EXPECT_FALSE(base_key == key("www.example", 1, 1, true, false));
  EXPECT_FALSE(base_key == key("www.example", 1, 1, false, true));
}

TEST(QueryKey, DoesNotSeeClientOptions) {  // RFC 7873, 7871: per hop, not in the key
  const Octets plain = query_for("a.b", 1);
  const Octets cookie = header(99, 0x0100, 1, 0, 0, 1) + question("A.b", 1) +
                        opt(4096, 0, option(10, Octets(8, 7)) + option(8, {0, 1, 24, 0, 1, 2, 3}));
  EXPECT_EQ(QueryKey(*parse_query(plain)), QueryKey(*parse_query(cookie)));
}

}  // namespace
}  // namespace boxgram::dns
