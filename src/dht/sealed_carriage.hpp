// The sealed overlay's datagrams, both ways: a packet::Server under the node's own key for what
// others ask, SealedPeers for what we ask. Source: PROTOCOL.md, "DHT".
#pragma once

#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/server.hpp>

#include "sealed_peers.hpp"

namespace boxgram::dht {

class SealedCarriage {
 public:
  SealedCarriage(const crypto::SecretKey& secret_key, base::Rng& rng, base::WallClock wall,
                 base::Instant start);

  /// Which half a datagram is for; anything that is no datagram goes to the server, which counts
  /// it.
  [[nodiscard]] static bool is_answer(base::Bytes datagram);

  [[nodiscard]] packet::Server& server() { return server_; }
  [[nodiscard]] const packet::Server& server() const { return server_; }
  [[nodiscard]] SealedPeers& peers() { return peers_; }
  [[nodiscard]] const SealedPeers& peers() const { return peers_; }

  void handle_timeout(base::Instant now);
  [[nodiscard]] base::Instant next_timeout() const;

 private:
  packet::KeyRotation keys_;
  packet::Server server_;
  SealedPeers peers_;
};

}  // namespace boxgram::dht
