#include <map>
#include <optional>
#include <set>

#include <support/seeded_rng.hpp>

#include <boxgram/net/ares_upstream.hpp>

#include "scripted_dns_server.hpp"

namespace boxgram::net {
namespace {

using std::chrono::milliseconds;

class AresUpstreamTest : public LoopTest {
 protected:
  void open(const base::SocketAddress& server, AresUpstreamOptions options = {}) {
    options.server = server;
    AresUpstreamHandlers handlers;
    handlers.on_answer = [this](std::uint64_t tag, base::Bytes answer) {
      EXPECT_TRUE(answers_.emplace(tag, std::string(base::as_text(answer))).second);
      if (on_event_) on_event_(tag);
    };
    handlers.on_failure = [this](std::uint64_t tag, UpstreamFailure reason) {
      EXPECT_TRUE(failures_.emplace(tag, reason).second);
      if (on_event_) on_event_(tag);
    };
    handlers.on_drained = [this] { ++drained_; };
    auto made = AresUpstream::create(loop_.io(), options, rng_, handlers);
    ASSERT_TRUE(made) << made.error();
    upstream_.emplace(std::move(*made));
  }

  bool ask(std::uint64_t tag, std::string_view query,
           base::Duration timeout = std::chrono::milliseconds(2500)) {
    return upstream_->send(tag, base::as_bytes(query), timeout);
  }

  bool all_over(std::size_t count) {
    return run_until([&] { return answers_.size() + failures_.size() >= count; });
  }

  test::SeededRng rng_{1};
  std::optional<AresUpstream> upstream_;
  std::map<std::uint64_t, std::string> answers_;
  std::map<std::uint64_t, UpstreamFailure> failures_;
  std::function<void(std::uint64_t)> on_event_;
  int drained_ = 0;
};

TEST_F(AresUpstreamTest, CarriesAQueryUnchangedButForItsId) {
  ScriptedDnsServer server(loop_);
  open(server.address());
  const auto query = dns_query(0xbeef, "wWw.ExAmPlE.oRg");
  ASSERT_TRUE(ask(7, query));
  ASSERT_TRUE(all_over(1));
  ASSERT_EQ(server.queries.size(), 1u);
  EXPECT_EQ(server.queries[0].substr(2), query.substr(2));
  EXPECT_EQ(answers_.at(7), dns_answer(query));  // the caller's ID and letters
  EXPECT_EQ(upstream_->in_flight(), 0u);
  EXPECT_EQ(upstream_->counters().answered, 1u);
  EXPECT_GE(drained_, 1);
}

TEST_F(AresUpstreamTest, WorksOverIpv6) {
  ScriptedDnsServer server(loop_, loopback6());
  open(server.address());
  ASSERT_TRUE(ask(1, dns_query(1, "example.org")));
  ASSERT_TRUE(all_over(1));
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(AresUpstreamTest, IdsAreOursAndDifferInFlight) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view, bool) { return std::string(); };
  AresUpstreamOptions options;
  options.channels = 1;
  open(server.address(), options);
  for (std::uint64_t tag = 0; tag < 500; ++tag) ASSERT_TRUE(ask(tag, dns_query(42, "example.org")));
  ASSERT_TRUE(run_until([&] { return server.queries.size() == 500; }));
  std::set<std::string> ids;
  for (const auto& query : server.queries) ids.insert(query.substr(0, 2));
  EXPECT_EQ(ids.size(), 500u);
}

TEST_F(AresUpstreamTest, ATruncatedAnswerIsAskedForAgainOverTcp) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view query, bool tcp) {
    return tcp ? dns_answer(query, 65'000) : dns_truncated(query);
  };
  open(server.address());
  const auto query = dns_query(0x1234, "big.example");
  ASSERT_TRUE(ask(1, query));
  ASSERT_TRUE(all_over(1));
  EXPECT_EQ(answers_[1], dns_answer(query, 65'000));
  EXPECT_EQ(server.tcp_queries, 1u);
  EXPECT_EQ(server.queries.back().substr(2), query.substr(2));
}

TEST_F(AresUpstreamTest, ABrokenTcpConnectionDoesNotFailTheQueriesBesideIt) {
  ScriptedDnsServer server(loop_);
  server.script = [&](std::string_view query, bool tcp) -> std::string {
    if (tcp) {
      server.close_after_answer = true;
      return dns_answer(query, 3000);
    }
    if (query.find("big") != std::string_view::npos) return dns_truncated(query);
    return server.hold(query);
  };
  AresUpstreamOptions options;
  options.channels = 1;
  open(server.address(), options);
  for (std::uint64_t tag = 1; tag <= 20; ++tag) ask(tag, dns_query(1, "slow.example"));
  ask(100, dns_query(2, "big.example"));
  ASSERT_TRUE(all_over(1));
  EXPECT_EQ(answers_.count(100), 1u);
  run_for(milliseconds(30));  // the server has closed by now
  EXPECT_TRUE(failures_.empty());
  server.release_held();
  ASSERT_TRUE(all_over(21));
  EXPECT_EQ(answers_.size(), 21u);
  ask(101, dns_query(3, "big.example"));
  ASSERT_TRUE(all_over(22));
  EXPECT_EQ(answers_.count(101), 1u);
}

TEST_F(AresUpstreamTest, UdpAnswersUpTo4096BytesNeedNoTcp) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view query, bool) { return dns_answer(query, 4000); };
  open(server.address());
  const auto query = dns_query(1, "example.org");
  ask(1, query);
  ASSERT_TRUE(all_over(1));
  EXPECT_EQ(answers_[1], dns_answer(query, 4000));
  EXPECT_EQ(server.tcp_queries, 0u);
}

