#include <gtest/gtest.h>

#include <boxgram/dns/block_list.hpp>

namespace boxgram::dns {
namespace {

using Scope = BlockList::Scope;

Name name(std::string_view text) {
  return Name::from_text(text).value();
}

TEST(BlockList, EmptyBlocksNothing) {
  EXPECT_FALSE(BlockList().blocks(name("a.example")));
  EXPECT_FALSE(BlockList().blocks(Name()));
}

TEST(BlockList, ExactBlocksTheNameAlone) {
  BlockList list;
  list.add(name("Ads.example"), Scope::exact);
  EXPECT_TRUE(list.blocks(name("aDs.Example")));
  EXPECT_FALSE(list.blocks(name("x.ads.example")));
  EXPECT_FALSE(list.blocks(name("example")));
}

TEST(BlockList, SuffixBlocksEverythingBelowAndNothingBeside) {
  BlockList list;
  list.add(name("ads.example"), Scope::with_subdomains);
  EXPECT_TRUE(list.blocks(name("ads.example")));
  EXPECT_TRUE(list.blocks(name("a.b.c.ADS.example")));
  EXPECT_FALSE(list.blocks(name("xads.example")));
  EXPECT_FALSE(list.blocks(name("ads.example.org")));
  EXPECT_FALSE(list.blocks(name("example")));
}

TEST(BlockList, TellsWhichEntryBlocks) {
  BlockList list;
  list.add(name("ads.example"), Scope::with_subdomains);
  list.add(name("exact.example"), Scope::exact);
  const auto below = list.match(name("x.Ads.example"));
  ASSERT_TRUE(below);
  EXPECT_EQ(below->name, name("ads.example"));
  EXPECT_EQ(below->scope, Scope::with_subdomains);
  EXPECT_EQ(list.match(name("exact.example"))->scope, Scope::exact);
  EXPECT_FALSE(list.match(name("x.exact.example")));
  EXPECT_FALSE(BlockList().match(name("a")));
}

TEST(BlockList, LabelBordersCount) {
  BlockList list;
  list.add(name("ab.cd"), Scope::with_subdomains);
  EXPECT_FALSE(list.blocks(name("a.bcd")));
  EXPECT_FALSE(list.blocks(name("abc.d")));
  EXPECT_FALSE(list.blocks(name("cd.ab")));
}

TEST(BlockList, ReadsEachFormat) {
  BlockList list;
  const auto report = list.add_text(
      "# comment\n"
      "! another\n"
      "plain.example\n"
      "*.star.example   # why\n"
      "||adblock.example^\n"
      "=exact.example\r\n"
      "0.0.0.0 hosts.example second.example\n"
      "127.0.0.1 localhost\n"
      "::1 six.example\n");
  EXPECT_EQ(report.mistakes, 0u);
  EXPECT_EQ(report.entries, 7u);
  EXPECT_EQ(list.size(), 7u);
  for (const auto* text :
       {"plain.example", "x.plain.example", "x.star.example", "star.example", "x.adblock.example",
        "exact.example", "hosts.example", "second.example", "six.example"})
    EXPECT_TRUE(list.blocks(name(text))) << text;
  for (const auto* text : {"x.exact.example", "x.hosts.example", "localhost", "example"})
    EXPECT_FALSE(list.blocks(name(text))) << text;
}

TEST(BlockList, MistakesAreCountedWithTheirLines) {
  BlockList list;
  const auto report =
      list.add_text("good.example\n/ads[0-9]/\ntwo words\n0.0.0.0\n0.0.0.0 bad..name\n@@||x^\n.");
  EXPECT_EQ(report.entries, 1u);
  EXPECT_EQ(report.mistakes, 6u);
  EXPECT_EQ(report.first[0].line, 2u);
  EXPECT_EQ(report.first[0].what, "expected a domain name, found \"/ads[0-9]/\"");
  EXPECT_EQ(report.first[1].what,
            "expected one name, or an address and names, found \"words\" after \"two\"");
  EXPECT_EQ(report.first[2].what, "expected a name after the address \"0.0.0.0\"");
}

TEST(BlockList, TheSameNameTwiceIsOneEntry) {
  BlockList list;
  list.add_text("a.example\nA.EXAMPLE\n");
  EXPECT_EQ(list.size(), 1u);
}

TEST(BlockList, AMillionNamesFit16MiBAndAreAllFound) {
  BlockList list;
  for (int i = 0; i < 1'000'000; ++i)
    list.add(name("n" + std::to_string(i) + ".example"), Scope::exact);
  EXPECT_EQ(list.size(), 1'000'000u) << "no two names share a hash";
  EXPECT_LE(list.memory_bytes(), std::size_t{16} << 20);
  for (int i = 0; i < 1'000'000; i += 997)
    EXPECT_TRUE(list.blocks(name("n" + std::to_string(i) + ".example")));
  for (int i = 1'000'000; i < 1'010'000; ++i)
    EXPECT_FALSE(list.blocks(name("n" + std::to_string(i) + ".example")));
}

}  // namespace
}  // namespace boxgram::dns
