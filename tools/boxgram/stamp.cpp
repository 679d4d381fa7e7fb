#include <fmt/format.h>

#include <boxgram/config/option.hpp>
#include <boxgram/crypto/sign.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/packet/stamp.hpp>

#include "commands.hpp"
#include "stamp_address.hpp"
#include "state_dir.hpp"

namespace boxgram::tools {
namespace {

int refuse(const StampOptions& options) {
  return fail(kUsage, fmt::format("there is no identity in {}", options.state_dir),
              fmt::format("start the gateway once, or run: boxgram keygen --state-dir {}",
                          options.state_dir));
}

}  // namespace

int run_stamp(const StampOptions& options) {
  std::vector<config::FlagValues> flags;
  if (!options.address.empty()) flags.push_back({"--advertise", {options.address}});
  if (!options.name.empty()) flags.push_back({"--name", {options.name}});
  const auto config = config::merge_gateway_config({}, flags);
  if (!config) return fail(kUsage, config::to_string(config.error()));

  const auto dir = StateDir::open(options.state_dir);
  if (!dir) return fail(kFailed, dir.error());
  if (!dir->has_identity()) return refuse(options);
  crypto::SystemRng rng;
  const auto identity = dir->identity(rng);
  if (!identity) return fail(kFailed, identity.error());
  packet::Stamp stamp;
  stamp.identity = crypto::SigningKey(*identity).verify_key();
  if (dir->has_pinned()) {
    const auto pinned = dir->pinned(rng);
    if (!pinned) return fail(kFailed, pinned.error());
    stamp.pinned = crypto::public_key_of(*pinned);
  }
  stamp.tcp = !options.udp_only;
  stamp.address = stamp_address(*config);
  stamp.name = config->name;
  fmt::print("{}\n", packet::encode_stamp(stamp));
  if (options.address.empty())
    fmt::print(stderr, "it names {}; another address: --address ADDR:PORT\n",
               base::to_string(stamp.address));
  return kOk;
}

}  // namespace boxgram::tools
