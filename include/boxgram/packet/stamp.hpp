// A stamp: all that a client must know of a gateway, in one line of text.
// Source: PROTOCOL.md, "Stamps".
//
//   boxgram:// base64url( 1 | flags 1 | key 32 (| key 32) | port 2 | iplen 1 | ip
//                         | namelen 1 | name | checksum 4 )
//   flags: 1 udp, 2 tcp, 4 identity key, 8 pinned server key (this order when both stand there)
//   checksum: BLAKE2b-32("BXG1-URI" | all before it); finds typing errors, proves nothing
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/crypto/sign.hpp>

namespace boxgram::packet {

struct Stamp {
  bool udp = true;
  bool tcp = false;
  std::optional<crypto::VerifyKey> identity;
  std::optional<crypto::PublicKey> pinned;
  base::SocketAddress address;
  std::string name;  ///< for people; letters, digits, '.', '-', '_', at most 253; may be empty
};

enum class StampError : std::uint8_t {
  bad_scheme,    ///< does not begin with "boxgram://"
  bad_base64,    ///< a character outside base64url, padding, or bits left over
  bad_length,    ///< ends too early or goes on too long
  bad_version,   ///< made for a later version
  bad_flags,     ///< an unknown flag, no transport or no key
  bad_address,   ///< neither 4 nor 16 bytes, an IPv4-mapped IPv6 address, or port 0
  bad_name,      ///< a character that no name holds, or too long
  bad_checksum,  ///< a typing error
};

/// A phrase for people that says what is wrong.
const char* to_string(StampError error);

/// REQUIRES: at least one key, one transport, a port, a name as described above.
std::string encode_stamp(const Stamp& stamp);

base::expected<Stamp, StampError> decode_stamp(std::string_view text);

}  // namespace boxgram::packet
