#include "boxgram/control/render.hpp"

#include <gtest/gtest.h>

#include "boxgram/control/text_table.hpp"

namespace boxgram::tools {
namespace {

using control::Json;

std::string rendered(std::string_view method, const char* result) {
  return render(*control::find_method(method), Json::parse(result));
}

TEST(Units, AreSaidByTheEndOfTheKey) {
  const auto unit = [](std::string_view key, const Json& value) { return with_unit(key, value); };
  EXPECT_EQ(unit("srtt_us", 850), "850 us");
  EXPECT_EQ(unit("srtt_us", 12'345), "12.3 ms");
  EXPECT_EQ(unit("srtt_us", 1'250'000), "1.25 s");
  EXPECT_EQ(unit("age_s", 45), "45s");
  EXPECT_EQ(unit("age_s", 725), "12m 5s");
  EXPECT_EQ(unit("age_s", 3'600 * 5 + 61), "5h 1m");
  EXPECT_EQ(unit("age_s", 86'400 * 3 + 3'600 * 4), "3d 4h");
  EXPECT_EQ(unit("left_s", -45), "-45s");
  EXPECT_EQ(unit("used_bytes", 512), "512 B");
  EXPECT_EQ(unit("used_bytes", 12'900'000), "12.3 MiB");
  EXPECT_EQ(unit("hit_ratio", 0.9312), "93.1 %");
  EXPECT_EQ(unit("not_after_unix", 1'000'000'000), "2001-09-09 01:46:40Z");
  EXPECT_EQ(unit("sent", 1'234'567), "1,234,567");
  EXPECT_EQ(unit("sent", 999), "999");
  EXPECT_EQ(unit("ok", true), "yes");
  EXPECT_EQ(unit("none", nullptr), "-");
  EXPECT_EQ(unit("listen", {"a", "b"}), "a, b");
  EXPECT_EQ(title_of("not_after_unix"), "not after");
  EXPECT_EQ(unit("id", 47'244'640'256), "47244640256") << "to be copied into a command";
}

TEST(Units, NumbersOfAnySizeAreShown) {
  for (const auto* key : {"x_us", "x_s", "x_bytes", "x_ratio", "x_unix", "x"})
    for (const Json& value : {Json(1e300), Json(-1e300), Json(0), Json(18446744073709551615u)})
      EXPECT_FALSE(with_unit(key, value).empty());
}

TEST(Printable, LetsNothingThroughThatATerminalActsOn) {
  EXPECT_EQ(printable("a\x1b[2J\n\xc3\xa9\x7f"), "a\\x1b[2J\\x0a\\xc3\\xa9\\x7f");
}

TEST(Table, AlignsTextLeftAndNumbersRight) {
  EXPECT_EQ(
      rendered("upstreams", R"({"upstreams":[
    {"name":"192.0.2.1:53","health":"healthy","srtt_us":12345,"p95_us":20000,"sent":1234567,
     "answered":1234560,"silent":7,"failed":0,"poor":0},
    {"name":"home","health":"down","srtt_us":0,"p95_us":0,"sent":3,"answered":0,"silent":3,
     "failed":0,"poor":0}]})"),
      "NAME          HEALTH      SRTT      P95       SENT   ANSWERED  SILENT  FAILED  POOR\n"
      "192.0.2.1:53  healthy  12.3 ms  20.0 ms  1,234,567  1,234,560       7       0     0\n"
      "home          down        0 us     0 us          3          0       3       0     0\n");
}

TEST(Render, EmptyListsAndEmptyResultsSaySo) {
  EXPECT_EQ(rendered("clients.list", R"({"clients":[]})"), "the allow-list is empty\n");
  EXPECT_EQ(rendered("sessions.list", R"({"sessions":[]})"), "no session is open\n");
  EXPECT_EQ(rendered("reload", "{}"), "done\n");
  EXPECT_EQ(rendered("cache.show", R"({"entries":[]})"), "nothing is cached for this name\n");
}

TEST(Render, MembersStandInLines) {
  EXPECT_EQ(rendered("cache.stats", R"({"entries":1200,"hit_ratio":0.5,"used_bytes":2048})"),
            "entries      1,200\n"
            "hit ratio   50.0 %\n"
            "used       2.0 KiB\n");
  EXPECT_EQ(rendered("stats", R"({"dns_answers":{"cache":3,"zone":1},"dns_queries":4,
                                  "dns_wait_seconds":{"0.5":0.02,"count":9}})"),
            "dns_answers cache          3\n"
            "dns_answers zone           1\n"
            "dns queries                4\n"
            "dns_wait_seconds 0.5    0.02\n"
            "dns_wait_seconds count     9\n");
}

TEST(Render, NumbersAmongTextStandAtTheLeft) {
  EXPECT_EQ(rendered("status", R"({"program":"gateway with a long name","workers":2})"),
            "program  gateway with a long name\n"
            "workers  2\n");
}

TEST(Render, ExplainBeginsWithTheReason) {
  const auto text = rendered("explain", R"({"name":"a.example.","type":"A","source":"upstream",
    "why":"expired 5 s ago","entry":"example.","cached":{"type":"A","state":"stale","left_s":-5},
    "upstreams":[{"name":"one"}]})");
  EXPECT_EQ(text.find("a.example. A: expired 5 s ago\nrule: example.\n"), 0u) << text;
  EXPECT_NE(text.find("stale"), std::string::npos);
  EXPECT_NE(text.find("-5s"), std::string::npos);
  EXPECT_NE(text.find("one"), std::string::npos);
}

TEST(Render, ShowHasTheRecordsBelowTheEntries) {
  const auto text = rendered("cache.show", R"({"name":"a.","entries":[{"type":"A","state":"fresh",
    "age_s":3,"left_s":57,"records":["a. 57 IN A 192.0.2.1"]}],"records_left_out":2})");
  EXPECT_NE(text.find("\nA\n  a. 57 IN A 192.0.2.1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("2 more records do not fit here"), std::string::npos);
}

TEST(Render, NothingThatAServerSendsHarms) {
  for (const auto* result :
       {"null", "[]", "3", "\"x\"", R"({"upstreams":3,"clients":{},"entries":"x","keys":[3,null]})",
        R"({"entries":[3,{"records":3}],"records_left_out":"x","mistakes":[3],"cached":[],
            "why":{},"upstreams":[null,{"name":[1,{"x":[]}]}],"lines":7})",
        R"({"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}})"})
    for (const auto& method : control::methods())
      EXPECT_FALSE(render(method, Json::parse(result)).empty()) << method.name << result;
  EXPECT_EQ(rendered("clients.list", R"({"clients":[{"name":"\u001b[2J"}]})").find('\x1b'),
            std::string::npos);
  EXPECT_EQ(rendered("status", R"({"\u001b[2J":"\u001b[2J"})").find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace boxgram::tools
