#include "render.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "text_table.hpp"

namespace boxgram::tools {
namespace {

using control::Json;
using control::MethodId;

const std::vector<std::string> kUpstreamKeys = {"name",     "health", "srtt_us", "p95_us", "sent",
                                                "answered", "silent", "failed",  "poor"};
const std::vector<std::string> kCachedKeys = {
    "type", "dnssec_ok", "checking_disabled", "state", "rcode", "age_s", "left_s", "message_bytes"};

struct List {
  const char* member;
  std::vector<std::string> keys;
  const char* none;  ///< said of an empty one
};

const std::map<MethodId, List>& lists() {
  static const std::map<MethodId, List> all = {
      {MethodId::upstreams, {"upstreams", kUpstreamKeys, "no upstream is configured"}},
      {MethodId::keys_list,
       {"keys", {"id", "serial", "not_before_unix", "not_after_unix", "newest"}, "no key"}},
      {MethodId::keys_rotate,
       {"keys", {"id", "serial", "not_before_unix", "not_after_unix", "newest"}, "no key"}},
      {MethodId::clients_list, {"clients", {"name", "services", "key"}, "the allow-list is empty"}},
      {MethodId::sessions_list,
       {"sessions",
        {"id", "client", "from", "age_s", "requests", "outstanding", "in_bytes", "out_bytes"},
        "no session is open"}},
  };
  return all;
}

Json member(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object.at(name) : Json();
}

using Row = std::vector<TextTable::Cell>;

void add_members(const Json& object, std::string_view prefix, std::vector<Row>& rows) {
  for (const auto& [key, value] : object.items()) {
    const std::string title =
        prefix.empty() ? printable(key) : fmt::format("{} {}", prefix, printable(key));
    // Three levels at the most: a family, its label, a quantile.
    if (value.is_object() && title.size() < 200)
      add_members(value, title, rows);
    else
      rows.push_back(
          {{prefix.empty() ? title_of(key) : title}, {with_unit(key, value), value.is_number()}});
  }
}

/// Names and values, one a line; numbers stand below each other unless there is text among them.
std::string members_text(const Json& object) {
  if (!object.is_object() || object.empty()) return "done\n";
  std::vector<Row> rows;
  add_members(object, {}, rows);
  const bool all_numbers =
      std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row[1].right; });
  TextTable table({"", ""});
  for (Row& row : rows) {
    row[1].right = all_numbers;
    table.add(std::move(row));
  }
  return table.text();
}

std::string list_text(const List& list, const Json& result) {
  const auto table = table_of(member(result, list.member), list.keys);
  return table.empty() ? fmt::format("{}\n", list.none) : table.text();
}

std::string show_text(const Json& result) {
  const Json entries = member(result, "entries");
  if (!entries.is_array() || entries.empty()) return "nothing is cached for this name\n";
  std::string text = table_of(entries, kCachedKeys).text();
  for (const Json& entry : entries) {
    const Json records = member(entry, "records");
    if (!records.is_array() || records.empty()) continue;
    text += fmt::format("\n{}\n", with_unit("type", member(entry, "type")));
    for (const Json& record : records) text += fmt::format("  {}\n", with_unit("record", record));
  }
  const Json left_out = member(result, "records_left_out");
  if (left_out.is_number() && left_out != 0)
    text += fmt::format("\n{} more records do not fit here\n", with_unit("n", left_out));
  return text;
}

std::string explain_text(const Json& result) {
  std::string text = fmt::format("{} {}: {}\n", with_unit("name", member(result, "name")),
                                 with_unit("type", member(result, "type")),
                                 with_unit("why", member(result, "why")));
  const Json entry = member(result, "entry");
  if (entry.is_string()) text += fmt::format("rule: {}\n", with_unit("entry", entry));
  const Json cached = member(result, "cached");
  if (cached.is_object())
    text += "\nCACHED\n" + table_of(Json::array({cached}), kCachedKeys).text();
  const auto upstreams = table_of(member(result, "upstreams"), kUpstreamKeys);
  if (!upstreams.empty())
    text += "\nUPSTREAMS, in the order in which they are asked\n" + upstreams.text();
  return text;
}

std::string load_text(const Json& result) {
  std::string text = fmt::format(
      "{} taken, {} passed over (too old, or younger ones are there), {} refused\n",
      with_unit("n", member(result, "taken")), with_unit("n", member(result, "passed_over")),
      with_unit("n", member(result, "refused")));
  const Json mistakes = member(result, "mistakes");
  if (!mistakes.is_array()) return text;
  for (const Json& mistake : mistakes)
    text += fmt::format("  line {}: {}\n", with_unit("line", member(mistake, "line")),
                        with_unit("message", member(mistake, "message")));
  return text;
}

}  // namespace

std::string render(const control::Method& method, const Json& result) {
  if (const auto list = lists().find(method.id); list != lists().end())
    return list_text(list->second, result);
  switch (method.id) {
    case MethodId::cache_show:
      return show_text(result);
    case MethodId::explain:
      return explain_text(result);
    case MethodId::cache_load:
      return load_text(result);
    case MethodId::cache_flush:
      return fmt::format("answers forgotten: {}\n", with_unit("n", member(result, "flushed")));
    default:
      return members_text(result);
  }
}

}  // namespace boxgram::tools
