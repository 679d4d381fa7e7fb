// A server that a test is, and a console that remembers.
#pragma once

#include <deque>
#include <functional>

#include <gtest/gtest.h>

#include "boxgram/control/control_client.hpp"

namespace boxgram::tools {

/// What a scripted server does with a request.
using Answer = std::function<base::expected<std::string, control::LinkError>(
    const control::RpcRequest& request)>;

class ScriptedLink : public control::Link {
 public:
  explicit ScriptedLink(Answer& answer) : answer_(answer) {}
  base::expected<std::string, control::LinkError> exchange(std::string_view text) override {
    EXPECT_LE(text.size(), control::kMaxMessage);
    const auto request = control::parse_request(text);
    EXPECT_TRUE(request) << text;
    return answer_(*request);
  }

 private:
  Answer& answer_;
};

class FakeConsole : public Console {
 public:
  void out(std::string_view text) override { printed += text; }
  void err(std::string_view text) override { complained += text; }
  [[nodiscard]] bool is_terminal() const override { return terminal; }
  [[nodiscard]] Size size() const override { return window; }
  void begin_watch() override { ++watches; }
  void end_watch() override { --watches; }
  bool wait(base::Duration time) override {
    EXPECT_EQ(watches, 1);
    time_ += time;
    return --seconds > 0;
  }
  [[nodiscard]] base::Instant now() const override { return time_; }

  std::string printed;
  std::string complained;
  bool terminal = false;
  Size window;
  int watches = 0;
  int seconds = 3;  ///< until the user leaves

 private:
  base::Instant time_ = base::Instant{} + std::chrono::hours(1);
};

}  // namespace boxgram::tools
