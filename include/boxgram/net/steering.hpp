// Which socket of an SO_REUSEPORT group gets a datagram, by the datagram's bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <boxgram/base/expected.hpp>

namespace boxgram::net {

/// A datagram whose type byte is `type` goes to socket (byte at `offset`) % sockets.
struct SteeringRule {
  std::uint8_t type = 0;
  std::uint16_t offset = 0;
};

/// Attaches the program to a whole group; `fd` is any socket of it, and all of them must be bound
/// already: a socket's index is the order in which they were bound. A datagram that matches no
/// rule or is too short goes where the kernel's hash of the addresses sends it, so that junk is
/// spread over all sockets. A train (UDP_SEGMENT, UDP_GRO) goes as a whole where its first datagram
/// points: hand what landed wrongly over to its owner.
///
/// Limits: at most 16 rules. Source: Linux, SO_ATTACH_REUSEPORT_CBPF; the program sees the UDP
/// payload. The error is a phrase for people.
base::expected<void, std::string> steer(int fd, std::uint16_t type_offset,
                                        std::span<const SteeringRule> rules, std::size_t sockets);

}  // namespace boxgram::net
