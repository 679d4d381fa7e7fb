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

/// 0x01 to 0x0f belong to the transport, 0x10 to 0x1f name services, the rest is reserved.
enum class FrameType : std::uint8_t {
  pad = 0x00,
  ping = 0x01,       ///< empty
  pong = 0x02,       ///< empty
  error = 0x03,      ///< code 2 | detail
  assoc_req = 0x04,  ///< empty, INITIAL only
  assoc = 0x05,      ///< sid 8 | reset token 16 | lifetime in seconds 4
  keyreq = 0x06,     ///< empty
  keys = 0x07,       ///< certificates, 124 bytes each
  time = 0x08,       ///< request: empty; response: server time in ms 8
  echo = 0x09,       ///< the cookie's nonce 16, INITIAL_C only
  dns = 0x10,        ///< a DNS message
  dht = 0x11,        ///< a KRPC message
};

/// True for types that a service answers, known to us or not.
constexpr bool is_service(FrameType type) {
  return type >= FrameType{0x10} && type <= FrameType{0x1f};
}

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
inline constexpr std::size_t kAssocPayloadSize = 28;
inline constexpr std::size_t kTimePayloadSize = 8;
inline constexpr std::size_t kEchoPayloadSize = 16;

struct Frame {
  FrameType type{};
  bool response = false;
  std::uint32_t id = 0;
  base::Bytes payload;
};

/// Walks the frames of an opened box.
/// Errors: a header or a payload that leaves the box, an undefined flag bit, a non-zero byte in the
/// padding. After an error next() gives nothing more and ok() is false for good: walk to the end,
/// then ask ok() before acting on anything.
class FrameReader {
 public:
  explicit FrameReader(base::Bytes frames) : rest_(frames) {}

  /// The next frame, or nothing at the padding, at the end and after an error.
  std::optional<Frame> next();

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::optional<Frame> stop(bool ok);

  base::Bytes rest_;
  bool ok_ = true;
};

/// Writes frames one after the other into the space inside a box (frame_space()). What does not fit
/// is not written at all.
class FrameWriter {
 public:
  explicit FrameWriter(base::MutableBytes space) : space_(space) {}

  [[nodiscard]] std::size_t left() const { return space_.size() - size_; }

  /// Writes a whole frame. False, and nothing written, if it does not fit.
  bool put(FrameType type, bool response, std::uint32_t id, base::Bytes payload = {});

  /// Writes a header only and leaves the payload's bytes as they are: for a payload that stands
  /// there already. Empty optional if it does not fit.
  std::optional<base::MutableBytes> reserve(FrameType type, bool response, std::uint32_t id,
                                            std::size_t payload_size);

  /// Fills the rest with padding. Call once, before the box is sealed.
  void finish();

 private:
  base::MutableBytes space_;
  std::size_t size_ = 0;
};

}  // namespace boxgram::packet
