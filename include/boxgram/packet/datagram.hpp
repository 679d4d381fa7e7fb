// The datagrams of the packet transport: their clear part, their boxes, nothing about state.
// Source: PROTOCOL.md, "Datagrams". All integers are big-endian.
//
//   INITIAL    "bg" 1 type | skid 8 | EC 32 | n 8             | Box{ ts 8 | frames | 00.. }
//   INITIAL_C  "bg" 1 type | skid 8 | EC 32 | n 8 | cookie 96 | Box{ ts 8 | frames | 00.. }
//   SHORT      "bg" 1 type | sid 8 | n 8                      | Box{ frames | 00.. }
//   KEYREQ     "bg" 1 type | echo 8 | 00..
//   MSG        "bg" 1 type | cid 8 | R 16                     | Box{ re 8 | frames | 00.. }
//   RETRY      "bg" 1 type | cid 8 | n 8 | cookie 96
//   RESET      "bg" 1 type | sid 8 | token 16
//   KEYS       "bg" 1 type | echo 8 | count 1 | 0 0 0 | certificate 124 * count
//
// Everything here is pure. A view returned by a parser points into the datagram given.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/crypto/box.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/certificate.hpp>
#include <boxgram/packet/frame.hpp>

namespace boxgram::packet {

using KeyId = std::array<std::uint8_t, 8>;      ///< skid: names a server key
using ClientId = std::array<std::uint8_t, 8>;   ///< cid: the first 8 bytes of EC
using SessionId = std::array<std::uint8_t, 8>;  ///< sid: names an association, server-chosen
using ResetToken = std::array<std::uint8_t, 16>;
using Cookie = std::array<std::uint8_t, 96>;
using CookieNonce = std::array<std::uint8_t, 16>;
using Echo = std::array<std::uint8_t, 8>;  ///< ties KEYS to its KEYREQ

enum class DatagramType : std::uint8_t {
  initial = 0x01,
  initial_c = 0x02,
  short_ = 0x03,
  keyreq = 0x04,
  msg = 0x11,
  retry = 0x12,
  reset = 0x13,
  keys = 0x14,
};

/// 1,280 (the smallest IPv6 MTU) less the IPv6 and UDP headers: never a fragment anywhere.
inline constexpr std::size_t kMaxDatagram = 1232;
/// Makes the first answer useful (about 450 bytes) while it may never exceed the question.
inline constexpr std::size_t kMinInitial = 512;
/// A RESET (28) must be clearly smaller than what it answers, so that nothing can loop.
inline constexpr std::size_t kMinShort = 64;
/// What senders use; receivers accept any length in range. 256 is for SHORT only.
inline constexpr std::array<std::size_t, 5> kSizeClasses = {256, 512, 768, 1024, 1232};

inline constexpr std::size_t kHeaderSize = 4;
inline constexpr std::size_t kInitialClear = 52;
inline constexpr std::size_t kInitialCookieClear = kInitialClear + sizeof(Cookie);
inline constexpr std::size_t kShortClear = 20;
inline constexpr std::size_t kMsgClear = 28;
inline constexpr std::size_t kRetrySize = 116;
inline constexpr std::size_t kResetSize = 28;
inline constexpr std::size_t kKeysClear = 16;

/// All that is not frames: the clear part, the tag, and ts or re.
inline constexpr std::size_t kInitialOverhead = kInitialClear + crypto::kTagSize + 8;
inline constexpr std::size_t kInitialCookieOverhead = kInitialCookieClear + crypto::kTagSize + 8;
inline constexpr std::size_t kShortOverhead = kShortClear + crypto::kTagSize;
inline constexpr std::size_t kMsgOverhead = kMsgClear + crypto::kTagSize + 8;

/// The first n that is never used: far beyond any association's life, and it keeps the window's
/// arithmetic away from overflow.
inline constexpr std::uint64_t kMaxCounter = std::uint64_t{1} << 48;

/// BLAKE2b-64("BXG1-KEY" | S).
KeyId key_id(const crypto::PublicKey& server_key);
ClientId client_id(const crypto::PublicKey& client_key);

enum class HeaderError : std::uint8_t { too_short, bad_magic, bad_version, bad_type, bad_length };

/// The four bytes that begin every datagram and every body of a stream's handshake.
void write_header(base::Writer& out, std::uint8_t type);
/// Checks magic and version and gives the type's byte.
base::expected<std::uint8_t, HeaderError> read_header(base::Bytes bytes);

/// Checks magic, version, type and the length that this type may have. After success the parser of
/// that type below may be called.
base::expected<DatagramType, HeaderError> parse_header(base::Bytes datagram);

struct InitialHeader {
  KeyId key_id{};
  crypto::PublicKey client_key{};
  std::uint64_t n = 0;
  base::Bytes cookie;  ///< 96 bytes for INITIAL_C, else empty
};
struct ShortHeader {
  SessionId sid{};
  std::uint64_t n = 0;
};
struct MsgHeader {
  ClientId cid{};
  std::array<std::uint8_t, 16> r{};
};
struct RetryView {
  ClientId cid{};
  std::uint64_t n = 0;
  Cookie cookie{};
};
struct ResetView {
  SessionId sid{};
  ResetToken token{};
};
struct KeysView {
  Echo echo{};
  base::Bytes certificates;  ///< a multiple of 124 bytes, none of them verified
};

/// REQUIRES of all six: parse_header() gave this type (INITIAL and INITIAL_C share one parser).
InitialHeader parse_initial(base::Bytes datagram);
ShortHeader parse_short(base::Bytes datagram);
MsgHeader parse_msg(base::Bytes datagram);
RetryView parse_retry(base::Bytes datagram);
ResetView parse_reset(base::Bytes datagram);
/// The echo, or nothing if the padding is not zero.
std::optional<Echo> parse_keyreq(base::Bytes datagram);
/// Nothing if the count does not match the length or a reserved byte is not zero.
std::optional<KeysView> parse_keys(base::Bytes datagram);

/// Where the box of this datagram begins; its tag comes first.
constexpr std::size_t box_offset(DatagramType type) {
  switch (type) {
    case DatagramType::initial:
      return kInitialClear;
    case DatagramType::initial_c:
      return kInitialCookieClear;
    case DatagramType::short_:
      return kShortClear;
    default:
      return kMsgClear;
  }
}

/// The place for frames in a datagram of this type that is as long as `datagram`. Fill it through a
/// FrameWriter, finish() it, then seal.
/// REQUIRES: type is initial, initial_c, short_ or msg; datagram is not shorter than its overhead.
base::MutableBytes frame_space(DatagramType type, base::MutableBytes datagram);

/// Seals in place around the frames that stand in frame_space(): writes the clear part and the box.
/// REQUIRES: n < kMaxCounter and never used before with this key; cookie empty or 96 bytes.
void seal_initial(base::MutableBytes datagram, const InitialHeader& header,
                  std::uint64_t client_unix_ms, const crypto::SharedKey& key);
void seal_short(base::MutableBytes datagram, const ShortHeader& header,
                const crypto::SharedKey& key);
/// REQUIRES: header.r is fresh randomness.
void seal_msg(base::MutableBytes datagram, const MsgHeader& header, std::uint64_t re,
              const crypto::SharedKey& key);

struct Opened {
  std::uint64_t prefix = 0;  ///< ts of an INITIAL, re of a MSG, 0 for a SHORT
  base::Bytes frames;        ///< inside the datagram, decrypted in place
};

/// Open in place. Nothing, and nothing changed, if the box is not authentic.
std::optional<Opened> open_initial(base::MutableBytes datagram, const InitialHeader& header,
                                   const crypto::SharedKey& key);
std::optional<Opened> open_short(base::MutableBytes datagram, const ShortHeader& header,
                                 const crypto::SharedKey& key);
std::optional<Opened> open_msg(base::MutableBytes datagram, const MsgHeader& header,
                               const crypto::SharedKey& key);

/// Write a whole datagram at the front of `out` and give its size.
/// REQUIRES: it fits; for write_keyreq, `out` is exactly as long as the datagram is to be.
std::size_t write_retry(base::MutableBytes out, const RetryView& retry);
std::size_t write_reset(base::MutableBytes out, const ResetView& reset);
std::size_t write_keyreq(base::MutableBytes out, const Echo& echo);
std::size_t write_keys(base::MutableBytes out, const KeysView& keys);

}  // namespace boxgram::packet
