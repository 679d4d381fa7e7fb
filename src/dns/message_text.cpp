#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/dns/message_text.hpp>
#include <boxgram/dns/record_text.hpp>

#include "record.hpp"

namespace boxgram::dns {
namespace {

using base::Bytes;
using base::unexpected;

constexpr std::uint16_t kExtendedErrorOption = 15;

std::string class_text(std::uint16_t rr_class) {
  if (rr_class == rrclass::in) return "IN";
  if (rr_class == rrclass::chaos) return "CH";
  if (rr_class == rrclass::any) return "ANY";
  return fmt::format("CLASS{}", rr_class);
}

std::string ip_text(Bytes ip) {
  auto address = base::SocketAddress::v4(0, 0, 0, 0, 0);
  std::copy(ip.begin(), ip.end(), address.ip.end() - static_cast<std::ptrdiff_t>(ip.size()));
  return base::ip_to_string(address);
}

/// Whoever wrote the octets must not write to the terminal that shows them.
std::string escaped_text(Bytes octets) {
  std::string text;
  for (const std::uint8_t c : octets) {
    if (c == '"' || c == '\\')
      text += fmt::format("\\{}", static_cast<char>(c));
    else if (c >= ' ' && c <= '~')
      text += static_cast<char>(c);
    else
      text += fmt::format("\\{:03}", c);
  }
  return text;
}

std::string quoted_text(Bytes octets) {
  return '"' + escaped_text(octets) + '"';
}

std::string opaque_text(Bytes rdata) {
  return rdata.empty() ? "\\# 0" : fmt::format("\\# {} {:02X}", rdata.size(), fmt::join(rdata, ""));
}

/// RDATA field by field; fails for good at the first that is not there.
class Rdata {
 public:
  Rdata(Bytes message, const Record& record)
      : message_(message.first(record.rdata + record.size)), offset_(record.rdata) {}

  [[nodiscard]] bool done() const { return ok_ && offset_ == message_.size(); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] Bytes rest() const { return message_.subspan(offset_); }

  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const std::uint8_t b : take(size)) value = value << 8 | b;
    return value;
  }
  Bytes take(std::size_t size) {
    if (!ok_ || size > message_.size() - offset_) {
      ok_ = false;
      return {};
    }
    offset_ += size;
    return message_.subspan(offset_ - size, size);
  }
  Bytes string() { return take(number(1)); }
  std::string name() {
    const auto name = Name::read(message_, offset_);
    ok_ = ok_ && name;
    return name ? name->to_text() : std::string();
  }

 private:
  Bytes message_;
  std::size_t offset_;
  bool ok_ = true;
};

std::string soa_text(Rdata& in) {
  std::string text = in.name();
  text += " " + in.name();
  for (int i = 0; i < 5; ++i) text += fmt::format(" {}", in.number(4));
  return text;
}

std::string service_text(Rdata& in) {
  static constexpr std::string_view kKeys[] = {"mandatory", "alpn", "no-default-alpn", "port",
                                               "ipv4hint",  "ech",  "ipv6hint"};
  std::string text = fmt::format("{}", in.number(2));
  text += " " + in.name();
  while (in.ok() && !in.done()) {
    const auto key = in.number(2);
    const Bytes value = in.take(in.number(2));
    text += key < std::size(kKeys) ? fmt::format(" {}", kKeys[key]) : fmt::format(" key{}", key);
    const std::size_t address_size = key == 4 ? 4 : 16;
    if (key == 3 && value.size() == 2) {
      text += fmt::format("={}", base::load_be16(value.data()));
    } else if (key == 1) {
      std::vector<std::string> protocols;
      for (Bytes left = value; !left.empty() && left[0] < left.size();
           left = left.subspan(left[0] + 1u))
        protocols.push_back(escaped_text(left.subspan(1, left[0])));
      text += fmt::format("={}", fmt::join(protocols, ","));
    } else if ((key == 4 || key == 6) && value.size() % address_size == 0) {
      std::vector<std::string> hints;
      for (std::size_t i = 0; i < value.size(); i += address_size)
        hints.push_back(ip_text(value.subspan(i, address_size)));
      text += fmt::format("={}", fmt::join(hints, ","));
    } else if (!value.empty()) {
      text += "=" + quoted_text(value);
    }
  }
  return text;
}

