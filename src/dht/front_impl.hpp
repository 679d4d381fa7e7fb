// The inside of Front: what is known, what is being asked for, and who waits for it.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <unordered_map>

#include <boxgram/dht/front.hpp>

#include "peer_store.hpp"
#include "token_issuer.hpp"

namespace boxgram::dht {

/// What is asked for. Equal questions share one request; what stores is asked for each time.
struct FrontKey {
  enum class Kind : std::uint8_t { peers, item, store };
  Kind kind{};
  bool no_seeds = false;
  NodeId target;
  std::uint64_t store = 0;  ///< tells stores apart

  friend bool operator==(const FrontKey&, const FrontKey&) = default;
};

class FrontKeyHash {
 public:
  explicit FrontKeyHash(const crypto::ShortHashKey& key) : ids_(key) {}
  std::size_t operator()(const FrontKey& key) const {
    return ids_(key.target) + static_cast<std::size_t>(key.kind) + (key.no_seeds ? 8 : 0) +
           key.store * 16;
  }

 private:
  IdHash ids_;
};

/// A query whose answer is to come.
struct FrontWaiter {
  std::size_t node = 0;
  base::SocketAddress from;
  std::array<std::uint8_t, kMaxTransaction> transaction{};
  std::size_t transaction_size = 0;
  Want want;
  std::optional<std::int64_t> newer_than;
  base::Instant deadline{};
};

/// What is known of a key, or will be.
struct FrontEntry {
  std::uint64_t tag = 0;
  bool under_way = true;
  base::Instant fresh_until{};
  std::vector<std::uint8_t> query;  // until it is polled
  std::deque<FrontWaiter> waiters;  // the first to lose its patience first
  std::vector<base::SocketAddress> peers;
  std::vector<std::uint8_t> value;  // of an item; empty: none
  std::optional<Authorship> author;
  std::optional<ErrorCode> error;  // of a store
};

class Front::Impl {
 public:
  Impl(FrontConfig config, base::Rng& rng);

  std::size_t handle_datagram(base::Instant now, std::size_t node, const base::SocketAddress& from,
                              base::Bytes datagram, base::MutableBytes out);
  bool poll_transmit(base::Instant now, Transmit& transmit, base::MutableBytes out);
  bool poll_request(Request& request, base::MutableBytes out);
  /// An empty message: there is none.
  void answered(base::Instant now, std::uint64_t tag, base::Bytes message);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  [[nodiscard]] const NodeId& id(std::size_t node) const { return nodes_[node].id; }
  [[nodiscard]] FrontCounters counters() const;

 private:
  using Entries = std::unordered_map<FrontKey, FrontEntry, FrontKeyHash>;
  struct Context;
  struct LateReply {
    FrontKey key;
    FrontWaiter waiter;
    std::optional<ErrorCode> error;
  };

  std::size_t drop(FrontDrop reason);
  std::size_t error(base::Bytes transaction, ErrorCode code, base::MutableBytes out);
  std::size_t answer_to(const Context& context, const Ping&);
  std::size_t answer_to(const Context& context, const FindNode& query);
  std::size_t answer_to(const Context& context, const GetPeers& query);
  std::size_t answer_to(const Context& context, const AnnouncePeer& query);
  std::size_t answer_to(const Context& context, const GetItem& query);
  std::size_t answer_to(const Context& context, const PutItem& query);

  template <class Method>
  std::size_t look_up(const Context& context, const FrontKey& key, const FrontWaiter& waiter,
                      const Method& method);
  template <class Method>
  FrontEntry* begin(base::Instant now, const FrontKey& key, const Method& method);
  bool make_room(base::Instant now);
  bool wait(FrontEntry& entry, const FrontWaiter& waiter);
  [[nodiscard]] FrontWaiter waiter_of(const Context& context, base::Duration patience) const;

  std::size_t compose(base::Instant now, const FrontKey& key, const FrontWaiter& waiter,
                      base::MutableBytes out);
  std::size_t write(const NodeId& target, Want want, Reply& reply, base::MutableBytes out);
  void take(const FrontKey& key, FrontEntry& entry, base::Bytes message);
  void take_peers(FrontEntry& entry, const Response& response);
  void take_item(const FrontKey& key, FrontEntry& entry, const Response& response);
  void release_waiters(const FrontKey& key, FrontEntry& entry,
                       std::optional<base::Instant> impatient_at);

  FrontConfig config_;
  base::Rng& rng_;
  Family family_;
  std::vector<Contact> nodes_;
  TokenIssuer tokens_;
  PeerStore announced_;
  crypto::ShortHashKey hash_;
  Entries entries_;
  std::map<std::uint64_t, FrontKey> under_way_;  // by tag
  std::deque<std::uint64_t> unasked_;            // tags of requests to poll
  std::deque<LateReply> late_;
  std::size_t waiting_ = 0;  // waiters of all entries, and late_
  std::uint64_t next_tag_ = 1;
  base::Instant next_expiry_{};
  FrontCounters counters_;
};

}  // namespace boxgram::dht
