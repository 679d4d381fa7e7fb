#include <array>

#include <gtest/gtest.h>

#include <boxgram/base/bytes.hpp>

namespace boxgram::base {
namespace {

TEST(Reader, FailsForGoodAtTheFirstReadPastTheEnd) {
  const std::array<std::uint8_t, 3> bytes = {1, 2, 3};
  Reader in(bytes);
  EXPECT_EQ(in.u16(), 0x0102);
  EXPECT_EQ(in.u16(), 0);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0) << "also what would still fit";
  EXPECT_TRUE(in.bytes(1).empty());
}

TEST(Reader, RefusesSizesThatWouldWrapAround) {
  const std::array<std::uint8_t, 3> bytes = {1, 2, 3};
  Reader in(bytes);
  in.u8();
  EXPECT_TRUE(in.bytes(~std::size_t{0}).empty());
  EXPECT_FALSE(in.ok());
}

TEST(Writer, WritesNothingThatDoesNotFit) {
  std::array<std::uint8_t, 3> bytes = {9, 9, 9};
  Writer out(bytes);
  out.u16(0x0102);
  out.u32(7);
  EXPECT_FALSE(out.ok());
  out.u8(1);
  EXPECT_EQ(out.size(), 2u);
  EXPECT_EQ(bytes[2], 9);
  EXPECT_TRUE(out.reserve(1).empty());
}

TEST(Bytes, IntegersAreBigEndianBothWays) {
  std::array<std::uint8_t, 15> bytes{};
  Writer out(bytes);
  out.u8(0xab);
  out.u16(0x0102);
  out.u32(0x03040506);
  out.u64(0x0708090a0b0c0d0e);
  EXPECT_EQ(bytes[14], 0x0e);
  Reader in(bytes);
  EXPECT_EQ(in.u8(), 0xab);
  EXPECT_EQ(in.u16(), 0x0102);
  EXPECT_EQ(in.u32(), 0x03040506u);
  EXPECT_EQ(in.u64(), 0x0708090a0b0c0d0eu);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.left(), 0u);
}

}  // namespace
}  // namespace boxgram::base
