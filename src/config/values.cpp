#include "values.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace boxgram::config {
namespace {

using namespace std::chrono_literals;

struct DurationUnit {
  std::string_view suffix;
  base::Duration one;
};
// "ms" stands before "s" and "m", so that the longer suffix is met first.
constexpr std::array<DurationUnit, 5> kDurationUnits = {
    {{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}}};

struct SizeUnit {
  std::string_view suffix;
  std::uint64_t one;
};
constexpr std::array<SizeUnit, 3> kSizeUnits = {
    {{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}}};

/// The number in front of a unit; false if there is none or it is followed by anything.
bool read_digits(std::string_view text, std::uint64_t& value) {
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return !text.empty() && error == std::errc{} && stop == end;
}

base::unexpected<std::string> problem(std::string text) {
  return base::unexpected<std::string>(std::move(text));
}

}  // namespace

Value<std::uint64_t> parse_number(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t value = 0;
  if (!read_digits(text, value) || value < low || value > high)
    return problem(fmt::format("'{}' is not a number from {} to {}", text, low, high));
  return value;
}

Value<bool> parse_on_off(std::string_view text) {
  if (text == "on" || text == "true") return true;
  if (text == "off" || text == "false") return false;
  return problem(fmt::format("'{}' is neither on nor off", text));
}

Value<base::Duration> parse_duration(std::string_view text, base::Duration low,
                                     base::Duration high) {
  base::Duration unit = 1s;
  std::string_view digits = text;
  for (const auto& candidate : kDurationUnits) {
    if (!text.ends_with(candidate.suffix)) continue;
    digits.remove_suffix(candidate.suffix.size());
    unit = candidate.one;
    break;
  }
  std::uint64_t count = 0;
  if (!read_digits(digits, count))
    return problem(fmt::format("'{}' is not a duration such as 250ms, 90s, 15m, 2h or 3d", text));
  // Comparing the count first keeps the product below from overflowing.
  const auto most = static_cast<std::uint64_t>(high / unit);
  const auto value = count > most ? high + 1ns : unit * static_cast<std::int64_t>(count);
  if (value < low || value > high)
    return problem(fmt::format("'{}' is not between {} and {}", text, describe_duration(low),
                               describe_duration(high)));
  return value;
}

Value<std::uint64_t> parse_size(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t unit = 1;
  std::string_view digits = text;
  for (const auto& candidate : kSizeUnits) {
    if (!text.ends_with(candidate.suffix)) continue;
    digits.remove_suffix(candidate.suffix.size());
    unit = candidate.one;
    break;
  }
  std::uint64_t count = 0;
  if (!read_digits(digits, count))
    return problem(fmt::format("'{}' is not a size such as 65536, 512KiB, 64MiB or 1GiB", text));
  if (count > high / unit || count * unit < low)
    return problem(fmt::format("'{}' is not between {} and {}", text, describe_size(low),
                               describe_size(high)));
  return count * unit;
}

Value<base::SocketAddress> parse_peer(std::string_view text, std::uint16_t default_port) {
  auto address = base::parse_socket_address(text, default_port);
  if (address && address->is_unspecified())
    return problem(fmt::format("'{}' stands for every address; name one", text));
  if (address && address->port == 0)
    return problem(fmt::format("'{}' has no port that can be asked; name one from 1 on", text));
  return address;
}

std::string describe_duration(base::Duration duration) {
  for (auto unit = kDurationUnits.rbegin(); unit != kDurationUnits.rend(); ++unit)
    if (duration >= unit->one && duration % unit->one == 0ns)
      return fmt::format("{}{}", duration / unit->one, unit->suffix);
  return "0s";
}

std::string describe_size(std::uint64_t bytes) {
  for (auto unit = kSizeUnits.rbegin(); unit != kSizeUnits.rend(); ++unit)
    if (bytes >= unit->one && bytes % unit->one == 0)
      return fmt::format("{}{}", bytes / unit->one, unit->suffix);
  return fmt::format("{}", bytes);
}

}  // namespace boxgram::config
