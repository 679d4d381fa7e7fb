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
                              kControl, service_options<StubConfig>());
  return rows;
}

base::expected<StubConfig, ConfigError> parse_stub_config(std::string_view text,
                                                          const std::string& source) {
  return Loader<StubConfig>(stub_options(), source).load(text, {}, &check_shared<StubConfig>);
}

base::expected<StubConfig, ConfigError> load_stub_config(const std::string& path) {
  return merge_stub_config(path, {});
}

base::expected<StubConfig, ConfigError> merge_stub_config(const std::string& path,
                                                          const std::vector<FlagValues>& flags) {
  return load_and_merge<StubConfig>(stub_options(), path, flags, &check_shared<StubConfig>);
}

}  // namespace boxgram::config
