#include "sealed_carriage.hpp"

#include <algorithm>

#include <boxgram/crypto/hash.hpp>

namespace boxgram::dht {

namespace {

/// Smaller than a gateway's: who asks a node asks it seldom, and 20 times a second at most.
packet::ServerConfig server_config() {
  packet::ServerConfig config;
  config.services = {packet::FrameType::dht};
  config.max_associations = 8192;
  config.replay_capacity = std::size_t{1} << 14;
  config.rate_table_capacity = 1024;
  return config;
}

/// Kr must outlive a restart; so it follows from the key that does.
crypto::SharedKey reset_key_of(const crypto::SecretKey& secret_key) {
  crypto::SharedKey key;
  crypto::blake2b(key.bytes(), {base::as_bytes("BXG1-DHT-RST")}, secret_key.bytes());
  return key;
}

}  // namespace

SealedCarriage::SealedCarriage(const crypto::SecretKey& secret_key, base::Rng& rng,
                               base::WallClock wall, base::Instant start)
    : keys_({}, rng, wall, start, std::nullopt, secret_key.copy(), reset_key_of(secret_key)),
      server_(server_config(), rng, wall, start, keys_.snapshot()),
      peers_(rng, wall) {}

bool SealedCarriage::is_answer(base::Bytes datagram) {
  const auto type = packet::parse_header(datagram);
  return type && (*type == packet::DatagramType::msg || *type == packet::DatagramType::retry ||
                  *type == packet::DatagramType::reset);
}

void SealedCarriage::handle_timeout(base::Instant now) {
  if (now >= keys_.next_timeout() && keys_.handle_timeout(now)) server_.install(keys_.snapshot());
  server_.handle_timeout(now);
}

base::Instant SealedCarriage::next_timeout() const {
  const auto server = server_.next_timeout();
  return server ? std::min(keys_.next_timeout(), *server) : keys_.next_timeout();
}

}  // namespace boxgram::dht
