#include "boxgram/control/dispatcher.hpp"

#include <set>

#include <boxgram/net/clock.hpp>

#include "boxgram/log.hpp"
#include "dns/dns_message.hpp"
#include "scripted_host.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using namespace test;
using namespace std::chrono_literals;
namespace code = control::code;

constexpr const char* kKey = "x25519:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() { log::configure({}); }

  Json handle(std::string_view request) {
    const auto before = sent.size();
    dispatcher->handle(request, send);
    EXPECT_EQ(sent.size(), before + 1) << request;
    return sent.empty() ? Json() : Json::parse(sent.back());
  }
  Json call(std::string_view method, const Json& params = Json::object()) {
    const auto response = handle(control::request_text(5, method, params));
    EXPECT_EQ(response.value("id", 0), 5);
    return response;
  }
  Json result(std::string_view method, const Json& params = Json::object()) {
    const auto response = call(method, params);
    EXPECT_TRUE(response.contains("result")) << response;
    return response.value("result", Json());
  }
  int error(std::string_view method, const Json& params = Json::object()) {
    const auto response = call(method, params);
    EXPECT_TRUE(response.contains("error")) << response;
    message = response.contains("error") ? response["error"]["message"].get<std::string>() : "";
    return response.contains("error") ? response["error"]["code"].get<int>() : 0;
  }
  void as(std::string client, bool may_change) {
    dispatcher.emplace(methods, Caller{std::move(client), may_change});
  }
  void store(std::string_view name, std::uint32_t ttl = 300) {
    dns::AnswerBuilder builder;
    builder.start(labels(name), 1, 1);
    ASSERT_TRUE(builder.add(dns::Section::answer, *dns::Name::from_wire(labels(name)), 1, 1, ttl,
                            Octets{192, 0, 2, 1}));
    host.shared.store(dns::QueryKey(labels(name), 1, 1, false, false),
                      builder.finish(dns::Rcode::no_error, false, false), net::now());
  }
  /// What a call writes to the log.
  std::string logged(std::string_view method, const Json& params = Json::object()) {
    ::testing::internal::CaptureStderr();
    call(method, params);
    return ::testing::internal::GetCapturedStderr();
  }

  ScriptedHost host;
  ServerMethods methods{static_cast<GatewayHost&>(host)};
  std::vector<std::string> sent;
  Dispatcher::Send send = [this](std::string text) { sent.push_back(std::move(text)); };
  std::optional<Dispatcher> dispatcher{std::in_place, methods, Caller{"laptop", true}};
  std::string message;
};

/// Parameters with which a method gets past the check of parameters.
Json params_for(const control::Method& method) {
  Json params = Json::object();
  for (const auto& parameter : method.parameters) {
    if (!parameter.required) continue;
    using Kind = control::Parameter::Kind;
    params[std::string(parameter.name)] = parameter.kind == Kind::number  ? Json(1u)
                                          : parameter.kind == Kind::lines ? Json::array()
                                          : parameter.kind == Kind::flag  ? Json(true)
                                                                          : Json("x");
  }
  return params;
}

TEST_F(DispatcherTest, AReadOnlyKeyIsRefusedEveryMethodThatChangesSomething) {
  as("watcher", false);
  ::testing::internal::CaptureStderr();
  for (const auto& method : control::methods()) {
    const auto response = call(method.name, params_for(method));
    const bool refused =
        response.contains("error") && response["error"]["code"] == code::not_authorised;
    EXPECT_EQ(refused, method.changes) << method.name;
  }
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(host.told.empty()) << "nothing has happened";
  EXPECT_NE(log.find("control refused client=watcher command=shutdown"), std::string::npos) << log;
}

TEST_F(DispatcherTest, ARefusalDoesNotDependOnTheParameters) {
  as("watcher", false);
  EXPECT_EQ(error("sessions.kill", {{"nonsense", 1}}), code::not_authorised);
  EXPECT_EQ(message, "the key of watcher may only read; sessions.kill changes something");
}

TEST_F(DispatcherTest, AFullKeyMayCallEveryMethod) {
  for (const auto& method : control::methods()) {
    const auto response = call(method.name, params_for(method));
    if (response.contains("error")) {
      EXPECT_NE(response["error"]["code"], code::not_authorised) << method.name;
      EXPECT_NE(response["error"]["code"], code::internal_error) << method.name << response;
    }
  }
}

