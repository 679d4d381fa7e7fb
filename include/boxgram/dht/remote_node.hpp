// Another node, of either overlay: in Mainline an id at an address, in the sealed one a key.
#pragma once

#include <boxgram/dht/contact.hpp>
#include <boxgram/dht/message.hpp>
#include <boxgram/dht/node_id.hpp>

namespace boxgram::dht {

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
