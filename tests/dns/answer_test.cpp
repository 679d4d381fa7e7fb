#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boxgram/dns/answer.hpp>

#include "dns_message.hpp"

namespace boxgram::dns {
namespace {

using namespace boxgram::test;
using testing::ElementsAre;

/// An answer for "x.y" TXT with `size` bytes of RDATA, TTL 100.
struct WriteAnswer : testing::Test {
  AnswerView answer(std::size_t size, unsigned flags = 0x8180, const Octets& options = {}) {
    const Octets bytes = header(7, flags, 1, 1, 0, 1) + question("x.y", 16) +
                         record(pointer(12), 16, 100, Octets(size, 'r')) + opt(512, 0, options);
    return normalised(builder, bytes, "x.y", 16, true).value();
  }
  Octets write(const AnswerView& view, const Octets& query_bytes, const AnswerOptions& options = {},
               Age age = {}) {
    const auto query = parse_query(query_bytes);
    Octets out(65'535, 0xee);
    written = write_answer(view, *query, options, age, out);
    out.resize(written.size);
    return out;
  }
  AnswerBuilder builder;
  Written written;
};

const Octets kRecord = record(pointer(12), 16, 100, Octets(9, 'r'));

TEST_F(WriteAnswer, HasTheClientsIdFlagsAndCase) {
  EXPECT_EQ(write(answer(9), query_for("X.y", 16, false)),
            header(0x1234, 0x8180, 1, 1, 0, 0) + question("X.y", 16) + kRecord);
  EXPECT_EQ(write(answer(9), query_for("x.Y", 16, false, false, 0x0010)),
            header(0x1234, 0x8090, 1, 1, 0, 0) + question("x.Y", 16) + kRecord);
}

TEST_F(WriteAnswer, ClearsAaAndSetsRa) {
  const Octets out = write(answer(9, 0x8500), query_for("x.y", 16, false));
  EXPECT_EQ(base::load_be16(&out[2]), 0x8180);
}

TEST_F(WriteAnswer, HasOptOnlyIfTheQueryHas) {  // RFC 6891, section 6.1.1
  EXPECT_EQ(write(answer(9), query_for("x.y", 16, true, true)),
            header(0x1234, 0x8180, 1, 1, 0, 1) + question("x.y", 16) + kRecord + opt(1232, 0x8000));
  EXPECT_EQ(write(answer(9), query_for("x.y", 16, false)).size(), 12 + 9 + kRecord.size());
}

TEST_F(WriteAnswer, ReturnsAdOnlyIfAskedForAndTrusted) {  // RFC 6840, section 5.7 and 5.8
  const auto ad = [&](unsigned answer_flags, bool with_do, unsigned query_flags, bool allowed) {
    AnswerOptions options;
    options.authentic_allowed = allowed;
    const Octets out = write(answer(9, answer_flags),
                             query_for("x.y", 16, with_do, with_do, query_flags), options);
    return (out[3] & 0x20) != 0;
  };
  EXPECT_TRUE(ad(0x81a0, true, 0x0100, true));    // DO
  EXPECT_TRUE(ad(0x81a0, false, 0x0120, true));   // AD
  EXPECT_FALSE(ad(0x81a0, false, 0x0100, true));  // neither
  EXPECT_FALSE(ad(0x81a0, true, 0x0120, false));  // not trusted
  EXPECT_FALSE(ad(0x8180, true, 0x0120, true));   // never invented
}

TEST_F(WriteAnswer, CountsTtlsDownToZero) {
  const auto ttl = [&](Age age) {
    const Octets out = write(answer(9), query_for("x.y", 16, false), {}, age);
    return base::load_be32(&out[12 + 9 + 6]);
  };
  EXPECT_EQ(ttl({0, 0}), 100u);
  EXPECT_EQ(ttl({1, 0}), 99u);
  EXPECT_EQ(ttl({99, 0}), 1u);
  EXPECT_EQ(ttl({100, 0}), 0u);
  EXPECT_EQ(ttl({4'000'000'000, 0}), 0u);
  EXPECT_EQ(ttl({500, 30}), 30u);  // RFC 8767, section 4
}

TEST_F(WriteAnswer, TruncatesAt512WithoutEdns) {
  const Octets query = query_for("x.y", 16, false);
  EXPECT_EQ(write(answer(512 - 12 - 9 - 12), query).size(), 512u);
  EXPECT_FALSE(written.truncated);
  EXPECT_EQ(write(answer(512 - 12 - 9 - 12 + 1), query),
            header(0x1234, 0x8380, 1, 0, 0, 0) + question("x.y", 16));
  EXPECT_TRUE(written.truncated);
  EXPECT_EQ(written.whole_size, 513u);
}

TEST_F(WriteAnswer, HonoursTheClientsOwnSize) {  // RFC 6891, section 6.2.3
  for (const unsigned size : {512u, 600u, 1232u, 4096u, 65535u}) {
    const Octets query = header(1, 0x0100, 1, 0, 0, 1) + question("x.y", 16) + opt(size);
    EXPECT_EQ(write(answer(size - 12 - 9 - 12 - 11), query).size(), size);
    if (size == 65535) break;
    EXPECT_EQ(write(answer(size - 12 - 9 - 12 - 11 + 1), query),
              header(1, 0x8380, 1, 0, 0, 1) + question("x.y", 16) + opt(1232));
  }
}

TEST_F(WriteAnswer, HonoursTheTransportsLimit) {
  const Octets query = header(1, 0x0100, 1, 0, 0, 1) + question("x.y", 16) + opt(65'535);
  AnswerOptions options;
  options.limit = 1'232;
  EXPECT_EQ(write(answer(1'300), query, options).size(), 12u + 9 + 11);
  EXPECT_TRUE(written.truncated);
}

TEST_F(WriteAnswer, IgnoresTheClientsSizeOverTcp) {
  AnswerOptions options;
  options.transport = Transport::tcp;
  EXPECT_EQ(write(answer(60'000), query_for("x.y", 16), options).size(),
            12u + 9 + 12 + 60'000 + 11);
  EXPECT_FALSE(written.truncated);
}

TEST_F(WriteAnswer, WritesNothingSealedBeyondTheLimit) {
  AnswerOptions options;
  options.transport = Transport::sealed;
  options.limit = 100;
  EXPECT_EQ(write(answer(100), query_for("x.y", 16), options).size(), 0u);
  EXPECT_FALSE(written.truncated);
  EXPECT_EQ(written.whole_size, 12u + 9 + 12 + 100 + 11);
  options.limit = written.whole_size;
  EXPECT_EQ(write(answer(100), query_for("x.y", 16, false), options).size(), options.limit - 11);
}

TEST_F(WriteAnswer, DeliversEverySizeOverTcp) {
  AnswerOptions options;
  options.transport = Transport::tcp;
  for (std::size_t size = 0; size < 4'096; ++size) {
    const Octets out = write(answer(size), query_for("x.y", 16, false), options);
    ASSERT_EQ(out.size(), 12 + 9 + 12 + size);
    ASSERT_EQ(base::load_be16(out.data()), 0x1234);
  }
  const std::size_t largest = 65'535 - 12 - 9 - 12 - 11;
  EXPECT_EQ(write(answer(largest), query_for("x.y", 16), options).size(), 65'535u);
}

TEST_F(WriteAnswer, PutsOurErrorsBeforeTheUpstreams) {  // RFC 8914
  const Octets upstream = option(15, u16(9) + Octets{'z'});
  const ExtendedError own{ede::stale_answer, "old"};
  AnswerOptions options;
  options.errors = {&own, 1};
  EXPECT_EQ(write(answer(9, 0x8180, upstream), query_for("x.y", 16), options),
            header(0x1234, 0x8180, 1, 1, 0, 1) + question("x.y", 16) + kRecord +
                opt(1232, 0, option(15, u16(3) + Octets{'o', 'l', 'd'}) + upstream));
  EXPECT_EQ(write(answer(9, 0x8180, upstream), query_for("x.y", 16, false), options),
            header(0x1234, 0x8180, 1, 1, 0, 0) + question("x.y", 16) + kRecord);
}

TEST_F(WriteAnswer, DropsErrorsBeforeRecords) {
  const Octets upstream = option(15, u16(9) + Octets(100, 'z'));
  const std::size_t size = 1'232 - 12 - 9 - 12 - 11;
  EXPECT_EQ(write(answer(size, 0x8180, upstream), query_for("x.y", 16)).size(), 1'232u);
  EXPECT_FALSE(written.truncated);
  EXPECT_EQ(written.whole_size, 1'232u);
}

TEST_F(WriteAnswer, PassesTheUpstreamsTcOn) {
  const Octets out = write(answer(9, 0x8380), query_for("x.y", 16, false));
  EXPECT_EQ(base::load_be16(&out[2]), 0x8380);
  EXPECT_TRUE(written.truncated);
}

TEST_F(WriteAnswer, CarriesExtendedRcodesInOptOrSaysServfail) {
  const Octets bytes = header(7, 0x8187, 1, 0, 0, 1) + question("x.y", 16) + opt(512, 0x01000000);
  const auto view = normalised(builder, bytes, "x.y", 16).value();
  EXPECT_EQ(write(view, query_for("x.y", 16)),
            header(0x1234, 0x8187, 1, 0, 0, 1) + question("x.y", 16) + opt(1232, 0x01000000));
  EXPECT_EQ(write(view, query_for("x.y", 16, false)),
            header(0x1234, 0x8182, 1, 0, 0, 0) + question("x.y", 16));
}

TEST_F(WriteAnswer, GivesUdpTcpAndSealedTheSameBytes) {
  const Octets query = query_for("x.y", 16);
  const Octets udp = write(answer(300), query);
  AnswerOptions options;
  options.transport = Transport::tcp;
  EXPECT_EQ(write(answer(300), query, options), udp);
  options.transport = Transport::sealed;
  EXPECT_EQ(write(answer(300), query, options), udp);
}

}  // namespace
}  // namespace boxgram::dns
