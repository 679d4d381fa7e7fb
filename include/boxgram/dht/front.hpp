// The only DHT node that unmodified clients of this machine know: it answers them as a node of
// Mainline would, and has somebody else do the lookups. Source: BEP 5, 32, 33, 43, 44.
//
// Sans-IO: no socket, clock or randomness of its own. After each call that changes something, drain
// poll_request(), then poll_transmit(), then read next_timeout().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dht/message.hpp>

namespace boxgram::dht {

struct FrontConfig {
  /// Where each virtual node is reached; their ids lie evenly in the space. REQUIRES: 1 to 16, all
  /// of one family.
  std::vector<base::SocketAddress> nodes;
  /// Who is served beside loopback; ports do not matter.
  std::vector<base::SocketAddress> clients;
  /// Ask for announces too. Clients of this front find each other in any case.
  bool announce = false;
};

/// Why a datagram changed nothing; also the metric's label.
enum class FrontDrop : std::uint8_t {
  stranger,   ///< from an address that is not served
  malformed,  ///< no bencode or no KRPC, and no transaction to say so to
  not_query,  ///< a response or an error: nobody was asked
  count_
};
const char* to_string(FrontDrop reason);

struct FrontCounters {
  std::uint64_t queries = 0, replies = 0, errors = 0;
  std::uint64_t requests = 0;  ///< that the owner was asked for
  std::uint64_t cached = 0;    ///< answered by an earlier request
  std::uint64_t merged = 0;    ///< joined one that was under way
  std::uint64_t late = 0;      ///< answered with what was known, before the request had ended
  std::uint64_t failed = 0;    ///< requests that came to nothing
  std::uint64_t evicted = 0;   ///< results that gave way to newer ones
  std::uint64_t crowded = 0;   ///< queries for which there was no place
  std::uint64_t bad_tokens = 0;
  std::uint64_t peers = 0;  ///< kept now, not a total
  std::array<std::uint64_t, static_cast<std::size_t>(FrontDrop::count_)> drops{};
};

class Front {
 public:
  /// Room for any datagram or request.
  static constexpr std::size_t kMaxDatagram = kMaxMessage;
  /// A result is good for so long: clients ask each of the nodes that they know, again and again.
  static constexpr base::Duration kFresh = std::chrono::seconds(30);
  /// A client hears what is known after so long, even if that is nothing. libtorrent and aria2 wait
  /// for longer; a reply that is late is none.
  static constexpr base::Duration kPatience = std::chrono::seconds(5);
  /// Results, and requests under way among them. One holds up to 512 peers.
  static constexpr std::size_t kMaxRequests = 256;
  static constexpr std::size_t kMaxUnderWay = 32;
  /// Queries that wait, of all requests and of one.
  static constexpr std::size_t kMaxWaiting = 1024;
  static constexpr std::size_t kMaxWaitingForOne = 64;

  struct Transmit {
    std::size_t node = 0;  ///< from which virtual node
    base::SocketAddress to;
    std::size_t size = 0;
  };
  struct Request {
    std::uint64_t tag = 0;
    std::size_t size = 0;
  };

  /// `rng` must outlive the front.
  Front(FrontConfig config, base::Rng& rng);
  ~Front();
  Front(Front&&) noexcept;
  Front& operator=(Front&&) = delete;

  /// One datagram for a virtual node. Gives the size of the reply in `out`, or 0: there is none, or
  /// it comes from poll_transmit(). REQUIRES: out.size() >= kMaxDatagram.
  std::size_t handle_datagram(base::Instant now, std::size_t node, const base::SocketAddress& from,
                              base::Bytes datagram, base::MutableBytes out);

  /// Writes a late reply into `out`; false when there is none. REQUIRES: as above.
  bool poll_transmit(base::Instant now, Transmit& transmit, base::MutableBytes out);

  /// Writes a KRPC query into `out`, which the owner is to have answered: one answered() or
  /// failed() under its tag is owed. False when there is none. REQUIRES: as above.
  bool poll_request(Request& request, base::MutableBytes out);

  /// The response or error to a request: what a gateway found, of up to 65,535 bytes.
  void answered(base::Instant now, std::uint64_t tag, base::Bytes message);
  /// There will be none.
  void failed(base::Instant now, std::uint64_t tag);

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  [[nodiscard]] const NodeId& id(std::size_t node) const;
  [[nodiscard]] FrontCounters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace boxgram::dht
