// The server's side of a handshake: a type for each state, and each step makes the next one out of
// it. Nothing can be sent or read before Proven has become a Session. Source: PROTOCOL.md, "Stream
// transport".
#pragma once

#include <memory>
#include <optional>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/packet/server_keys.hpp>
#include <boxgram/stream/types.hpp>

#include "handshake.hpp"
#include "record_writer.hpp"

namespace boxgram::stream {

template <class T>
using Step = base::expected<T, HandshakeError>;

/// The client has shown who it is, by V and by W. Whether it may do anything is for others to say,
/// and only now: all that came before was the same work for everybody.
class Proven {
 public:
  /// C.
  [[nodiscard]] const crypto::PublicKey& client_key() const { return client_key_; }

  struct Established {
    RecordWriter writer;
    RecordKey opener;
  };
  /// Welcomes the client with READY.
  Established accept(base::UnixMillis now, base::Duration idle) &&;
  /// Tells the client, sealed, why it is not welcome.
  void refuse(packet::ErrorCode code) &&;

 private:
  friend class AwaitConfirm;
  Proven(const crypto::PublicKey& client_key, RecordWriter writer, RecordKey opener)
      : client_key_(client_key), writer_(std::move(writer)), opener_(std::move(opener)) {}

  crypto::PublicKey client_key_{};
  RecordWriter writer_;
  RecordKey opener_;
};

/// V was good. The first record must be CONFIRM and nothing else.
class AwaitConfirm {
 public:
  static constexpr std::size_t kMaxBody = crypto::kTagSize + 128;

  /// One record's box, opened in place. `out` is where the session will write.
  Step<Proven> confirm(base::MutableBytes boxed, ByteQueue& out) &&;

 private:
  friend class AwaitVouch;
  AwaitConfirm(const crypto::PublicKey& client_key, const Binding& binding,
               crypto::SharedKey confirm_key, crypto::SharedKey session_key)
      : client_key_(client_key),
        binding_(binding),
        confirm_key_(std::move(confirm_key)),
        session_key_(std::move(session_key)) {}

  crypto::PublicKey client_key_{};
  Binding binding_{};
  crypto::SharedKey confirm_key_;  // DH(C, ES)
  crypto::SharedKey session_key_;  // DH(EC, ES)
};

/// COOKIE is out.
class AwaitVouch {
 public:
  /// Cost: two scalar multiplications, whoever C is.
  Step<AwaitConfirm> vouch(base::MutableBytes body) &&;

 private:
  friend class AwaitHello;
  AwaitVouch() = default;

  HelloBody hello_{};                             // as it came, for H
  std::shared_ptr<const packet::BoxKey> server_;  // S
  crypto::PublicKey client_key_{};                // EC
  crypto::PublicKey server_ephemeral_{};          // ES
  crypto::SecretKey server_ephemeral_secret_;     // ESs, until the session key is made
  crypto::SharedKey session_key_;                 // DH(EC, ES)
  Tag client_tag_;
  Tag server_tag_;
};

/// Nothing has come yet.
class AwaitHello {
 public:
  /// Writes COOKIE (behind its length) into `out`.
  /// Cost: three scalar multiplications, one of them for the new ES; none if the key is unknown.
  Step<AwaitVouch> hello(base::MutableBytes body, const packet::ServerKeys& keys, base::Rng& rng,
                         ByteQueue& out) &&;
};

}  // namespace boxgram::stream