TEST_F(DispatcherTest, EveryChangeIsLoggedWithTheClientsNameAndOutcome) {
  EXPECT_NE(logged("reload").find("control client=laptop command=reload outcome=done"),
            std::string::npos);
  host.failure = "gateway.toml:3:1: unknown key";
  EXPECT_NE(logged("reload").find("outcome=\"gateway.toml:3:1: unknown key\""), std::string::npos);
  host.failure = "gateway.toml:3:1: unknown key\n  hint: it is listen";
  EXPECT_EQ(error("reload"), code::failed);
  EXPECT_EQ(message, "gateway.toml:3:1: unknown key;  hint: it is listen") << "one line";
  EXPECT_NE(logged("clients.add", {{"name", "new"}, {"key", kKey}}).find("subject=new"),
            std::string::npos);
  EXPECT_NE(logged("sessions.kill", {{"id", 3}}).find("subject=3"), std::string::npos);
  EXPECT_EQ(logged("status"), "") << "reading is no news";
}

TEST_F(DispatcherTest, NamesOfTheDnsAreNotLogged) {
  store("secret.example");
  const auto log = logged("cache.flush", {{"name", "secret.example"}});
  EXPECT_NE(log.find("cache.flush"), std::string::npos);
  EXPECT_EQ(log.find("secret"), std::string::npos);
}

TEST_F(DispatcherTest, WhatIsNoRequestIsAnsweredToo) {
  EXPECT_EQ(handle("hello")["error"]["code"], code::parse_error);
  EXPECT_EQ(handle("[]")["error"]["code"], code::invalid_request);
  EXPECT_EQ(error("telephone"), code::method_not_found);
  EXPECT_EQ(error("explain"), code::invalid_params);
}

TEST_F(DispatcherTest, AStubHasNoKeys) {
  ServerMethods of_stub(static_cast<Host&>(host));
  dispatcher.emplace(of_stub, Caller{"laptop", true});
  EXPECT_EQ(error("keys.list"), code::method_not_found);
  EXPECT_EQ(message, "only a gateway has this method");
  EXPECT_EQ(error("keys.rotate"), code::method_not_found);
  result("status");
}

TEST_F(DispatcherTest, LateResponsesAreBoundedAndComeOnce) {
  host.is_slow = true;
  for (std::size_t i = 0; i < Dispatcher::kMaxOutstanding; ++i)
    dispatcher->handle(control::request_text(100 + i, "stats", Json::object()), send);
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(dispatcher->outstanding(), Dispatcher::kMaxOutstanding);
  EXPECT_EQ(error("stats"), code::busy);
  EXPECT_EQ(error("status"), code::busy);
  host.waiting.back()({});
  EXPECT_EQ(Json::parse(sent.back())["id"], 115) << "in the order in which they are ready";
  host.waiting.pop_back();
  result("status");
  for (auto& done : host.waiting) done({});
  EXPECT_EQ(dispatcher->outstanding(), 0u);
}

TEST_F(DispatcherTest, ASessionThatHasEndedHearsNothingMore) {
  host.is_slow = true;
  dispatcher->handle(control::request_text(1, "stats", Json::object()), send);
  dispatcher.reset();
  host.waiting.front()({});
  EXPECT_TRUE(sent.empty());
}

TEST_F(DispatcherTest, StatsAreTheMetricsUnderTheirShortNames) {
  host.counted.metrics = {
      counter("boxgram_dns_queries_total", "", {{5, {}, {}}}),
      counter("boxgram_dns_answers_total", "", {{3, "source", "cache"}, {2, "source", "upstream"}}),
      gauge("boxgram_upstream_srtt_seconds", "", {{0.25, "upstream", "192.0.2.1:53"}})};
  EXPECT_EQ(result("stats"), Json::parse(R"({
    "dns_queries": 5, "dns_answers": {"cache": 3, "upstream": 2},
    "upstream_srtt_seconds": {"192.0.2.1:53": 0.25}})"));
}

TEST_F(DispatcherTest, UpstreamsHaveARowEach) {
  UpstreamRow row{"192.0.2.1:53", {}};
  row.state.health = dns::UpstreamState::Health::down;
  row.state.srtt = 1'500us;
  row.state.sent = 7;
  host.counted.upstreams = {row};
  const auto rows = result("upstreams")["upstreams"];
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["name"], "192.0.2.1:53");
  EXPECT_EQ(rows[0]["health"], "down");
  EXPECT_EQ(rows[0]["srtt_us"], 1'500);
  EXPECT_EQ(rows[0]["sent"], 7);
}

