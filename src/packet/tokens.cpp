#include "tokens.hpp"

#include <algorithm>

#include <boxgram/crypto/hash.hpp>

namespace boxgram::packet {
namespace {

constexpr std::string_view kCookieLabel = "BXG1-CK.";
constexpr std::size_t kIssueSize = 8;

/// All that stands after the time of issue. The zone of a link-local address is not part of it.
std::array<std::uint8_t, 56> cookie_binding(const base::SocketAddress& address,
                                            const crypto::PublicKey& client_key) {
  std::array<std::uint8_t, 56> binding;
  base::Writer writer(binding);
  writer.bytes(address.ip);
  writer.u16(address.port);
  writer.zeros(6);
  writer.bytes(client_key);
  return binding;
}

}  // namespace

Cookie make_cookie(const crypto::SharedKey& cookie_key, base::Rng& rng, base::UnixMillis now,
                   const base::SocketAddress& to, const crypto::PublicKey& client_key) {
  Cookie cookie;
  base::Writer writer(cookie);
  const base::MutableBytes nonce = writer.reserve(sizeof(CookieNonce));
  rng.fill(nonce);
  writer.reserve(crypto::kTagSize);
  writer.u64(now);
  writer.bytes(cookie_binding(to, client_key));
  crypto::secret_box(base::MutableBytes(cookie).subspan(sizeof(CookieNonce)),
                     crypto::make_nonce(kCookieLabel, nonce), cookie_key);
  return cookie;
}

bool cookie_valid(const ServerKeys& keys, base::Bytes cookie, base::UnixMillis now,
                  const base::SocketAddress& from, const crypto::PublicKey& client_key) {
  std::array<std::uint8_t, sizeof(Cookie) - sizeof(CookieNonce)> box;
  if (cookie.size() != sizeof(Cookie)) return false;
  std::copy(cookie.begin() + sizeof(CookieNonce), cookie.end(), box.begin());
  const crypto::Nonce nonce = crypto::make_nonce(kCookieLabel, cookie.first(sizeof(CookieNonce)));
  if (!crypto::secret_box_open(box, nonce, keys.cookie_key) &&
      !(keys.previous_cookie_key && crypto::secret_box_open(box, nonce, *keys.previous_cookie_key)))
    return false;
  const base::Bytes plain = base::Bytes(box).subspan(crypto::kTagSize);
  const base::UnixMillis issued = base::load_be64(plain.data());
  return issued <= now && now - issued <= kCookieLifeMs &&
         crypto::equal_constant_time(plain.subspan(kIssueSize), cookie_binding(from, client_key));
}

ResetToken reset_token(const crypto::SharedKey& reset_key, const SessionId& sid) {
  ResetToken token;
  crypto::blake2b(token, {base::as_bytes("BXG1-RST"), sid}, reset_key.bytes());
  return token;
}

}  // namespace boxgram::packet
