#include "token_issuer.hpp"

#include <boxgram/base/check.hpp>

namespace boxgram::dht {
namespace {

std::int64_t epoch_of(base::Instant now) {
  return now.time_since_epoch() / TokenIssuer::kEpoch;
}

}  // namespace

Token TokenIssuer::make(std::int64_t epoch, const base::SocketAddress& address,
                        base::Bytes target) const {
  std::array<std::uint8_t, 46> text;
  base::Writer writer(text);
  writer.bytes(address.ip);
  writer.u16(address.port);
  writer.bytes(target);
  writer.u64(static_cast<std::uint64_t>(epoch));
  BOXGRAM_CHECK(writer.ok() && writer.left() == 0);
  Token token;
  base::store_be64(token.data(), hash_(text));
  return token;
}

Token TokenIssuer::issue(base::Instant now, const base::SocketAddress& to,
                         base::Bytes target) const {
  return make(epoch_of(now), to, target);
}

bool TokenIssuer::accepts(base::Instant now, const base::SocketAddress& from, base::Bytes target,
                          base::Bytes token) const {
  const std::int64_t epoch = epoch_of(now);
  // Both are compared whatever the first one gives.
  const bool current = crypto::equal_constant_time(make(epoch, from, target), token);
  const bool previous = crypto::equal_constant_time(make(epoch - 1, from, target), token);
  return current || previous;
}

}  // namespace boxgram::dht
