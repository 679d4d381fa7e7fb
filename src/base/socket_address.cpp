#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>

#include <boxgram/base/socket_address.hpp>

namespace boxgram::base {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

expected<std::uint16_t, std::string> parse_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value == 0 ||
      value > 65535)
    return unexpected<std::string>(fmt::format("'{}' is not a port (1 to 65535)", text));
  return static_cast<std::uint16_t>(value);
}

}  // namespace

bool SocketAddress::is_loopback() const {
  if (is_v4()) return ip[12] == 127;
  std::array<std::uint8_t, 16> one{};
  one[15] = 1;
  return ip == one;
}

bool SocketAddress::is_unspecified() const {
  return std::all_of(ip.begin() + (is_v4() ? 12 : 0), ip.end(), [](auto b) { return b == 0; });
}

std::array<std::uint8_t, 16> SocketAddress::prefix() const {
  auto network = ip;
  if (!is_v4()) std::fill(network.begin() + 7, network.end(), std::uint8_t{0});
  return network;
}

SocketAddress SocketAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                                std::uint16_t port) {
  SocketAddress address;
  std::copy(kV4Mapped.begin(), kV4Mapped.end(), address.ip.begin());
  address.ip[12] = a;
  address.ip[13] = b;
  address.ip[14] = c;
  address.ip[15] = d;
  address.port = port;
  return address;
}

std::string ip_to_string(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.is_v4())
    inet_ntop(AF_INET, address.ip.data() + 12, text, sizeof text);
  else
    inet_ntop(AF_INET6, address.ip.data(), text, sizeof text);
  return address.scope == 0 ? std::string(text) : fmt::format("{}%{}", text, address.scope);
}

std::string to_string(const SocketAddress& address) {
  const auto ip = ip_to_string(address);
  return address.is_v4() ? fmt::format("{}:{}", ip, address.port)
                         : fmt::format("[{}]:{}", ip, address.port);
}

expected<std::array<std::uint8_t, 16>, std::string> parse_ip(std::string_view text) {
  const std::string copy(text);
  std::array<std::uint8_t, 16> ip{};
  if (inet_pton(AF_INET, copy.c_str(), ip.data() + 12) == 1) {
    std::copy(kV4Mapped.begin(), kV4Mapped.end(), ip.begin());
    return ip;
  }
  if (inet_pton(AF_INET6, copy.c_str(), ip.data()) == 1) return ip;
  return unexpected<std::string>(
      fmt::format("'{}' is not an IP address (like 192.0.2.1 or 2001:db8::1)", text));
}

expected<SocketAddress, std::string> parse_socket_address(std::string_view text,
                                                          std::uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos)
      return unexpected<std::string>(fmt::format("'{}' lacks the closing ']'", text));
    host = text.substr(1, end - 1);
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':'))
      return unexpected<std::string>(fmt::format("'{}' is not of the form [ADDR6]:PORT", text));
    if (!rest.empty()) {
      port = rest.substr(1);
      if (port.empty())
        return unexpected<std::string>(fmt::format("'{}' lacks a port after ':'", text));
    }
  } else if (const auto colon = text.find(':');
             colon != std::string_view::npos && colon == text.rfind(':')) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty())
      return unexpected<std::string>(fmt::format("'{}' lacks a port after ':'", text));
  }
  SocketAddress address;
  const auto ip = parse_ip(host);
  if (!ip) return unexpected<std::string>(ip.error());
  address.ip = *ip;
  if (port.empty()) {
    if (default_port == 0)
      return unexpected<std::string>(fmt::format("'{}' lacks a port (ADDR:PORT)", text));
    address.port = default_port;
    return address;
  }
  const auto number = parse_port(port);
  if (!number) return unexpected<std::string>(number.error());
  address.port = *number;
  return address;
}

expected<SocketAddress, std::string> parse_listen_address(std::string_view text,
                                                          std::uint16_t default_port) {
  if (!text.ends_with(":0")) return parse_socket_address(text, default_port);
  // "::0" and the like are addresses: only what reads as ADDR:1 with another port is ADDR:0.
  auto address = parse_socket_address(std::string(text.substr(0, text.size() - 1)) + "1", 0);
  if (!address) return parse_socket_address(text, default_port);
  address->port = 0;
  return address;
}

}  // namespace boxgram::base
