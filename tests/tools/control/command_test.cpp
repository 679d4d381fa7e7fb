#include "boxgram/control/command.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace boxgram::tools {
namespace {

using control::Json;
using control::MethodId;
using Words = std::vector<std::string>;

Command parsed(std::string_view line) {
  const auto command = parse_command(split_words(line));
  EXPECT_TRUE(command) << line << ": " << (command ? "" : command.error().message);
  return command.value_or(Command{});
}

std::string refused(std::string_view line) {
  const auto command = parse_command(split_words(line));
  EXPECT_FALSE(command) << line;
  if (command) return {};
  EXPECT_FALSE(command.error().hint.empty());
  return command.error().message;
}

TEST(ControlCommand, WordsBecomeMethodAndParameters) {
  EXPECT_EQ(parsed("status").method->id, MethodId::status);
  const auto explain = parsed("explain example.org AAAA");
  EXPECT_EQ(explain.method->id, MethodId::explain);
  EXPECT_EQ(explain.params, (Json{{"name", "example.org"}, {"type", "AAAA"}}));
  EXPECT_EQ(parsed("cache flush a.example").params, (Json{{"name", "a.example"}}));
  EXPECT_EQ(parsed("cache flush --suffix a.example").params, (Json{{"suffix", "a.example"}}));
  EXPECT_EQ(parsed("cache flush --suffix=a.example").params, (Json{{"suffix", "a.example"}}));
  EXPECT_EQ(parsed("cache flush --all").params, (Json{{"all", true}}));
  EXPECT_EQ(parsed("sessions kill 12").params, (Json{{"id", 12}}));
  EXPECT_EQ(parsed("clients add a x25519:K --services dns").params,
            (Json{{"name", "a"}, {"key", "x25519:K"}, {"services", "dns"}}));
  EXPECT_EQ(parsed("clients add --services dns a x25519:K").params["name"], "a");
}

TEST(ControlCommand, EveryExampleOfTheTableParsesToItsMethod) {
  for (const auto& method : control::methods()) {
    const auto command = parsed(method.example);
    EXPECT_EQ(command.method, &method) << method.example;
    if (method.id == MethodId::cache_load) continue;  // its lines come from the file
    EXPECT_EQ(control::check_params(method, command.params), std::nullopt) << method.example;
  }
}

TEST(ControlCommand, JsonMayStandAnywhere) {
  for (const auto* line : {"--json status", "status --json", "--json cache show a.example",
                           "cache --json show a.example", "cache show --json a.example"})
    EXPECT_TRUE(parsed(line).json) << line;
  EXPECT_FALSE(parsed("status").json);
}

TEST(ControlCommand, SomeAreTheClientsOwn) {
  EXPECT_EQ(parsed("top").kind, Command::Kind::top);
  EXPECT_TRUE(parsed("top --json").json);
  EXPECT_EQ(parsed("stats --watch").kind, Command::Kind::watch);
  EXPECT_EQ(parsed("help").kind, Command::Kind::help);
  EXPECT_EQ(parsed("help cache flush").method->id, MethodId::cache_flush);
  EXPECT_EQ(parsed("quit").kind, Command::Kind::quit);
  EXPECT_EQ(parsed("cache dump").file, std::nullopt);
  EXPECT_EQ(parsed("cache dump out.txt").file, "out.txt");
  EXPECT_EQ(parsed("cache load in.txt").file, "in.txt");
}

TEST(ControlCommand, MistakesSayWhatWasExpected) {
  EXPECT_EQ(refused(""), "there is no command");
  EXPECT_EQ(refused("--json"), "there is no command");
  EXPECT_EQ(refused("telephone"), "there is no command 'telephone'");
  EXPECT_EQ(refused("cache"), "'cache' needs one of: stats, show, flush, dump, load");
  EXPECT_EQ(refused("cache burn"), "'cache' needs one of: stats, show, flush, dump, load");
  EXPECT_EQ(refused("cache.show a"), "there is no command 'cache.show'");
  EXPECT_EQ(refused("cache show"), "NAME is missing: a domain name");
  EXPECT_EQ(refused("cache show a b"), "'b' is one word too many for cache show");
  EXPECT_EQ(refused("status now"), "'now' is one word too many for status");
  EXPECT_EQ(refused("status --watch"), "status does not take '--watch' like this");
  EXPECT_EQ(refused("cache flush --suffix"), "cache flush does not take '--suffix' like this");
  EXPECT_EQ(refused("cache flush --all=yes"), "cache flush does not take '--all=yes' like this");
  EXPECT_EQ(refused("sessions kill x"), "'x' is not a number");
  EXPECT_EQ(refused("sessions kill -1"), "'-1' is not a number");
  EXPECT_EQ(refused("clients list --cursor x"), "clients list does not take '--cursor' like this");
  EXPECT_EQ(refused("help telephone"), "there is no command 'telephone'");
  EXPECT_EQ(refused("top 3"), "'3' is one word too many for top");
}

TEST(ControlCompletion, OffersWhatMayStandThere) {
  EXPECT_EQ(completions("ca"), Words{"cache"});
  EXPECT_EQ(completions("cache "), (Words{"dump", "flush", "load", "show", "stats"}));
  EXPECT_EQ(completions("cache s"), (Words{"show", "stats"}));
  EXPECT_EQ(completions("cache flush --s"), Words{"--suffix"});
  EXPECT_EQ(completions("stats --"), (Words{"--json", "--watch"}));
  EXPECT_EQ(completions("log w"), Words{"warning"});
  EXPECT_EQ(completions("help cache f"), Words{"flush"});
  EXPECT_EQ(completions("t"), Words{"top"});
  EXPECT_EQ(completions("x"), Words{});
  const auto all = completions("");
  for (const auto* word : {"status", "top", "cache", "keys", "help", "quit", "shutdown"})
    EXPECT_NE(std::find(all.begin(), all.end(), word), all.end()) << word;
}

TEST(ControlHelp, NamesEveryMethodAndFitsItsLines) {
  const auto text = help_text(nullptr);
  for (const auto& method : control::methods()) {
    EXPECT_NE(text.find("  " + usage_of(method)), std::string::npos) << method.name;
    EXPECT_NE(help_text(&method).find(method.example), std::string::npos);
  }
  EXPECT_NE(text.find("cache flush [NAME] [--suffix SUFFIX] [--all]"), std::string::npos);
  EXPECT_NE(text.find("explain NAME [TYPE]"), std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    EXPECT_LE(end - at, 120u) << text.substr(at, end - at);
    at = end + 1;
  }
}

}  // namespace
}  // namespace boxgram::tools