TEST_F(DispatcherTest, CacheIsShownFlushedDumpedAndLoaded) {
  store("a.example");
  store("b.example");
  const auto shown = result("cache.show", {{"name", "A.example"}});
  ASSERT_EQ(shown["entries"].size(), 1u);
  EXPECT_EQ(shown["entries"][0]["state"], "fresh");
  EXPECT_EQ(shown["entries"][0]["records"], Json({"a.example. 300 IN A 192.0.2.1"}));
  const auto dump = result("cache.dump");
  EXPECT_EQ(dump["lines"].size(), 2u);
  EXPECT_FALSE(dump.contains("cursor"));
  EXPECT_EQ(result("cache.flush", {{"name", "a.example"}})["flushed"], 1);
  EXPECT_EQ(result("cache.flush", {{"suffix", "example"}})["flushed"], 1);
  const auto loaded = result("cache.load", {{"lines", dump["lines"]}});
  EXPECT_EQ(loaded["taken"], 2);
  EXPECT_EQ(result("cache.stats")["entries"], 2);
  EXPECT_EQ(result("cache.flush", {{"all", true}})["flushed"], 2);
  const auto mistakes = result("cache.load", {{"lines", Json::array({"x", "y z"})}});
  EXPECT_EQ(mistakes["refused"], 2);
  EXPECT_EQ(mistakes["mistakes"][1]["line"], 2);
}

TEST_F(DispatcherTest, CacheFlushWantsExactlyOneTarget) {
  for (const Json& params :
       {Json::object(), Json{{"all", false}}, Json{{"all", true}, {"name", "a"}},
        Json{{"name", "a"}, {"suffix", "b"}}})
    EXPECT_EQ(error("cache.flush", params), code::invalid_params) << params;
  EXPECT_EQ(error("cache.flush", {{"name", "a..b"}}), code::invalid_params);
}

TEST_F(DispatcherTest, TheLargestCacheEntriesFitAMessage) {
  dns::AnswerBuilder builder;
  const auto name = labels("large.example");
  builder.start(name, 16, 1);
  const Octets quotes(255, '"');  // each is two characters in text and four in JSON
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(builder.add(dns::Section::answer, *dns::Name::from_wire(name), 16, 1, 300,
                            Octets{255} + quotes));
  host.shared.store(dns::QueryKey(name, 16, 1, false, false),
                    builder.finish(dns::Rcode::no_error, false, false), net::now());
  const auto shown = result("cache.show", {{"name", "large.example"}});
  EXPECT_GT(shown["records_left_out"], 100);
  EXPECT_FALSE(shown["entries"][0]["records"].empty());
}

TEST_F(DispatcherTest, WithoutACacheItsMethodsSayWhy) {
  host.has_cache = false;
  EXPECT_EQ(error("cache.stats"), code::failed);
  EXPECT_EQ(message, "the cache is off: cache.enabled = false");
  EXPECT_EQ(result("explain", {{"name", "a.example"}})["source"], "upstream");
}

TEST_F(DispatcherTest, ExplainSaysWhichRuleAndWhy) {
  const auto name = [](const char* text) { return *dns::Name::from_text(text); };
  host.rules->upstreams = {{"first", false, false}, {"second", false, false}};
  host.rules->default_group = {0};
  host.rules->rules = {{name("corp.example"), {1}}};
  host.rules->block_list.add(name("ads.example"), dns::BlockList::Scope::with_subdomains);
  const auto blocked = result("explain", {{"name", "x.ads.example"}});
  EXPECT_EQ(blocked["source"], "block_list");
  EXPECT_EQ(blocked["entry"], "ads.example.");
  EXPECT_EQ(blocked["why"], "blocked: ads.example. is listed with all names below it");
  const auto corp = result("explain", {{"name", "a.corp.example"}, {"type", "AAAA"}});
  EXPECT_EQ(corp["entry"], "corp.example.");
  EXPECT_EQ(corp["upstreams"][0]["name"], "second");
  EXPECT_EQ(corp["why"], "not in the cache: second is asked first");
  store("b.example");
  const auto cached = result("explain", {{"name", "b.example"}});
  EXPECT_EQ(cached["cached"]["state"], "fresh");
  EXPECT_EQ(cached["cached"]["rcode"], "NOERROR");
  EXPECT_NE(cached["why"].get<std::string>().find("from the cache"), std::string::npos);
  EXPECT_EQ(error("explain", {{"name", "a..b"}}), code::invalid_params);
  EXPECT_EQ(error("explain", {{"name", "a"}, {"type", "Q!"}}), code::invalid_params);
}

