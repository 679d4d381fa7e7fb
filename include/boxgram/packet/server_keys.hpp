// What a server needs to know of secrets at one moment: an immutable snapshot that all workers
// share. KeyRotation makes it. Source: PROTOCOL.md, "Server keys".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/certificate.hpp>
#include <boxgram/packet/datagram.hpp>

namespace boxgram::packet {

/// One live server key. There is one copy of the secret in the process: snapshots share it, and it
/// is wiped when the last snapshot that holds it goes, that is, as soon as every worker has
/// installed a later one (Server::install).
struct BoxKey {
  KeyId id{};
  crypto::PublicKey public_key{};
  crypto::SecretKey secret_key;
  std::optional<CertificateBytes> certificate;  ///< none for a pinned key without identity
  std::uint32_t serial = 0;                     ///< the certificate's, 0 without one
};

/// REQUIRES: no two keys with one id (KeyRotation draws again in that case).
struct ServerKeys {
  /// Oldest first; the pinned key, if any, stands before all others. KeyRotation keeps at most
  /// three rotating keys (two hours of validity, one hour between keys, a minute of grace).
  std::vector<std::shared_ptr<const BoxKey>> live;
  crypto::SharedKey cookie_key;                          ///< Ts
  std::optional<crypto::SharedKey> previous_cookie_key;  ///< Ts of the minute before
  crypto::SharedKey reset_key;                           ///< Kr, kept over restarts

  /// The live key of this id, or nullptr.
  [[nodiscard]] const BoxKey* find(const KeyId& id) const;
  /// The certified key of the highest serial, or nullptr.
  [[nodiscard]] const BoxKey* newest() const;
};

/// KEYS with every live certificate; never longer than the smallest KEYREQ. Gives its size.
/// REQUIRES: out.size() >= kMinInitial.
std::size_t write_live_keys(base::MutableBytes out, const Echo& echo, const ServerKeys& keys);

}  // namespace boxgram::packet
