// What goes into packet::Server and what comes out of it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/datagram.hpp>
#include <boxgram/packet/frame.hpp>

namespace boxgram::packet {

/// A token bucket's measures.
struct Rate {
  double per_second = 0;
  double burst = 0;
};

struct ServerConfig {
  /// This server's place among the workers of one process; at most 256, because one byte of sid and
  /// of the box's tag tells the owner.
  std::uint8_t worker = 0;
  std::uint16_t workers = 1;
  /// What may stand in a request; anything else is answered with ERROR unknown_service.
  std::vector<FrameType> services = {FrameType::dns};

  /// About 230 bytes each, taken on demand: 15 MiB when full. One quarter is for associations on
  /// probation, which the flood of a stranger can fill; the rest only proven clients can reach.
  std::size_t max_associations = 65536;
  /// Told to the client, which then makes a new one. REQUIRES: at most 600 s.
  base::Duration association_lifetime = std::chrono::seconds(600);
  /// Associations on probation for each network (SocketAddress::prefix()); beyond it a RETRY asks
  /// for proof of the address first.
  std::uint16_t probation_per_prefix = 64;
  /// Entries in each of two generations of 36 s; a power of two. 8 bytes each, taken on demand:
  /// 16 MiB when full, enough for 21,000 INITIALs a second without a RETRY.
  std::size_t replay_capacity = std::size_t{1} << 20;

  /// INITIALs without a cookie for each network; beyond it a RETRY asks for proof of the address.
  Rate initial_rate{500, 1000};
  /// INITIALs with a valid cookie for each network; beyond it they are dropped.
  Rate cookie_rate{2000, 4000};
  /// RETRY, RESET and KEYS for each network; beyond it there is silence. Cheap to make and never
  /// longer than what they answer, so this is generous.
  Rate reply_rate{2000, 4000};
  /// Scalar multiplications for INITIALs without a cookie, all networks together; beyond it RETRY.
  /// One costs about 40 us: 5,000 are a fifth of a core, and the 500 that may come in one go keep
  /// everybody else waiting for 20 ms.
  Rate scalar_mult_rate{5000, 500};
  /// The same for those with a valid cookie; beyond it they are dropped, so that whatever comes,
  /// half a core is left for the associations that exist.
  Rate cookie_scalar_mult_rate{10000, 2000};
  /// Networks that the three buckets remember, each; 16 bytes a network.
  std::size_t rate_table_capacity = 8192;
};

/// Why a datagram was dropped without a byte in return; also the metric's label.
enum class Drop : std::uint8_t {
  too_short,
  bad_magic,
  bad_version,
  bad_type,
  bad_length,
  unknown_key,
  bad_counter,  ///< n of 2^48 or more
  low_order,
  not_authentic,
  replayed,
  bad_frames,                   ///< a KEYREQ whose padding is not zero
  no_service,                   ///< an authentic box that asks for nothing
  cookie_required_but_limited,  ///< a RETRY was due but this network has had its share of them
  rate_limited,                 ///< its network asks too often
  replay_set_full,              ///< could not be checked, so it was not accepted
  count_
};
const char* to_string(Drop reason);

/// What to send back to whom: kept while a service works on the request. Holds the shared key, so
/// it is move only and wiped.
struct ReplyTo {
  base::SocketAddress to;
  crypto::SharedKey key;
  ClientId cid{};
  std::uint64_t re = 0;        ///< n of the request
  std::uint32_t frame_id = 0;  ///< id of the request's service frame
  FrameType service{};         ///< type of the request's service frame
  std::uint16_t size = 0;      ///< the request's datagram, and so the reply's size
  /// The request came in a SHORT from the very address that received sid: the only requests a
  /// service that is not idempotent may act on; others get ERROR need_assoc.
  bool validated = false;
  bool new_association = false;  ///< an ASSOC frame goes first
  bool offer_keys = false;       ///< a KEYS frame goes into the padding if it fits
  bool keys_asked = false;       ///< a KEYREQ came along
  bool pong = false;             ///< a PING came along
  bool time = false;             ///< a TIME came along
  std::uint32_t pong_id = 0;
  std::uint32_t time_id = 0;
  std::uint32_t keys_id = 0;
  base::UnixMillis unix_ms = 0;  ///< when the request arrived
  SessionId sid{};
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

/// Everything that a server has done, since its construction.
struct ServerCounters {
  std::uint64_t initials = 0;      ///< INITIALs and INITIAL_Cs that were accepted
  std::uint64_t shorts = 0;        ///< SHORTs that were accepted
  std::uint64_t scalar_mults = 0;  ///< crypto::shared_key() calls
  std::uint64_t requests = 0;      ///< handed to a service
  std::uint64_t msgs = 0;          ///< sealed, of any content
  std::uint64_t errors = 0;        ///< ERROR frames among them
  std::uint64_t retries = 0;
  std::uint64_t resets = 0;
  std::uint64_t keys = 0;
  std::uint64_t misrouted = 0;
  std::uint64_t associations_made = 0;
  std::uint64_t associations_confirmed = 0;
  std::uint64_t associations_expired = 0;
  std::uint64_t associations_evicted = 0;
  std::uint64_t associations_retired = 0;  ///< with their server key
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::count_)> drops{};
};

}  // namespace boxgram::packet
