// The stub without its sockets: plain DNS in, sealed datagrams and streams out, and back. A
// dns::Forwarder whose upstreams are gateways. Sans-IO.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/shared_cache.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/stream/client.hpp>

namespace boxgram::stub {

/// Who asked, and how the answer gets back.
struct Asker {
  base::SocketAddress from;
  base::SocketAddress local;    ///< the address that was asked; unspecified where there is but one
  base::Handle connection = 0;  ///< TCP; 0 for UDP
  std::uint8_t socket = 0;      ///< which of the owner's listening sockets
};

/// What is known of a gateway.
struct GatewayConfig {
  packet::ClientConfig packets;
  bool streams = false;  ///< its stamp says that it takes streams
};

/// The largest answer over UDP: what IPv6 carries everywhere without fragments (RFC 9715).
inline constexpr std::size_t kMaxUdpAnswer = 1232;

class Core {
 public:
  /// Clients that wait for an answer: as many as a Forwarder has waiters, and the one that asks, so
  /// that it is always the forwarder that says what becomes of a query.
  static constexpr std::size_t kMaxAskers = 16384 + 1;

  struct Outcome {
    enum class Kind : std::uint8_t { answered, pending, dropped };
    Kind kind = Kind::dropped;
    std::size_t size = 0;  ///< answered: bytes in `out`
  };

  struct Answer {
    Asker asker;
    std::size_t size = 0;
  };

  /// Upstream i of `rules` is gateway i.
  /// REQUIRES: rules->upstreams.size() == gateways.size(); `cache` (may be null) and `rng` outlive
  /// this.
  Core(const std::vector<GatewayConfig>& gateways,
       std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache, base::Rng& rng,
       base::WallClock wall, base::Instant start);

  /// One query. Exactly one answer follows, now or from poll_answer() within 3 s, unless dropped.
  /// REQUIRES: out.size() >= 65,535 for TCP, kMaxUdpAnswer for UDP.
  Outcome query(base::Instant now, const Asker& asker, base::Bytes query, base::MutableBytes out);

  /// The next late answer, written into `out` (65,535 bytes); false when there is none.
  bool poll_answer(base::Instant now, Answer& answer, base::MutableBytes out);

  /// One datagram from gateway i, opened in place.
  void gateway_datagram(base::Instant now, std::size_t i, base::MutableBytes datagram);
  /// Writes the next datagram for gateway i; 0 when there is none.
  std::size_t poll_transmit(base::Instant now, std::size_t i, base::MutableBytes out);
  /// The socket to gateway i is a new one.
  void address_changed(base::Instant now, std::size_t i);

  /// The stream to gateway i, null if it takes none: connections and bytes go in and out there.
  [[nodiscard]] stream::Client* stream(std::size_t i);
  [[nodiscard]] const stream::Client* stream(std::size_t i) const;
  /// Something went in there.
  void stream_input(base::Instant now, std::size_t i);

  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  [[nodiscard]] std::size_t gateways() const { return gateways_.size(); }
  [[nodiscard]] const packet::Client& client(std::size_t i) const { return gateways_[i].packets; }
  [[nodiscard]] const dns::Forwarder& forwarder() const { return forwarder_; }
  /// Nobody waits for an answer: after a reload the old core can go.
  [[nodiscard]] bool idle() const { return askers_.size() == 0; }

 private:
  struct Gateway {
    packet::Client packets;
    std::optional<stream::Client> stream;
  };
  struct OpenTry {
    dns::TryId id = 0;
    base::Handle request = 0;
    bool by_stream = false;
  };

  void pump(base::Instant now);
  bool start_tries(base::Instant now);
  bool take_events(base::Instant now, std::size_t i);
  bool take_packet_events(base::Instant now, Gateway& gateway);
  bool take_stream_events(base::Instant now, stream::Client& stream);
  void take_answer(base::Instant now, dns::TryId id, base::Bytes answer);
  void go_on_by_stream(base::Instant now, Gateway& gateway, dns::TryId id);
  OpenTry& open_try(dns::TryId id);

  dns::Forwarder forwarder_;
  std::vector<Gateway> gateways_;
  base::Slab<Asker> askers_{kMaxAskers};
  std::vector<OpenTry> tries_;  // by dns::try_place()
};

}  // namespace boxgram::stub
