#include <algorithm>
#include <array>
#include <string_view>

#include <boxgram/dns/special_names.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

namespace {

/// A zone's name in wire form, made from its text at compile time.
struct ZoneName {
  std::array<std::uint8_t, 80> wire{};
  std::size_t size = 0;

  consteval explicit ZoneName(std::string_view text) {
    while (!text.empty()) {
      const std::size_t dot = std::min(text.find('.'), text.size());
      wire[size++] = static_cast<std::uint8_t>(dot);
      for (const char c : text.substr(0, dot)) wire[size++] = static_cast<std::uint8_t>(c);
      text.remove_prefix(std::min(dot + 1, text.size()));
    }
    wire[size++] = 0;
  }

  [[nodiscard]] base::Bytes bytes() const { return base::Bytes(wire).first(size); }
};

constexpr ZoneName kAbsent[] = {ZoneName("invalid"), ZoneName("test"), ZoneName("onion"),
                                ZoneName("alt")};
constexpr ZoneName kArpa("arpa");
constexpr ZoneName kLocalhost("localhost");
constexpr ZoneName kLoopback4("1.0.0.127.in-addr.arpa");
constexpr ZoneName kLoopback6(
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa");

constexpr ZoneName kArpaZones[] = {
    ZoneName("home.arpa"),
    ZoneName("0.in-addr.arpa"),
    ZoneName("10.in-addr.arpa"),
    ZoneName("127.in-addr.arpa"),
    ZoneName("254.169.in-addr.arpa"),
    ZoneName("168.192.in-addr.arpa"),
    ZoneName("2.0.192.in-addr.arpa"),
    ZoneName("100.51.198.in-addr.arpa"),
    ZoneName("113.0.203.in-addr.arpa"),
    ZoneName("255.255.255.255.in-addr.arpa"),
    ZoneName("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"),
    ZoneName("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"),
    ZoneName("d.f.ip6.arpa"),
    ZoneName("8.e.f.ip6.arpa"),
    ZoneName("9.e.f.ip6.arpa"),
    ZoneName("a.e.f.ip6.arpa"),
    ZoneName("b.e.f.ip6.arpa"),
    ZoneName("8.b.d.0.1.0.0.2.ip6.arpa"),
};

/// Zones with a range of numbers in front: 172.16/12 (RFC 6303) and 100.64/10 (RFC 7793).
struct NumberedZones {
  ZoneName parent;
  int first;
  int last;
};
constexpr NumberedZones kNumberedZones[] = {{ZoneName("172.in-addr.arpa"), 16, 31},
                                            {ZoneName("100.in-addr.arpa"), 64, 127}};

bool equal(base::Bytes a, const ZoneName& b) {
  return std::ranges::equal(a, b.bytes());
}

/// A label of one to three digits as a number, else -1.
int number_of(base::Bytes label) {
  if (label.empty() || label.size() > 3 || label[0] == '0') return -1;
  int value = 0;
  for (const std::uint8_t c : label) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

SpecialMatch in_zone(std::size_t apex, std::uint16_t type) {
  if (apex > 0) return {SpecialName::no_domain, apex};
  if (type == rrtype::ds) return {};
  return {SpecialName::no_data, apex};
}

SpecialMatch match_arpa(base::Bytes name, std::uint16_t type) {
  if (type == rrtype::ptr && (equal(name, kLoopback4) || equal(name, kLoopback6)))
    return {SpecialName::localhost, 0};
  for (std::size_t at = 0; name[at] != 0; at += name[at] + 1U) {
    const base::Bytes suffix = name.subspan(at);
    for (const auto& zone : kArpaZones)
      if (equal(suffix, zone)) return in_zone(at, type);
    for (const auto& zones : kNumberedZones) {
      if (!equal(suffix.subspan(suffix[0] + 1U), zones.parent)) continue;
      const int number = number_of(suffix.subspan(1, suffix[0]));
      if (number >= zones.first && number <= zones.last) return in_zone(at, type);
    }
  }
  return {};
}

}  // namespace

SpecialMatch match_special_name(base::Bytes name, std::uint16_t type) {
  std::size_t top = 0;
  for (std::size_t at = 0; name[at] != 0; at += name[at] + 1U) top = at;
  const base::Bytes last = name.subspan(top);
  switch (last[0]) {
    case 3:
    case 4:
    case 5:
    case 7:
      if (equal(last, kArpa)) return match_arpa(name, type);
      for (const auto& zone : kAbsent)
        if (equal(last, zone)) return {SpecialName::no_domain, top};
      return {};
    case 9:
      if (!equal(last, kLocalhost)) return {};
      if (type == rrtype::ds && top == 0) return {};
      return {SpecialName::loopback, top};
    default:
      return {};
  }
}

}  // namespace boxgram::dns
