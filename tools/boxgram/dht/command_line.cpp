#include "command_line.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <boxgram/crypto/base64url.hpp>

#include "../key_file.hpp"
#include "dht_state.hpp"
#include "nodes.hpp"
#include "options.hpp"

namespace boxgram::tools {
namespace {

using Kind = DhtOperationOptions::Kind;
using dht::Overlay;
using Checked = base::expected<void, std::string>;

constexpr const char* kDhtExamples =
    "There are two overlays: the sealed one, whose nodes are named by stamps (boxgram://...), and\n"
    "Mainline, BitTorrent's, whose nodes are named by HOST:PORT. All commands but `node` ask with "
    "a\n"
    "node of their own that others do not ask back (BEP 43), and end when they have the answer.\n"
    "Exit codes: 0 found or stored, 1 not, 2 usage, 3 no node answered.\n\n"
    "Examples:\n"
    "  boxgram dht node --bootstrap boxgram://AQq1...            prints its own stamp\n"
    "  boxgram dht get-peers 0123456789abcdef0123456789abcdef01234567 \\\n"
    "      --bootstrap dht.example:6881\n"
    "  boxgram dht COMMAND --help                                more examples";

constexpr const char* kNodeExamples =
    "With --mainline alone the node is in Mainline only; with --listen as well in both, whose "
    "nodes\n"
    "never mix. SIGHUP saves the tables now, SIGTERM saves them and ends.\n\n"
    "Examples:\n"
    "  boxgram dht node --listen 0.0.0.0:5444 --bootstrap boxgram://AQq1...\n"
    "  boxgram dht node --mainline 0.0.0.0:6881 --bootstrap dht.example:6881\n"
    "  boxgram dht node --listen 127.0.0.1:5444 --state-dir /tmp/dht      the first one of a new "
    "overlay";

constexpr const char* kPutExamples =
    "Without --key the item is immutable: its target is the hash of the value. With --key it is\n"
    "named by the key (and the salt), and every put needs a higher --seq; by default the highest\n"
    "that is found and one more.\n\n"
    "Examples:\n"
    "  boxgram dht put 'Hello World!' --bootstrap boxgram://AQq1...\n"
    "  boxgram keygen --item --out item.key\n"
    "  boxgram dht put 'first' --key item.key --salt news --bootstrap boxgram://AQq1...\n"
    "  boxgram dht put d1:ai1ee --bencoded --bootstrap dht.example:6881";

constexpr const char* kGetExamples =
    "TARGET is what `boxgram dht put` printed: 40 hexadecimal digits, or the key of mutable "
    "items.\n"
    "An item under a salt can only be verified with it.\n\n"
    "Examples:\n"
    "  boxgram dht get e5f96f6f38320f0f33959cb4d3d656452117aadb --bootstrap boxgram://AQq1...\n"
    "  boxgram dht get ed25519:d_-EkFqRk2NnwBNggDEE-SQy_NkEpDURh23fTf3n5Ug --salt news";

// --- node ----------------------------------------------------------------------------------------

struct NodeFlags {
  DhtNodeOptions options;
  std::vector<std::string> listen, mainline, bootstrap;
  std::string metrics;
};

base::unexpected<std::string> wrong(std::string text) {
  return base::unexpected<std::string>(std::move(text));
}

/// Adds the addresses; one of each family, since a node has one id in each.
Checked read_addresses(const std::vector<std::string>& texts, std::uint16_t default_port,
                       std::vector<base::SocketAddress>& addresses) {
  for (const auto& text : texts) {
    const auto address = base::parse_listen_address(text, default_port);
    if (!address) return wrong(address.error());
    const auto same = [&](const auto& other) { return other.is_v4() == address->is_v4(); };
    if (std::any_of(addresses.begin(), addresses.end(), same))
      return wrong(fmt::format("'{}': a node listens on one address of a family", text));
    addresses.push_back(*address);
  }
  return {};
}

/// Seeds whose hosts are unknown at the moment are left out with a warning, unless none is left.
Checked read_bootstrap(const std::vector<std::string>& texts, Seeds& seeds) {
  std::vector<std::string> unknown;
  auto read = read_seeds(texts, unknown);
  if (!read) return wrong(read.error());
  for (const auto& text : unknown)
    fmt::print(stderr, "boxgram: warning: the host of {} is not found\n", text);
  seeds = std::move(*read);
  return {};
}

Checked read_node(NodeFlags& flags) {
  DhtNodeOptions& options = flags.options;
  if (auto read = read_addresses(flags.listen, config::kDefaultDhtPort, options.listen); !read)
    return read;
  if (auto read = read_addresses(flags.mainline, 0, options.mainline); !read) return read;
  if (auto read = read_bootstrap(flags.bootstrap, options.seeds); !read) return read;
  if (!flags.metrics.empty()) {
    const auto metrics = base::parse_socket_address(flags.metrics, 0);
    if (!metrics) return wrong(metrics.error());
    options.metrics = *metrics;
  }
  options.sealed = !flags.listen.empty() || flags.mainline.empty();
  if (!options.sealed && !options.seeds.sealed.empty())
    return wrong("a stamp is no node of Mainline; with --listen the node is in both overlays");
  if (options.mainline.empty() && !options.seeds.mainline.empty())
    return wrong(
        fmt::format("'{}' is a node of Mainline; with --mainline ADDR:PORT this one is too",
                    base::to_string(options.seeds.mainline.front().address)));
  options.local = options.local || is_laboratory(options);
  return {};
}

void add_node(CLI::App& dht, int& code) {
  auto* command = dht.add_subcommand("node", "run a node until SIGTERM");
  command->footer(kNodeExamples);
  auto flags = std::make_shared<NodeFlags>();
  flags->options.state_dir = default_dht_state_dir();
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* help,
                        const char* type) {
    command->add_option(name, values, help)->type_name(type)->allow_extra_args(false);
  };
  list("--listen", flags->listen, "in the sealed overlay, here (default: every address, port 5444)",
       "ADDR:PORT");
  list("--mainline", flags->mainline, "in Mainline, here", "ADDR:PORT");
  list("--bootstrap", flags->bootstrap, "a node to begin with; not needed where a table is saved",
       "STAMP|HOST:PORT");
  command->add_option("--state-dir", flags->options.state_dir, "where keys and tables are kept")
      ->type_name("DIR");
  command->add_flag("--local", flags->options.local,
                    "private and loopback addresses may take part (a laboratory, an overlay within "
                    "one network)");
  command
      ->add_option("--metrics", flags->metrics,
                   "serve Prometheus metrics at http://ADDR:PORT/metrics")
      ->type_name("ADDR:PORT");
  static const std::map<std::string, config::LogLevel> kLevels = {
      {"error", config::LogLevel::error},
      {"warning", config::LogLevel::warning},
      {"info", config::LogLevel::info},
      {"debug", config::LogLevel::debug}};
  static const std::map<std::string, config::LogFormat> kFormats = {
      {"text", config::LogFormat::text}, {"json", config::LogFormat::json}};
  command->add_option("--log-level", flags->options.log.level, "error, warning, info or debug")
      ->type_name("LEVEL")
      ->transform(CLI::CheckedTransformer(kLevels).description(""));
  command->add_option("--log-format", flags->options.log.format, "text or json")
      ->type_name("FORMAT")
      ->transform(CLI::CheckedTransformer(kFormats).description(""));
  command->callback([flags, &code] {
    const auto read = read_node(*flags);
    code = read ? run_dht_node(flags->options) : fail(kUsage, read.error());
  });
}

// --- operations ----------------------------------------------------------------------------------

struct OperationFlags {
  DhtOperationOptions options;
  std::vector<std::string> bootstrap;
  std::vector<std::string> nodes;
  std::string overlay;
  std::string target;
  std::string value;
  std::string file;
  std::string key_path;
  std::string gateway;
  std::string client_key_path;
  bool bencoded = false;
  unsigned timeout_s = 30;
};
using SharedFlags = std::shared_ptr<OperationFlags>;

/// Which overlay is meant: the one that was named, else that of the nodes, else that of the saved
/// table.
base::expected<Overlay, std::string> overlay_of(const OperationFlags& flags, const Seeds& named) {
  const bool sealed = !named.sealed.empty();
  const bool mainline = !named.mainline.empty();
  if (sealed && mainline && flags.overlay.empty())
    return wrong("stamps and HOST:PORT are nodes of two overlays; say which: --overlay");
  if (!flags.overlay.empty()) {
    const auto overlay = flags.overlay == "sealed" ? Overlay::sealed : Overlay::mainline;
    if ((sealed || mainline) && !(overlay == Overlay::sealed ? sealed : mainline))
      return wrong(fmt::format("no node of the {} overlay is named", flags.overlay));
    return overlay;
  }
  if (sealed || mainline) return sealed ? Overlay::sealed : Overlay::mainline;
  for (const Overlay overlay : {Overlay::sealed, Overlay::mainline})
    if (std::filesystem::exists(table_file(flags.options.state_dir, overlay))) return overlay;
  return wrong("no node to begin with is named: --bootstrap STAMP or HOST:PORT");
}

Checked read_overlay(OperationFlags& flags) {
  DhtOperationOptions& options = flags.options;
  const bool ping = options.kind == Kind::ping;
  Seeds named;
  if (auto read = read_bootstrap(ping ? flags.nodes : flags.bootstrap, named); !read) return read;
  const auto overlay = overlay_of(flags, named);
  if (!overlay) return wrong(overlay.error());
  options.overlay = *overlay;
  options.local = options.local || all_local(named);
  options.seeds = std::move(named);
  return {};
}

/// 40 hexadecimal digits, or a key as `boxgram keygen --item` prints it.
Checked read_target(OperationFlags& flags) {
  constexpr std::string_view kKeyPrefix = "ed25519:";
  DhtOperationOptions& options = flags.options;
  if (const auto id = dht::parse_hex(flags.target)) {
    options.target = *id;
    return {};
  }
  if (options.kind != Kind::get || !flags.target.starts_with(kKeyPrefix))
    return wrong(fmt::format("'{}' is not 40 hexadecimal digits", flags.target));
  const auto key = crypto::from_base64url(std::string_view(flags.target).substr(kKeyPrefix.size()));
  crypto::VerifyKey verify_key;
  if (!key || key->size() != verify_key.size())
    return wrong(
        fmt::format("'{}' is not a key as `boxgram keygen --item` prints it", flags.target));
  std::copy(key->begin(), key->end(), verify_key.begin());
  options.target = dht::mutable_target(verify_key, base::as_bytes(options.salt));
  return {};
}

base::expected<std::string, std::string> read_value(const OperationFlags& flags) {
  if (flags.file.empty()) return flags.value;
  const bool standard_input = flags.file == "-";
  std::FILE* file = standard_input ? stdin : std::fopen(flags.file.c_str(), "rbe");
  if (file == nullptr) return wrong(fmt::format("cannot read {}", flags.file));
  std::string text(dht::kMaxValue + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  if (!standard_input) std::fclose(file);
  return text;
}

/// The value in bencoded form, the key and the target.
Checked read_item(OperationFlags& flags) {
  DhtOperationOptions& options = flags.options;
  const auto value = read_value(flags);
  if (!value) return wrong(value.error());
  options.value = flags.bencoded ? *value : fmt::format("{}:{}", value->size(), *value);
  const base::Bytes bencoded = base::as_bytes(options.value);
  if (bencoded.size() > dht::kMaxValue)
    return wrong(
        fmt::format("the value is too long: bencoded, {} bytes are the most", dht::kMaxValue));
  if (!dht::bencode::is_canonical(bencoded))
    return wrong(
        "the value is not canonical bencode (sorted keys, no leading zeros, nothing "
        "behind it)");
  if (flags.key_path.empty()) {
    options.target = dht::immutable_target(bencoded);
    return {};
  }
  auto seed = read_secret(flags.key_path, kItemSecret);
  if (!seed) return wrong(seed.error());
  if (!*seed)
    return wrong(fmt::format("there is no {}; make one: boxgram keygen --item --out {}",
                             flags.key_path, flags.key_path));
  options.key = std::move(**seed);
  options.target = dht::mutable_target(crypto::SigningKey(*options.key).verify_key(),
                                       base::as_bytes(options.salt));
  return {};
}

/// A gateway in place of a node of our own.
Checked read_gateway(OperationFlags& flags) {
  DhtOperationOptions& options = flags.options;
  const auto stamp = packet::decode_stamp(flags.gateway);
  if (!stamp) return wrong(fmt::format("'{}': {}", flags.gateway, to_string(stamp.error())));
  if (!stamp->udp || !stamp->tcp)
    return wrong("this stamp is not one of a gateway that takes TCP connections");
  if (options.kind == Kind::table || options.trace)
    return wrong("a gateway shows neither its table nor the hops of a lookup");
  if (!flags.bootstrap.empty() || !flags.nodes.empty())
    return wrong("a gateway has nodes of its own to ask: name none beside --gateway");
  options.gateway = *stamp;
  options.overlay = flags.overlay == "sealed" ? Overlay::sealed : Overlay::mainline;
  if (flags.client_key_path.empty()) return {};
  auto key = read_secret(flags.client_key_path, kClientSecret);
  if (!key) return wrong(key.error());
  if (!*key)
    return wrong(fmt::format("there is no {}; make one: boxgram keygen --client --out {}",
                             flags.client_key_path, flags.client_key_path));
  options.client_key = std::move(**key);
  return {};
}

Checked read_operation(OperationFlags& flags) {
  flags.options.timeout = std::chrono::seconds(flags.timeout_s);
  if (flags.options.salt.size() > dht::kMaxSalt)
    return wrong(fmt::format("the salt is too long: {} bytes are the most", dht::kMaxSalt));
  const Kind kind = flags.options.kind;
  if (kind == Kind::put) {
    if (auto read = read_item(flags); !read) return read;
  } else if (kind != Kind::ping && kind != Kind::table) {
    if (auto read = read_target(flags); !read) return read;
  }
  if (!flags.gateway.empty()) return read_gateway(flags);
  if (kind == Kind::ping && flags.nodes.empty()) return wrong("no node to ping is named");
  return read_overlay(flags);
}

/// What all of them have in common.
CLI::App* add_operation(CLI::App& dht, int& code, Kind kind, const char* name, const char* about,
                        const SharedFlags& flags) {
  auto* command = dht.add_subcommand(name, about);
  DhtOperationOptions& options = flags->options;
  options.kind = kind;
  options.state_dir = default_dht_state_dir();
  if (kind != Kind::ping) {
    command->add_option("--bootstrap", flags->bootstrap, "a node to begin with")
        ->type_name("STAMP|HOST:PORT")
        ->allow_extra_args(false);
    command
        ->add_option("--state-dir", options.state_dir,
                     "without --bootstrap: begin with the table that a node has saved here")
        ->type_name("DIR");
  }
  auto* gateway =
      command->add_option("--gateway", flags->gateway, "ask through this gateway's node")
          ->type_name("STAMP");
  command
      ->add_option("--client-key", flags->client_key_path, "the key that the gateway knows us by")
      ->type_name("FILE")
      ->needs(gateway);
  command
      ->add_option("--overlay", flags->overlay,
                   "where both are possible: sealed or mainline (a gateway's: mainline)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"sealed", "mainline"}).description(""));
  command->add_flag("--local", options.local, "private and loopback addresses may take part");
  command->add_flag("--json", options.json, "one JSON object a line, as results arrive");
  command->add_option("--timeout", flags->timeout_s, "give up after so many seconds")
      ->type_name("S")
      ->check(CLI::Range(1u, 600u));
  command->callback([flags, &code] {
    const auto read = read_operation(*flags);
    code = read ? run_dht_operation(flags->options) : fail(kUsage, read.error());
  });
  return command;
}

CLI::App* add_lookup(CLI::App& dht, int& code, Kind kind, const char* name, const char* about,
                     const SharedFlags& flags) {
  auto* command = add_operation(dht, code, kind, name, about, flags);
  command->add_flag("--trace", flags->options.trace, "each hop: who, distance, time, what it said");
  return command;
}

void add_target(CLI::App* command, const SharedFlags& flags, const char* name, const char* help) {
  command->add_option(name, flags->target, help)->required();
}

void add_lookups(CLI::App& dht, int& code) {
  auto flags = std::make_shared<OperationFlags>();
  auto* command =
      add_operation(dht, code, Kind::ping, "ping", "ask nodes whether they live", flags);
  command->add_option("NODE", flags->nodes, "stamps, or HOST:PORT; none: the gateway itself");

  flags = std::make_shared<OperationFlags>();
  command =
      add_lookup(dht, code, Kind::find_node, "find-node", "the nodes nearest to an id", flags);
  add_target(command, flags, "ID", "40 hexadecimal digits");

  flags = std::make_shared<OperationFlags>();
  command = add_operation(dht, code, Kind::find_node, "trace",
                          "find-node, showing each hop: who, distance, time, what it said", flags);
  add_target(command, flags, "ID", "40 hexadecimal digits");
  flags->options.trace = true;

  flags = std::make_shared<OperationFlags>();
  command = add_lookup(dht, code, Kind::get_peers, "get-peers", "peers of a torrent", flags);
  add_target(command, flags, "INFOHASH", "40 hexadecimal digits");

  flags = std::make_shared<OperationFlags>();
  add_lookup(dht, code, Kind::table, "table", "join, and show the routing table that came of it",
             flags);
}

void add_announce(CLI::App& dht, int& code) {
  auto flags = std::make_shared<OperationFlags>();
  auto* command = add_lookup(dht, code, Kind::announce, "announce",
                             "say that this machine is a peer of a torrent", flags);
  add_target(command, flags, "INFOHASH", "40 hexadecimal digits");
  command->add_option("--port", flags->options.port, "the TCP port that the peer listens on")
      ->type_name("PORT")
      ->check(CLI::Range(1u, 65'535u))
      ->required();
  command->add_flag("--seed", flags->options.seed, "it has the whole torrent (BEP 33)");
}

void add_salt(CLI::App* command, const SharedFlags& flags) {
  command->add_option("--salt", flags->options.salt, "tells a key's items apart")
      ->type_name("TEXT");
}

void add_items(CLI::App& dht, int& code) {
  auto flags = std::make_shared<OperationFlags>();
  auto* command = add_lookup(dht, code, Kind::get, "get", "a stored item (BEP 44)", flags);
  command->footer(kGetExamples);
  add_target(command, flags, "TARGET", "40 hexadecimal digits, or ed25519:KEY");
  add_salt(command, flags);

  flags = std::make_shared<OperationFlags>();
  command = add_lookup(dht, code, Kind::put, "put", "store an item (BEP 44)", flags);
  command->footer(kPutExamples);
  auto* value = command->add_option("VALUE", flags->value, "a text, stored as a string");
  command->add_option("--file", flags->file, "take the value from a file, '-' from the input")
      ->type_name("FILE")
      ->excludes(value);
  command->add_flag("--bencoded", flags->bencoded, "the value is bencoded already");
  auto* key = command->add_option("--key", flags->key_path, "sign with this: a mutable item")
                  ->type_name("FILE");
  add_salt(command, flags);
  command->get_option("--salt")->needs(key);
  command->add_option("--seq", flags->options.sequence, "the item's sequence number")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->needs(key);
  command->add_option("--cas", flags->options.cas, "only where this sequence number is stored")
      ->type_name("N")
      ->needs(key);
}

}  // namespace

void add_dht(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("dht", "a distributed hash table: run a node, look things up");
  command->footer(kDhtExamples);
  command->require_subcommand(1);
  add_node(*command, code);
  add_lookups(*command, code);
  add_announce(*command, code);
  add_items(*command, code);
}

}  // namespace boxgram::tools
