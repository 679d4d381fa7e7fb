// boxgram query: one sealed query for each type, without a stub, shown as dig shows it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/dns/message_text.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>
#include <boxgram/dns/record_text.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/udp_socket.hpp>
#include <boxgram/packet/client.hpp>

#include "commands.hpp"

namespace boxgram::tools {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds(base::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// One datagram that travelled, for --trace.
struct Step {
  base::Duration at{};
  bool sent = false;
  std::string type;
  std::size_t size = 0;
};

std::string datagram_type(base::Bytes datagram) {
  const auto type = packet::parse_header(datagram);
  if (!type) return "unreadable";
  switch (*type) {
    case packet::DatagramType::initial:
      return "INITIAL";
    case packet::DatagramType::initial_c:
      return "INITIAL with cookie";
    case packet::DatagramType::short_:
      return "SHORT";
    case packet::DatagramType::keyreq:
      return "KEYREQ";
    case packet::DatagramType::msg:
      return "MSG";
    case packet::DatagramType::retry:
      return "RETRY";
    case packet::DatagramType::reset:
      return "RESET";
    case packet::DatagramType::keys:
      return "KEYS";
  }
  return "unreadable";
}

/// One question and how it ended.
struct Question {
  std::string type;
  std::vector<std::uint8_t> query;
  std::optional<dns::TextMessage> message;
  std::string failure;  ///< for people, when there is no message
  packet::FailReason reason{};
  packet::Answer answer;  ///< sizes and times; `payload` is gone
};

std::vector<std::uint8_t> build(std::uint16_t type, const QueryOptions& options, base::Rng& rng) {
  dns::UpstreamQuery query;
  query.id = rng.u16();
  query.name = options.name.wire();
  query.type = type;
  query.dnssec_ok = options.dnssec;
  query.checking_disabled = options.no_checking;
  query.authentic_data = true;
  std::vector<std::uint8_t> bytes(dns::kMaxUpstreamQuerySize);
  bytes.resize(dns::build_upstream_query(query, bytes));
  return bytes;
}

std::string describe(const packet::Failed& failed) {
  switch (failed.reason) {
    case packet::FailReason::timed_out:
      return "no answer in time";
    case packet::FailReason::no_key:
      return "the gateway showed no key that its identity has signed";
    case packet::FailReason::too_large:
      return fmt::format("the answer has {} bytes, more than a datagram holds", failed.size);
    default:
      return fmt::format("the gateway refused: {}", packet::to_string(failed.reason));
  }
}

/// Asks one gateway everything at once.
class Conversation {
 public:
  Conversation(const packet::Stamp& stamp, const QueryOptions& options,
               std::vector<Question>& questions, base::Rng& rng)
      : questions_(questions),
        start_(net::now()),
        client_(client_config(stamp, options), rng, net::wall_clock(), start_),
        timer_(loop_.io(), [this] {
          client_.handle_timeout(net::now());
          pump();
        }) {}

  /// The error is a phrase for people: no socket.
  base::expected<void, std::string> run(const base::SocketAddress& gateway) {
    net::UdpHandlers handlers;
    handlers.on_batch = [this](std::span<const net::Datagram> batch) {
      for (const net::Datagram& datagram : batch) {
        note(false, datagram.data);
        client_.handle_datagram(net::now(), datagram.data);
        take_events();
      }
      pump();
    };
    handlers.on_error = [this](int error) {
      if (error != ECONNREFUSED) return;
      refused_ = true;  // a person waits: what is down now is said now
      loop_.stop();
    };
    net::UdpOptions options;
    options.dont_fragment = true;
    auto socket = net::UdpSocket::connect(loop_.io(), gateway, options, std::move(handlers));
    if (!socket) return base::unexpected<std::string>(socket.error());
    socket_.emplace(std::move(*socket));
    for (std::size_t i = 0; i < questions_.size(); ++i)
      client_.request(start_, packet::FrameType::dns, questions_[i].query, i);
    pump();
    loop_.run();
    return {};
  }

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] std::uint32_t key_serial() const { return client_.state(net::now()).key_serial; }

 private:
  static packet::ClientConfig client_config(const packet::Stamp& stamp,
                                            const QueryOptions& options) {
    packet::ClientConfig config;
    config.identity = stamp.identity;
    config.pinned_key = stamp.pinned;
    config.request_lifetime = options.timeout;
    return config;
  }

  void note(bool sent, base::Bytes datagram) {
    steps_.push_back({net::now() - start_, sent, datagram_type(datagram), datagram.size()});
  }

  void pump() {
    take_events();
    const base::Instant now = net::now();
    while (const std::size_t size = client_.poll_transmit(now, socket_->next())) {
      note(true, socket_->next().first(size));
      socket_->commit({}, size);
    }
    socket_->flush();
    timer_.want(client_.next_timeout());
    if (ended_ == questions_.size()) loop_.stop();
  }

  void take_events() {
    packet::ClientEvent event;
    while (client_.poll_event(event)) {
      ++ended_;
      if (const auto* answer = std::get_if<packet::Answer>(&event)) {
        Question& question = questions_[answer->tag];
        question.answer = *answer;
        question.answer.payload = {};
        auto message = dns::message_text(answer->payload);
        if (message) {
          question.message = std::move(*message);
        } else {
          question.reason = packet::FailReason::malformed;
          question.failure = "the answer is malformed: " + message.error();
        }
      } else {
        const auto& failed = std::get<packet::Failed>(event);
        questions_[failed.tag].failure = describe(failed);
        questions_[failed.tag].reason = failed.reason;
      }
    }
  }

  std::vector<Question>& questions_;
  base::Instant start_;
  net::EventLoop loop_;
  packet::Client client_;
  std::optional<net::UdpSocket> socket_;
  net::DeadlineTimer timer_;
  std::vector<Step> steps_;
  std::size_t ended_ = 0;
  bool refused_ = false;
};

void print_section(const char* title, const std::vector<dns::TextRecord>& records) {
  if (records.empty()) return;
  fmt::print(";; {} SECTION:\n", title);
  for (const auto& r : records)
    fmt::print("{}\t{}\t{}\t{}\t{}\n", r.owner, r.ttl, r.rr_class, r.type, r.data);
  fmt::print("\n");
}

void print_message(const dns::TextMessage& m) {
  fmt::print(";; ->>HEADER<<- opcode: QUERY, status: {}, id: {}\n", dns::rcode_text(m.rcode), m.id);
  fmt::print(";; flags: {}; QUERY: 1, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n\n",
             dns::flags_text(m.flags), m.answer.size(), m.authority.size(),
             m.additional.size() + (m.has_opt ? 1 : 0));
  if (m.has_opt) {
    fmt::print(";; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:{}; udp: {}\n",
               m.dnssec_ok ? " do" : "", m.udp_size);
    for (const auto& error : m.errors) {
      const auto text = error.text.empty() ? std::string() : fmt::format(": ({})", error.text);
      fmt::print("; EDE: {}{}\n", error.code, text);
    }
  }
  fmt::print(";; QUESTION SECTION:\n;{}\t\t{}\t{}\n\n", m.question_name, m.question_class,
             m.question_type);
  print_section("ANSWER", m.answer);
  print_section("AUTHORITY", m.authority);
  print_section("ADDITIONAL", m.additional);
}

std::string gateway_text(const packet::Stamp& stamp) {
  const auto address = base::to_string(stamp.address);
  return stamp.name.empty() ? address : fmt::format("{} ({})", stamp.name, address);
}

void print_for_people(const std::vector<Question>& questions, const packet::Stamp& stamp,
                      const Conversation& conversation, const QueryOptions& options) {
  for (const Question& question : questions) {
    if (!question.message) {
      fmt::print(";; {} {}: {}\n\n", options.name.to_text(), question.type, question.failure);
      continue;
    }
    print_message(*question.message);
    fmt::print(";; Query time: {:.2f} ms\n", milliseconds(question.answer.elapsed));
    fmt::print(";; Gateway: {}, key serial {}\n", gateway_text(stamp), conversation.key_serial());
    fmt::print(";; Sealed: {} bytes out, {} bytes back, sent {} time{}\n\n",
               question.answer.datagram_size, question.answer.datagram_size,
               question.answer.transmissions, question.answer.transmissions == 1 ? "" : "s");
  }
  if (!options.trace) return;
  fmt::print(";; TRACE:\n");
  for (const Step& step : conversation.steps())
    fmt::print(";; {:8.3f} ms  {} {:20} {:5} bytes\n", milliseconds(step.at),
               step.sent ? "->" : "<-", step.type, step.size);
}

Json section_json(const std::vector<dns::TextRecord>& records) {
  Json out = Json::array();
  for (const auto& r : records)
    out.push_back({{"name", r.owner},
                   {"ttl", r.ttl},
                   {"class", r.rr_class},
                   {"type", r.type},
                   {"data", r.data}});
  return out;
}

Json question_json(const Question& question) {
  if (!question.message) return {{"type", question.type}, {"error", question.failure}};
  const auto& m = *question.message;
  Json errors = Json::array();
  for (const auto& e : m.errors) errors.push_back({{"code", e.code}, {"text", e.text}});
  return {{"type", question.type},
          {"status", dns::rcode_text(m.rcode)},
          {"flags", dns::flags_text(m.flags)},
          {"answer", section_json(m.answer)},
          {"authority", section_json(m.authority)},
          {"additional", section_json(m.additional)},
          {"extended_errors", errors},
          {"elapsed_ms", milliseconds(question.answer.elapsed)},
          {"round_trip_ms", milliseconds(question.answer.round_trip)},
          {"sealed_bytes", question.answer.datagram_size},
          {"transmissions", question.answer.transmissions}};
}

void print_json(const std::vector<Question>& questions, const packet::Stamp& stamp,
                const Conversation& conversation, const QueryOptions& options) {
  Json out = {{"name", options.name.to_text()},
              {"gateway", {{"name", stamp.name}, {"address", base::to_string(stamp.address)}}},
              {"key_serial", conversation.key_serial()}};
  for (const Question& question : questions) out["queries"].push_back(question_json(question));
  if (options.trace)
    for (const Step& step : conversation.steps())
      out["trace"].push_back({{"at_ms", milliseconds(step.at)},
                              {"direction", step.sent ? "out" : "in"},
                              {"datagram", step.type},
                              {"bytes", step.size}});
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

bool is_silence(const Question& question) {
  return !question.message && (question.reason == packet::FailReason::timed_out ||
                               question.reason == packet::FailReason::no_key);
}

Exit exit_of(const std::vector<Question>& questions) {
  for (const Question& question : questions) {
    if (!question.message) return kFailed;
    const auto rcode = question.message->rcode;
    if (rcode != dns::Rcode::no_error && rcode != dns::Rcode::nx_domain) return kFailed;
  }
  return kOk;
}

}  // namespace

int run_query(const QueryOptions& options) {
  crypto::SystemRng rng;
  std::vector<Question> questions;
  for (const std::uint16_t type : options.types) {
    questions.emplace_back();
    questions.back().type = dns::record_type_text(type);
    questions.back().query = build(type, options, rng);
  }
  std::string last;
  for (const packet::Stamp& stamp : options.gateways) {
    Conversation conversation(stamp, options, questions, rng);
    const auto ran = conversation.run(stamp.address);
    last = fmt::format("gateway {}: {}", gateway_text(stamp),
                       !ran                     ? ran.error()
                       : conversation.refused() ? "nothing listens there"
                                                : questions.front().failure);
    if (!ran || std::all_of(questions.begin(), questions.end(), is_silence)) continue;
    options.json ? print_json(questions, stamp, conversation, options)
                 : print_for_people(questions, stamp, conversation, options);
    return exit_of(questions);
  }
  return fail(kUnreachable, last, "is the gateway running, and is the stamp its newest one?");
}

}  // namespace boxgram::tools
