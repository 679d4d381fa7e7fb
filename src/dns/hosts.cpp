#include <boxgram/base/check.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/dns/hosts.hpp>
#include <boxgram/dns/types.hpp>

#include "text_lines.hpp"

namespace boxgram::dns {

namespace {

ZoneRecord address_record(const Name& owner, const base::SocketAddress& address) {
  const std::size_t skip = address.is_v4() ? 12 : 0;
  return {owner,
          address.is_v4() ? rrtype::a : rrtype::aaaa,
          Zone::kDefaultTtl,
          {address.ip.begin() + static_cast<std::ptrdiff_t>(skip), address.ip.end()}};
}

void add_reverse(const base::SocketAddress& address, const Name& name, Zone& zone) {
  const Name owner = reverse_name(address.ip);
  // One address, one canonical name: the first line decides, as in getnameinfo's reading.
  if (zone.find(owner, rrtype::ptr).match == Zone::Match::records) return;
  zone.add({owner, rrtype::ptr, Zone::kDefaultTtl, {name.wire().begin(), name.wire().end()}});
}

}  // namespace

Name reverse_name(const std::array<std::uint8_t, 16>& ip) {
  static constexpr char kHex[] = "0123456789abcdef";
  base::SocketAddress address;
  address.ip = ip;
  std::string text;
  if (address.is_v4()) {
    for (std::size_t i = 16; i-- > 12;) text += std::to_string(ip[i]) + '.';
    text += "in-addr.arpa";
  } else {
    for (std::size_t i = 16; i-- > 0;)
      for (const int nibble : {ip[i] & 15, ip[i] >> 4}) (text += kHex[nibble]) += '.';
    text += "ip6.arpa";
  }
  const auto name = Name::from_text(text);
  BOXGRAM_CHECK(name.has_value());
  return *name;
}

ListReport add_hosts(std::string_view text, Zone& zone) {
  ListReport report;
  for_each_line(text, "#", [&](std::uint32_t line, std::string_view rest) {
    std::string_view word = next_word(rest);
    word = word.substr(0, word.find('%'));  // a zone index says nothing to other hosts
    const auto ip = base::parse_ip(word);
    if (!ip) {
      report.add_mistake(line, "expected an IP address, found " + quoted(word));
      return;
    }
    if (rest.empty()) {
      report.add_mistake(line, "expected a name after the address " + quoted(word));
      return;
    }
    base::SocketAddress address;
    address.ip = *ip;
    bool first = true;
    for (word = next_word(rest); !word.empty(); word = next_word(rest)) {
      const auto name = Name::from_text(word);
      if (!name || name->is_root()) {
        report.add_mistake(line, "expected a domain name, found " + quoted(word));
        return;
      }
      zone.add(address_record(*name, address));
      if (first && !address.is_unspecified()) add_reverse(address, *name, zone);
      first = false;
      ++report.entries;
    }
  });
  return report;
}

}  // namespace boxgram::dns
