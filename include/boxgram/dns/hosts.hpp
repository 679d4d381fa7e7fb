// Hosts files. Source: hosts(5).
#pragma once

#include <string_view>

#include <boxgram/dns/list_report.hpp>
#include <boxgram/dns/zone.hpp>

namespace boxgram::dns {

/// Reads lines `ADDRESS NAME [NAME...]`, `#` begins a comment, into `zone`: an A or AAAA record for
/// every name, and a PTR record from the address to its first name on its first line. Names of an
/// unspecified address (0.0.0.0, ::) get the address but no PTR. A mistake skips its line.
ListReport add_hosts(std::string_view text, Zone& zone);

/// The name under in-addr.arpa or ip6.arpa that belongs to an address (v4-mapped for IPv4).
/// Source: RFC 1035, section 3.5; RFC 3596, section 2.5.
Name reverse_name(const std::array<std::uint8_t, 16>& ip);

}  // namespace boxgram::dns
