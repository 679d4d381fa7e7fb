#include "config/values.hpp"

#include <gtest/gtest.h>

#include "config/nearest.hpp"

namespace boxgram::config {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, KnowsItsUnits) {
  for (const auto& [text, expected] : std::initializer_list<std::pair<const char*, base::Duration>>{
           {"250ms", 250ms}, {"90s", 90s}, {"15m", 15min}, {"2h", 2h}, {"3d", 72h}, {"7", 7s}})
    EXPECT_EQ(parse_duration(text, 0s, 96h).value(), expected) << text;
}

TEST(ParseDuration, RefusesWhatIsNoneOrOutOfRange) {
  for (const auto* text : {"", "s", "1.5h", "-1s", "+1s", "1 h", "1w", "0x10", "97h",
                           "99999999999999999999s", "9223372036854775807d"})
    EXPECT_FALSE(parse_duration(text, 0s, 96h).has_value()) << text;
  EXPECT_FALSE(parse_duration("1s", 2s, 3s).has_value());
}

TEST(ParseSize, KnowsItsUnitsAndLimits) {
  EXPECT_EQ(parse_size("65536", 0, 1ull << 40).value(), 65536u);
  EXPECT_EQ(parse_size("512KiB", 0, 1ull << 40).value(), 512u << 10);
  EXPECT_EQ(parse_size("64MiB", 0, 1ull << 40).value(), 64u << 20);
  EXPECT_EQ(parse_size("1GiB", 0, 1ull << 40).value(), 1u << 30);
  for (const auto* text : {"", "MiB", "64MB", "64 MiB", "-1", "1025GiB", "18446744073709551615GiB"})
    EXPECT_FALSE(parse_size(text, 0, 1ull << 40).has_value()) << text;
}

TEST(Describe, IsReadBackToTheSame) {
  for (const auto duration : {base::Duration(250ms), base::Duration(61s), base::Duration(48h)})
    EXPECT_EQ(parse_duration(describe_duration(duration), 0s, 96h).value(), duration);
  for (const auto size : {1ull, 1023ull, 1ull << 20, (1ull << 30) + 1024})
    EXPECT_EQ(parse_size(describe_size(size), 0, 1ull << 40).value(), size);
}

TEST(Nearest, FindsTypingErrorsAndMissingSections) {
  const std::vector<std::string_view> keys = {"listen", "cache.max_bytes", "log.level"};
  EXPECT_EQ(nearest("lisen", keys), "listen");
  EXPECT_EQ(nearest("max_bytes", keys), "cache.max_bytes");
  EXPECT_EQ(nearest("log.levle", keys), "log.level");
  EXPECT_EQ(nearest("telephone", keys), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), keys), "");
}

}  // namespace
}  // namespace boxgram::config
