// What only this server can make and it alone must recognise: retry cookies and reset tokens.
// Source: PROTOCOL.md, "Address validation" and "Reset".
//
//   cookie 96 = Nc 16 | SecretBox[ issue_ms 8 | ip 16 | port 2 | 0^6 | EC 32 ](Ts)
#pragma once

#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/packet/datagram.hpp>
#include <boxgram/packet/server_keys.hpp>

namespace boxgram::packet {

/// Longer than any round trip, shorter than a replay entry lives.
inline constexpr base::UnixMillis kCookieLifeMs = 30'000;

/// Cost: one SecretBox, no scalar multiplication, no state.
Cookie make_cookie(const crypto::SharedKey& cookie_key, base::Rng& rng, base::UnixMillis now,
                   const base::SocketAddress& to, const crypto::PublicKey& client_key);

/// True if we made this cookie for this very address and client key within the last 30 s.
/// Cost: at most two SecretBoxes (this minute's key and the one before).
bool cookie_valid(const ServerKeys& keys, base::Bytes cookie, base::UnixMillis now,
                  const base::SocketAddress& from, const crypto::PublicKey& client_key);

/// BLAKE2b-128(Kr, "BXG1-RST" | sid).
ResetToken reset_token(const crypto::SharedKey& reset_key, const SessionId& sid);

}  // namespace boxgram::packet
