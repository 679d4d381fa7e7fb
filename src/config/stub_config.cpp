#include <boxgram/config/stub_config.hpp>

#include "shared_options.hpp"

namespace boxgram::config {
namespace {

using Row = Option<StubConfig>;

Value<packet::Stamp> parse_gateway(std::string_view text) {
  auto stamp = packet::decode_stamp(text);
  if (!stamp)
    return base::unexpected<std::string>(
        fmt::format("'{}' is not a boxgram:// stamp: {}", text, packet::to_string(stamp.error())));
  if (!stamp->udp)
    return base::unexpected<std::string>(
        fmt::format("'{}' is the stamp of a control port: it takes no sealed datagrams", text));
  return std::move(*stamp);
}

constexpr std::array kServe = {
    Row{"listen", "--listen", "ADDR:PORT", "where plain DNS arrives, over UDP and TCP",
        OptionKind::list,
        +[](StubConfig& c, std::string_view v) {
          return append(c.listen, base::parse_listen_address(v, kDefaultStubPort));
        },
        +[](StubConfig& c) { c.listen.clear(); }},
    Row{"gateways", "--gateway", "STAMP", "a gateway's boxgram:// stamp; several may be given",
        OptionKind::list,
        +[](StubConfig& c, std::string_view v) { return append(c.gateways, parse_gateway(v)); },
        +[](StubConfig& c) { c.gateways.clear(); }},
    Row{"key_per_query", "--key-per-query", "on|off",
        "a fresh key for each query, so that queries cannot be linked by key", OptionKind::on_off,
        +[](StubConfig& c, std::string_view v) { return store(c.key_per_query, parse_on_off(v)); }},
};

constexpr std::array kControl = {
    Row{"control.listen", "--control", "ADDR:PORT",
        "take control sessions there, best on loopback (default: none)", OptionKind::text,
        +[](StubConfig& c, std::string_view v) {
          return store(c.control.listen, base::parse_listen_address(v, kDefaultStubControlPort));
        }},
    Row{"control.state_dir", "--state-dir", "DIR", "the keys of the stub's control port",
        OptionKind::text,
        +[](StubConfig& c, std::string_view v) {
          return store(c.control.state_dir, parse_text(v));
        }},
    Row{"control.clients", "--clients", "FILE",
        "the list of client keys (default: DIR/clients of the state directory)", OptionKind::text,
        +[](StubConfig& c, std::string_view v) { return store(c.control.clients, parse_text(v)); }},
};

Value<base::SocketAddress> parse_client(std::string_view text) {
  const auto ip = base::parse_ip(text);
  if (!ip) return base::unexpected<std::string>(ip.error());
  return base::SocketAddress{*ip, 0};
}

constexpr std::array kDht = {
    Row{"dht.listen", "--dht", "ADDR:PORT",
        "be the DHT node of BitTorrent clients there, best on loopback (default: none)",
        OptionKind::text,
        +[](StubConfig& c, std::string_view v) {
          return store(c.dht.listen, base::parse_listen_address(v, 0));
        }},
    Row{"dht.nodes", "--dht-nodes", "1|16", "how many nodes clients see, each on a port of its own",
        OptionKind::number,
        +[](StubConfig& c, std::string_view v) {
          if (v != "1" && v != "16")
            return Set(base::unexpected<std::string>(fmt::format("'{}' is neither 1 nor 16", v)));
          return store(c.dht.nodes, parse_number(v, 1, 16));
        }},
    Row{"dht.clients", "--dht-client", "ADDR", "serve this address too, which is not loopback",
        OptionKind::list,
        +[](StubConfig& c, std::string_view v) { return append(c.dht.clients, parse_client(v)); },
        +[](StubConfig& c) { c.dht.clients.clear(); }},
    Row{"dht.announce", "--dht-announce", "on|off",
        "have the gateway announce what clients announce, if it does", OptionKind::on_off,
        +[](StubConfig& c, std::string_view v) { return store(c.dht.announce, parse_on_off(v)); }},
};

std::optional<Contradiction> check(const StubConfig& config) {
  if (config.dht.listen && config.dht.listen->port != 0 &&
      config.dht.listen->port + config.dht.nodes - 1 > 65'535)
    return Contradiction{"dht.listen",
                         fmt::format("there are no {} ports from there on", config.dht.nodes),
                         "take a lower port"};
  const bool streams =
      config.gateways.empty() || std::any_of(config.gateways.begin(), config.gateways.end(),
                                             [](const packet::Stamp& s) { return s.tcp; });
  if (config.dht.listen && !streams)
    return Contradiction{"dht.listen", "no gateway's stamp says that it takes TCP connections",
                         "DHT requests travel in them; take another gateway"};
  return check_shared(config);
}

}  // namespace

std::vector<base::SocketAddress> StubConfig::default_listen() {
  base::SocketAddress loopback6{.port = kDefaultStubPort};
  loopback6.ip[15] = 1;
  return {base::SocketAddress::v4(127, 0, 0, 1, kDefaultStubPort), loopback6};
}

LocalConfig StubConfig::default_local() {
  LocalConfig local;
  local.special_names = false;
  return local;
}

CacheConfig StubConfig::default_cache() {
  CacheConfig cache;
  cache.max_bytes = 4ull << 20;
  return cache;
}

std::span<const Option<StubConfig>> stub_options() {
  static const auto rows =
      concatenate<StubConfig>(kServe, cache_options<StubConfig>(), local_options<StubConfig>(),
                              kControl, kDht, service_options<StubConfig>());
  return rows;
}

base::expected<StubConfig, ConfigError> parse_stub_config(std::string_view text,
                                                          const std::string& source) {
  return Loader<StubConfig>(stub_options(), source).load(text, {}, &check);
}

base::expected<StubConfig, ConfigError> load_stub_config(const std::string& path) {
  return merge_stub_config(path, {});
}

base::expected<StubConfig, ConfigError> merge_stub_config(const std::string& path,
                                                          const std::vector<FlagValues>& flags) {
  return load_and_merge<StubConfig>(stub_options(), path, flags, &check);
}

}  // namespace boxgram::config
