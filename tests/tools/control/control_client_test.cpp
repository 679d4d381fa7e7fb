#include "boxgram/control/control_client.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <sys/stat.h>

#include "boxgram/control/prompt.hpp"
#include "scripted_link.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using control::LinkError;
namespace code = control::code;

class ControlClientTest : public ::testing::Test {
 protected:
  ControlClientTest() {
    folder_ = ::testing::TempDir() + "boxgram-XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~ControlClientTest() override { std::filesystem::remove_all(folder_); }

  Exit run(std::string_view line) { return client.run_words(split_words(line)); }
  void answer_with(const control::Result& result) {
    answer = [result](const control::RpcRequest& request) {
      return control::response_text(request.id, result);
    };
  }
  void fail_with(int error, const char* message) {
    answer_with(control::rpc_error(error, message));
  }
  void break_with(LinkError::Kind kind) {
    answer = [kind](const control::RpcRequest&) {
      return base::unexpected<LinkError>(LinkError{kind, "what happened"});
    };
  }
  [[nodiscard]] std::string file(const char* name) const { return folder_ + "/" + name; }

  Answer answer;
  int connections = 0;
  std::optional<LinkError> no_link;
  FakeConsole console;
  ControlClient client{[this]() -> base::expected<std::unique_ptr<control::Link>, LinkError> {
                         ++connections;
                         if (no_link) return base::unexpected<LinkError>(*no_link);
                         return std::make_unique<ScriptedLink>(answer);
                       },
                       console, "x25519:OWN"};

 private:
  std::string folder_;
};

TEST_F(ControlClientTest, AResultIsATableOrOneLineOfJson) {
  answer_with(Json{{"keys", Json::array({{{"id", "00"}, {"serial", 7}, {"newest", true}}})}});
  EXPECT_EQ(run("keys list"), kOk);
  EXPECT_EQ(console.printed,
            "ID  SERIAL  NOT BEFORE  NOT AFTER  NEWEST\n"
            "00       7  -           -          yes\n");
  console.printed.clear();
  EXPECT_EQ(run("keys list --json"), kOk);
  EXPECT_EQ(console.printed, R"({"keys":[{"id":"00","newest":true,"serial":7}]})"
                             "\n");
  EXPECT_EQ(console.complained, "");
}

TEST_F(ControlClientTest, SendsMethodAndParameters) {
  std::vector<control::RpcRequest> requests;
  answer = [&](const control::RpcRequest& request) {
    requests.push_back(request);
    return control::response_text(request.id, Json::object());
  };
  EXPECT_EQ(run("log debug"), kOk);
  EXPECT_EQ(run("reload"), kOk);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].method, "log");
  EXPECT_EQ(requests[0].params, (Json{{"level", "debug"}}));
  EXPECT_NE(requests[0].id, requests[1].id);
  EXPECT_EQ(connections, 1) << "one connection for the session";
}

TEST_F(ControlClientTest, ExitCodesSayHowItWent) {
  const struct {
    int code;
    Exit exit;
  } errors[] = {{code::failed, kFailed},
                {code::not_found, kFailed},
                {code::busy, kFailed},
                {code::internal_error, kFailed},
                {code::invalid_params, kUsage},
                {code::method_not_found, kUsage},
                {code::not_authorised, kNotAuthorised}};
  for (const auto& each : errors) {
    fail_with(each.code, "why it failed");
    console.complained.clear();
    EXPECT_EQ(run("reload"), each.exit) << each.code;
    EXPECT_EQ(console.complained.find("boxgram: why it failed\n"), 0u);
  }
  EXPECT_EQ(run("telephone"), kUsage);
  EXPECT_EQ(console.printed, "") << "what failed prints no result";
}

TEST_F(ControlClientTest, AWayThatBreaksIsUnreachableOrNotAuthorised) {
  using Kind = LinkError::Kind;
  const struct {
    Kind kind;
    Exit exit;
    const char* hint;
  } cases[] = {{Kind::unreachable, kUnreachable, "TCP"},
               {Kind::wrong_server_key, kUnreachable, "boxgram stamp"},
               {Kind::not_authorised, kNotAuthorised, "boxgram client add NAME x25519:OWN"},
               {Kind::truncated, kUnreachable, "look before you repeat it"},
               {Kind::timed_out, kUnreachable, "look before you repeat it"}};
  for (const auto& each : cases) {
    console.complained.clear();
    break_with(each.kind);
    EXPECT_EQ(run("status"), each.exit);
    EXPECT_EQ(console.complained.find("boxgram: what happened\n"), 0u);
    EXPECT_NE(console.complained.find(each.hint), std::string::npos);
    console.complained.clear();
    no_link = LinkError{each.kind, "what happened"};
    EXPECT_EQ(run("status"), each.exit) << "before the first request";
    EXPECT_EQ(console.complained.find("boxgram: what happened\n"), 0u);
    no_link.reset();
  }
}

TEST_F(ControlClientTest, ConnectsAgainAfterALostLink) {
  break_with(LinkError::Kind::truncated);
  EXPECT_EQ(run("status"), kUnreachable);
  answer_with(Json::object());
  EXPECT_EQ(run("status"), kOk);
  EXPECT_EQ(connections, 2);
}

