// Our own requests that wait for an answer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dht/node_types.hpp>

namespace boxgram::dht {

enum class RequestKind : std::uint8_t { ping, find_node, get_peers, get, announce, put };

struct Request {
  base::Handle self = 0;
  std::uint32_t secret = 0;
  RequestKind kind{};
  RemoteNode node;  ///< whom it goes to; the id is zero while unknown
  NodeId target;
  Operation operation = 0;   ///< on whose behalf; 0: the table's
  std::uint8_t tries = 0;    ///< datagrams sent
  std::uint8_t prompts = 0;  ///< sealed: of them, those that its node asked for
  std::uint16_t room = 0;    ///< sealed: what its answer is known to need
  base::Instant sent_at{};   ///< the latest of them

 private:
  friend class RequestTable;
  enum class Place : std::uint8_t { ready, young, old };
  Place place_ = Place::ready;
  Request* previous_ = nullptr;
  Request* next_ = nullptr;
};

/// An answer is taken only under the transaction id of a request that waits and from the endpoint
/// that it went to (the caller compares): 32 random bits and an address are to be guessed by
/// whoever does not see our datagrams. dht-rpc's 16 bits count upwards and any source will do.
///
/// Both deadlines are the same for all requests, so those sent first come first: two queues do for
/// all timers. A request without an answer is *slow* after a while (its lookup may ask somebody
/// else meanwhile, or the same node again), and 8 s after its last datagram it is *dead*. How long
/// that while is follows from the round trips measured (RFC 6298), between bounds: below 300 ms too
/// many that live far away would count as slow, and after 1 s nine of ten are dead.
class RequestTable {
 public:
  static constexpr base::Duration kMinSlow = std::chrono::milliseconds(300);
  static constexpr base::Duration kMaxSlow = std::chrono::seconds(1);
  static constexpr base::Duration kDead = std::chrono::seconds(8);
  /// index 2 | secret 4
  using Transaction = std::array<std::uint8_t, 6>;

  /// REQUIRES: capacity <= 65,536.
  RequestTable(std::size_t capacity, base::Rng& rng);

  /// A request that waits to be sent, or nullptr when the table is full.
  Request* add(RequestKind kind, const RemoteNode& node, const NodeId& target, Operation operation);

  /// The next one to send; it counts as sent now, whether it is or not.
  Request* take_ready(base::Instant now);
  [[nodiscard]] bool has_ready() const { return ready_.first != nullptr; }
  /// Queues a request that has been sent for another datagram.
  void send_again(Request& request);

  [[nodiscard]] static Transaction transaction_of(const Request& request);
  /// The request that waits under this transaction id.
  Request* find(base::Bytes transaction);
  Request* find(base::Handle handle) { return requests_.find(handle); }

  /// Learns from the round trip of a request that is answered now. One that was sent twice teaches
  /// nothing: nobody knows which datagram the answer belongs to.
  void measure(base::Instant now, const Request& request);
  [[nodiscard]] base::Duration slow_after() const { return slow_after_; }

  /// Ended: answered, given up or dead.
  void release(Request& request);

  enum class Due : std::uint8_t { slow, dead };
  /// One request whose time has come; a dead one is the caller's to release. Call until nullptr.
  Request* expire(base::Instant now, Due& due);
  [[nodiscard]] std::optional<base::Instant> next() const;

  [[nodiscard]] std::size_t size() const { return requests_.size(); }
  [[nodiscard]] std::size_t capacity() const { return requests_.capacity(); }

 private:
  struct Queue {
    Request* first = nullptr;
    Request* last = nullptr;
  };

  Queue& queue_of(const Request& request);
  void push_back(Request& request, Request::Place place);
  void unlink(Request& request);

  base::Rng& rng_;
  base::Slab<Request> requests_;
  Queue ready_, young_, old_;
  base::Duration smoothed_{};
  base::Duration variation_{};
  base::Duration slow_after_ = kMaxSlow;
};

}  // namespace boxgram::dht
