// What the two ends of a stream have in common: messages, and how a stream ends.
// Source: PROTOCOL.md, "Stream transport".
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/packet/frame.hpp>

namespace boxgram::stream {

/// The largest payload of a message; one that fits no record travels in several frames.
inline constexpr std::size_t kMaxMessage = 65535;

/// From the first byte to a proven client.
inline constexpr base::Duration kHandshakeTime = std::chrono::seconds(5);
/// Without a record from the other side: it is gone.
inline constexpr base::Duration kIdleTime = std::chrono::seconds(120);
/// A client that means to stay asks for a sign of life after so long a silence.
inline constexpr base::Duration kPingAfter = std::chrono::seconds(45);

/// A whole message of a session: a request, a response, or an ERROR in a response's place.
struct Message {
  packet::FrameType type{};
  bool response = false;
  std::uint32_t id = 0;  ///< chosen by the one who asks, repeated by the one who answers
  base::Bytes payload;   ///< valid until the next call of the object that gave it
};

/// Why a handshake came to nothing; also the metric's label.
enum class HandshakeError : std::uint8_t {
  timed_out,       ///< not over within kHandshakeTime
  bad_length,      ///< a body or record of a length that may not stand here
  bad_body,        ///< another magic, version or type than may stand here
  unknown_key,     ///< the server has no key of that name; a client sees the stream end
  low_order,       ///< a public key that would give a shared key known to everybody
  not_authentic,   ///< a box did not open
  wrong_tag,       ///< Ctag, EC or Stag came back as another one
  not_confirmed,   ///< V was good, W was not: a forger who holds Ss, or worse
  bad_frames,      ///< another frame than the one that must stand here
  not_authorised,  ///< proven, but not on the list for anything
  busy,            ///< proven, but the server has no place for another session
  too_often,       ///< server: more handshakes than its network, or all, may ask for
  ended,           ///< the other side ended the connection
  no_key,          ///< client: no key that the server's identity signed
  count_
};
const char* to_string(HandshakeError error);

/// How a session ended; also the metric's label.
enum class SessionEnd : std::uint8_t {
  closed,         ///< CLOSE in each direction
  truncated,      ///< the connection ended without CLOSE: something may be missing
  idle,           ///< nothing came for kIdleTime
  not_authentic,  ///< a record did not open: flipped, dropped, repeated or swapped
  bad_length,     ///< a record of a length that no record has
  violation,      ///< frames that break the rules
  worn_out,       ///< the client did not renew the keys although twice the limit was reached
  slow,           ///< idle, and the client had not read its answers
  count_
};
const char* to_string(SessionEnd end);

/// What a CLOSE frame says.
enum class CloseCode : std::uint16_t {
  done = 0,      ///< nothing more to ask or to answer
  shutdown = 1,  ///< this process ends or drains: ask another gateway
  idle = 2,      ///< nothing came for kIdleTime
  revoked = 3,   ///< the client's key is no longer on the list
  killed = 4,    ///< ended by an operator
};

inline constexpr std::size_t kMaxCloseReason = 128;

struct PeerClose {
  CloseCode code{};
  std::string reason;  ///< for people; as sent, at most kMaxCloseReason bytes of anything
};

}  // namespace boxgram::stream
