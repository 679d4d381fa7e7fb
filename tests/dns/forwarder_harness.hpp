// A forwarder between scripted upstreams and recorded clients, under virtual time.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include <gtest/gtest.h>

#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/shared_cache.hpp>

#include "dns/dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {

using base::Bytes;
using base::Duration;
using base::Instant;
using namespace std::chrono_literals;

/// What a scripted upstream does with one try: bytes or a failure after a while; nothing: silence,
/// until the transport's own timeout.
struct Reply {
  Duration after{};
  Octets bytes;
  std::optional<dns::TryFailure> failure;
  bool deferred = false;  ///< the answer comes by another way
};
using Script = std::function<std::vector<Reply>(const Octets& query)>;

/// The question's bytes of a query of ours, which ends with its 11 bytes of OPT.
inline Octets question_of(const Octets& query) {
  return {query.begin() + 12, query.end() - 11};
}

inline Octets reply_with(const Octets& query, unsigned rcode, const Octets& answers = {},
                         unsigned answer_count = 0, const Octets& authority = {},
                         const Octets& options = {}) {
  return header(base::load_be16(query.data()), 0x8180 | rcode, 1, answer_count,
                authority.empty() ? 0 : 1, 1) +
         question_of(query) + answers + authority + opt(1232, 0, options);
}

inline Octets address_reply(const Octets& query, std::uint32_t ttl = 300,
                            const Octets& ip = {192, 0, 2, 1}) {
  return reply_with(query, 0, record(pointer(12), dns::rrtype::a, ttl, ip), 1);
}

inline Octets nxdomain_reply(const Octets& query, std::uint32_t ttl = 300) {
  return reply_with(query, 3, {}, 0,
                    record(labels("example"), dns::rrtype::soa, ttl, soa("ns.example", ttl)));
}

inline Script silent() {
  return [](const Octets&) { return std::vector<Reply>{}; };
}
inline Script answers_after(Duration after, std::uint32_t ttl = 300) {
  return [=](const Octets& q) { return std::vector<Reply>{{after, address_reply(q, ttl), {}}}; };
}
inline Script rcode_after(Duration after, unsigned rcode, const Octets& options = {}) {
  return [=](const Octets& q) {
    return std::vector<Reply>{{after, reply_with(q, rcode, {}, 0, {}, options), {}}};
  };
}
inline Script fails_after(Duration after, dns::TryFailure why) {
  return [=](const Octets&) { return std::vector<Reply>{{after, {}, why}}; };
}
/// Says after `deferral` that the answer comes by another way, which then does what `other` says.
inline Script defers_after(Duration deferral, const Script& other) {
  return [=](const Octets& q) {
    std::vector<Reply> replies{{deferral, {}, {}, true}};
    for (Reply& reply : other(q)) {
      reply.after += deferral;
      replies.push_back(std::move(reply));
    }
    return replies;
  };
}

/// A client's answer.
struct Got {
  Instant at{};
  bool too_large = false;
  std::size_t size = 0;
  Octets bytes;

  [[nodiscard]] unsigned id() const { return base::load_be16(bytes.data()); }
  [[nodiscard]] unsigned flags() const { return base::load_be16(bytes.data() + 2); }
  [[nodiscard]] unsigned rcode() const { return flags() & 15; }
  [[nodiscard]] bool truncated() const { return flags() & 0x0200; }
  [[nodiscard]] std::vector<std::string> lines() const { return lines_of(bytes); }
  /// Codes of the extended errors in the OPT.
  [[nodiscard]] std::vector<unsigned> errors() const {
    std::vector<unsigned> codes;
    for (const auto& line : lines()) {
      if (!line.starts_with("2 . 41 ")) continue;
      const auto hex = line.substr(line.rfind(' ') + 1);
      for (std::size_t i = 0; i + 12 <= hex.size();) {
        const auto length = std::stoul(hex.substr(i + 4, 4), nullptr, 16);
        if (hex.substr(i, 4) == "000f")
          codes.push_back(static_cast<unsigned>(std::stoul(hex.substr(i + 8, 4), nullptr, 16)));
        i += 8 + 2 * length;
      }
    }
    return codes;
  }
};

class ForwarderHarness {
 public:
  explicit ForwarderHarness(dns::ForwarderConfig config, bool with_cache = false,
                            std::uint64_t seed = 1)
      : rng_(seed), scripts_(config.upstreams.size(), silent()), asked_(config.upstreams.size()) {
    if (with_cache) cache_ = std::make_unique<dns::SharedCache>(dns::CacheOptions{}, rng_, 1);
    config_ = std::make_shared<const dns::ForwarderConfig>(std::move(config));
    forwarder_ = std::make_unique<dns::Forwarder>(config_, cache_.get(), rng_, now);
  }

  dns::Forwarder& forwarder() { return *forwarder_; }
  Script& upstream(std::size_t i) { return scripts_[i]; }
  /// Queries that reached upstream i.
  std::deque<Octets>& asked(std::size_t i) { return asked_[i]; }
  [[nodiscard]] std::size_t asked_count() const {
    std::size_t n = 0;
    for (const auto& queries : asked_) n += queries.size();
    return n;
  }

  /// Hands a query in; its answer, now or later, is answer(tag).
  std::uint64_t ask(const Octets& query, dns::Asker asker = {}) {
    const std::uint64_t tag = ++last_tag_;
    const auto outcome = forwarder_->query(now, tag, query, asker, out_);
    last_kind = outcome.kind;
    using Kind = dns::Outcome::Kind;
    if (outcome.kind == Kind::pending) open_.insert(tag);
    if (outcome.kind == Kind::answered || outcome.kind == Kind::too_large)
      record_answer(tag, outcome.kind == Kind::too_large, outcome.size, asker);
    askers_[tag] = asker;
    drain();
    return tag;
  }
  std::uint64_t ask(std::string_view name, unsigned type = 1) { return ask(query_for(name, type)); }

