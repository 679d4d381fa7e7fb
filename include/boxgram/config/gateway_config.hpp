// The gateway's settings: the one place of its defaults. Read from TOML and from flags through the
// same table of options (option.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/config/config_error.hpp>
#include <boxgram/config/dns_config.hpp>
#include <boxgram/dns/name.hpp>

namespace boxgram::config {

/// Neither 53 (plain DNS) nor 443 or 853 (TLS): a port nobody else expects to own.
inline constexpr std::uint16_t kDefaultGatewayPort = 5443;
inline constexpr std::uint16_t kDefaultDhtPort = 5444;

/// Names at or below `suffix` are asked of these servers only.
struct ForwardRule {
  dns::Name suffix;
  std::vector<base::SocketAddress> upstreams;

  friend bool operator==(const ForwardRule&, const ForwardRule&) = default;
};

/// What strangers may cost us. A first datagram costs a scalar multiplication (about 40 us);
/// these numbers keep one network below a twentieth of a core and the whole below one core.
struct LimitsConfig {
  std::uint32_t initials_per_second = 1'000;  ///< for each IPv4 address or IPv6 /56
  std::uint32_t initials_burst = 2'000;
  /// Above this many first datagrams a second (all networks, each worker) every new client must
  /// prove its address first, which costs it one round trip and us no scalar multiplication.
  std::uint32_t retry_above = 5'000;
  std::uint32_t associations = 65'536;  ///< live clients of each worker; about 300 bytes each
};

struct KeysConfig {
  base::Duration rotation = std::chrono::hours(1);
  /// Longer than one rotation, so that keys overlap, and at most two, so that no more than three
  /// are alive at once (a retired key opens late datagrams for another minute).
  base::Duration validity = std::chrono::hours(2);
  /// Also keep one box key that never expires and put it into the stamp: clients then need neither
  /// a certificate nor a clock, and its theft opens all that was ever sealed to it.
  bool pinned = false;
};

/// The stream transport, on the TCP side of the listening addresses.
struct StreamConfig {
  bool enabled = true;
  /// DNS for everybody, as over datagrams; else only for keys that the allow-list gives it to.
  bool dns_for_all = true;
  std::string clients;  ///< path of the allow-list; empty: "clients" in the state directory
};

/// Nodes of the gateway's own in the DHT; what they find is for clients in streams.
struct DhtConfig {
  bool enabled = false;
  /// In the sealed overlay, here; empty: on every address, unless the gateway is in Mainline.
  std::vector<base::SocketAddress> listen;
  std::vector<base::SocketAddress> mainline;  ///< in BitTorrent's DHT, here; empty: not
  std::vector<std::string> bootstrap;         ///< stamps of sealed nodes, HOST:PORT of Mainline
  bool for_all = true;    ///< else only for keys that the allow-list gives it to
  bool announce = false;  ///< others then record the gateway's address in the client's place
};

struct GatewayConfig {
  std::vector<base::SocketAddress> listen = default_listen();
  std::string state_dir;                       ///< empty: chosen by the program for its user
  std::vector<base::SocketAddress> upstreams;  ///< empty: the system's resolvers
  std::vector<ForwardRule> forward;
  CacheConfig cache;
  std::uint32_t workers = 0;  ///< 0: one for each core
  std::optional<base::SocketAddress> metrics;
  LimitsConfig limits;
  KeysConfig keys;
  StreamConfig stream;
  DhtConfig dht;
  /// What the stamp says; needed where the listening address is not the one that clients see.
  std::optional<base::SocketAddress> advertise;
  std::string name;  ///< for people, in the stamp
  LocalConfig local;
  BlockConfig block;
  bool case_randomization = false;  ///< random letter case in upstream questions ("0x20")
  bool trusted_ad = false;          ///< the upstreams validate and the way to them is trusted
  LogConfig log;

  static std::vector<base::SocketAddress> default_listen();  ///< every IPv4 and IPv6 address
};

/// Reads and checks a file's text; `source` names it in errors. What the text leaves out keeps its
/// default.
base::expected<GatewayConfig, ConfigError> parse_gateway_config(std::string_view text,
                                                                const std::string& source);

/// The same from a file; an unreadable file is an error like any other.
base::expected<GatewayConfig, ConfigError> load_gateway_config(const std::string& path);

}  // namespace boxgram::config
