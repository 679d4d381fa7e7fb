#include "rdata_text.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/dns/types.hpp>

#include "text_lines.hpp"

namespace boxgram::dns {

namespace {

void append(std::vector<std::uint8_t>& out, base::Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_u16(std::vector<std::uint8_t>& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/// The part in front of the next comma, which is taken off as well.
std::string_view next_item(std::string_view& list) {
  const std::size_t comma = list.find(',');
  const std::string_view item = list.substr(0, comma);
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  return item;
}

}  // namespace

bool RdataText::fail(std::string_view expected) {
  if (!error_.empty()) return false;
  error_ = "expected " + std::string(expected) + ", found ";
  error_ += at_end() ? "the end of the line" : quoted(peek());
  return false;
}

bool RdataText::name(Name& out) {
  if (at_end()) return fail("a domain name");
  const auto parsed = Name::from_text(peek());
  if (!parsed) return fail("a domain name");
  out = *parsed;
  skip();
  return true;
}

bool RdataText::number(std::uint32_t& out, std::uint32_t max, std::string_view what) {
  if (at_end()) return fail(what);
  const std::string_view text = peek();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || out > max)
    return fail(std::string(what) + " (0 to " + std::to_string(max) + ")");
  skip();
  return true;
}

bool RdataText::put_name(Rdata& out) {
  Name parsed;
  if (!name(parsed)) return false;
  append(out, parsed.wire());
  return true;
}

bool RdataText::put_u8(Rdata& out, std::string_view what) {
  std::uint32_t value = 0;
  if (!number(value, 255, what)) return false;
  out.push_back(static_cast<std::uint8_t>(value));
  return true;
}

bool RdataText::put_u16(Rdata& out, std::string_view what) {
  std::uint32_t value = 0;
  if (!number(value, 65535, what)) return false;
  append_u16(out, value);
  return true;
}

bool RdataText::put_u32(Rdata& out, std::string_view what) {
  std::uint32_t value = 0;
  if (!number(value, 0xffffffff, what)) return false;
  append_u16(out, value >> 16);
  append_u16(out, value & 0xffff);
  return true;
}

bool RdataText::put_address(Rdata& out, bool v4) {
  if (at_end()) return fail(v4 ? "an IPv4 address" : "an IPv6 address");
  const std::string_view text = peek();
  const auto ip = base::parse_ip(text);
  if (!ip || (text.find(':') == text.npos) != v4)
    return fail(v4 ? "an IPv4 address" : "an IPv6 address");
  append(out, base::Bytes(*ip).subspan(v4 ? 12 : 0));
  skip();
  return true;
}

/// Undoes `\DDD` and `\c`.
bool RdataText::octets(std::string_view text, Rdata& out) {
  while (!text.empty()) {
    if (text[0] != '\\') {
      out.push_back(static_cast<std::uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(1);
    if (text.empty()) return fail("a character after the backslash");
    if (text[0] < '0' || text[0] > '9') {
      out.push_back(static_cast<std::uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(0, 3);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end != digits.data() + 3 || value > 255) return fail("\\DDD with DDD from 000 to 255");
    out.push_back(static_cast<std::uint8_t>(value));
    text.remove_prefix(3);
  }
  return true;
}

bool RdataText::put_string(Rdata& out) {
  if (at_end()) return fail("a text in quotes");
  Rdata value;
  if (!octets(peek(), value)) return false;
  if (value.size() > 255) return fail("a text of at most 255 octets");
  out.push_back(static_cast<std::uint8_t>(value.size()));
  append(out, value);
  skip();
  return true;
}

/// `\# LENGTH HEX...` (RFC 3597, section 5).
bool RdataText::generic(Rdata& out) {
  skip();
  std::uint32_t size = 0;
  if (!number(size, 65535, "the length of the data")) return false;
  int high = -1;
  for (; !at_end(); skip()) {
    for (const char c : peek()) {
      const int digit = hex_digit(c);
      if (digit < 0) return fail("hexadecimal digits");
      if (high >= 0) out.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = high >= 0 ? -1 : digit;
    }
  }
  if (high >= 0 || out.size() != size)
    return fail(std::to_string(2 * std::size_t{size}) + " hexadecimal digits");
  return true;
}

bool RdataText::txt(Rdata& out) {
  do {
    if (!put_string(out)) return false;
  } while (!at_end());
  return true;
}

bool RdataText::caa(Rdata& out) {
  if (!put_u8(out, "the flags") || !put_string(out)) return false;
  if (at_end()) return fail("a value in quotes");
  if (!octets(peek(), out)) return false;
  skip();
  return true;
}

bool RdataText::soa(Rdata& out) {
  return put_name(out) && put_name(out) && put_u32(out, "the serial") &&
         put_u32(out, "the refresh interval in seconds") &&
         put_u32(out, "the retry interval in seconds") && put_u32(out, "the expiry in seconds") &&
         put_u32(out, "the minimum TTL in seconds");
}

bool RdataText::addresses(std::string_view list, bool v4, Rdata& out) {
  while (!list.empty()) {
    const std::string_view item = next_item(list);
    const auto ip = base::parse_ip(item);
    if (!ip || (item.find(':') == item.npos) != v4) break;
    append(out, base::Bytes(*ip).subspan(v4 ? 12 : 0));
    if (list.empty()) return true;
  }
  return fail(v4 ? "ipv4hint=ADDRESS,..." : "ipv6hint=ADDRESS,...");
}

bool RdataText::service_parameter(std::string_view key, std::string_view value, bool has_value,
                                  std::uint16_t& number, Rdata& out) {
  if (key == "alpn" && has_value) {
    number = 1;
    while (!value.empty()) {
      const std::string_view item = next_item(value);
      if (item.empty() || item.size() > 255) return fail("alpn=PROTOCOL,...");
      out.push_back(static_cast<std::uint8_t>(item.size()));
      append(out, base::as_bytes(item));
    }
    return !out.empty() || fail("alpn=PROTOCOL,...");
  }
  if (key == "no-default-alpn" && !has_value) {
    number = 2;
    return true;
  }
  if (key == "port" && has_value) {
    number = 3;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), port);
    if (error != std::errc{} || end != value.data() + value.size()) return fail("port=NUMBER");
    append_u16(out, port);
    return true;
  }
  if (key == "ipv4hint" || key == "ipv6hint") {
    number = key == "ipv4hint" ? 4 : 6;
    return addresses(value, key == "ipv4hint", out);
  }
  return fail("alpn=, no-default-alpn, port=, ipv4hint= or ipv6hint= (else write TYPE65 \\# ...)");
}

/// Priority, target, parameters (RFC 9460, section 2.2): sorted by number, each at most once.
bool RdataText::service(Rdata& out) {
  if (!put_u16(out, "the priority") || !put_name(out)) return false;
  std::map<std::uint16_t, Rdata> parameters;
  for (; !at_end(); skip()) {
    std::string_view value = peek();
    const std::size_t equals = value.find('=');
    const std::string_view key = value.substr(0, equals);
    value.remove_prefix(equals == std::string_view::npos ? value.size() : equals + 1);
    if (value.size() > 1 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    std::uint16_t number = 0;
    Rdata data;
    if (!service_parameter(key, value, equals != std::string_view::npos, number, data))
      return false;
    if (!parameters.emplace(number, std::move(data)).second)
      return fail("each parameter at most once");
  }
  for (const auto& [number, data] : parameters) {
    append_u16(out, number);
    append_u16(out, data.size());
    append(out, data);
  }
  return true;
}

bool RdataText::known(std::uint16_t type, Rdata& out) {
  switch (type) {
    case rrtype::a:
      return put_address(out, true);
    case rrtype::aaaa:
      return put_address(out, false);
    case rrtype::cname:
    case rrtype::dname:
    case rrtype::ns:
    case rrtype::ptr:
      return put_name(out);
    case rrtype::mx:
      return put_u16(out, "the preference") && put_name(out);
    case rrtype::srv:
      return put_u16(out, "the priority") && put_u16(out, "the weight") &&
             put_u16(out, "the port") && put_name(out);
    case rrtype::txt:
      return txt(out);
    case rrtype::caa:
      return caa(out);
    case rrtype::soa:
      return soa(out);
    case rrtype::svcb:
    case rrtype::https:
      return service(out);
    default:
      return fail("\\# LENGTH HEX... for this type");
  }
}

bool RdataText::rdata(std::uint16_t type, Rdata& out) {
  const bool is_generic = !at_end() && peek() == "\\#" && !words_.front().in_quotes;
  if (!(is_generic ? generic(out) : known(type, out))) return false;
  if (!at_end()) return fail("nothing more");
  // One record must fit a message together with its question.
  if (out.size() > 65'000) return fail("at most 65,000 octets of data");
  return true;
}

}  // namespace boxgram::dns
