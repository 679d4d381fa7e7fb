// How much strangers may cost a node.
#pragma once

namespace boxgram::dht {

/// For each network (IPv4 /24, IPv6 /64). What they limit is what we send towards it: a network
/// over its limit gets no answers for a while, and that is all. It stays in the tables and its
/// answers to our own requests count, so forging somebody's address takes nothing from him but
/// answers from us (aria2 bans such a victim).
struct RateLimits {
  /// Ten times what a busy client behind one address asks of one node.
  double queries_per_second = 20;
  double query_burst = 100;
  /// Towards addresses that have not proven that they asked. A forged query of 100 bytes gets up to
  /// 1,024; with this bound a victim's /24 gets 64 kbit/s of it from one node, whatever is forged.
  double unproven_bytes_per_second = 8000;
  double unproven_byte_burst = 32000;
};

}  // namespace boxgram::dht
