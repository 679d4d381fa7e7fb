// The server's side of the packet transport: opens one datagram at a time, answers each with at
// most one, never longer. Source: PROTOCOL.md, "Packet transport".
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/frame.hpp>
#include <boxgram/packet/server_keys.hpp>

namespace boxgram::packet {

/// Why a datagram was dropped without a byte in return; also the metric's label.
enum class Drop : std::uint8_t {
  too_short,
  bad_magic,
  bad_version,
  bad_type,
  bad_length,
  unknown_key,
  low_order,
  not_authentic,
  replayed,
  bad_frames,
  no_service,
  cookie_required_but_limited,
  misrouted,
  count_
};
const char* to_string(Drop reason);

/// What to send back to whom: kept while a service works on the request. Holds the shared key, so
/// it is move only and wiped.
struct ReplyTo {
  base::SocketAddress to;
  crypto::SharedKey key;
  std::array<std::uint8_t, 8> cid{};
  std::uint64_t re = 0;          ///< n of the request
  std::uint32_t frame_id = 0;    ///< id of the request's service frame
  FrameType service{};           ///< type of the request's service frame
  std::uint16_t size = 0;        ///< the request's datagram, and so the reply's size
  bool validated = false;        ///< the source address has proven that it receives (SHORT)
  bool new_association = false;  ///< an ASSOC frame goes first
  std::array<std::uint8_t, 8> sid{};
};

/// What receive() made of a datagram.
struct Received {
  enum class Kind : std::uint8_t {
    dropped,   ///< `drop` says why
    transmit,  ///< `size` bytes in `out` go back to the sender
    request,   ///< a service frame: `payload` (inside the datagram's buffer) and `reply`
    misrouted  ///< belongs to worker `owner`: hand the untouched datagram over to it
  };
  Kind kind = Kind::dropped;
  Drop drop{};
  std::size_t size = 0;
  base::Bytes payload;
  ReplyTo reply;
  std::uint8_t owner = 0;
};

}  // namespace boxgram::packet
