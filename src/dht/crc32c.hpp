// CRC-32C (Castagnoli), which BEP 42 derives ids with. Source: RFC 3720, section B.4.
#pragma once

#include <array>

#include <boxgram/base/bytes.hpp>

namespace boxgram::dht {

inline constexpr std::array<std::uint32_t, 256> kCrc32cTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}();

/// Cost: a table look-up for each byte; never more than eight bytes here.
constexpr std::uint32_t crc32c(base::Bytes bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) crc = crc >> 8 ^ kCrc32cTable[(crc ^ byte) & 0xff];
  return ~crc;
}

}  // namespace boxgram::dht
