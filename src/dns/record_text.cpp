#include <algorithm>
#include <charconv>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/dns/record_text.hpp>
#include <boxgram/dns/types.hpp>

#include "rdata_text.hpp"
#include "text_lines.hpp"

namespace boxgram::dns {

namespace {

using base::unexpected;

struct TypeName {
  std::string_view name;
  std::uint16_t type;
};

constexpr TypeName kTypes[] = {
    {"A", rrtype::a},
    {"AAAA", rrtype::aaaa},
    {"CNAME", rrtype::cname},
    {"DNAME", rrtype::dname},
    {"NS", rrtype::ns},
    {"PTR", rrtype::ptr},
    {"MX", rrtype::mx},
    {"TXT", rrtype::txt},
    {"SRV", rrtype::srv},
    {"CAA", rrtype::caa},
    {"SOA", rrtype::soa},
    {"SVCB", rrtype::svcb},
    {"HTTPS", rrtype::https},
    {"HINFO", rrtype::hinfo},
    {"NAPTR", rrtype::naptr},
    {"DS", rrtype::ds},
    {"DNSKEY", rrtype::dnskey},
    {"RRSIG", rrtype::rrsig},
    {"NSEC", rrtype::nsec},
    {"NSEC3", rrtype::nsec3},
    {"ANY", rrtype::any},
    {"TLSA", 52},
    {"SSHFP", 44},
    {"LOC", 29},
    {"OPENPGPKEY", 61},
    {"URI", 256},
    {"AXFR", rrtype::axfr},
    {"IXFR", rrtype::ixfr},
};

bool equal_text(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return lower(static_cast<std::uint8_t>(x)) == lower(static_cast<std::uint8_t>(y));
  });
}

/// Splits at blanks; quotes keep blanks, a backslash keeps the next character, `;` ends the line.
base::expected<std::vector<Word>, std::string> split(std::string_view line) {
  std::vector<Word> words;
  std::size_t i = 0;
  while (true) {
    while (i < line.size() && is_blank(line[i])) ++i;
    if (i == line.size() || line[i] == ';') return words;
    const bool in_quotes = line[i] == '"';
    const std::size_t start = i += in_quotes ? 1 : 0;
    while (i < line.size() && (in_quotes ? line[i] != '"' : !is_blank(line[i]) && line[i] != ';'))
      i += line[i] == '\\' && i + 1 < line.size() ? 2 : 1;
    if (in_quotes && i >= line.size())
      return unexpected<std::string>("expected a closing quote after " +
                                     quoted(line.substr(start)));
    words.push_back({line.substr(start, i - start), in_quotes});
    if (in_quotes) ++i;
  }
}

}  // namespace

base::expected<std::uint16_t, std::string> parse_record_type(std::string_view text) {
  for (const auto& known : kTypes)
    if (equal_text(text, known.name)) return known.type;
  if (text.size() > 4 && equal_text(text.substr(0, 4), "TYPE")) {
    const char* end = text.data() + text.size();
    std::uint16_t type = 0;
    const auto [stop, error] = std::from_chars(text.data() + 4, end, type);
    if (error == std::errc{} && stop == end) return type;
  }
  return unexpected<std::string>("expected a record type such as A, AAAA or TYPE65, found " +
                                 quoted(text));
}

std::string record_type_text(std::uint16_t type) {
  for (const auto& known : kTypes)
    if (known.type == type) return std::string(known.name);
  return "TYPE" + std::to_string(type);
}

base::expected<ZoneRecord, std::string> parse_record(std::string_view line) {
  const auto words = split(line);
  if (!words) return unexpected<std::string>(words.error());
  RdataText text(*words);
  if (words->empty()) return unexpected<std::string>("expected NAME [TTL] TYPE RDATA");
  ZoneRecord record;
  record.ttl = Zone::kDefaultTtl;
  if (!text.name(record.owner)) return unexpected<std::string>(text.error());
  // TTL and class may stand in either order (RFC 1035, section 5.1).
  for (int i = 0; i < 2 && !text.at_end(); ++i) {
    const std::string_view word = text.peek();
    const bool number = !word.empty() && word.find_first_not_of("0123456789") == word.npos;
    if (number && !text.number(record.ttl, 0x7fffffff, "a TTL in seconds"))
      return unexpected<std::string>(text.error());
    if (!number && equal_text(word, "IN")) text.skip();
  }
  if (text.at_end()) return unexpected<std::string>("expected a record type after the name");
  const auto type = parse_record_type(text.peek());
  if (!type) return unexpected<std::string>(type.error());
  // OPT and the meta types are not data (RFC 6895, section 3.1).
  if (*type == 0 || *type == rrtype::opt || (*type >= 128 && *type <= 255))
    return unexpected<std::string>("expected a type that a record can have, found " +
                                   quoted(text.peek()));
  text.skip();
  record.type = *type;
  if (!text.rdata(*type, record.rdata)) return unexpected<std::string>(text.error());
  return record;
}

ListReport add_records(std::string_view text, Zone& zone) {
  ListReport report;
  std::uint32_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // Not for_each_line: a quoted text may hold what looks like a comment.
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    auto record = parse_record(line);
    if (!record) {
      report.add_mistake(number, record.error());
      continue;
    }
    zone.add(std::move(*record));
    ++report.entries;
  }
  return report;
}

}  // namespace boxgram::dns
