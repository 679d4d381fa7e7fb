#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include <boxgram/config/option.hpp>

namespace boxgram::config {
namespace {

const std::string kStamp =
    "boxgram://"
    "AQejbBpTQK1WXEO6HdDuJw-x0ks3yJCxuiXXjU4HQ66NnQG7BMAAAjULbnMxLmV4YW1wbGVccQ0B";

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An example file with its commented settings switched on.
std::string with_all_settings(const std::string& text) {
  return std::regex_replace(text, std::regex("(^|\n)#([a-z_]+ = )"), "$1$2");
}

template <class Config>
void expect_documented(std::span<const Option<Config>> options, const std::string& text) {
  for (const auto& option : options) {
    const std::string key(option.key.substr(option.key.rfind('.') + 1));
    const bool found = option.kind == OptionKind::mapping
                           ? text.find("[" + key + "]") != std::string::npos
                           : std::regex_search(text, std::regex("(^|\n)#?" + key + " = "));
    EXPECT_TRUE(found) << option.key << " is missing in the example file";
  }
}

template <class Config>
void expect_complete(std::span<const Option<Config>> options) {
  std::set<std::string_view> keys;
  std::set<std::string_view> flags;
  for (const auto& option : options) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key;
    EXPECT_TRUE(flags.insert(option.flag).second) << option.flag;
    EXPECT_TRUE(option.flag.starts_with("--")) << option.key;
    EXPECT_FALSE(option.help.empty()) << option.key;
    EXPECT_FALSE(option.value.empty()) << option.key;
    const bool several = option.kind == OptionKind::list || option.kind == OptionKind::mapping;
    EXPECT_EQ(option.clear != nullptr, several) << option.key;
  }
}

TEST(Options, EveryRowIsCompleteAndEachNameIsUnique) {
  expect_complete(gateway_options());
  expect_complete(stub_options());
}

TEST(Options, FlagsOfTheContractExist) {
  const auto has = [](auto options, std::string_view flag) {
    return std::any_of(options.begin(), options.end(),
                       [&](const auto& option) { return option.flag == flag; });
  };
  for (const auto* flag : {"--listen", "--state-dir", "--upstream", "--forward", "--cache",
                           "--workers", "--metrics", "--log-format"})
    EXPECT_TRUE(has(gateway_options(), flag)) << flag;
  for (const auto* flag : {"--listen", "--gateway", "--cache", "--metrics", "--log-format"})
    EXPECT_TRUE(has(stub_options(), flag)) << flag;
}

TEST(Options, ExampleFilesAreValidAndNameEverySetting) {
  const auto gateway = read(TEST_DOCS "/gateway.toml");
  const auto stub = read(TEST_DOCS "/stub.toml");
  for (const auto& text : {gateway, with_all_settings(gateway)}) {
    const auto config = parse_gateway_config(text, "gateway.toml");
    EXPECT_TRUE(config.has_value()) << to_string(config.error());
  }
  for (const auto& text : {stub, with_all_settings(stub)}) {
    const auto config = parse_stub_config(text, "stub.toml");
    EXPECT_TRUE(config.has_value()) << to_string(config.error());
  }
  EXPECT_NE(gateway, with_all_settings(gateway));
  expect_documented(gateway_options(), gateway);
  expect_documented(stub_options(), stub);
}

TEST(Options, CommentedSettingsOfTheExamplesAreTheDefaults) {
  const auto config =
      parse_gateway_config(with_all_settings(read(TEST_DOCS "/gateway.toml")), "gateway.toml");
  ASSERT_TRUE(config.has_value());
  const GatewayConfig defaults;
  EXPECT_EQ(config->listen, defaults.listen);
  EXPECT_EQ(config->cache.max_bytes, defaults.cache.max_bytes);
  EXPECT_EQ(config->cache.min_ttl, defaults.cache.min_ttl);
  EXPECT_EQ(config->cache.max_ttl, defaults.cache.max_ttl);
  EXPECT_EQ(config->cache.max_stale, defaults.cache.max_stale);
  EXPECT_EQ(config->keys.rotation, defaults.keys.rotation);
  EXPECT_EQ(config->keys.validity, defaults.keys.validity);
  EXPECT_EQ(config->limits.initials_per_second, defaults.limits.initials_per_second);
  EXPECT_EQ(config->limits.initials_burst, defaults.limits.initials_burst);
  EXPECT_EQ(config->limits.retry_above, defaults.limits.retry_above);
  EXPECT_EQ(config->limits.associations, defaults.limits.associations);
  EXPECT_EQ(config->block.answer, defaults.block.answer);
  const auto stub = parse_stub_config(with_all_settings(read(TEST_DOCS "/stub.toml")), "stub.toml");
  ASSERT_TRUE(stub.has_value());
  EXPECT_EQ(stub->listen, StubConfig{}.listen);
  EXPECT_EQ(stub->cache.max_bytes, StubConfig{}.cache.max_bytes);
}

TEST(Options, FlagsOverrideTheFile) {
  const auto config =
      merge_gateway_config(TEST_DOCS "/gateway.toml",
                           {{"--upstream", {"192.0.2.77"}},
                            {"--cache", {"off"}},
                            {"--forward", {"a.example=192.0.2.1", "a.example=192.0.2.2:54"}}});
  ASSERT_TRUE(config.has_value()) << to_string(config.error());
  ASSERT_EQ(config->upstreams.size(), 1u);
  EXPECT_EQ(base::to_string(config->upstreams[0]), "192.0.2.77:53");
  EXPECT_FALSE(config->cache.enabled);
  ASSERT_EQ(config->forward.size(), 1u);
  EXPECT_EQ(config->forward[0].upstreams.size(), 2u);
}

TEST(Options, BadFlagIsNamed) {
  const auto bad = merge_stub_config("", {{"--cache", {"maybe"}}});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(to_string(bad.error()), "--cache: 'maybe' is neither on nor off");
}

TEST(Options, ContradictionBetweenFlagAndDefaultNamesTheFlag) {
  const auto bad = merge_gateway_config("", {{"--key-validity", {"5h"}}});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().source, "--key-validity");
}