TEST_F(AresUpstreamTest, AnAnswerThatIgnoresOurSizeIsFetchedOverTcp) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view query, bool) { return dns_answer(query, 6000); };
  open(server.address());
  const auto query = dns_query(1, "example.org");
  ask(1, query);
  ASSERT_TRUE(all_over(1));
  EXPECT_EQ(answers_[1], dns_answer(query, 6000));
  EXPECT_EQ(server.tcp_queries, 1u);
}

TEST_F(AresUpstreamTest, EveryRcodeIsDeliveredAsItIsAfterOneQuery) {
  ScriptedDnsServer server(loop_);
  open(server.address());
  for (const int rcode : {2, 3, 4, 5}) {  // SERVFAIL NXDOMAIN NOTIMP REFUSED
    server.script = [rcode](std::string_view query, bool) {
      auto answer = dns_answer(query);
      answer[3] = static_cast<char>(0x80 | rcode);
      return answer;
    };
    const auto tag = static_cast<std::uint64_t>(rcode);
    ask(tag, dns_query(1, "example.org"));
    ASSERT_TRUE(run_until([&] { return answers_.count(tag) == 1; })) << rcode;
    EXPECT_EQ(answers_[tag][3] & 15, rcode);
  }
  EXPECT_EQ(server.queries.size(), 4u);
}

TEST_F(AresUpstreamTest, AFormerrWithoutOptIsAskedAgainWithoutOptAndTheChannelReplaced) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view query, bool) {
    const bool has_opt = query[11] == 1;
    if (!has_opt) return dns_answer(query);
    std::string refused(query.substr(0, query.size() - 11));
    refused[2] = static_cast<char>(0x80);
    refused[3] = 1;
    refused[11] = 0;
    return refused;
  };
  AresUpstreamOptions options;
  options.channels = 1;
  open(server.address(), options);
  const auto query = dns_query(5, "old.example");
  ask(1, query);
  ASSERT_TRUE(all_over(1));
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(server.queries.size(), 2u);
  EXPECT_EQ(server.queries[1].size(), query.size() - 11);
  EXPECT_EQ(upstream_->counters().channels_opened, 1u);
  // The next one goes through a channel that has EDNS again, so 4,000 bytes pass over UDP.
  run_for(milliseconds(60));
  server.script = [](std::string_view q, bool) { return dns_answer(q, 4000); };
  ask(2, query);
  ASSERT_TRUE(all_over(2));
  EXPECT_EQ(answers_[2].size(), 4000u);
  EXPECT_EQ(server.tcp_queries, 0u);
  EXPECT_EQ(upstream_->counters().channels_opened, 2u);
  EXPECT_EQ(upstream_->counters().edns_lost, 1u);
}

TEST_F(AresUpstreamTest, AnAnswerCutByALostEdnsIsFetchedOverTcp) {
  ScriptedDnsServer server(loop_);
  std::string held;
  server.script = [&](std::string_view query, bool tcp) -> std::string {
    if (tcp) return dns_answer(query, 3000);
    if (query.find("large") != std::string_view::npos) {
      return server.hold(query, 3000);
    }
    if (query[11] == 0) {
      server.release_held();  // while the channel has lost EDNS
      return dns_answer(query);
    }
    std::string refused(query.substr(0, query.size() - 11));
    refused[2] = static_cast<char>(0x80);
    refused[3] = 1;
    refused[11] = 0;
    return refused;
  };
  AresUpstreamOptions options;
  options.channels = 1;
  open(server.address(), options);
  const auto large = dns_query(1, "large.example");
  ask(1, large);
  ask(2, dns_query(2, "old.example"));
  ASSERT_TRUE(all_over(2));
  EXPECT_EQ(answers_[1], dns_answer(large, 3000));
}

