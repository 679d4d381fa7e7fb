// Resource records as people write them in a configuration. Source: RFC 1035, section 5.1 (the
// master file format, of which this is a part); RFC 3597, section 5; RFC 9460, section 2.1.
#pragma once

#include <string>
#include <string_view>

#include <boxgram/base/expected.hpp>
#include <boxgram/dns/list_report.hpp>
#include <boxgram/dns/zone.hpp>

namespace boxgram::dns {

/// Reads one line `NAME [TTL] [IN] TYPE RDATA...`. Every name is absolute, with or without a dot at
/// the end; TTL is in seconds and Zone::kDefaultTtl when left out; `;` begins a comment.
///
/// Types:  A AAAA CNAME DNAME NS PTR MX TXT SRV CAA SOA SVCB HTTPS (with alpn, no-default-alpn,
///         port, ipv4hint, ipv6hint), and any type, these too, as `TYPE65 \# LENGTH HEX...`.
/// Errors: a phrase for people that says what was expected and what was found.
base::expected<ZoneRecord, std::string> parse_record(std::string_view line);

/// Reads such lines into `zone`; also `#` begins a comment at the start of a line. A mistake skips
/// its line.
ListReport add_records(std::string_view text, Zone& zone);

/// "AAAA", "TYPE65". The error is a phrase for people.
base::expected<std::uint16_t, std::string> parse_record_type(std::string_view text);

/// The other way round: a mnemonic, or "TYPE65".
std::string record_type_text(std::uint16_t type);

}  // namespace boxgram::dns
