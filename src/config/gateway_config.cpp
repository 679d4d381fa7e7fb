#include <boxgram/config/gateway_config.hpp>
#include <boxgram/packet/stamp.hpp>

#include "shared_options.hpp"

namespace boxgram::config {
namespace {

using namespace std::chrono_literals;
using Row = Option<GatewayConfig>;

/// "corp.example=192.0.2.53": the server joins the rule of its suffix.
Set add_forward(GatewayConfig& config, std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return base::unexpected<std::string>(
        fmt::format("'{}' is not of the form SUFFIX=ADDR[:PORT]", text));
  auto suffix = parse_domain(text.substr(0, equals));
  if (!suffix) return base::unexpected<std::string>(suffix.error());
  auto upstream = parse_peer(text.substr(equals + 1), 53);
  if (!upstream) return base::unexpected<std::string>(upstream.error());
  auto rule = std::find_if(config.forward.begin(), config.forward.end(),
                           [&](const auto& r) { return r.suffix == *suffix; });
  if (rule == config.forward.end()) rule = config.forward.insert(rule, {*suffix, {}});
  rule->upstreams.push_back(*upstream);
  return {};
}

/// What a stamp can hold (boxgram/packet/stamp.hpp).
Value<std::string> parse_stamp_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  if (text.empty() || text.size() > 253 || !std::all_of(text.begin(), text.end(), fits))
    return base::unexpected<std::string>(
        fmt::format("'{}' has a character other than letters, digits, '.', '-' and '_'", text));
  return std::string(text);
}

template <auto Member>
Set set_limit(GatewayConfig& config, std::string_view text) {
  return store(config.limits.*Member, parse_number(text, 1, 100'000'000));
}

constexpr std::array kServe = {
    Row{"listen", "--listen", "ADDR:PORT", "where sealed datagrams arrive", OptionKind::list,
        +[](GatewayConfig& c, std::string_view v) {
          return append(c.listen, base::parse_listen_address(v, kDefaultGatewayPort));
        },
        +[](GatewayConfig& c) { c.listen.clear(); }},
    Row{"state_dir", "--state-dir", "DIR", "keys and what must survive a restart", OptionKind::text,
        +[](GatewayConfig& c, std::string_view v) { return store(c.state_dir, parse_text(v)); }},
    Row{"upstreams", "--upstream", "ADDR[:PORT]",
        "resolvers to ask (default: the system's resolvers)", OptionKind::list,
        +[](GatewayConfig& c, std::string_view v) {
          return append(c.upstreams, parse_peer(v, 53));
        },
        +[](GatewayConfig& c) { c.upstreams.clear(); }},
    Row{"forward", "--forward", "SUFFIX=ADDR[:PORT]", "ask this server for names below SUFFIX",
        OptionKind::mapping, &add_forward, +[](GatewayConfig& c) { c.forward.clear(); }},
    Row{"workers", "--workers", "N", "threads that serve (default: one for each core)",
        OptionKind::number,
        +[](GatewayConfig& c, std::string_view v) {
          // The session identifier's first byte names its worker, so no more than 256 could be.
          return store(c.workers, parse_number(v, 1, 64));
        }},
};

constexpr std::array kKeys = {
    Row{"keys.rotation", "--key-rotation", "TIME", "make a new box key so often",
        OptionKind::amount,
        +[](GatewayConfig& c, std::string_view v) {
          // A retired key lives a minute longer: shorter than two would let keys pile up.
          return store(c.keys.rotation, parse_duration(v, 2min, 24h * 30));
        }},
    Row{"keys.validity", "--key-validity", "TIME", "each box key is valid for so long",
        OptionKind::amount,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.keys.validity, parse_duration(v, 3min, 24h * 60));
        }},
    Row{"keys.pinned", "--key-pinned", "on|off",
        "also keep a key that never expires: clients need no clock, theft is worse",
        OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.keys.pinned, parse_on_off(v));
        }},
    Row{"advertise.address", "--advertise", "ADDR:PORT",
        "the address in the stamp, where clients see another than we listen on", OptionKind::text,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.advertise, parse_peer(v, kDefaultGatewayPort));
        }},
    Row{"advertise.name", "--name", "TEXT", "a name for people in the stamp", OptionKind::text,
        +[](GatewayConfig& c, std::string_view v) { return store(c.name, parse_stamp_name(v)); }},
    Row{"limits.initials_per_second", "--limit-initials", "N",
        "new clients a second from one network", OptionKind::number,
        &set_limit<&LimitsConfig::initials_per_second>},
    Row{"limits.initials_burst", "--limit-initials-burst", "N",
        "new clients at once from one network", OptionKind::number,
        &set_limit<&LimitsConfig::initials_burst>},
    Row{"limits.retry_above", "--limit-retry-above", "N",
        "above so many new clients a second all must prove their address", OptionKind::number,
        &set_limit<&LimitsConfig::retry_above>},
    Row{"limits.associations", "--limit-associations", "N", "live clients of each worker",
        OptionKind::number,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.limits.associations, parse_number(v, 16, 4'194'304));
        }},
    Row{"case_randomization", "--case-randomization", "on|off",
        "ask upstreams in random letter case and check it in the answer", OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.case_randomization, parse_on_off(v));
        }},
};

