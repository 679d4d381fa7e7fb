#include "boxgram/log.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace boxgram::tools {
namespace {

std::string logged(const config::LogConfig& config, void (*write)()) {
  ::testing::internal::CaptureStderr();
  log::configure(config);
  write();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, TextIsALineAnEventWithQuotesWhereNeeded) {
  const auto text = logged({}, [] {
    log::info("serving", {{"on", "127.0.0.1:53"}, {"name", "two words"}, {"count", 3}});
  });
  EXPECT_NE(text.find("Z info    serving on=127.0.0.1:53 name=\"two words\" count=3\n"),
            std::string::npos)
      << text;
}

TEST(Log, JsonIsOneObjectALine) {
  const auto text = logged({.format = config::LogFormat::json}, [] {
    log::warning("a \"quoted\" one", {{"key", "line\nbreak"}, {"ok", true}, {"ratio", 0.5}});
    log::error("second");
  });
  const auto first = nlohmann::json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first["level"], "warning");
  EXPECT_EQ(first["message"], "a \"quoted\" one");
  EXPECT_EQ(first["key"], "line\nbreak");
  EXPECT_EQ(first["ok"], true);
  EXPECT_EQ(first["ratio"], 0.5);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(Log, BytesThatAreNotUtf8DoNotBreakALine) {
  const auto text = logged({.format = config::LogFormat::json}, [] {
    log::info("x", {{"bytes", std::string("\xff\x00\x1f", 3)}});
  });
  EXPECT_TRUE(nlohmann::json::accept(text)) << text;
}

TEST(Log, LevelsBelowTheWantedAreSilent) {
  const auto text = logged({.level = config::LogLevel::warning}, [] {
    log::info("no");
    log::debug("no");
    log::warning("yes");
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

}  // namespace
}  // namespace boxgram::tools
