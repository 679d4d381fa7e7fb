// boxgram query: one sealed query for each type, without a stub, shown as dig shows it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/dns/message_text.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>
#include <boxgram/dns/record_text.hpp>

#include "commands.hpp"
#include "conversation.hpp"

namespace boxgram::tools {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds(base::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

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
    if (question.by_stream)
      fmt::print(";; Sealed: over a stream, since it fits no datagram\n\n");
    else
      fmt::print(";; Sealed: {} bytes out, {} bytes back, sent {} time{}\n\n",
                 question.answer.datagram_size, question.answer.datagram_size,
                 question.answer.transmissions, question.answer.transmissions == 1 ? "" : "s");
  }
  if (!options.trace) return;
  fmt::print(";; TRACE:\n");
  for (const Step& step : conversation.steps())
    fmt::print(";; {:8.3f} ms  {} {:20} {:5} bytes{}\n", milliseconds(step.at),
               step.sent ? "->" : "<-", step.type, step.size, step.by_stream ? " (TCP)" : "");
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
  Json out = {{"type", question.type},
              {"status", dns::rcode_text(m.rcode)},
              {"flags", dns::flags_text(m.flags)},
              {"answer", section_json(m.answer)},
              {"authority", section_json(m.authority)},
              {"additional", section_json(m.additional)},
              {"extended_errors", errors},
              {"elapsed_ms", milliseconds(question.answer.elapsed)},
              {"transport", question.by_stream ? "stream" : "datagram"}};
  if (question.by_stream) return out;
  out["round_trip_ms"] = milliseconds(question.answer.round_trip);
  out["sealed_bytes"] = question.answer.datagram_size;
  out["transmissions"] = question.answer.transmissions;
  return out;
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
                              {step.by_stream ? "stream" : "datagram", step.type},
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
    Conversation conversation(stamp, options.timeout, questions, rng);
    const auto ran = conversation.run();
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
