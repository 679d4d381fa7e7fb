// The client's side of a handshake, in types as the server's (server_handshake.hpp).
#pragma once

#include <optional>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/stream/types.hpp>

#include "handshake.hpp"
#include "record_writer.hpp"
#include "server_handshake.hpp"

namespace boxgram::stream {

/// VOUCH and CONFIRM are out, and the first requests behind them. The first record must be READY
/// and nothing else.
class AwaitReady {
 public:
  struct Established {
    RecordWriter writer;
    RecordKey opener;
    base::UnixMillis server_ms = 0;
    base::Duration idle{};
  };

  /// Requests that need not wait for READY: the server is proven, and acts on them only when it has
  /// found us on its list.
  void request(packet::FrameType type, std::uint32_t id, base::Bytes payload) {
    writer_.put(type, false, id, payload);
  }
  /// Seals what is queued: call before the queue is written to the connection.
  void flush() { writer_.seal(); }

  /// One record's box, opened in place.
  Step<Established> ready(base::MutableBytes boxed) &&;

 private:
  friend class AwaitCookie;
  AwaitReady(RecordWriter writer, RecordKey opener)
      : writer_(std::move(writer)), opener_(std::move(opener)) {}

  RecordWriter writer_;
  RecordKey opener_;
};

/// HELLO is out.
class AwaitCookie {
 public:
  /// Writes HELLO (behind its length) into `out`. `low_order` if S is such a point.
  /// Cost: two scalar multiplications.
  static Step<AwaitCookie> hello(const crypto::PublicKey& server_key, base::Rng& rng,
                                 ByteQueue& out);

  /// Checks the server's answer, writes VOUCH and CONFIRM. `client` is C and Cs.
  /// Cost: three scalar multiplications.
  Step<AwaitReady> cookie(base::MutableBytes body, const crypto::KeyPair& client, base::Rng& rng,
                          ByteQueue& out) &&;

 private:
  AwaitCookie() = default;

  crypto::PublicKey server_key_{};  // S
  crypto::KeyPair ephemeral_;       // EC, ECs
  crypto::SharedKey hello_key_;     // DH(EC, S)
  HelloBody hello_{};
  Tag client_tag_;
};

}  // namespace boxgram::stream