TEST_F(AresUpstreamTest, ABlackHoleTimesOutWhenTheCallerSaysSo) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view, bool) { return std::string(); };
  open(server.address());
  const auto start = std::chrono::steady_clock::now();
  ask(1, dns_query(1, "example.org"), milliseconds(50));
  ask(2, dns_query(1, "example.org"), milliseconds(150));
  ASSERT_TRUE(all_over(1));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(50));
  EXPECT_EQ(failures_.count(2), 0u);
  ASSERT_TRUE(all_over(2));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(150));
  EXPECT_EQ(failures_.at(1), UpstreamFailure::timed_out);
  EXPECT_EQ(failures_.at(2), UpstreamFailure::timed_out);
  EXPECT_EQ(upstream_->in_flight(), 2u);  // c-ares still has them
  ASSERT_TRUE(run_until([&] { return upstream_->in_flight() == 0; }));
  EXPECT_EQ(failures_.size(), 2u);
}

TEST_F(AresUpstreamTest, ALateAnswerIsCountedAndNotDelivered) {
  ScriptedDnsServer server(loop_);
  server.script = [&](std::string_view query, bool) { return server.hold(query); };
  open(server.address());
  ask(1, dns_query(1, "example.org"), milliseconds(20));
  ASSERT_TRUE(all_over(1));
  server.release_held();
  ASSERT_TRUE(run_until([&] { return upstream_->in_flight() == 0; }));
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(upstream_->counters().late, 1u);
}

TEST_F(AresUpstreamTest, ACancelledQueryIsSilent) {
  ScriptedDnsServer server(loop_);
  open(server.address());
  ask(1, dns_query(1, "example.org"));
  upstream_->cancel(1);
  upstream_->cancel(99);
  ask(1, dns_query(2, "example.net"));  // the tag is free again
  ASSERT_TRUE(all_over(1));
  ASSERT_TRUE(run_until([&] { return upstream_->in_flight() == 0; }));
  EXPECT_EQ(answers_[1], dns_answer(dns_query(2, "example.net")));
  EXPECT_TRUE(failures_.empty());
}

TEST_F(AresUpstreamTest, AClosedPortFailsFastButNotInsideSend) {
  base::SocketAddress closed;
  {
    PlainSocket gone(SOCK_DGRAM);
    closed = gone.address();
  }
  open(closed);
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t tag = 0; tag < 20; ++tag) {
    ASSERT_TRUE(ask(tag, dns_query(1, "example.org")));
    EXPECT_TRUE(failures_.empty());
  }
  ASSERT_TRUE(all_over(20));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(1500));
  for (const auto& [tag, reason] : failures_) EXPECT_EQ(reason, UpstreamFailure::unreachable);
}

TEST_F(AresUpstreamTest, ABadQueryFailsAlone) {
  ScriptedDnsServer server(loop_);
  open(server.address());
  ASSERT_TRUE(ask(1, "short"));
  EXPECT_TRUE(failures_.empty());
  ask(2, dns_query(1, "example.org"));
  ASSERT_TRUE(all_over(2));
  EXPECT_EQ(failures_.at(1), UpstreamFailure::bad_query);
  EXPECT_EQ(answers_.count(2), 1u);
}

TEST_F(AresUpstreamTest, AThousandInFlightAllComeBack) {
  ScriptedDnsServer server(loop_);
  server.script = [&](std::string_view query, bool) { return server.hold(query); };
  open(server.address());
  for (std::uint64_t tag = 0; tag < 1000; ++tag)
    ASSERT_TRUE(ask(tag, dns_query(static_cast<std::uint16_t>(tag), "n" + std::to_string(tag))));
  ASSERT_TRUE(run_until([&] { return server.queries.size() == 1000; }));
  EXPECT_EQ(upstream_->in_flight(), 1000u);
  server.release_held();
  ASSERT_TRUE(all_over(1000));
  EXPECT_EQ(upstream_->in_flight(), 0u);
  for (std::uint64_t tag = 0; tag < 1000; ++tag)
    ASSERT_EQ(answers_[tag],
              dns_answer(dns_query(static_cast<std::uint16_t>(tag), "n" + std::to_string(tag))));
}

