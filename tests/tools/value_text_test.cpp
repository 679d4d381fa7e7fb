#include "boxgram/dht/value_text.hpp"

#include <gtest/gtest.h>

namespace boxgram::tools {
namespace {

std::string json(std::string_view bencoded) {
  const auto value = dht::bencode::Value::read(base::as_bytes(bencoded));
  EXPECT_TRUE(value) << bencoded;
  return value ? value_json(*value).dump() : "";
}

TEST(ValueText, EachKindHasItsOwn) {
  EXPECT_EQ(json("12:Hello World!"), "\"Hello World!\"");
  EXPECT_EQ(json("i-42e"), "-42");
  EXPECT_EQ(json("li1e0:lee"), R"([1,"",[]])");
  EXPECT_EQ(json("d1:bi1e1:ad1:cleee"), R"({"b":1,"a":{"c":[]}})") << "in its own order";
}

TEST(ValueText, WhatIsNoTextIsHexadecimal) {
  EXPECT_EQ(json("2:\xff\x01"), R"({"hex":"ff01"})");
  EXPECT_EQ(json("4:\xf0\x9f\x93\xa6"), "\"\xf0\x9f\x93\xa6\"") << "UTF-8 stays";
  EXPECT_EQ(json("d1:\xffi1ee"), R"({"hex:ff":1})");
}

TEST(ValueText, AnIntegerOfMoreThan64BitsKeepsItsDigits) {
  EXPECT_EQ(json("i9223372036854775808e"), "\"9223372036854775808\"");
  EXPECT_EQ(json("i9223372036854775807e"), "9223372036854775807");
}

}  // namespace
}  // namespace boxgram::tools
