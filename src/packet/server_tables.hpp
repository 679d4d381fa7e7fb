// All that a server remembers between datagrams.
#pragma once

#include <bitset>

#include <boxgram/packet/server.hpp>
#include <boxgram/packet/token_buckets.hpp>

#include "association_table.hpp"
#include "replay_set.hpp"

namespace boxgram::packet {

struct Server::Tables {
  Tables(const ServerConfig& config, base::Rng& rng, base::Instant boot, ServerCounters& counters)
      : associations(config, rng, counters),
        replays(config.replay_capacity, rng, boot),
        initials(config.rate_table_capacity, config.initial_rate, rng),
        cookies(config.rate_table_capacity, config.cookie_rate, rng),
        replies(config.rate_table_capacity, config.reply_rate, rng),
        scalar_mults(config.scalar_mult_rate),
        cookie_scalar_mults(config.cookie_scalar_mult_rate) {
    for (const FrameType service : config.services)
      services.set(static_cast<std::uint8_t>(service));
  }

  AssociationTable associations;
  ReplaySet replays;
  TokenBuckets initials;  // those without a cookie
  TokenBuckets cookies;   // INITIALs with a valid one
  TokenBuckets replies;   // RETRY, RESET, KEYS
  RateLimit scalar_mults;
  RateLimit cookie_scalar_mults;
  std::bitset<256> services;
  std::uint32_t newest_serial = 0;
};

}  // namespace boxgram::packet
