#include <gtest/gtest.h>

#include <boxgram/config/gateway_config.hpp>

namespace boxgram::config {
namespace {

using namespace std::chrono_literals;

ConfigError error_of(std::string_view text) {
  const auto config = parse_gateway_config(text, "g.toml");
  EXPECT_FALSE(config.has_value()) << text;
  return config ? ConfigError{} : config.error();
}

GatewayConfig parse(std::string_view text) {
  const auto config = parse_gateway_config(text, "g.toml");
  EXPECT_TRUE(config.has_value()) << to_string(config.error());
  return config.value_or(GatewayConfig{});
}

TEST(GatewayConfig, EmptyTextIsAllDefaults) {
  const auto config = parse("");
  ASSERT_EQ(config.listen.size(), 2u);
  EXPECT_EQ(base::to_string(config.listen[0]), "0.0.0.0:5443");
  EXPECT_EQ(base::to_string(config.listen[1]), "[::]:5443");
  EXPECT_TRUE(config.upstreams.empty());
  EXPECT_TRUE(config.cache.enabled);
  EXPECT_EQ(config.cache.max_bytes, 64u << 20);
  EXPECT_EQ(config.cache.min_ttl, 0u);
  EXPECT_EQ(config.keys.rotation, 1h);
  EXPECT_EQ(config.keys.validity, 2h);
  EXPECT_FALSE(config.keys.pinned);
  EXPECT_FALSE(config.log.queries);
  EXPECT_FALSE(config.trusted_ad);
  EXPECT_FALSE(config.metrics.has_value());
}

TEST(GatewayConfig, ReadsEveryKindOfSetting) {
  const auto config = parse(R"(
listen = "127.0.0.1:7000"
state_dir = "/tmp/x"
upstreams = ["192.0.2.1", "[2001:db8::1]:5353"]
workers = 3
metrics = "127.0.0.1:9000"
trusted_ad = true
case_randomization = true
[forward]
"corp.example" = ["192.0.2.10", "192.0.2.11:54"]
"lab.example" = "192.0.2.12"
[cache]
enabled = false
max_bytes = "1GiB"
min_ttl = 5
max_ttl = "1h"
max_stale = "3d"
nxdomain_cut = false
[keys]
rotation = "30m"
validity = "1h"
pinned = true
[advertise]
address = "198.51.100.1:443"
name = "home"
[limits]
initials_per_second = 7
initials_burst = 8
retry_above = 9
associations = 100
[local]
records = ["a.example A 192.0.2.1"]
hosts_files = ["/etc/hosts"]
zones = ["home.example"]
special_names = false
[block]
files = ["b.txt"]
names = ["ads.example"]
answer = "null"
[log]
level = "debug"
format = "json"
queries = true
)");
  ASSERT_EQ(config.listen.size(), 1u);
  EXPECT_EQ(base::to_string(config.listen[0]), "127.0.0.1:7000");
  EXPECT_EQ(config.state_dir, "/tmp/x");
  ASSERT_EQ(config.upstreams.size(), 2u);
  EXPECT_EQ(base::to_string(config.upstreams[0]), "192.0.2.1:53");
  EXPECT_EQ(base::to_string(config.upstreams[1]), "[2001:db8::1]:5353");
  EXPECT_EQ(config.workers, 3u);
  EXPECT_EQ(config.metrics->port, 9000);
  EXPECT_TRUE(config.trusted_ad);
  EXPECT_TRUE(config.case_randomization);
  ASSERT_EQ(config.forward.size(), 2u);
  EXPECT_EQ(config.forward[0].suffix.to_text(), "corp.example.");
  ASSERT_EQ(config.forward[0].upstreams.size(), 2u);
  EXPECT_EQ(config.forward[0].upstreams[1].port, 54);
  EXPECT_EQ(config.forward[1].suffix.to_text(), "lab.example.");
  EXPECT_FALSE(config.cache.enabled);
  EXPECT_EQ(config.cache.max_bytes, 1u << 30);
  EXPECT_EQ(config.cache.min_ttl, 5u);
  EXPECT_EQ(config.cache.max_ttl, 3600u);
  EXPECT_EQ(config.cache.max_stale, 72h);
  EXPECT_FALSE(config.cache.nxdomain_cut);
  EXPECT_EQ(config.keys.rotation, 30min);
  EXPECT_EQ(config.keys.validity, 1h);
  EXPECT_TRUE(config.keys.pinned);
  EXPECT_EQ(base::to_string(*config.advertise), "198.51.100.1:443");
  EXPECT_EQ(config.name, "home");
  EXPECT_EQ(config.limits.initials_per_second, 7u);
  EXPECT_EQ(config.limits.initials_burst, 8u);
  EXPECT_EQ(config.limits.retry_above, 9u);
  EXPECT_EQ(config.limits.associations, 100u);
  ASSERT_EQ(config.local.records.size(), 1u);
  EXPECT_EQ(config.local.records[0].owner.to_text(), "a.example.");
  EXPECT_EQ(config.local.hosts_files, std::vector<std::string>{"/etc/hosts"});
  ASSERT_EQ(config.local.zones.size(), 1u);
  EXPECT_EQ(config.local.zones[0].to_text(), "home.example.");
  EXPECT_FALSE(config.local.special_names);
  EXPECT_EQ(config.block.files, std::vector<std::string>{"b.txt"});
  EXPECT_EQ(config.block.names, std::vector<std::string>{"ads.example"});
  EXPECT_EQ(config.block.answer, BlockAnswer::null_address);
  EXPECT_EQ(config.log.level, LogLevel::debug);
  EXPECT_EQ(config.log.format, LogFormat::json);
  EXPECT_TRUE(config.log.queries);
}

TEST(GatewayConfig, UnknownKeyNamesItsPlaceAndTheNearestKey) {
  const auto error = error_of("workers = 1\n[cache]\nmax_byte = 5\n");
  EXPECT_EQ(error.line, 3u);
  EXPECT_EQ(error.column, 1u);
  EXPECT_EQ(to_string(error),
            "g.toml:3:1: unknown key 'cache.max_byte'\n  hint: did you mean 'cache.max_bytes'?");
}

TEST(GatewayConfig, KeyWithoutItsSectionFindsTheSection) {
  EXPECT_EQ(error_of("max_bytes = 5\n").hint, "did you mean 'cache.max_bytes'?");
}

TEST(GatewayConfig, UnknownEmptySectionIsAnError) {
  EXPECT_EQ(error_of("[cach]\n").line, 1u);
  EXPECT_TRUE(parse_gateway_config("[cache]\n", "g.toml").has_value());
}

TEST(GatewayConfig, BadValueNamesItsPlaceAndWhatWasExpected) {
  const auto error = error_of("listen = [\n  \"127.0.0.1:1\",\n  \"localhost:1\",\n]\n");
  EXPECT_EQ(error.line, 3u);
  EXPECT_EQ(error.column, 3u);
  EXPECT_NE(error.message.find("'localhost' is not an IP address"), std::string::npos);
}

TEST(GatewayConfig, WrongTypeSaysWhichTypeIsExpected) {
  EXPECT_EQ(error_of("workers = \"two\"").message, "workers: expected an integer, found a string");
  EXPECT_EQ(error_of("[cache]\nenabled = \"on\"").message,
            "cache.enabled: expected true or false, found a string");
  EXPECT_EQ(error_of("state_dir = [\"a\"]").message,
            "state_dir: expected a string in quotes, found an array");
  EXPECT_EQ(error_of("cache = 1").message, "unknown key 'cache'");
  EXPECT_NE(error_of("forward = \"x\"").message.find("expected a table"), std::string::npos);
  EXPECT_NE(error_of("[forward]\nx = []").message.find("an empty array"), std::string::npos);
  EXPECT_NE(error_of("[forward.x]\ny = \"192.0.2.1\"").message.find("expected a table"),
            std::string::npos);
}

TEST(GatewayConfig, TextThatIsNotTomlNamesItsLine) {
  const auto error = error_of("workers = 1\nlisten = \n");
  EXPECT_EQ(error.line, 2u);
  EXPECT_NE(error.message.find("not TOML"), std::string::npos);
}

TEST(GatewayConfig, RepeatedKeyIsAnError) {
  EXPECT_EQ(error_of("workers = 1\nworkers = 2\n").line, 2u);
}

TEST(GatewayConfig, OutOfRangeValuesAreErrors) {
  for (const auto* text :
       {"workers = 0", "workers = 65", "workers = -1", "[cache]\nmax_bytes = 1",
        "[cache]\nmax_bytes = \"64 MiB\"", "[keys]\nrotation = \"1s\"",
        "[cache]\nmax_ttl = \"9999999d\"", "upstreams = \"0.0.0.0\"", "upstreams = \"192.0.2.1:0\"",
        "metrics = \"127.0.0.1\"", "[log]\nlevel = \"loud\"", "[block]\nanswer = \"maybe\"",
        "listen = \"127.0.0.1:99999\"", "[advertise]\nname = \"two words\"", "state_dir = \"\"",
        "[forward]\n\"a\" = \"b\""})
    error_of(text);
}

TEST(GatewayConfig, RecordsAndNamesAreReadWhereTheyStand) {
  for (const auto* text :
       {"[local]\nrecords = [\n\"a.example A 192.0.2.300\"]", "[local]\nzones = [\n\"a..example\"]",
        "[local]\nrecords = [\n\"# nothing\"]", "[block]\nnames = [\n\"two words and more\"]",
        "[forward]\n\n\"a..b\" = \"192.0.2.1\""})
    EXPECT_EQ(error_of(text).line, 3u) << text;
}

TEST(GatewayConfig, ContradictionsNameTheKeyToChange) {
  const auto validity = error_of("[keys]\nrotation = \"1h\"\nvalidity = \"3h\"\n");
  EXPECT_EQ(validity.line, 3u);
  EXPECT_EQ(validity.hint, "take more than 1h and at most 2h");
  // The one that stands in the file is at fault, though the message names its counterpart.
  EXPECT_EQ(error_of("[cache]\nmax_ttl = 10\nmin_ttl = 20\n").line, 3u);
  EXPECT_EQ(error_of("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]").line, 1u);
  EXPECT_EQ(error_of("listen = []").line, 1u);
}

TEST(GatewayConfig, UnreadableFileIsAnErrorWithAReason) {
  const auto missing = load_gateway_config("/nonexistent/g.toml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().source, "/nonexistent/g.toml");
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  const auto folder = load_gateway_config("/");
  ASSERT_FALSE(folder.has_value());
}

TEST(GatewayConfig, DhtNeedsStreamsAndOneAddressOfAFamily) {
  const auto config = parse(
      "[dht]\nenabled = true\nmainline = \"127.0.0.1:6881\"\n"
      "bootstrap = [\"dht.example:6881\", \"192.0.2.1:6881\"]\n");
  EXPECT_TRUE(config.dht.enabled);
  EXPECT_TRUE(config.dht.for_all);
  EXPECT_FALSE(config.dht.announce) << "others would record the gateway's address";
  EXPECT_EQ(config.dht.bootstrap.size(), 2u);
  EXPECT_NE(error_of("[stream]\nenabled = false\n[dht]\nenabled = true").message.find("streams"),
            std::string::npos);
  EXPECT_EQ(error_of("[dht]\nlisten = [\"127.0.0.1:1\", \"127.0.0.2:1\"]").line, 2u);
  for (const auto* node : {"dht.example", "dht.example:0", ":6881", "boxgram://nonsense"})
    EXPECT_FALSE(error_of("[dht]\nbootstrap = \"" + std::string(node) + "\"").message.empty());
}

}  // namespace
}  // namespace boxgram::config
