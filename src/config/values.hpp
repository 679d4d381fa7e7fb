// Settings from text. Errors are phrases for people: what was found and what was expected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>

namespace boxgram::config {

template <class T>
using Value = base::expected<T, std::string>;

/// A decimal number within [low, high].
Value<std::uint64_t> parse_number(std::string_view text, std::uint64_t low, std::uint64_t high);

/// "on" | "off", and "true" | "false" as TOML writes it.
Value<bool> parse_on_off(std::string_view text);

/// "250ms", "90s", "15m", "2h", "3d"; a bare number counts seconds.
Value<base::Duration> parse_duration(std::string_view text, base::Duration low,
                                     base::Duration high);

/// "512KiB", "64MiB", "1GiB"; a bare number counts bytes.
Value<std::uint64_t> parse_size(std::string_view text, std::uint64_t low, std::uint64_t high);

/// An address that one can send to: neither 0.0.0.0 nor ::, nor port 0.
Value<base::SocketAddress> parse_peer(std::string_view text, std::uint16_t default_port);

/// The same durations and sizes for messages.
std::string describe_duration(base::Duration duration);
std::string describe_size(std::uint64_t bytes);

}  // namespace boxgram::config