std::string known_text(std::uint16_t type, Rdata& in) {
  switch (type) {
    case rrtype::a:
      return ip_text(in.take(4));
    case rrtype::aaaa: {
      base::SocketAddress address;
      const Bytes ip = in.take(16);
      std::copy(ip.begin(), ip.end(), address.ip.begin());
      return base::ip_to_string(address);
    }
    case rrtype::ns:
    case rrtype::cname:
    case rrtype::ptr:
    case rrtype::dname:
      return in.name();
    case rrtype::mx: {
      const auto preference = in.number(2);
      return fmt::format("{} {}", preference, in.name());
    }
    case rrtype::srv: {
      const auto priority = in.number(2);
      const auto weight = in.number(2);
      const auto port = in.number(2);
      return fmt::format("{} {} {} {}", priority, weight, port, in.name());
    }
    case rrtype::soa:
      return soa_text(in);
    case rrtype::txt: {
      std::vector<std::string> strings;
      do strings.push_back(quoted_text(in.string()));
      while (in.ok() && !in.done());
      return fmt::format("{}", fmt::join(strings, " "));
    }
    case rrtype::caa: {
      const auto flags = in.number(1);
      const Bytes tag = in.string();
      const Bytes value = in.take(in.rest().size());
      return fmt::format("{} {} {}", flags, escaped_text(tag), quoted_text(value));
    }
    case rrtype::svcb:
    case rrtype::https:
      return service_text(in);
    default:
      return {};
  }
}

std::string rdata_text(Bytes message, const Record& record) {
  Rdata in(message, record);
  std::string text = known_text(record.type, in);
  if (!text.empty() && in.done()) return text;
  return opaque_text(message.subspan(record.rdata, record.size));
}

bool read_opt(Bytes message, const Record& record, TextMessage& out) {
  out.has_opt = true;
  out.udp_size = record.rr_class;
  out.dnssec_ok = (record.ttl & 0x8000) != 0;
  out.rcode = static_cast<Rcode>(static_cast<std::uint32_t>(out.rcode) | record.ttl >> 24 << 4);
  return walk_options(
      message.subspan(record.rdata, record.size), [&](std::uint16_t code, Bytes value) {
        if (code == kExtendedErrorOption && value.size() >= 2)
          out.errors.push_back({base::load_be16(value.data()), escaped_text(value.subspan(2))});
      });
}

}  // namespace

base::expected<TextMessage, std::string> message_text(Bytes message) {
  if (message.size() < kHeaderSize) return unexpected<std::string>("shorter than a header");
  TextMessage out;
  out.id = base::load_be16(message.data());
  out.flags = base::load_be16(message.data() + 2);
  out.rcode = static_cast<Rcode>(out.flags & 0x0f);
  std::size_t offset = kHeaderSize;
  for (int i = base::load_be16(message.data() + 4); i > 0; --i) {
    const auto name = Name::read(message, offset);
    if (!name || message.size() - offset < 4)
      return unexpected<std::string>("the question breaks off");
    out.question_name = name->to_text();
    out.question_type = record_type_text(base::load_be16(message.data() + offset));
    out.question_class = class_text(base::load_be16(message.data() + offset + 2));
    offset += 4;
  }
  std::vector<TextRecord>* const sections[] = {&out.answer, &out.authority, &out.additional};
  for (std::size_t s = 0; s < 3; ++s) {
    for (int i = base::load_be16(message.data() + 6 + 2 * s); i > 0; --i) {
      Record record;
      if (!read_record(message, offset, record))
        return unexpected<std::string>(fmt::format("a record breaks off at byte {}", offset));
      if (record.type == rrtype::opt) {
        if (!read_opt(message, record, out))
          return unexpected<std::string>("the EDNS options break off");
        continue;
      }
      sections[s]->push_back({record.owner.to_text(), record.ttl, class_text(record.rr_class),
                              record_type_text(record.type), rdata_text(message, record)});
    }
  }
  return out;
}

std::string rcode_text(Rcode rcode) {
  static constexpr std::string_view kNames[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                "NXRRSET", "NOTAUTH", "NOTZONE"};
  const auto number = static_cast<std::size_t>(rcode);
  if (number < std::size(kNames)) return std::string(kNames[number]);
  if (rcode == Rcode::bad_version) return "BADVERS";
  return fmt::format("RCODE{}", number);
}

std::string flags_text(std::uint16_t flags) {
  static constexpr std::pair<std::uint16_t, std::string_view> kFlags[] = {
      {flag::response, "qr"},
      {flag::authoritative, "aa"},
      {flag::truncated, "tc"},
      {flag::recursion_desired, "rd"},
      {flag::recursion_available, "ra"},
      {flag::authentic_data, "ad"},
      {flag::checking_disabled, "cd"}};
  std::string text;
  for (const auto& [bit, name] : kFlags)
    if (flags & bit) text += (text.empty() ? "" : " ") + std::string(name);
  return text;
}

}  // namespace boxgram::dns