TEST_F(AresUpstreamTest, BeyondTheCapSendRefuses) {
  ScriptedDnsServer server(loop_);
  server.script = [&](std::string_view query, bool) { return server.hold(query); };
  AresUpstreamOptions options;
  options.max_in_flight = 10;
  open(server.address(), options);
  for (std::uint64_t tag = 0; tag < 10; ++tag) ASSERT_TRUE(ask(tag, dns_query(1, "a")));
  EXPECT_FALSE(ask(10, dns_query(1, "a")));
  EXPECT_EQ(upstream_->counters().full, 1u);
  ASSERT_TRUE(run_until([&] { return server.queries.size() == 10; }));
  server.release_held();
  ASSERT_TRUE(all_over(10));
  EXPECT_TRUE(ask(10, dns_query(1, "a")));
}

TEST_F(AresUpstreamTest, SourcePortsChange) {
  ScriptedDnsServer server(loop_);
  AresUpstreamOptions options;
  options.channels = 2;
  options.channel_queries = 5;
  open(server.address(), options);
  for (std::uint64_t tag = 0; tag < 60; ++tag) {
    ask(tag, dns_query(1, "example.org"));
    ASSERT_TRUE(all_over(tag + 1));
  }
  EXPECT_EQ(answers_.size(), 60u);
  EXPECT_GE(server.ports.size(), 8u);
  EXPECT_GE(upstream_->counters().channels_opened, 10u);
}

TEST_F(AresUpstreamTest, AnotherQueryInsideAHandlerIsFine) {
  ScriptedDnsServer server(loop_);
  AresUpstreamOptions options;
  options.channel_queries = 3;
  open(server.address(), options);
  on_event_ = [&](std::uint64_t tag) {
    if (tag < 50) ask(tag + 1, dns_query(1, "example.org"));
  };
  ask(0, dns_query(1, "example.org"));
  ASSERT_TRUE(all_over(51));
  EXPECT_EQ(answers_.size(), 51u);
}

TEST_F(AresUpstreamTest, DestroyingItInsideAHandlerIsSafe) {
  ScriptedDnsServer server(loop_);
  server.script = [&](std::string_view query, bool) { return server.hold(query); };
  open(server.address());
  on_event_ = [&](std::uint64_t) { upstream_.reset(); };
  for (std::uint64_t tag = 0; tag < 50; ++tag) ask(tag, dns_query(1, "example.org"));
  ASSERT_TRUE(run_until([&] { return server.queries.size() == 50; }));
  server.release_held();
  ASSERT_TRUE(all_over(1));
  run_for(milliseconds(20));
  EXPECT_EQ(answers_.size() + failures_.size(), 1u);
}

TEST_F(AresUpstreamTest, DestroyingItInsideATimeoutIsSafe) {
  ScriptedDnsServer server(loop_);
  server.script = [](std::string_view, bool) { return std::string(); };
  open(server.address());
  on_event_ = [&](std::uint64_t) { upstream_.reset(); };
  for (std::uint64_t tag = 0; tag < 10; ++tag)
    ask(tag, dns_query(1, "example.org"), milliseconds(10));
  ASSERT_TRUE(all_over(1));
  run_for(milliseconds(20));
  EXPECT_EQ(answers_.size() + failures_.size(), 1u);
}

TEST_F(AresUpstreamTest, NoHandlerIsCalledAfterItsEnd) {
  ScriptedDnsServer server(loop_);
  open(server.address());
  ask(1, dns_query(1, "example.org"));
  ask(2, "short");
  upstream_.reset();
  run_for(milliseconds(30));
  EXPECT_TRUE(answers_.empty());
  EXPECT_TRUE(failures_.empty());
}

TEST(AresUpstream, RefusesAnAddressThatCannotBeAsked) {
  EventLoop loop;
  test::SeededRng rng(1);
  AresUpstreamOptions options;
  for (const auto& server : {loopback(0), base::SocketAddress::v4(0, 0, 0, 0, 53)}) {
    options.server = server;
    EXPECT_FALSE(AresUpstream::create(loop.io(), options, rng, {}));
  }
  options.server = loopback6(53);
  options.server.scope = 2;
  const auto zoned = AresUpstream::create(loop.io(), options, rng, {});
  ASSERT_FALSE(zoned);
  EXPECT_NE(zoned.error().find("zone"), std::string::npos);
}

}  // namespace
}  // namespace boxgram::net
