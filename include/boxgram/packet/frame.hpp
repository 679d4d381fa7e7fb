// Frames: what stands inside an opened box. Source: PROTOCOL.md, "Frames".
//
//   frame: type 1 | flags 1 (bit 0 = response) | length 2 | id 4 | payload
//
// Type 0 is padding: it and every byte after it are zero, which is checked.
#pragma once

#include <cstdint>
#include <optional>

#include <boxgram/base/bytes.hpp>

namespace boxgram::packet {

enum class FrameType : std::uint8_t {
  pad = 0x00,
  ping = 0x01,
  pong = 0x02,
  error = 0x03,
  assoc_req = 0x04,
  assoc = 0x05,
  keyreq = 0x06,
  keys = 0x07,
  time = 0x08,
  echo = 0x09,
  dns = 0x10,
  dht = 0x11,
};

enum class ErrorCode : std::uint16_t {
  stale_time = 1,  ///< server ms 8
  unknown_service = 2,
  too_large = 3,  ///< size 2: the payload that would have fit (0xffff: that or more)
  refused = 4,
  malformed = 5,
  need_assoc = 6,
  key_retiring = 7,
  shutdown = 8,
  auth = 9,
};

inline constexpr std::size_t kFrameHeaderSize = 8;

struct Frame {
  FrameType type{};
  bool response = false;
  std::uint32_t id = 0;
  base::Bytes payload;
};

}  // namespace boxgram::packet
