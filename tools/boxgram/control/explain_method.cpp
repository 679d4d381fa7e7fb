#include "explain_method.hpp"

#include <fmt/format.h>

#include <boxgram/dns/record_text.hpp>

#include "cache_methods.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using control::rpc_error;

std::uint64_t microseconds(base::Duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

const char* health_text(dns::UpstreamState::Health health) {
  switch (health) {
    case dns::UpstreamState::Health::healthy:
      return "healthy";
    case dns::UpstreamState::Health::suspect:
      return "suspect";
    case dns::UpstreamState::Health::down:
      break;
  }
  return "down";
}

const char* source_text(dns::Source source) {
  switch (source) {
    case dns::Source::refused:
      return "refused";
    case dns::Source::zone:
      return "local";
    case dns::Source::block_list:
      return "block_list";
    case dns::Source::special_name:
      return "special_name";
    case dns::Source::minimal_any:
      return "minimal_any";
    case dns::Source::upstream:
      break;
  }
  return "upstream";
}

std::string why_local(const dns::Explanation& way) {
  const std::string entry = way.entry ? way.entry->to_text() : "";
  switch (way.source) {
    case dns::Source::refused:
      return "refused: transfers and meta types are not forwarded";
    case dns::Source::zone:
      return fmt::format("answered by the local records of {}", entry);
    case dns::Source::block_list:
      return way.entry_is_exact
                 ? fmt::format("blocked: {} is listed", entry)
                 : fmt::format("blocked: {} is listed with all names below it", entry);
    case dns::Source::special_name:
      return fmt::format("a special-use name (at or below {}): answered here, never asked upstream",
                         entry);
    case dns::Source::minimal_any:
      return "ANY is answered here with one HINFO record (RFC 8482)";
    case dns::Source::upstream:
      break;
  }
  return {};
}

std::string why_cached(const dns::CacheEntryView& view) {
  const auto left = std::int64_t{view.answer.lifetime} - std::int64_t{view.age};
  switch (view.hit) {
    case dns::CacheHit::fresh:
      return fmt::format("answered from the cache for {} s more", left);
    case dns::CacheHit::stale:
      return view.may_try
                 ? fmt::format(
                       "expired {} s ago: the next question asks an upstream, and gets the "
                       "expired answer if none helps in time",
                       -left)
                 : fmt::format(
                       "expired {} s ago, and the last refresh failed: the expired answer "
                       "is served until the next try is due",
                       -left);
    case dns::CacheHit::failure:
      return "the last try failed: the failure is answered until its back-off ends";
    case dns::CacheHit::miss:
      break;
  }
  return {};
}

std::string why_upstream(const Explained& explained) {
  if (explained.upstreams.empty()) return "no upstream is configured for it: SERVFAIL";
  const auto& first = explained.upstreams.front();
  return fmt::format("not in the cache: {} is asked first{}", first.name,
                     first.state.health == dns::UpstreamState::Health::down
                         ? ", though it is down, for no other is better"
                         : "");
}

}  // namespace

Json upstream_rows(const std::vector<UpstreamRow>& upstreams) {
  Json rows = Json::array();
  for (const UpstreamRow& upstream : upstreams)
    rows.push_back({{"name", upstream.name},
                    {"health", health_text(upstream.state.health)},
                    {"srtt_us", microseconds(upstream.state.srtt)},
                    {"p95_us", microseconds(upstream.state.p95)},
                    {"sent", upstream.state.sent},
                    {"answered", upstream.state.answered},
                    {"silent", upstream.state.silent},
                    {"failed", upstream.state.failed},
                    {"poor", upstream.state.poor}});
  return rows;
}

base::expected<Question, control::RpcError> question_of(const Json& params) {
  const auto& text = params.at("name").get_ref<const std::string&>();
  const auto name = dns::Name::from_text(text);
  if (!name)
    return rpc_error(control::code::invalid_params, "parameter 'name' must be a domain name");
  const auto type = dns::parse_record_type(params.value("type", std::string("A")));
  if (!type) return rpc_error(control::code::invalid_params, type.error());
  return Question{*name, *type};
}

std::vector<std::uint8_t> query_for(const Question& question) {
  std::vector<std::uint8_t> query(dns::kMaxUpstreamQuerySize);
  dns::UpstreamQuery asked;
  asked.name = question.name.wire();
  asked.type = question.type;
  query.resize(dns::build_upstream_query(asked, query));
  return query;
}

Json explanation_json(const Question& question, const Explained& explained,
                      const dns::SharedCache* cache, base::Instant now) {
  const dns::Explanation& way = explained.way;
  Json result = {{"name", question.name.to_text()},
                 {"type", dns::record_type_text(question.type)},
                 {"source", source_text(way.source)}};
  if (way.entry) result["entry"] = way.entry->to_text();
  if (way.source != dns::Source::upstream) {
    result["why"] = why_local(way);
    return result;
  }
  result["upstreams"] = upstream_rows(explained.upstreams);
  if (cache != nullptr) {
    const dns::QueryKey key(question.name.wire(), question.type, dns::rrclass::in, false, false);
    cache->peek(
        key, now,
        [&](const dns::QueryKey& found, const dns::CacheEntryView& view) {
          result["cached"] = cached_state(found, view);
          result["why"] = why_cached(view);
          return true;
        },
        way.entry ? way.entry->size() : 1);
  }
  if (!result.contains("why")) result["why"] = why_upstream(explained);
  return result;
}

}  // namespace boxgram::tools
