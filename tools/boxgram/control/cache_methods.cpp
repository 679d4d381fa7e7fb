#include "cache_methods.hpp"

#include <vector>

#include <fmt/format.h>

#include <boxgram/control/cache_text.hpp>
#include <boxgram/dns/message_text.hpp>
#include <boxgram/dns/record_text.hpp>

namespace boxgram::tools {
namespace {

using control::Json;
using control::Result;
using control::rpc_error;

/// Of all records that cache.show gives. JSON may make twice as much of it, and the rest of a
/// message is for the entries.
constexpr std::size_t kMaxRecordText = 16 * 1024;
/// Of one record; the data of one alone can be 65,000 bytes.
constexpr std::size_t kMaxRecord = 1'024;

base::expected<dns::Name, control::RpcError> name_in(const Json& params, const char* parameter) {
  const auto& text = params.at(parameter).get_ref<const std::string&>();
  const auto name = dns::Name::from_text(text);
  if (!name)
    return rpc_error(control::code::invalid_params,
                     fmt::format("parameter '{}' must be a domain name", parameter));
  return *name;
}

const char* state_text(const dns::CacheEntryView& view) {
  switch (view.hit) {
    case dns::CacheHit::fresh:
      return "fresh";
    case dns::CacheHit::stale:
      return view.may_try ? "stale" : "stale, the last refresh failed";
    case dns::CacheHit::failure:
      return "failure";
    case dns::CacheHit::miss:
      break;
  }
  return "not held";
}

/// The records of answers as lines, as long as there is room; counts those that are left out.
class RecordLines {
 public:
  Json of(base::Bytes bytes) {
    Json lines = Json::array();
    const auto message = dns::message_text(bytes);
    if (!message) return lines;
    for (const auto* section : {&message->answer, &message->authority, &message->additional})
      for (const auto& record : *section) add(record, lines);
    return lines;
  }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  void add(const dns::TextRecord& record, Json& lines) {
    auto line = fmt::format("{} {} {} {} {}", record.owner, record.ttl, record.rr_class,
                            record.type, record.data);
    if (line.size() > kMaxRecord) line = line.substr(0, kMaxRecord) + " ...";
    if (size_ + line.size() > kMaxRecordText) {
      ++left_out_;
      return;
    }
    size_ += line.size();
    lines.push_back(std::move(line));
  }

  std::size_t size_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace

Json cached_state(const dns::QueryKey& key, const dns::CacheEntryView& view) {
  Json state = {{"name", dns::Name::from_wire(key.name())->to_text()},
                {"type", dns::record_type_text(key.type())},
                {"dnssec_ok", key.dnssec_ok()},
                {"checking_disabled", key.checking_disabled()},
                {"state", state_text(view)},
                {"rcode", dns::rcode_text(view.answer.rcode)}};
  if (view.hit == dns::CacheHit::failure) return state;
  state["age_s"] = view.age;
  // Below zero: expired so long ago.
  state["left_s"] = std::int64_t{view.answer.lifetime} - std::int64_t{view.age};
  state["message_bytes"] = dns::kHeaderSize + view.answer.body.size();
  return state;
}

Result cache_stats(const dns::SharedCache& cache) {
  const auto c = cache.counters();
  const auto lookups = c.hits + c.misses + c.stale_hits + c.failure_hits;
  return Json{{"entries", cache.size()},
              {"used_bytes", cache.bytes()},
              {"max_bytes", cache.max_bytes()},
              {"hits", c.hits},
              {"stale_hits", c.stale_hits},
              {"failure_hits", c.failure_hits},
              {"nxdomain_cut_hits", c.nxdomain_cut_hits},
              {"misses", c.misses},
              {"hit_ratio",
               lookups == 0 ? 0.0 : static_cast<double>(c.hits) / static_cast<double>(lookups)},
              {"stores", c.stores},
              {"restored", c.restored},
              {"refused", c.refused},
              {"evictions", c.evictions},
              {"expirations", c.expirations},
              {"flushed", c.flushed}};
}

Result cache_show(const dns::SharedCache& cache, const Json& params, base::Instant now) {
  const auto name = name_in(params, "name");
  if (!name) return base::unexpected<control::RpcError>(name.error());
  // Turned into text once the cache's lock is free again.
  std::vector<std::vector<std::uint8_t>> messages;
  Json entries = Json::array();
  cache.show(*name, now, [&](const dns::QueryKey& key, const dns::CacheEntryView& view) {
    auto& message = messages.emplace_back(dns::kMaxMessageSize);
    const std::uint32_t age = view.hit == dns::CacheHit::fresh ? view.age : 0;
    message.resize(control::message_of(key, view.answer, age, message).size());
    entries.push_back(cached_state(key, view));
    return true;
  });
  RecordLines records;
  for (std::size_t i = 0; i < messages.size(); ++i) entries[i]["records"] = records.of(messages[i]);
  return Json{{"name", name->to_text()},
              {"entries", std::move(entries)},
              {"records_left_out", records.left_out()}};
}

Result cache_flush(dns::SharedCache& cache, const Json& params) {
  const bool all = params.value("all", false);
  const bool by_name = params.contains("name");
  const bool by_suffix = params.contains("suffix");
  if (int{all} + int{by_name} + int{by_suffix} != 1)
    return rpc_error(control::code::invalid_params,
                     "cache.flush takes one of: a name, a suffix, all");
  if (all) return Json{{"flushed", cache.flush_all()}};
  const auto name = name_in(params, by_name ? "name" : "suffix");
  if (!name) return base::unexpected<control::RpcError>(name.error());
  return Json{{"flushed", by_name ? cache.flush(*name) : cache.flush_suffix(*name)}};
}

Result cache_dump(const dns::SharedCache& cache, const Json& params, base::Instant now) {
  auto page = control::dump_page(cache, params.value("cursor", std::string()), now);
  if (!page) return rpc_error(control::code::invalid_params, page.error());
  Json result = {{"lines", std::move(page->lines)}, {"left_out", page->left_out}};
  if (!page->cursor.empty()) result["cursor"] = page->cursor;
  return result;
}

Result cache_load(dns::SharedCache& cache, const Json& params, base::Instant now) {
  dns::AnswerBuilder builder;
  std::uint64_t taken = 0;
  std::uint64_t passed_over = 0;
  Json mistakes = Json::array();
  const Json& lines = params.at("lines");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto loaded =
        control::load_line(lines[i].get_ref<const std::string&>(), cache, builder, now);
    if (!loaded)
      mistakes.push_back({{"line", i + 1}, {"message", loaded.error()}});
    else
      ++(*loaded == control::Loaded::taken ? taken : passed_over);
  }
  const std::size_t refused = mistakes.size();
  // A list in the wrong format has a mistake on every line; ten show which.
  constexpr std::size_t kKept = 10;
  if (refused > kKept) mistakes.erase(mistakes.begin() + kKept, mistakes.end());
  return Json{{"taken", taken},
              {"passed_over", passed_over},
              {"refused", refused},
              {"mistakes", std::move(mistakes)}};
}

}  // namespace boxgram::tools
