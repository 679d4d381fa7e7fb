#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <boxgram/dht/bencode.hpp>

namespace boxgram::dht::bencode {
namespace {

using base::as_bytes;
using base::as_text;

/// The value at the front, as text; "" if there is none.
std::string front(std::string_view text) {
  const auto value = Value::read(as_bytes(text));
  return value ? std::string(as_text(value->raw())) : "";
}

std::string nested(unsigned depth) {
  return std::string(depth, 'l') + std::string(depth, 'e');
}

TEST(Bencode, ValuesAreTakenWholeFromTheFront) {
  EXPECT_EQ(front("i0e"), "i0e");
  EXPECT_EQ(front("i-42eX"), "i-42e");
  EXPECT_EQ(front("0:"), "0:");
  EXPECT_EQ(front("4:spamspam"), "4:spam");
  EXPECT_EQ(front("le"), "le");
  EXPECT_EQ(front("l4:spami1eee"), "l4:spami1ee");
  EXPECT_EQ(front("d3:cow3:moo4:spam4:eggse"), "d3:cow3:moo4:spam4:eggse");
  EXPECT_EQ(front("d1:ad1:bli1eeee1:"), "d1:ad1:bli1eeee");
}

TEST(Bencode, UnsoundValuesAreNone) {
  for (const auto* text : {"",
                           "i",
                           "ie",
                           "i-e",
                           "i-0e",
                           "i00e",
                           "i01e",
                           "i-01e",
                           "i1",
                           "i1x",
                           "i+1e",
                           "i 1e",
                           "i1.0e",
                           "--1e",
                           "i--1e",
                           "1",
                           "1:",
                           "2:a",
                           "01:a",
                           "00:",
                           "-1:a",
                           "+1:a",
                           "100000:",
                           "99999:a",
                           "4294967297:a",
                           "18446744073709551617:a",
                           "l",
                           "li1e",
                           "lie",
                           "d",
                           "d1:a",
                           "d1:ai1e",
                           "d1:ae",
                           "di1ei2ee",
                           "dlei1ee",
                           "x",
                           "e",
                           ":",
                           " i1e"}) {
    EXPECT_EQ(front(text), "") << text;
  }
}

TEST(Bencode, EveryCutIsUnsound) {
  const std::string text = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_EQ(front(text.substr(0, size)), "") << size;
  EXPECT_EQ(front(text), text);
}

TEST(Bencode, DepthIsBounded) {
  EXPECT_EQ(front(nested(kMaxDepth)), nested(kMaxDepth));
  EXPECT_EQ(front(nested(kMaxDepth + 1)), "");
  EXPECT_EQ(front(std::string(60'000, 'l')), "");
  EXPECT_TRUE(is_canonical(as_bytes(nested(kMaxDepth))));
  EXPECT_FALSE(is_canonical(as_bytes(nested(kMaxDepth + 1))));
}

TEST(Bencode, IntegersOf64BitsAreRead) {
  const auto integer = [](std::string_view text) { return Value::read(as_bytes(text))->integer(); };
  EXPECT_EQ(integer("i0e"), 0);
  EXPECT_EQ(integer("i9223372036854775807e"), INT64_MAX);
  EXPECT_EQ(integer("i-9223372036854775808e"), INT64_MIN);
  EXPECT_EQ(integer("i9223372036854775808e"), std::nullopt);
  EXPECT_EQ(integer("i-9223372036854775809e"), std::nullopt);
  EXPECT_EQ(integer("2:12"), std::nullopt);
  EXPECT_EQ(integer("li1ee"), std::nullopt);
}

TEST(Bencode, OnlyStringsHaveText) {
  EXPECT_EQ(as_text(*Value::read(as_bytes("3:abcd"))->string()), "abc");
  EXPECT_EQ(as_text(*Value::read(as_bytes("0:abcd"))->string()), "");
  EXPECT_FALSE(Value::read(as_bytes("i3e"))->string());
  EXPECT_FALSE(Value::read(as_bytes("le"))->string());
  EXPECT_FALSE(Value::read(as_bytes("de"))->string());
}

TEST(Bencode, DictionariesAreWalkedInTheirOwnOrder) {
  const std::string text = "d1:bi2e1:ali1ee1:bi3ee++";
  Dictionary walk(as_bytes(text));
  std::string seen;
  while (const auto entry = walk.next())
    seen += std::string(entry->key) + "=" + std::string(as_text(entry->value.raw())) + " ";
  EXPECT_EQ(seen, "b=i2e a=li1ee b=i3e ");
  EXPECT_TRUE(walk.ok());
  EXPECT_EQ(as_text(walk.rest()), "++");
}

TEST(Bencode, WalkGivesWhatStandsBeforeTheUnsoundPlace) {
  Dictionary walk(as_bytes("d1:ai1e1:bi-0e1:ci3ee"));
  EXPECT_EQ(walk.next()->key, "a");
  EXPECT_FALSE(walk.next());
  EXPECT_FALSE(walk.ok());
  EXPECT_FALSE(walk.next());

  Dictionary number_as_key(as_bytes("d1:ai1ei2ei3ee"));
  EXPECT_TRUE(number_as_key.next());
  EXPECT_FALSE(number_as_key.next());
  EXPECT_FALSE(number_as_key.ok());

  List open(as_bytes("li1e"));
  EXPECT_TRUE(open.next());
  EXPECT_FALSE(open.next());
  EXPECT_FALSE(open.ok());
}

TEST(Bencode, OtherKindsAreBrokenWalks) {
  for (const auto* text : {"", "i1e", "1:d", "le", "x"}) {
    Dictionary walk(as_bytes(text));
    EXPECT_FALSE(walk.next()) << text;
    EXPECT_FALSE(walk.ok()) << text;
  }
  List list(as_bytes("de"));
  EXPECT_FALSE(list.next());
  EXPECT_FALSE(list.ok());
}

TEST(Bencode, CanonicalKeysRise) {
  for (const auto* text : {"de", "d1:ai1e1:bi1ee", "d0:i1e1:ai1ee", "d1:ai1e2:aai1ee",
                           "d2:aai1e1:bi1ee", "d1:\x7fi1e1:\x80i1ee", "li1ei1ee", "i-1e"})
    EXPECT_TRUE(is_canonical(as_bytes(text))) << text;
  for (const auto* text :
       {"", "d1:bi1e1:ai1ee", "d1:ai1e1:ai1ee", "d2:aai1e1:ai1ee", "d1:\x80i1e1:\x7fi1ee",
        "ld1:bi1e1:ai1eee", "d1:ad1:bi1e1:ai1eee", "i1ei1e", "i1e ", "d0:i1e0:i1ee", "i01e"})
    EXPECT_FALSE(is_canonical(as_bytes(text))) << text;
}

TEST(Encoder, WritesEachKind) {
  std::array<std::uint8_t, 100> buffer;
  Encoder out(buffer);
  out.begin_dictionary();
  out.key("a");
  out.integer(INT64_MIN);
  out.key("b");
  out.begin_list();
  out.string("");
  out.string("spam");
  out.raw(as_bytes("le"));
  out.end();
  out.key("c");
  out.begin_string(2);
  out.out().u16(0x4142);
  out.end();
  ASSERT_TRUE(out.ok());
  const auto written = base::Bytes(buffer).first(out.size());
  EXPECT_EQ(as_text(written), "d1:ai-9223372036854775808e1:bl0:4:spamlee1:c2:ABe");
  EXPECT_TRUE(is_canonical(written));
}

TEST(Encoder, KeysRiseInEachDictionaryByItself) {
  std::array<std::uint8_t, 100> buffer;
  Encoder out(buffer);
  out.begin_dictionary();
  out.key("x");
  out.begin_dictionary();
  out.key("a");
  out.integer(1);
  out.end();
  out.key("y");
  out.begin_dictionary();
  out.key("a");
  out.integer(1);
  out.end();
  EXPECT_DEATH(out.key("x"), "invariant");
  EXPECT_DEATH(out.key("y"), "invariant");
}

TEST(Encoder, FailsForGoodWhereTheBufferEnds) {
  for (std::size_t size = 0; size < 14; ++size) {
    std::vector<std::uint8_t> buffer(size);
    Encoder out(buffer);
    out.begin_dictionary();
    out.key("a");
    out.string("spam");
    out.key("b");
    out.end();
    EXPECT_FALSE(out.ok()) << size;
  }
}

}  // namespace
}  // namespace boxgram::dht::bencode
