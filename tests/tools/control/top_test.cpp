#include "boxgram/control/top.hpp"

#include "scripted_link.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using namespace std::chrono_literals;

constexpr base::Instant kStart = base::Instant{} + 1h;

Sample sample(base::Duration after, const char* stats) {
  return {kStart + after, Json::parse(stats)};
}

TEST(Rates, AreDifferencesOverTime) {
  const auto before =
      sample(0s, R"({"dns_queries":1000,"dns_answers":{"cache":600,"upstream":400}})");
  const auto now = sample(2s, R"({"dns_queries":1500,"dns_answers":{"cache":960,"upstream":440}})");
  EXPECT_EQ(rate(before, now, "dns_queries"), 250);
  EXPECT_EQ(rate(before, now, "dns_answers", "cache"), 180);
  EXPECT_DOUBLE_EQ(hit_ratio(before, now), 0.9);
}

TEST(Rates, ACounterThatHasFallenBeganAnew) {
  const auto before = sample(0s, R"({"dns_queries":1000})");
  const auto now = sample(1s, R"({"dns_queries":30})");
  EXPECT_EQ(rate(before, now, "dns_queries"), 30) << "a reload makes new counters";
}

TEST(Rates, OfWhatIsNotThereAreZero) {
  const auto odd = sample(0s, R"({"dns_queries":"x","dns_answers":[1],"packet_dropped":null})");
  EXPECT_EQ(rate(odd, odd, "dns_queries"), 0);
  EXPECT_EQ(rate(odd, odd, "dns_answers", "cache"), 0);
  EXPECT_EQ(hit_ratio(odd, odd), 0);
  EXPECT_FALSE(watch_line(odd, odd).empty());
  EXPECT_FALSE(screen_text(odd, {kStart, Json()}, Json(), Json(3), {}).empty());
}

TEST(WatchLine, StandsUnderItsHeader) {
  const auto before = sample(0s, R"({"dns_queries":0,"packet_dropped":{"replayed":1}})");
  const auto now = sample(1s, R"({"dns_queries":1234,"dns_answers":{"cache":900,"upstream":100},
    "dns_wait_seconds":{"0.5":0.012,"0.9":0.05,"0.99":0.4},"packet_associations":17,
    "gateway_pending":3,"packet_dropped":{"replayed":6},"udp_lost":{"receive_buffer":2}})");
  EXPECT_EQ(watch_header() + watch_line(before, now),
            " QUERIES/S     HITS  WAIT P50       P90       P99 ASSOCIATIONS   WAITING   DROPS/S\n"
            "     1,234   90.0 %   12.0 ms   50.0 ms  400.0 ms           17         3         7\n");
}

TEST(Screen, FitsTheTerminalAndShowsDropsByReason) {
  const auto before = sample(0s, R"({"packet_dropped":{"replayed":1,"bad_magic":0}})");
  const auto now = sample(1s, R"({"dns_queries":10,"cache_entries":5,"cache_bytes":2048,
    "packet_associations":1,"packet_dropped":{"replayed":3,"bad_magic":0}})");
  const auto upstreams = Json::parse(R"({"upstreams":[{"name":"192.0.2.1:53","health":"down"}]})");
  const auto status =
      Json::parse(R"({"program":"gateway","uptime_s":75,"listen":["127.0.0.1:1"]})");
  const auto text = screen_text(before, now, upstreams, status, {24, 100});
  EXPECT_EQ(text.find("boxgram gateway 127.0.0.1:1   up 1m 15s   q leaves\n"), 0u) << text;
  EXPECT_NE(text.find("packet dropped replayed"), std::string::npos);
  EXPECT_EQ(text.find("bad_magic"), std::string::npos) << "what never happened is no news";
  EXPECT_NE(text.find("192.0.2.1:53  down"), std::string::npos);
  const auto small = screen_text(before, now, upstreams, status, {4, 10});
  EXPECT_EQ(std::count(small.begin(), small.end(), '\n'), 3);
  EXPECT_EQ(small.find("boxgram ga\n"), 0u);
}

struct WatchTest : ::testing::Test {
  Answer answer = [this](const control::RpcRequest& request) {
    asked.push_back(request.method);
    return control::response_text(request.id, Json{{"dns_queries", asked.size() * 100}});
  };
  std::vector<std::string> asked;
  FakeConsole console;
  ControlClient client{
      [this]() -> base::expected<std::unique_ptr<control::Link>, control::LinkError> {
        return std::make_unique<ScriptedLink>(answer);
      },
      console, "x25519:OWN"};

  Exit run(const char* line) { return client.run_words(split_words(line)); }
};

TEST_F(WatchTest, PrintsALineASecondUntilTheUserLeaves) {
  EXPECT_EQ(run("stats --watch"), kOk);
  EXPECT_EQ(asked, (std::vector<std::string>{"stats", "stats", "stats"}));
  EXPECT_EQ(std::count(console.printed.begin(), console.printed.end(), '\n'), 3)
      << "a header and two differences";
  EXPECT_EQ(console.watches, 0) << "the terminal is as it was";
}

TEST_F(WatchTest, TopWithoutATerminalIsLines) {
  EXPECT_EQ(run("top"), kOk);
  EXPECT_EQ(console.printed.find('\x1b'), std::string::npos);
  EXPECT_EQ(console.printed.find(watch_header()), 0u);
}

TEST_F(WatchTest, AsJsonEachLineIsAnObject) {
  EXPECT_EQ(run("stats --watch --json"), kOk);
  EXPECT_EQ(console.printed,
            "{\"dns_queries\":100}\n{\"dns_queries\":200}\n{\"dns_queries\":300}\n");
}

TEST_F(WatchTest, TopDrawsAScreenASecond) {
  console.terminal = true;
  console.window = {10, 60};
  EXPECT_EQ(run("top"), kOk);
  EXPECT_EQ(asked.size(), 9u);
  std::size_t screens = 0;
  for (auto at = console.printed.find("\x1b[H"); at != std::string::npos;
       at = console.printed.find("\x1b[H", at + 1))
    ++screens;
  EXPECT_EQ(screens, 3u);
}

TEST_F(WatchTest, EndsWithTheServer) {
  console.seconds = 100;
  answer =
      [this](
          const control::RpcRequest& request) -> base::expected<std::string, control::LinkError> {
    if (asked.size() == 2)
      return base::unexpected<control::LinkError>(
          control::LinkError{control::LinkError::Kind::truncated, "the connection ended"});
    asked.push_back(request.method);
    return control::response_text(request.id, Json::object());
  };
  EXPECT_EQ(run("stats --watch"), kUnreachable);
  EXPECT_EQ(console.watches, 0);
}

}  // namespace
}  // namespace boxgram::tools