  [[nodiscard]] bool has_answer(std::uint64_t tag) const { return answers_.contains(tag); }
  [[nodiscard]] const Got& answer(std::uint64_t tag) const {
    static const Got kNone{{}, false, 0, Octets(12)};
    EXPECT_TRUE(answers_.contains(tag)) << "query " << tag << " was not answered";
    return answers_.contains(tag) ? answers_.at(tag) : kNone;
  }
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

  /// Runs the virtual clock on by `time`.
  void run(Duration time) {
    const Instant end = now + time;
    while (step(end)) {
    }
    now = end;
  }
  /// Asks and runs until the answer is there (5 s at most); how long it took.
  Duration time_of(std::string_view name, unsigned type = 1) {
    const Instant begin = now;
    const auto tag = ask(name, type);
    while (!has_answer(tag) && step(begin + 5s)) {
    }
    last = tag;
    return answer(tag).at - begin;
  }

  Instant now = Instant{} + 1h;
  std::uint64_t last = 0;  ///< tag of the last time_of()
  dns::Outcome::Kind last_kind{};
  std::function<void()> after_step = [] {};

 private:
  struct Event {
    dns::TryId id = 0;
    Reply reply;
  };

  bool step(Instant end) {
    const auto timeout = forwarder_->next_timeout();
    const bool has_event = !events_.empty();
    if (!has_event && !timeout) return false;
    Instant at = has_event ? events_.begin()->first : *timeout;
    if (timeout && *timeout < at) at = *timeout;
    if (at > end) return false;
    now = std::max(now, at);
    if (has_event && events_.begin()->first <= now) {
      const Event event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      if (event.reply.deferred)
        take_deferral(event.id);
      else if (event.reply.failure)
        forwarder_->upstream_failed(now, event.id, *event.reply.failure);
      else
        forwarder_->upstream_answer(now, event.id, event.reply.bytes);
    } else {
      forwarder_->handle_timeout(now);
      const auto next = forwarder_->next_timeout();
      EXPECT_TRUE(!next || *next > now) << "a deadline in the past";
    }
    drain();
    return true;
  }

  void take_deferral(dns::TryId id) {
    const Bytes query = forwarder_->upstream_deferred(now, id);
    if (query.empty())
      std::erase_if(events_, [&](const auto& e) { return e.second.id == id; });
    else
      EXPECT_EQ(Octets(query.begin(), query.end()), query_of_[id]) << "it is the same question";
  }

  void drain() {
    dns::Action action;
    while (forwarder_->poll_action(action)) {
      if (action.kind == dns::Action::Kind::cancel) {
        std::erase_if(events_, [&](const auto& e) { return e.second.id == action.id; });
        continue;
      }
      asked_[action.upstream].emplace_back(action.query.begin(), action.query.end());
      const auto id = action.id;
      query_of_[id] = asked_[action.upstream].back();
      EXPECT_LT(dns::try_place(id), config_->max_flights * dns::kMaxTries);
      for (Reply& reply : scripts_[action.upstream](asked_[action.upstream].back())) {
        const Instant at = now + reply.after;
        if (reply.after < action.timeout) events_.emplace(at, Event{id, std::move(reply)});
      }
      events_.emplace(now + action.timeout, Event{id, {{}, {}, dns::TryFailure::timed_out}});
    }
    dns::Answered answered;
    while (forwarder_->poll_answer(now, answered, out_)) {
      EXPECT_EQ(open_.erase(answered.tag), 1u) << "answered twice or never asked";
      record_answer(answered.tag, answered.too_large, answered.size, askers_[answered.tag]);
    }
    after_step();
  }

  void record_answer(std::uint64_t tag, bool too_large, std::size_t size, const dns::Asker& asker) {
    EXPECT_FALSE(answers_.contains(tag));
    Got got{now, too_large, size, {}};
    if (!too_large) {
      EXPECT_LE(size, asker.limit);
      got.bytes.assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(size));
    }
    answers_[tag] = std::move(got);
  }

  SeededRng rng_;
  std::shared_ptr<const dns::ForwarderConfig> config_;
  std::unique_ptr<dns::SharedCache> cache_;
  std::unique_ptr<dns::Forwarder> forwarder_;
  std::vector<Script> scripts_;
  std::vector<std::deque<Octets>> asked_;
  std::map<dns::TryId, Octets> query_of_;
  std::multimap<Instant, Event> events_;
  std::map<std::uint64_t, Got> answers_;
  std::map<std::uint64_t, dns::Asker> askers_;
  std::set<std::uint64_t> open_;
  std::uint64_t last_tag_ = 0;
  Octets out_ = Octets(65535);
};

/// A configuration with `n` plain upstreams for everything and nothing else.
inline dns::ForwarderConfig plain_upstreams(std::size_t n) {
  dns::ForwarderConfig config;
  for (std::size_t i = 0; i < n; ++i) {
    config.upstreams.push_back({"upstream " + std::to_string(i), false, false});
    config.default_group.push_back(static_cast<dns::UpstreamIndex>(i));
  }
  return config;
}

/// The same with sealed gateways, which retransmit by themselves.
inline dns::ForwarderConfig sealed_upstreams(std::size_t n) {
  auto config = plain_upstreams(n);
  for (auto& upstream : config.upstreams) upstream.retransmits = upstream.trusted_ad = true;
  return config;
}

}  // namespace boxgram::test
