#include <fmt/format.h>

#include <boxgram/control/allow_list.hpp>
#include <boxgram/crypto/sign.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/state_file.hpp>

#include "commands.hpp"
#include "key_file.hpp"

namespace boxgram::tools {

int run_keygen(const KeygenOptions& options) {
  crypto::SystemRng rng;
  crypto::Secret<32> secret;
  rng.fill(secret.bytes());
  const auto kind = options.item ? kItemSecret : options.client ? kClientSecret : kIdentitySecret;
  const auto written = write_secret(options.path, kind, secret, options.force);
  if (!written) return fail(kFailed, written.error());
  if (options.client)
    fmt::print("{} services=control name={}\n",
               control::client_key_text(crypto::public_key_of(secret)), options.name);
  else
    fmt::print("{}\n", public_word("ed25519", crypto::SigningKey(secret).verify_key()));
  return kOk;
}

}  // namespace boxgram::tools
