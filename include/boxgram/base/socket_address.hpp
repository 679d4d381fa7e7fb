// An IP address with a port, without any socket header.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>

namespace boxgram::base {

/// IPv4 addresses are kept v4-mapped (::ffff:a.b.c.d), as in the retry cookie on the wire.
struct SocketAddress {
  std::array<std::uint8_t, 16> ip{};
  std::uint16_t port = 0;
  std::uint32_t scope = 0;  ///< IPv6 zone index, 0 for none

  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;

  [[nodiscard]] bool is_v4() const {
    return load_be64(ip.data()) == 0 && load_be32(ip.data() + 8) == 0xffff;
  }
  [[nodiscard]] bool is_loopback() const;
  /// True for 0.0.0.0 and ::.
  [[nodiscard]] bool is_unspecified() const;

  /// The network that rate limits and table shares are counted for: the whole address for IPv4,
  /// the first 56 bits for IPv6 (what one customer of a provider usually gets).
  [[nodiscard]] std::array<std::uint8_t, 16> prefix() const;

  static SocketAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                          std::uint16_t port);
};

/// "192.0.2.1:53", "[2001:db8::1]:53".
std::string to_string(const SocketAddress& address);

/// The address alone, without the port: "192.0.2.1", "2001:db8::1".
std::string ip_to_string(const SocketAddress& address);

/// Reads "ADDR:PORT", "[ADDR6]:PORT", "ADDR" or "ADDR6". Without a port, `default_port` is used;
/// a default of 0 makes the port required. Host names are refused. The error is a phrase for
/// people that says what was expected.
expected<SocketAddress, std::string> parse_socket_address(std::string_view text,
                                                          std::uint16_t default_port);

/// The same for an address to listen on, where port 0 lets the kernel choose one.
expected<SocketAddress, std::string> parse_listen_address(std::string_view text,
                                                          std::uint16_t default_port);

/// Reads an address without a port.
expected<std::array<std::uint8_t, 16>, std::string> parse_ip(std::string_view text);

}  // namespace boxgram::base
