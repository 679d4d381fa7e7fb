// The client's side of the packet transport: one object for one gateway. Requests go in, sealed
// datagrams come out; each request ends in exactly one event. Source: PROTOCOL.md, "Packet
// transport" and "Client".
//
// Sans-IO: no socket, clock or randomness of its own. After each call that changes something, drain
// poll_event(), then poll_transmit(), then read next_timeout().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/crypto/sign.hpp>
#include <boxgram/packet/certificate.hpp>
#include <boxgram/packet/datagram.hpp>
#include <boxgram/packet/frame.hpp>

namespace boxgram::packet {

/// The largest request payload: what the largest INITIAL_C (1,232 bytes) holds beside ts, ECHO and
/// ASSOC_REQ. So a request that is taken can travel in every type of datagram.
inline constexpr std::size_t kMaxRequestPayload = 1020;

struct ClientConfig {
  /// Signs the gateway's certificates. Without it only the pinned key is used, for ever.
  std::optional<crypto::VerifyKey> identity;
  /// The gateway's box key itself, from a stamp. Needs no certificate and no clock.
  std::optional<crypto::PublicKey> pinned_key;
  /// A certificate kept from an earlier run (its wire form); ignored unless the identity signed it.
  std::optional<CertificateBytes> certificate;
  /// The highest serial seen in earlier runs: nothing below it is taken.
  std::uint32_t highest_serial = 0;
  /// A fresh EC for each request and no association: requests cannot be linked by it. Costs two
  /// scalar multiplications for each request here and one at the gateway.
  bool key_per_query = false;
  /// Requests at a time. 4,096 is 1,000 requests a second through an outage of request_lifetime.
  std::size_t capacity = 4096;
  /// From request() to Failed{timed_out}. Just below the 3 s in which a stub owes an answer.
  base::Duration request_lifetime = base::Duration{2'800'000'000};
};

/// A request's end: the gateway answered.
struct Answer {
  std::uint64_t tag = 0;
  /// Stands in the datagram last given to handle_datagram(); valid until that buffer is reused.
  base::Bytes payload;
  base::Duration round_trip{};      ///< from the datagram that was answered to its answer
  base::Duration elapsed{};         ///< from request() to the answer
  std::uint16_t datagram_size = 0;  ///< of the datagram answered, and so of the answer
  std::uint8_t transmissions = 0;   ///< datagrams sent for this request, at least 1
  bool initial = false;             ///< it travelled in an INITIAL, not on a live association
};

enum class FailReason : std::uint8_t {
  timed_out,        ///< no answer within request_lifetime
  no_key,           ///< no usable key of the gateway: no certificate came, or a low-order point
  too_large,        ///< the answer (size in Failed::size) or the request fits no datagram
  refused,          ///< ERROR refused, auth, or one that this version does not know
  unknown_service,  ///< ERROR unknown_service
  malformed,        ///< ERROR malformed: the gateway could not read the request
  shutdown,         ///< ERROR shutdown: ask another gateway
  count_
};
const char* to_string(FailReason reason);

/// A request's end: there will be no answer.
struct Failed {
  std::uint64_t tag = 0;
  FailReason reason{};
  std::uint16_t size = 0;          ///< too_large: the answer's payload size, 0xffff if unknown
  std::uint8_t transmissions = 0;  ///< 0: nothing was ever sent for it
};

using ClientEvent = std::variant<Answer, Failed>;

/// Totals since the start.
struct ClientCounters {
  std::uint64_t requests = 0, answers = 0, cancelled = 0, full = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(FailReason::count_)> failed{};
  std::uint64_t initials = 0, shorts = 0, keyreqs = 0, retransmissions = 0;
  std::uint64_t associations = 0;  ///< ECs made
  std::uint64_t retries_accepted = 0, resets_accepted = 0, stale_times = 0, too_large = 0;
  std::uint64_t certificates = 0;      ///< taken, each newer than the one before
  std::uint64_t certificates_bad = 0;  ///< shown, but signature or serial was not acceptable
  // Datagrams that changed nothing:
  std::uint64_t not_ours = 0;       ///< unknown type, cid, sid, token or echo, bad length
  std::uint64_t not_authentic = 0;  ///< the box did not open
  std::uint64_t late = 0;           ///< opened, but nobody waits for it: duplicate or too late
  std::uint64_t violations = 0;     ///< opened, but breaks the rules: frames, length, id
  std::uint64_t overwritten = 0;    ///< records of datagrams in flight given up for newer ones
};

/// For people and for the choice between gateways.
struct ClientState {
  std::size_t outstanding = 0;
  bool has_key = false;
  bool established = false;  ///< SHORT is in use
  base::Duration association_age{};
  std::uint16_t size_class = 0;  ///< of the next SHORT of a small request
  std::uint32_t key_serial = 0;  ///< of the certificate in use; 0: pinned or none
  std::uint32_t highest_serial = 0;
  std::optional<base::Duration> srtt;
  base::Duration retransmit_after{};
};

class Client {
 public:
  /// `wall` only stamps INITIALs and judges certificates; where it is wrong the gateway corrects it
  /// at the cost of one round trip. `rng` must outlive the client.
  Client(const ClientConfig& config, base::Rng& rng, base::WallClock wall, base::Instant start);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) = delete;

  /// Takes a request; `payload` is copied. Ends in exactly one event that bears `tag`, unless
  /// cancelled. A payload above kMaxRequestPayload ends in Failed{too_large}.
  /// Returns its handle, or 0 (and no event) when `capacity` requests are outstanding.
  /// Cost: O(1); no allocation once the slot has been used before.
  base::Handle request(base::Instant now, FrameType service, base::Bytes payload,
                       std::uint64_t tag);

  /// Gives a request up: no event, no further retransmission. Nothing if it has ended already.
  void cancel(base::Handle request);

  /// One datagram from the gateway's address, opened in place. Whatever is not ours is counted and
  /// ignored. REQUIRES: poll_event() has returned false since the last call.
  /// Cost: an MSG one box_open, O(1), no allocation; KEYS up to four signature checks.
  void handle_datagram(base::Instant now, base::MutableBytes datagram);

  /// The socket was reopened or the network changed: a new EC at once (the old one would link the
  /// two addresses), outstanding requests are sent again on it.
  void address_changed(base::Instant now);

  /// Retransmissions, expiries, renewals. May be called early or late.
  void handle_timeout(base::Instant now);

  /// The next deadline; none when nothing is outstanding and no key needs care. In the past while
  /// an event waits to be fetched.
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  /// Writes one datagram into `out` and returns its size; 0 when there is nothing to send.
  /// REQUIRES: out.size() >= kMaxDatagram.
  /// Cost: one box; the first of an association also two scalar multiplications.
  std::size_t poll_transmit(base::Instant now, base::MutableBytes out);

  /// The next event, false if there is none.
  bool poll_event(ClientEvent& event);

  [[nodiscard]] const ClientCounters& counters() const;
  [[nodiscard]] ClientState state(base::Instant now) const;
  /// The certificate in use in its wire form, for the owner to keep (with highest_serial).
  [[nodiscard]] std::optional<CertificateBytes> certificate() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace boxgram::packet
