// A client and a server made by hand out of the handshake's bodies: they say what the test wants.
#pragma once

#include <optional>

#include "stream/handshake.hpp"
#include "stream/session_pair.hpp"

namespace boxgram::test {

inline Buffer framed(base::Bytes body) {
  Buffer bytes(2 + body.size());
  base::store_be16(bytes.data(), static_cast<std::uint16_t>(body.size()));
  std::copy(body.begin(), body.end(), bytes.begin() + 2);
  return bytes;
}

inline Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Takes the first framed body out of these bytes; empty if it is not whole.
inline Buffer take_body(Buffer& bytes) {
  if (bytes.size() < 2u || bytes.size() < 2u + base::load_be16(bytes.data())) return {};
  const auto end = bytes.begin() + 2 + base::load_be16(bytes.data());
  Buffer body(bytes.begin() + 2, end);
  bytes.erase(bytes.begin(), end);
  return body;
}

/// The client's side of a handshake. Public members may be changed before the next step: then that
/// step is a lie.
class RawClient {
 public:
  RawClient(base::Rng& random, const crypto::PublicKey& server, crypto::KeyPair long_term)
      : rng(random),
        server_key(server),
        client(std::move(long_term)),
        ephemeral(crypto::generate_key_pair(random)) {
    rng.fill(client_tag.bytes());
  }

  Buffer hello() {
    const auto key = crypto::shared_key(server_key, ephemeral.secret_key);
    hello_key = key->copy();
    hello_body =
        stream::seal_hello(packet::key_id(server_key), ephemeral.public_key, client_tag, hello_key);
    return framed(hello_body);
  }

  /// False if this is no cookie for us.
  bool take_cookie(Buffer body) {
    if (!stream::is_body(body, stream::kCookieType, stream::kCookieSize)) return false;
    const auto contents = stream::open_cookie(body, hello_key);
    if (!contents) return false;
    server_ephemeral = contents->server_key;
    server_tag = contents->server_tag.copy();
    session_key = crypto::shared_key(server_ephemeral, ephemeral.secret_key)->copy();
    voucher_key = crypto::shared_key(server_key, client.secret_key)->copy();
    confirm_key = crypto::shared_key(server_ephemeral, client.secret_key)->copy();
    records.emplace(stream::Direction::to_server, session_key);
    return true;
  }

  [[nodiscard]] Buffer voucher() {
    const auto sealed =
        stream::seal_voucher(ephemeral.public_key, server_tag, nonce(), voucher_key);
    return {sealed.begin(), sealed.end()};
  }
  Buffer vouch() { return vouch(voucher()); }
  Buffer vouch(base::Bytes voucher_bytes) {
    return framed(stream::seal_vouch(client.public_key, voucher_bytes, session_key));
  }

  [[nodiscard]] stream::Binding binding() const {
    return stream::bind(
        {hello_body, server_key, client.public_key, server_ephemeral, client_tag, server_tag});
  }
  [[nodiscard]] RawFrame confirm_frame() {
    const auto payload = stream::seal_confirm(binding(), nonce(), confirm_key);
    return {packet::FrameType::confirm, false, 0, Buffer(payload.begin(), payload.end())};
  }
  Buffer confirm() { return records->seal({confirm_frame()}); }

  stream::BoxNonce nonce() {
    stream::BoxNonce bytes;
    rng.fill(bytes);
    return bytes;
  }

  base::Rng& rng;
  crypto::PublicKey server_key;          // S
  crypto::KeyPair client;                // C, Cs
  crypto::KeyPair ephemeral;             // EC, ECs
  crypto::PublicKey server_ephemeral{};  // ES
  stream::Tag client_tag, server_tag;
  stream::HelloBody hello_body{};
  crypto::SharedKey hello_key, session_key, voucher_key, confirm_key;
  std::optional<RawRecords> records;
};

/// The server's side, likewise.
class RawServer {
 public:
  RawServer(base::Rng& random, crypto::KeyPair long_term)
      : rng(random), server(std::move(long_term)), ephemeral(crypto::generate_key_pair(random)) {
    rng.fill(server_tag.bytes());
  }

  bool take_hello(Buffer body) {
    if (!stream::is_body(body, stream::kHelloType, stream::kHelloSize)) return false;
    hello_body = body;
    client_ephemeral = stream::parse_hello(body).client_key;
    hello_key = crypto::shared_key(client_ephemeral, server.secret_key)->copy();
    const auto tag = stream::open_hello(body, hello_key);
    if (!tag) return false;
    client_tag = tag->copy();
    session_key = crypto::shared_key(client_ephemeral, ephemeral.secret_key)->copy();
    records.emplace(stream::Direction::to_client, session_key);
    return true;
  }
  Buffer cookie() {
    stream::BoxNonce nonce;
    rng.fill(nonce);
    return framed(stream::seal_cookie({ephemeral.public_key, client_tag.copy(), server_tag.copy()},
                                      nonce, hello_key));
  }
  bool take_vouch(Buffer body) {
    if (!stream::is_body(body, stream::kVouchType, stream::kVouchSize)) return false;
    const auto contents = stream::open_vouch(body, session_key);
    if (!contents) return false;
    client_key = contents->long_term_key;
    const auto key = crypto::shared_key(client_key, server.secret_key);
    return stream::open_voucher(contents->voucher, client_ephemeral, server_tag, *key);
  }
  static RawFrame ready_frame(std::uint32_t idle_seconds = 120) {
    Buffer payload(12);
    base::store_be64(payload.data(), kVectorTime);
    base::store_be32(&payload[8], idle_seconds);
    return {packet::FrameType::ready, false, 0, payload};
  }
  Buffer ready() { return records->seal({ready_frame()}); }

  base::Rng& rng;
  crypto::KeyPair server;     // S, Ss
  crypto::KeyPair ephemeral;  // ES, ESs
  crypto::PublicKey client_ephemeral{}, client_key{};
  stream::Tag client_tag, server_tag;
  Buffer hello_body;
  crypto::SharedKey hello_key, session_key;
  std::optional<RawRecords> records;
};

}  // namespace boxgram::test
