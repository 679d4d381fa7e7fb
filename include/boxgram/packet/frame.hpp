// Frames: what stands inside an opened box. Source: PROTOCOL.md, "Frames".
//
//   frame: type 1 | flags 1 (bit 0 = response, bit 1 = more) | length 2 | id 4 | payload
//
// "More" stands in streams only: the message goes on in the next frame. Type 0 is padding: it and
// every byte after it are zero, which is checked.
#pragma once

#include <cstdint>
#include <optional>

#include <boxgram/base/bytes.hpp>

namespace boxgram::packet {

/// 0x01 to 0x0f belong to the transport, 0x10 to 0x1f name services; 0x20 to 0x2f belong to
/// streams, and 0x80 to 0xff are services that only a stream carries. The rest is reserved.
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
  // Streams only (PROTOCOL.md, "Stream transport"):
  confirm = 0x20,     ///< Nw 16 | W 48
  ready = 0x21,       ///< server time in ms 8 | idle time in seconds 4
  rekey_req = 0x22,   ///< the client's next ephemeral key 32
  rekey_ack = 0x23,   ///< the server's next ephemeral key 32
  rekey_done = 0x24,  ///< empty
  close = 0x25,       ///< code 2 | reason, at most 128
  control = 0x80,     ///< a JSON-RPC message (docs/control.md)
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
  bool more = false;
  std::uint32_t id = 0;
  base::Bytes payload;
};

/// Walks the frames of an opened box.
/// Errors: a header or a payload that leaves the box, an undefined flag bit, a non-zero byte in the
/// padding. After an error next() gives nothing more and ok() is false for good: walk to the end,
/// then ask ok() before acting on anything.
class FrameReader {
 public:
  /// `may_continue`: the "more" flag is defined here, as it is in a stream.
  explicit FrameReader(base::Bytes frames, bool may_continue = false)
      : rest_(frames), may_continue_(may_continue) {}

  /// The next frame, or nothing at the padding, at the end and after an error.
  std::optional<Frame> next();

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::optional<Frame> stop(bool ok);

  base::Bytes rest_;
  bool may_continue_;
  bool ok_ = true;
};

/// Writes frames one after the other into the space inside a box (frame_space()). What does not fit
/// is not written at all.
class FrameWriter {
 public:
  explicit FrameWriter(base::MutableBytes space) : space_(space) {}

  [[nodiscard]] std::size_t left() const { return space_.size() - size_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Writes a whole frame. False, and nothing written, if it does not fit.
  bool put(FrameType type, bool response, std::uint32_t id, base::Bytes payload = {},
           bool more = false);

  /// Writes a header only and leaves the payload's bytes as they are: for a payload that stands
  /// there already. Empty optional if it does not fit.
  std::optional<base::MutableBytes> reserve(FrameType type, bool response, std::uint32_t id,
                                            std::size_t payload_size, bool more = false);

  /// Fills the rest with padding. Call once, before the box is sealed.
  void finish();

 private:
  base::MutableBytes space_;
  std::size_t size_ = 0;
};

}  // namespace boxgram::packet
