// Our own OPT record: root | 41 | UDP size | extended RCODE, version 0, DO | options.
// Source: RFC 6891, section 6.1; RFC 3225 (DO is copied); RFC 8914 (option 15).
#pragma once

#include <span>

#include <boxgram/base/bytes.hpp>
#include <boxgram/dns/extended_error.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

inline constexpr std::size_t kOptSize = 11;
inline constexpr std::uint16_t kExtendedErrorOption = 15;

/// Writes OPT without options. REQUIRES: kOptSize bytes at `out`.
void write_opt(std::uint8_t* out, std::uint16_t udp_size, Rcode rcode, bool dnssec_ok);

/// The size of the options that append_errors would write.
std::size_t errors_size(std::span<const ExtendedError> errors);

/// Writes extended errors as options. REQUIRES: errors_size(errors) bytes at `out`.
void write_errors(std::uint8_t* out, std::span<const ExtendedError> errors);

}  // namespace boxgram::dns
