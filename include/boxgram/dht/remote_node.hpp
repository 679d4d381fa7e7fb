// Another node, of either overlay.
#pragma once

#include <boxgram/dht/contact.hpp>
#include <boxgram/dht/node_id.hpp>

namespace boxgram::dht {

/// Two networks that never mix: a node's tables, messages and stores belong to one of them.
enum class Overlay : std::uint8_t {
  mainline,  ///< plain KRPC with the BitTorrent network; a node is (id, address)
  sealed     ///< the same messages in the packet transport; a node is (key, address), id computed
};

struct RemoteNode {
  NodeId id;
  base::SocketAddress address;
  crypto::PublicKey key{};  ///< sealed: the node's long-term key; Mainline: zeros

  friend bool operator==(const RemoteNode&, const RemoteNode&) = default;
};

inline RemoteNode remote_node(const Contact& contact) {
  return {contact.id, contact.address, {}};
}

/// Cost: one SHA-512.
inline RemoteNode remote_node(const SealedContact& contact) {
  return {sealed_id(contact.key, contact.address), contact.address, contact.key};
}

}  // namespace boxgram::dht
