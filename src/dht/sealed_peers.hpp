// The asking side of the sealed overlay: an association with each node that we ask, in one table.
// What packet::Client is for one gateway, without timers and queues of its own: a node retries by
// asking somebody else. Source: PROTOCOL.md, "Packet transport" and "DHT".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/remote_node.hpp>
#include <boxgram/packet/datagram.hpp>

namespace boxgram::dht {

/// What becomes of a request that travels sealed.
struct SealedReceived {
  enum class Kind : std::uint8_t {
    nothing,
    answer,  ///< `message` answers `request`; it comes from the node that was asked, by its key
    again,   ///< `request` has to be sent once more: a cookie, a clock, a larger datagram, a RESET
    refused  ///< `request` will not be answered
  };
  Kind kind = Kind::nothing;
  base::Handle request = 0;
  base::Bytes message;     ///< inside the datagram
  std::uint16_t room = 0;  ///< again: what the answer needs, if it did not fit
};

struct SealedPeersCounters {
  std::uint64_t associations = 0, evicted = 0;
  std::uint64_t initials = 0, shorts = 0;
  std::uint64_t not_ours = 0, not_authentic = 0, late = 0, violations = 0;
};

/// Bounded: the association longest unused goes first. About 500 bytes each, taken on demand.
class SealedPeers {
 public:
  /// Two busy lookups' worth for each minute of the ten that an association may live.
  static constexpr std::size_t kCapacity = 512;
  /// The largest message: what a SHORT holds.
  static constexpr std::size_t kMaxMessage =
      packet::kMaxDatagram - packet::kShortOverhead - packet::kFrameHeaderSize;

  SealedPeers(base::Rng& rng, base::WallClock wall, std::size_t capacity = kCapacity);
  SealedPeers(const SealedPeers&) = delete;
  SealedPeers& operator=(const SealedPeers&) = delete;

  /// Seals `message` to `to`; an answer of up to `room` bytes will fit. Gives the datagram's size;
  /// 0 if the key is a low-order point. A message that fits a SHORT only, while there is no
  /// association, stays behind: an INITIAL without it fetches one, then it is due again.
  /// REQUIRES: message.size() <= kMaxMessage; out.size() >= packet::kMaxDatagram.
  /// Cost: one box on a live association; without one, two scalar multiplications more.
  std::size_t seal(base::Instant now, const RemoteNode& to, base::Handle request,
                   base::Bytes message, std::size_t room, base::MutableBytes out);

  /// Opens, in place, what came to us as a client: MSG, RETRY, RESET.
  SealedReceived receive(base::Instant now, const base::SocketAddress& from,
                         base::MutableBytes datagram);

  /// A request to that address was not answered in time: after two in a row on an association it
  /// begins anew, for the node may have lost its half.
  void lost(const base::SocketAddress& to);

  [[nodiscard]] std::size_t size() const { return peers_.size(); }
  [[nodiscard]] const SealedPeersCounters& counters() const { return counters_; }

 private:
  /// Datagrams under way to one node; a lookup sends it one, tries and stores some more.
  static constexpr std::size_t kInFlight = 8;

  struct InFlight {
    base::Handle request = 0;  // 0: nothing, or answered
    std::uint64_t n = 0;
    std::uint16_t size = 0;
    bool initial = false;
    bool bare = false;  // without its message
    bool retried = false;
  };
  struct Peer {
    base::Handle self = 0;
    base::SocketAddress address;
    crypto::PublicKey node_key{};
    crypto::PublicKey ec{};
    crypto::SharedKey key;
    packet::KeyId skid{};
    std::uint64_t next_n = 0;  // used once each, never goes back
    base::Instant expires{};
    base::UnixMillis clock_offset = 0;  // added modulo 2^64
    bool established = false;
    packet::SessionId sid{};
    crypto::Secret<16> reset_token;
    bool has_cookie = false;
    packet::Cookie cookie{};
    base::Instant cookie_at{};
    std::uint8_t losses = 0;
    std::array<InFlight, kInFlight> sent{};
    base::Handle older = 0, newer = 0;  // by last use
  };
  struct AddressHash {
    const crypto::ShortHashKey* key;
    std::size_t operator()(const base::SocketAddress& address) const;
  };

  Peer* find(const base::SocketAddress& address);
  Peer* make(base::Instant now, const RemoteNode& to);
  Peer* usable(base::Instant now, const RemoteNode& to);
  void drop(Peer& peer);
  void use(Peer& peer);
  void unlink(Peer& peer);

  SealedReceived on_msg(base::Instant now, Peer& peer, base::MutableBytes datagram);
  SealedReceived on_retry(base::Instant now, Peer& peer, base::Bytes datagram);
  SealedReceived on_reset(Peer& peer, base::Bytes datagram);
  SealedReceived on_error(base::Instant now, Peer& peer, const InFlight& sent, base::Bytes payload);
  void on_assoc(base::Instant now, Peer& peer, base::Bytes payload);
  SealedReceived nothing(std::uint64_t& counter) {
    ++counter;
    return {};
  }

  base::Rng& rng_;
  std::uint64_t rng_generation_;
  base::WallClock wall_;
  crypto::ShortHashKey hash_;
  base::Slab<Peer> peers_;
  std::unordered_map<base::SocketAddress, base::Handle, AddressHash> by_address_;
  base::Handle oldest_ = 0, newest_ = 0;
  SealedPeersCounters counters_;
};

}  // namespace boxgram::dht
