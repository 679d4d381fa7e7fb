// Numbers of DNS that have names. Sources: the IANA registry "Domain Name System (DNS)
// Parameters"; RFC 1035, 6891, 8914.
#pragma once

#include <cstddef>
#include <cstdint>

namespace boxgram::dns {

inline constexpr std::size_t kHeaderSize = 12;
/// What a length of two bytes can say, over TCP and in a stream alike.
inline constexpr std::size_t kMaxMessageSize = 65'535;
/// What a UDP client without EDNS takes (RFC 1035, section 4.2.1).
inline constexpr std::size_t kPlainUdpSize = 512;
/// What we advertise: fits an IPv6 packet of 1,280 bytes, so no path fragments it (RFC 9715).
inline constexpr std::uint16_t kOwnUdpSize = 1'232;

/// Record types that some rule of ours speaks of. Every other number passes as it is (RFC 3597).
namespace rrtype {
inline constexpr std::uint16_t a = 1;
inline constexpr std::uint16_t ns = 2;
inline constexpr std::uint16_t md = 3;
inline constexpr std::uint16_t mf = 4;
inline constexpr std::uint16_t cname = 5;
inline constexpr std::uint16_t soa = 6;
inline constexpr std::uint16_t mb = 7;
inline constexpr std::uint16_t mg = 8;
inline constexpr std::uint16_t mr = 9;
inline constexpr std::uint16_t ptr = 12;
inline constexpr std::uint16_t hinfo = 13;
inline constexpr std::uint16_t minfo = 14;
inline constexpr std::uint16_t mx = 15;
inline constexpr std::uint16_t txt = 16;
inline constexpr std::uint16_t rp = 17;
inline constexpr std::uint16_t afsdb = 18;
inline constexpr std::uint16_t rt = 21;
inline constexpr std::uint16_t sig = 24;
inline constexpr std::uint16_t px = 26;
inline constexpr std::uint16_t aaaa = 28;
inline constexpr std::uint16_t nxt = 30;
inline constexpr std::uint16_t srv = 33;
inline constexpr std::uint16_t naptr = 35;
inline constexpr std::uint16_t dname = 39;
inline constexpr std::uint16_t opt = 41;
inline constexpr std::uint16_t ds = 43;
inline constexpr std::uint16_t rrsig = 46;
inline constexpr std::uint16_t nsec = 47;
inline constexpr std::uint16_t dnskey = 48;
inline constexpr std::uint16_t nsec3 = 50;
inline constexpr std::uint16_t svcb = 64;
inline constexpr std::uint16_t https = 65;
inline constexpr std::uint16_t ixfr = 251;
inline constexpr std::uint16_t axfr = 252;
inline constexpr std::uint16_t any = 255;
inline constexpr std::uint16_t caa = 257;
}  // namespace rrtype

namespace rrclass {
inline constexpr std::uint16_t in = 1;
inline constexpr std::uint16_t chaos = 3;
inline constexpr std::uint16_t any = 255;
}  // namespace rrclass

enum class Opcode : std::uint8_t { query = 0, iquery = 1, status = 2, notify = 4, update = 5 };

/// Twelve bits: the upper eight travel in OPT (RFC 6891, section 6.1.3).
enum class Rcode : std::uint16_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  nx_domain = 3,
  not_implemented = 4,
  refused = 5,
  bad_version = 16,
};

/// INFO-CODEs of extended errors (RFC 8914).
namespace ede {
inline constexpr std::uint16_t other = 0;
inline constexpr std::uint16_t stale_answer = 3;
inline constexpr std::uint16_t cached_error = 13;
inline constexpr std::uint16_t not_ready = 14;
inline constexpr std::uint16_t blocked = 15;
inline constexpr std::uint16_t filtered = 17;
inline constexpr std::uint16_t prohibited = 18;
inline constexpr std::uint16_t stale_nx_domain = 19;
inline constexpr std::uint16_t not_supported = 21;
inline constexpr std::uint16_t no_reachable_authority = 22;
inline constexpr std::uint16_t network_error = 23;
}  // namespace ede

/// Bits of the header's second 16-bit word.
namespace flag {
inline constexpr std::uint16_t response = 0x8000;
inline constexpr std::uint16_t authoritative = 0x0400;
inline constexpr std::uint16_t truncated = 0x0200;
inline constexpr std::uint16_t recursion_desired = 0x0100;
inline constexpr std::uint16_t recursion_available = 0x0080;
inline constexpr std::uint16_t authentic_data = 0x0020;
inline constexpr std::uint16_t checking_disabled = 0x0010;
}  // namespace flag

}  // namespace boxgram::dns