TEST_F(DispatcherTest, ClientsAreAddedListedAndRemoved) {
  EXPECT_EQ(result("clients.list")["clients"], Json::array());
  result("clients.add", {{"name", "new"}, {"key", kKey}, {"services", "control:read,dns"}});
  EXPECT_EQ(host.told, std::vector<std::string>{"clients_changed"});
  const auto rows = result("clients.list")["clients"];
  EXPECT_EQ(rows,
            (Json::array({{{"name", "new"}, {"services", "control:read,dns"}, {"key", kKey}}})));
  EXPECT_EQ(error("clients.add", {{"name", "other"}, {"key", kKey}}), code::failed);
  EXPECT_NE(message.find("the key stands in line 1 already, as new"), std::string::npos) << message;
  EXPECT_EQ(error("clients.add", {{"name", "a b"}, {"key", kKey}}), code::invalid_params);
  EXPECT_EQ(error("clients.add", {{"name", "a"}, {"key", "x"}}), code::invalid_params);
  EXPECT_EQ(error("clients.remove", {{"name", "other"}}), code::not_found);
  result("clients.remove", {{"name", "new"}});
  EXPECT_EQ(result("clients.list")["clients"], Json::array());
}

TEST_F(DispatcherTest, WhatARemovalReadsAnewCountsEvenIfItRemovesNothing) {
  result("clients.add", {{"name", "new"}, {"key", kKey}});
  std::filesystem::remove(host.clients_file.path());  // somebody edits the list by hand
  host.told.clear();
  EXPECT_EQ(error("clients.remove", {{"name", "other"}}), code::not_found);
  EXPECT_EQ(result("clients.list")["clients"], Json::array());
  EXPECT_EQ(host.told, std::vector<std::string>{"clients_changed"});
}

TEST_F(DispatcherTest, LongListsComeInPages) {
  std::ofstream file(host.clients_file.path());
  test::SeededRng rng(3);
  for (int i = 0; i < 450; ++i)
    file << control::client_key_text(crypto::generate_key_pair(rng).public_key)
         << " services=control,control:read,dns,dht name=c" << i << std::string(58, 'x') << "\n";
  file.close();
  ASSERT_TRUE(host.clients_file.reload());
  for (std::uint64_t id = 1; id <= 250; ++id) host.open_sessions.push_back({251 - id, "c", {}, {}});
  for (const auto& [method, rows, total] : {std::tuple{"clients.list", "clients", 450u},
                                            std::tuple{"sessions.list", "sessions", 250u}}) {
    std::set<std::string> seen;
    Json params = Json::object();
    int pages = 0;
    do {
      const auto page = result(method, params);
      for (const auto& row : page[rows]) seen.insert(row.dump());
      params = page.contains("cursor") ? Json{{"cursor", page["cursor"]}} : Json();
    } while (!params.is_null() && ++pages < 10);
    EXPECT_EQ(seen.size(), total) << method;
    EXPECT_EQ(pages, 2);
  }
  EXPECT_EQ(error("sessions.list", {{"cursor", "x"}}), code::invalid_params);
}

TEST_F(DispatcherTest, SessionsAreKilledByNumber) {
  host.open_sessions = {{7, "laptop", {}, net::now()}};
  EXPECT_EQ(error("sessions.kill", {{"id", 8}}), code::not_found);
  result("sessions.kill", {{"id", 7}});
  EXPECT_TRUE(host.open_sessions.empty());
}

TEST_F(DispatcherTest, WhatMayEndTheSessionIsAnsweredFirst) {
  host.open_sessions = {{7, "laptop", {}, net::now()}};
  result("clients.add", {{"name", "new"}, {"key", kKey}});
  host.told.clear();
  std::size_t answers = sent.size();
  host.on_told = [&] { EXPECT_EQ(sent.size(), ++answers); };
  result("clients.remove", {{"name", "new"}});
  result("sessions.kill", {{"id", 7}});
  result("drain");
  result("shutdown");
  EXPECT_EQ(host.told,
            (std::vector<std::string>{"clients_changed", "kill_session", "drain", "shut_down"}));
}

TEST_F(DispatcherTest, KeysAreListedAfterARotation) {
  EXPECT_EQ(result("keys.list")["keys"].size(), 2u);
  EXPECT_EQ(result("keys.rotate")["keys"][1]["newest"], true);
  EXPECT_EQ(host.told, std::vector<std::string>{"rotate_keys"});
  host.failure = "the serial was not kept";
  EXPECT_EQ(error("keys.rotate"), code::failed);
}

TEST_F(DispatcherTest, TheLogLevelIsSet) {
  result("log", {{"level", "error"}});
  EXPECT_EQ(log::level(), config::LogLevel::error);
  EXPECT_EQ(result("status")["log_level"], "error");
  EXPECT_EQ(error("log", {{"level", "loud"}}), code::invalid_params);
}

}  // namespace
}  // namespace boxgram::tools
