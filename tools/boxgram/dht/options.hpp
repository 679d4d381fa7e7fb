// What the `boxgram dht` commands get: options that have been read and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boxgram/config/gateway_config.hpp>
#include <boxgram/dht/node.hpp>
#include <boxgram/packet/stamp.hpp>

#include "../commands.hpp"
#include "seeds.hpp"

namespace boxgram::tools {

struct DhtNodeOptions {
  bool sealed = true;
  std::vector<base::SocketAddress> listen;    ///< sealed; at most one of each family; empty: all
  std::vector<base::SocketAddress> mainline;  ///< the same; empty: not in Mainline
  Seeds seeds;
  std::string state_dir;
  bool local = false;               ///< local addresses may take part
  std::size_t max_operations = 64;  ///< as in dht::NodeConfig
  std::optional<base::SocketAddress> metrics;
  config::LogConfig log;
};

struct DhtOperationOptions {
  enum class Kind : std::uint8_t { ping, find_node, get_peers, announce, get, put, table };

  Kind kind{};
  dht::Overlay overlay{};
  Seeds seeds;            ///< ping: the nodes to ask
  std::string state_dir;  ///< its saved table is used, nothing is written
  bool local = false;
  bool json = false;
  bool trace = false;
  base::Duration timeout = std::chrono::seconds(30);

  std::optional<packet::Stamp> gateway;         ///< its node is to do it, not one of our own
  std::optional<crypto::SecretKey> client_key;  ///< shown to the gateway

  dht::NodeId target;                      ///< all but ping and table
  std::uint16_t port = 0;                  ///< announce
  bool seed = false;                       ///< announce
  std::string salt;                        ///< get, put: of a mutable item
  std::string value;                       ///< put: bencoded
  std::optional<crypto::SigningSeed> key;  ///< put: a mutable item
  std::optional<std::int64_t> sequence;  ///< put: of a mutable item; none: one above what is there
  std::optional<std::int64_t> cas;
};

int run_dht_node(const DhtNodeOptions& options);
int run_dht_operation(const DhtOperationOptions& options);
int run_dht_gateway_operation(const DhtOperationOptions& options);

}  // namespace boxgram::tools
