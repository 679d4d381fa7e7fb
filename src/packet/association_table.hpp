// The associations of one worker. Source: PROTOCOL.md, "Associations".
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/datagram.hpp>
#include <boxgram/packet/server_types.hpp>

#include "replay_window.hpp"

namespace boxgram::packet {

/// One client's secret and what it has used of it.
struct Association {
  crypto::SharedKey key;
  SessionId sid{};
  ClientId cid{};
  KeyId key_id{};  ///< the server key it was made under; it goes with that key
  ReplayWindow window;
  base::SocketAddress peer;  ///< the address that sid was sent to
  base::Instant made_at{};
  base::Instant last_seen{};
  std::uint32_t offered_serial = 0;  ///< the newest certificate that the client has been shown
  std::uint8_t offers = 0;           ///< how often the next one has been shown
  bool confirmed = false;            ///< a valid SHORT has come: its address received sid

 private:
  friend class AssociationTable;
  bool used_ = false;
  std::uint32_t index_ = 0;
  std::uint32_t prefix_slot_ = 0;
  std::uint32_t prev_ = 0;
  std::uint32_t next_ = 0;
};

/// What a new association is made of.
struct NewAssociation {
  SessionId sid{};
  ClientId cid{};
  KeyId key_id{};
  std::uint32_t key_serial = 0;
  base::SocketAddress peer;
};

/// Two regions of fixed size. A new association is on probation until its first valid SHORT, and
/// competes with other newcomers only: a flood of INITIALs with forged sources cannot push out a
/// proven client. Among the proven the one that has been silent for longest goes first, but a
/// network that holds a quarter of their places pushes out nobody else's: its newcomers stay on
/// probation, where they are served as well.
class AssociationTable {
 public:
  /// An unconfirmed association is worth nothing after this time: its client would have sent a
  /// SHORT, or has asked again, within three seconds.
  static constexpr base::Duration kProbation = std::chrono::seconds(30);
  /// How long after its end an association is still served: the last retransmissions of a client
  /// whose clock is a little slow.
  static constexpr base::Duration kGrace = std::chrono::seconds(60);

  AssociationTable(const ServerConfig& config, base::Rng& rng, ServerCounters& counters);

  /// The association, or nullptr if there is none or its time is over. O(1), no allocation.
  Association* find(base::Instant now, const SessionId& sid);

  /// True if a newcomer from this network should prove its address first: the probation region is
  /// full, or its network's share of it.
  [[nodiscard]] bool crowded(const base::SocketAddress& from) const;

  /// Makes an association on probation, at the cost of the oldest one there if that region is full.
  /// REQUIRES: no association has this sid. The reference is good until the next call.
  Association& make(base::Instant now, const NewAssociation& with, const crypto::SharedKey& key);

  /// An authentic SHORT has come: confirms the association, if its network may have the place, and
  /// marks it as the last one seen.
  void touch(base::Instant now, Association& association);

  /// Wipes and releases every association whose server key is not in `keep`.
  template <class Keep>
  void retire(Keep&& keep) {
    for (Association& association : slots_)
      if (association.used_ && !keep(association.key_id)) {
        release(association);
        ++counters_.associations_retired;
      }
  }

  void expire(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next() const;

  [[nodiscard]] std::size_t size() const { return probation_.size + confirmed_.size; }
  [[nodiscard]] std::size_t on_probation() const { return probation_.size; }
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  // 16,384 shared counters stand for the networks: two that meet in one only share an allowance.
  static constexpr std::size_t kPrefixSlots = 16384;

  struct List {  // oldest first
    std::uint32_t head = kNone;
    std::uint32_t tail = kNone;
    std::size_t size = 0;
    std::size_t capacity = 0;
  };

  [[nodiscard]] std::uint32_t prefix_slot(const base::SocketAddress& from) const;
  [[nodiscard]] std::size_t home(const SessionId& sid) const;
  void push_back(List& list, Association& association);
  void unlink(List& list, Association& association);
  void release(Association& association);
  void leave_probation(Association& association);
  Association& take_slot();
  void index_insert(const Association& association);
  void index_erase(const Association& association);
  void index_grow();

  crypto::ShortHashKey prefix_key_;
  base::Duration lifetime_;
  std::uint16_t per_prefix_;
  ServerCounters& counters_;
  List probation_;
  List confirmed_;
  std::deque<Association> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> index_;  // slot + 1, 0 = free; linear probing, at most half full
  std::vector<std::uint16_t> per_prefix_count_;  // on probation
  std::vector<std::uint32_t> per_prefix_confirmed_;
  std::size_t confirmed_share_ = 0;
};

}  // namespace boxgram::packet