constexpr std::array kStream = {
    Row{"stream.enabled", "--stream", "on|off",
        "also take TCP connections: answers of any size, control sessions", OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.stream.enabled, parse_on_off(v));
        }},
    Row{"stream.dns_for_all", "--stream-dns-for-all", "on|off",
        "answer DNS over TCP to every key; off: only to keys on the list", OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.stream.dns_for_all, parse_on_off(v));
        }},
    Row{"stream.clients", "--clients", "FILE",
        "the list of client keys (default: DIR/clients of the state directory)", OptionKind::text,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.stream.clients, parse_text(v));
        }},
};

/// A stamp, or what looks like HOST:PORT; whether there is such a host shows at the start.
Value<std::string> parse_dht_node(std::string_view text) {
  if (text.starts_with("boxgram:")) {
    const auto stamp = packet::decode_stamp(text);
    if (stamp && stamp->pinned) return std::string(text);
    return base::unexpected<std::string>(
        fmt::format("'{}' is not the stamp of a DHT node, as `boxgram dht node` prints it", text));
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 ||
      !parse_number(text.substr(colon + 1), 1, 65'535))
    return base::unexpected<std::string>(
        fmt::format("'{}' is neither HOST:PORT nor the stamp of a DHT node", text));
  return std::string(text);
}

constexpr std::array kDht = {
    Row{"dht.enabled", "--dht", "on|off", "look up in the DHT for clients in streams",
        OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.dht.enabled, parse_on_off(v));
        }},
    Row{"dht.listen", "--dht-listen", "ADDR:PORT",
        "a node in the sealed overlay, here (default: every address, port 5444)", OptionKind::list,
        +[](GatewayConfig& c, std::string_view v) {
          return append(c.dht.listen, base::parse_listen_address(v, kDefaultDhtPort));
        },
        +[](GatewayConfig& c) { c.dht.listen.clear(); }},
    Row{"dht.mainline", "--dht-mainline", "ADDR:PORT",
        "a node in Mainline, BitTorrent's DHT, here (default: none)", OptionKind::list,
        +[](GatewayConfig& c, std::string_view v) {
          return append(c.dht.mainline, base::parse_listen_address(v, 0));
        },
        +[](GatewayConfig& c) { c.dht.mainline.clear(); }},
    Row{"dht.bootstrap", "--dht-bootstrap", "STAMP|HOST:PORT", "a node to begin with",
        OptionKind::list,
        +[](GatewayConfig& c, std::string_view v) {
          return append(c.dht.bootstrap, parse_dht_node(v));
        },
        +[](GatewayConfig& c) { c.dht.bootstrap.clear(); }},
    Row{"dht.for_all", "--dht-for-all", "on|off",
        "look up for every key; off: only for keys on the list", OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.dht.for_all, parse_on_off(v));
        }},
    Row{"dht.announce", "--dht-announce", "on|off",
        "announce for clients: others then record the gateway's address", OptionKind::on_off,
        +[](GatewayConfig& c, std::string_view v) {
          return store(c.dht.announce, parse_on_off(v));
        }},
};

std::optional<Contradiction> check(const GatewayConfig& config) {
  if (config.dht.enabled && !config.stream.enabled)
    return Contradiction{"dht.enabled", "DHT requests come in streams, which are off",
                         "switch stream.enabled on, or this off"};
  for (const auto* addresses : {&config.dht.listen, &config.dht.mainline})
    if (addresses->size() > 2 ||
        (addresses->size() == 2 && (*addresses)[0].is_v4() == (*addresses)[1].is_v4()))
      return Contradiction{addresses == &config.dht.listen ? "dht.listen" : "dht.mainline",
                           "a node listens on one address of a family",
                           "name one IPv4 and one IPv6 address at the most"};
  if (config.keys.validity <= config.keys.rotation ||
      config.keys.validity > 2 * config.keys.rotation)
    return Contradiction{
        "keys.validity",
        fmt::format("{} does not go with a rotation of {}", describe_duration(config.keys.validity),
                    describe_duration(config.keys.rotation)),
        fmt::format("take more than {} and at most {}", describe_duration(config.keys.rotation),
                    describe_duration(2 * config.keys.rotation))};
  return check_shared(config);
}

}  // namespace

std::vector<base::SocketAddress> GatewayConfig::default_listen() {
  return {base::SocketAddress::v4(0, 0, 0, 0, kDefaultGatewayPort),
          base::SocketAddress{.port = kDefaultGatewayPort}};
}

std::span<const Option<GatewayConfig>> gateway_options() {
  static const auto rows = concatenate<GatewayConfig>(
      kServe, cache_options<GatewayConfig>(), local_options<GatewayConfig>(), kKeys, kStream, kDht,
      service_options<GatewayConfig>());
  return rows;
}

base::expected<GatewayConfig, ConfigError> parse_gateway_config(std::string_view text,
                                                                const std::string& source) {
  return Loader<GatewayConfig>(gateway_options(), source).load(text, {}, &check);
}

base::expected<GatewayConfig, ConfigError> load_gateway_config(const std::string& path) {
  return merge_gateway_config(path, {});
}

base::expected<GatewayConfig, ConfigError> merge_gateway_config(
    const std::string& path, const std::vector<FlagValues>& flags) {
  return load_and_merge<GatewayConfig>(gateway_options(), path, flags, &check);
}

}  // namespace boxgram::config
