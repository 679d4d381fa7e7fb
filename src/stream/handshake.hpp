// The bodies of a stream's handshake: their bytes and boxes, nothing about state or order.
// Source: PROTOCOL.md, "Stream transport". Every body stands behind a 2-byte length on the wire.
//
//   HELLO   92   "bg" 1 0x21 | skid 8 | EC 32 | Box[ Ctag 32 ](ECs -> S)
//   COOKIE  132  "bg" 1 0x22 | Nk 16 | Box[ ES 32, Ctag 32, Stag 32 ](Ss -> EC)
//   VOUCH   148  "bg" 1 0x23 | Box[ C 32, V ](ECs -> ES)      V = Nv 16 | Box[ EC 32, Stag 32 ](Cs
//   -> S) CONFIRM 64   Nw 16 | Box[ H 32 ](Cs -> ES), a frame's payload in the first record H =
//   BLAKE2b-256("BXG1 stream bind" | HELLO | S | C | ES | Ctag | Stag)
//
// The functions are pure. "Open" means in place: what was sealed stands open in the body
// afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <boxgram/base/bytes.hpp>
#include <boxgram/crypto/box.hpp>
#include <boxgram/crypto/keys.hpp>
#include <boxgram/packet/datagram.hpp>

#include "byte_queue.hpp"

namespace boxgram::stream {

inline constexpr std::uint8_t kHelloType = 0x21;
inline constexpr std::uint8_t kCookieType = 0x22;
inline constexpr std::uint8_t kVouchType = 0x23;

inline constexpr std::size_t kHelloSize = 92;
inline constexpr std::size_t kCookieSize = 132;
inline constexpr std::size_t kVouchSize = 148;
inline constexpr std::size_t kVoucherSize = 96;  ///< V
inline constexpr std::size_t kConfirmSize = 64;  ///< Nw | W

using HelloBody = std::array<std::uint8_t, kHelloSize>;
using CookieBody = std::array<std::uint8_t, kCookieSize>;
using VouchBody = std::array<std::uint8_t, kVouchSize>;
using ConfirmPayload = std::array<std::uint8_t, kConfirmSize>;

/// Ctag and Stag: random and secret until the handshake is over.
using Tag = crypto::Secret<32>;
using BoxNonce = std::array<std::uint8_t, 16>;  ///< Nk, Nv, Nw: always fresh randomness
using Binding = std::array<std::uint8_t, 32>;   ///< H

/// Appends a body behind its 2-byte length.
void append_body(ByteQueue& out, base::Bytes body);

/// True for a body of this type with this type's exact length.
bool is_body(base::Bytes body, std::uint8_t type, std::size_t size);

/// REQUIRES: a fresh EC, used for one HELLO only (its nonce is constant).
HelloBody seal_hello(const packet::KeyId& key_id, const crypto::PublicKey& client_key,
                     const Tag& client_tag, const crypto::SharedKey& key);

struct HelloClear {
  packet::KeyId key_id{};
  crypto::PublicKey client_key{};  ///< EC
};
/// REQUIRES, here and below: is_body() for the type.
HelloClear parse_hello(base::Bytes body);
std::optional<Tag> open_hello(base::MutableBytes body, const crypto::SharedKey& key);

struct CookieContents {
  crypto::PublicKey server_key{};  ///< ES
  Tag client_tag;
  Tag server_tag;
};
/// REQUIRES: `nonce` is fresh randomness, because a HELLO can be replayed by anybody.
CookieBody seal_cookie(const CookieContents& contents, const BoxNonce& nonce,
                       const crypto::SharedKey& key);
std::optional<CookieContents> open_cookie(base::MutableBytes body, const crypto::SharedKey& key);

/// V, which vouches for EC with the client's long-term key. `key` is DH(C, S).
std::array<std::uint8_t, kVoucherSize> seal_voucher(const crypto::PublicKey& client_key,
                                                    const Tag& server_tag, const BoxNonce& nonce,
                                                    const crypto::SharedKey& key);
/// True if V opens and names this EC and this Stag, compared in constant time. By itself it does
/// not prove the client: whoever holds Ss can make one. CONFIRM does.
bool open_voucher(base::MutableBytes voucher, const crypto::PublicKey& client_key,
                  const Tag& server_tag, const crypto::SharedKey& key);

VouchBody seal_vouch(const crypto::PublicKey& long_term_key, base::Bytes voucher,
                     const crypto::SharedKey& key);
struct VouchContents {
  crypto::PublicKey long_term_key{};  ///< C, as claimed
  base::MutableBytes voucher;         ///< V, inside the body
};
std::optional<VouchContents> open_vouch(base::MutableBytes body, const crypto::SharedKey& key);

/// H: all that the two have said, so that W vouches for this very handshake.
struct Transcript {
  base::Bytes hello;  ///< as it was on the wire
  const crypto::PublicKey& server_long_term;
  const crypto::PublicKey& client_long_term;
  const crypto::PublicKey& server_ephemeral;
  const Tag& client_tag;
  const Tag& server_tag;
};
Binding bind(const Transcript& transcript);

/// W. `key` is DH(C, ES), which a holder of Ss alone cannot compute.
ConfirmPayload seal_confirm(const Binding& binding, const BoxNonce& nonce,
                            const crypto::SharedKey& key);
/// True if W opens and holds this H, compared in constant time.
bool open_confirm(base::Bytes payload, const Binding& binding, const crypto::SharedKey& key);

}  // namespace boxgram::stream