TEST(StubConfig, EmptyTextListensOnLoopbackOnly) {
  const auto config = parse_stub_config("", "s.toml");
  ASSERT_TRUE(config.has_value());
  for (const auto& address : config->listen) EXPECT_TRUE(address.is_loopback());
  EXPECT_EQ(config->listen.size(), 2u);
}

TEST(StubConfig, AFrontHasOneNodeOrSixteenOnPortsThatExist) {
  const auto config = parse_stub_config(
      "[dht]\nlisten = \"127.0.0.1:65520\"\nnodes = 16\nclients = \"192.0.2.7\"", "s.toml");
  ASSERT_TRUE(config.has_value()) << to_string(config.error());
  EXPECT_EQ(config->dht.nodes, 16u);
  EXPECT_EQ(config->dht.clients, std::vector{base::SocketAddress::v4(192, 0, 2, 7, 0)});
  EXPECT_FALSE(config->dht.announce);
  for (const auto* text :
       {"[dht]\nnodes = 2", "[dht]\nlisten = \"127.0.0.1\"", "[dht]\nclients = \"192.0.2.7:1\"",
        "[dht]\nlisten = \"127.0.0.1:65521\"\nnodes = 16"})
    EXPECT_FALSE(parse_stub_config(text, "s.toml").has_value()) << text;
}

TEST(StubConfig, StampsAreReadAndCheckedHere) {
  const auto good = parse_stub_config("gateways = \"" + kStamp + "\"", "s.toml");
  ASSERT_TRUE(good.has_value()) << to_string(good.error());
  ASSERT_EQ(good->gateways.size(), 1u);
  EXPECT_EQ(good->gateways[0].name, "ns1.example");
  auto mistyped = kStamp;
  mistyped[20] = mistyped[20] == 'A' ? 'B' : 'A';
  const auto bad = parse_stub_config("gateways = [\n\"" + mistyped + "\"]", "s.toml");
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().line, 2u);
  EXPECT_NE(bad.error().message.find("is not a boxgram:// stamp"), std::string::npos);
}

}  // namespace
}  // namespace boxgram::config