TEST_F(ControlClientTest, WhatAServerSaysReachesTheTerminalHarmless) {
  fail_with(code::failed, "\x1b[2J\nboxgram: all is well");
  EXPECT_EQ(run("reload"), kFailed);
  EXPECT_EQ(console.complained.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(console.complained.begin(), console.complained.end(), '\n'), 1);
  answer = [](const control::RpcRequest&) { return std::string("\x1b nonsense"); };
  EXPECT_EQ(run("status"), kFailed);
}

TEST_F(ControlClientTest, PagesBecomeOneList) {
  answer = [](const control::RpcRequest& request) {
    const auto cursor = request.params.value("cursor", std::string("0"));
    Json page = {{"clients", Json::array({{{"name", "c" + cursor}}})}};
    if (cursor != "2") page["cursor"] = std::to_string(std::stoi(cursor) + 1);
    return control::response_text(request.id, page);
  };
  EXPECT_EQ(run("clients list --json"), kOk);
  EXPECT_EQ(console.printed, R"({"clients":[{"name":"c0"},{"name":"c1"},{"name":"c2"}]})"
                             "\n");
}

TEST_F(ControlClientTest, ADumpIsAFileForItsOwnerOnly) {
  answer = [](const control::RpcRequest& request) {
    Json page = {{"lines", {"a", "b"}}, {"left_out", 1}};
    if (!request.params.contains("cursor")) page["cursor"] = "next";
    return control::response_text(request.id, page);
  };
  EXPECT_EQ(run("cache dump " + file("dump")), kOk);
  std::ifstream in(file("dump"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "a\nb\na\nb\n");
  struct stat info {};
  ASSERT_EQ(stat(file("dump").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(console.printed, "answers written: 4\n");
  EXPECT_EQ(console.complained, "2 answers are too large for a dump\n");
  console.printed.clear();
  EXPECT_EQ(run("cache dump"), kOk);
  EXPECT_EQ(console.printed, "a\nb\na\nb\n");
  EXPECT_EQ(run("cache dump " + file("none/dump")), kFailed);
  chmod(file("dump").c_str(), 0644);
  EXPECT_EQ(run("cache dump " + file("dump")), kOk);
  ASSERT_EQ(stat(file("dump").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u) << "a file that others could read";
  EXPECT_EQ(info.st_size, 8) << "and nothing of what it held before";
}

TEST_F(ControlClientTest, WhatAServerSaysCommandsNoTerminal) {
  answer = [](const control::RpcRequest& request) {
    return control::response_text(request.id, {{"program",
                                                "\x1b[2J\x7f\xc2\x9b"
                                                "2J"}});
  };
  for (const char* const line : {"status", "status --json"}) {
    console.printed.clear();
    EXPECT_EQ(run(line), kOk);
    EXPECT_TRUE(std::all_of(console.printed.begin(), console.printed.end(), [](char c) {
      return c == '\n' || (c >= ' ' && c <= '~');
    })) << line;
  }
}

TEST_F(ControlClientTest, ALoadGoesInRequestsThatFit) {
  std::ofstream out(file("dump"));
  for (int i = 0; i < 3'000; ++i) out << i << " \\032 " << std::string(60, 'x') << "\n";
  out << std::string(100'000, 'y') << "\n";
  out.close();
  std::size_t lines = 0;
  int requests = 0;
  answer = [&](const control::RpcRequest& request) {
    ++requests;
    lines += request.params["lines"].size();
    Json result = {{"taken", request.params["lines"].size()}, {"passed_over", 1}, {"refused", 0}};
    if (requests == 2) {
      result["refused"] = 1;
      result["mistakes"] = Json::array({{{"line", 1}, {"message", "what is wrong"}}});
    }
    return control::response_text(request.id, result);
  };
  EXPECT_EQ(run("cache load " + file("dump") + " --json"), kFailed) << "a line was refused";
  EXPECT_EQ(lines, 3'001u);
  EXPECT_GT(requests, 5);
  const auto total = Json::parse(console.printed);
  EXPECT_EQ(total["taken"], 3'001);
  EXPECT_EQ(total["refused"], 1);
  EXPECT_GT(total["mistakes"][0]["line"], 100) << "counted in the file, not in the request";
  EXPECT_EQ(run("cache load " + file("none")), kFailed);
}

TEST_F(ControlClientTest, HelpNeedsNoServer) {
  no_link = LinkError{LinkError::Kind::unreachable, "down"};
  EXPECT_EQ(run("help"), kOk);
  EXPECT_NE(console.printed.find("cache flush"), std::string::npos);
  EXPECT_EQ(connections, 0);
}

TEST(HistoryFile, LiesInTheStateFolder) {
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(history_path(), "/state/boxgram/control_history");
  unsetenv("XDG_STATE_HOME");
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(history_path(), "/home/me/.local/state/boxgram/control_history");
}

}  // namespace
}  // namespace boxgram::tools
