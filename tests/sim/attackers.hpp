// Hosts that do not play by the rules.
#pragma once

#include <boxgram/packet/datagram.hpp>

#include "sim/packet_nodes.hpp"

namespace boxgram::sim {

/// On the path: records all, and plays it back later, as it was, from an address of its own, with
/// another encoding of its EC, or to the one who sent it.
class Replayer final : public Tap {
 public:
  explicit Replayer(std::uint64_t seed) : rng_(seed) {}
  void on_sent(World& world, const SocketAddress& from, const SocketAddress& to,
               base::Bytes bytes) override;
  [[nodiscard]] std::uint64_t replayed() const { return replayed_; }

 private:
  test::SeededRng rng_;
  std::uint64_t replayed_ = 0;
};

/// Knows the gateway's public key and floods it with INITIALs, garbage or well sealed, each with
/// ASSOC_REQ, from spoofed sources (which includes all prefixes of the world).
class Flooder {
 public:
  Flooder(const GatewayNode& gateway, const SocketAddress& to, std::uint64_t seed)
      : gateway_(gateway), to_(to), rng_(seed) {}

  /// `count` of them now; sealed ones cost a scalar multiplication each.
  void flood(World& world, std::size_t count, bool sealed);

 private:
  const GatewayNode& gateway_;
  SocketAddress to_;
  test::SeededRng rng_;
};

/// Off the path. What an observer elsewhere may have told him is granted: sids and cids, but never
/// a token, nor a cid together with an n that is outstanding. Sends on every datagram he is told
/// of.
class Spoofer final : public Tap {
 public:
  Spoofer(const SocketAddress& gateway, std::uint64_t seed) : gateway_(gateway), rng_(seed) {}
  void on_sent(World& world, const SocketAddress& from, const SocketAddress& to,
               base::Bytes bytes) override;
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  void send(World& world, const SocketAddress& victim, base::Bytes bytes);

  SocketAddress gateway_;
  test::SeededRng rng_;
  std::uint64_t sent_ = 0;
};

}  // namespace boxgram::sim
