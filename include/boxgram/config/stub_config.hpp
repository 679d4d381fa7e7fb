// The stub's settings: the one place of its defaults. Read from TOML and from flags through the
// same table of options (option.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/config/config_error.hpp>
#include <boxgram/config/dns_config.hpp>
#include <boxgram/packet/stamp.hpp>

namespace boxgram::config {

/// Above 1024, so that no privilege is needed, and near to 53, so that it is remembered.
inline constexpr std::uint16_t kDefaultStubPort = 5300;
inline constexpr std::uint16_t kDefaultStubControlPort = 5301;

/// Control sessions with a stub, on a port of their own; off unless `listen` is set.
struct StubControlConfig {
  std::optional<base::SocketAddress> listen;
  std::string state_dir;  ///< the stub's own keys; empty: chosen by the program for its user
  std::string clients;    ///< path of the allow-list; empty: "clients" in state_dir
};

/// A front of the DHT for BitTorrent clients of this machine; off unless `listen` is set.
struct DhtFrontConfig {
  std::optional<base::SocketAddress> listen;  ///< the first port; the others follow it
  /// Virtual nodes, each on a port of its own: 1 is enough for most clients, some want to know 16.
  std::uint32_t nodes = 1;
  /// Addresses of clients beyond this machine, without ports.
  std::vector<base::SocketAddress> clients;
  /// Ask the gateway to announce too, if it does; clients of one front find each other anyway.
  bool announce = false;
};

struct StubConfig {
  std::vector<base::SocketAddress> listen = default_listen();
  std::vector<packet::Stamp> gateways;  ///< at least one is needed to serve
  /// A fresh key for each query: the gateway cannot tell which queries come from one client, at the
  /// price of a scalar multiplication for each.
  bool key_per_query = false;
  CacheConfig cache = default_cache();
  /// Special-use names go to the gateway, which answers them unless a rule of its own says where
  /// they live (home.arpa at the own router): the stub cannot know.
  LocalConfig local = default_local();
  BlockConfig block;
  bool trusted_ad = false;  ///< pass the gateway's "authentic data" flag on
  std::optional<base::SocketAddress> metrics;
  StubControlConfig control;
  DhtFrontConfig dht;
  LogConfig log;

  static std::vector<base::SocketAddress> default_listen();  ///< 127.0.0.1 and ::1
  static LocalConfig default_local();
  static CacheConfig default_cache();  ///< 4 MiB: the gateway has the large one
};

/// Reads and checks a file's text; `source` names it in errors. What the text leaves out keeps its
/// default. A file without a gateway is valid: a flag may bring it.
base::expected<StubConfig, ConfigError> parse_stub_config(std::string_view text,
                                                          const std::string& source);

/// The same from a file; an unreadable file is an error like any other.
base::expected<StubConfig, ConfigError> load_stub_config(const std::string& path);

}  // namespace boxgram::config
