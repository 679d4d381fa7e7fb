// What must hold in every world, whatever the network and the attackers do.
#pragma once

#include <array>
#include <map>
#include <set>

#include <boxgram/crypto/box.hpp>
#include <boxgram/packet/datagram.hpp>

#include "sim/packet_nodes.hpp"

namespace boxgram::sim {

/// Opens every sealed datagram that an honest node emits, with keys worked out from the gateway's
/// secrets, and notes each (key, nonce): a second one is a two-time pad.
class NonceChecker final : public Tap {
 public:
  explicit NonceChecker(const GatewayNode& gateway) : gateway_(gateway) {}

  void on_sent(World& world, const SocketAddress& from, const SocketAddress& to,
               base::Bytes bytes) override;
  /// Learns the keys of an attacker's ECs, so that the answers to them can be checked.
  void on_injected(base::Bytes bytes) override;

  [[nodiscard]] std::uint64_t boxes() const { return boxes_; }
  [[nodiscard]] std::uint64_t reused() const { return reused_; }
  /// Emitted, but does not open with the key that it names, or names none.
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  /// A MSG whose length is not that of the datagram it answers.
  [[nodiscard]] std::uint64_t wrong_length() const { return wrong_length_; }

 private:
  using KeyBytes = std::array<std::uint8_t, 32>;

  void learn_server_secrets();
  const KeyBytes* learn(const packet::InitialHeader& header);
  void note(const KeyBytes& key, const crypto::Nonce& nonce);
  void on_initial(base::MutableBytes datagram);
  void on_short(base::MutableBytes datagram);
  void on_msg(base::MutableBytes datagram);

  const GatewayNode& gateway_;
  std::map<packet::KeyId, KeyBytes> server_secrets_;
  std::map<crypto::PublicKey, KeyBytes> shared_by_ec_;
  std::map<packet::ClientId, KeyBytes> shared_by_cid_;
  std::map<packet::SessionId, KeyBytes> shared_by_sid_;
  std::set<std::pair<KeyBytes, crypto::Nonce>> seen_;
  std::map<std::pair<KeyBytes, std::uint64_t>, std::size_t> lengths_;  // by key and n
  std::uint64_t boxes_ = 0, reused_ = 0, unreadable_ = 0, wrong_length_ = 0;
};

/// After the end: each request of each client has exactly one event (none if cancelled), each
/// answer is the right one, no request was executed more often than it was sent, every table has
/// kept its capacity, nobody was sent more than he had sent. Reports through gtest.
void check_invariants(const World& world, const GatewayNode& gateway, const NonceChecker& nonces,
                      const std::vector<const ClientNode*>& clients, const GatewayOptions& options,
                      std::size_t client_capacity);

}  // namespace boxgram::sim
