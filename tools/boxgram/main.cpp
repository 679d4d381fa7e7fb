// The command line: reads options, merges them with the configuration file, calls one command.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <boxgram/config/option.hpp>
#include <boxgram/control/allow_list.hpp>
#include <boxgram/dns/record_text.hpp>

#include "commands.hpp"
#include "control/control.hpp"
#include "control/stream_control_link.hpp"
#include "dht/command_line.hpp"
#include "state_dir.hpp"

namespace boxgram::tools {
namespace {

constexpr const char* kDefaultStubConfig = "/etc/boxgram/stub.toml";

constexpr const char* kAbout =
    "boxgram: DNS through sealed datagrams.\n"
    "A stub answers plain DNS on this machine and asks gateways in sealed boxes; a gateway opens\n"
    "them and asks ordinary resolvers.";

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration (nothing was started),\n"
    "            3 nobody answered, 4 this key is not authorised.\n\n"
    "Examples:\n"
    "  boxgram gateway --listen 127.0.0.1:5443 --state-dir /tmp/gw     prints its stamp\n"
    "  boxgram stub --gateway boxgram://AQUx...                        then: dig @127.0.0.1 -p "
    "5300\n"
    "  boxgram COMMAND --help                                          more examples";

constexpr const char* kGatewayExamples =
    "Signals: SIGHUP reads the configuration again (a wrong one changes nothing), SIGTERM drains\n"
    "and ends.\n\n"
    "Examples:\n"
    "  boxgram gateway --upstream 9.9.9.9 --upstream 1.1.1.1:53\n"
    "  boxgram gateway --config /etc/boxgram/gateway.toml --workers 4\n"
    "  boxgram gateway --listen 127.0.0.1:5443 --state-dir /tmp/gw --forward "
    "corp.example=10.0.0.1\n"
    "  boxgram gateway --upstream 9.9.9.9 --metrics 127.0.0.1:9543 --log-format json";

constexpr const char* kStubExamples =
    "Signals: SIGHUP reads the configuration again (a wrong one changes nothing), SIGTERM ends.\n\n"
    "Examples:\n"
    "  boxgram stub --gateway boxgram://AQUx...\n"
    "  boxgram stub --gateway boxgram://AQUx... --gateway boxgram://AQVz... --cache off\n"
    "  boxgram stub --config /etc/boxgram/stub.toml --listen 127.0.0.1:53";

constexpr const char* kQueryExamples =
    "The gateway comes from --gateway, else from --config, else from /etc/boxgram/stub.toml.\n\n"
    "Examples:\n"
    "  boxgram query example.org --gateway boxgram://AQUx...\n"
    "  boxgram query example.org AAAA MX --trace\n"
    "  boxgram query example.org TXT --json --config stub.toml";

constexpr const char* kBenchExamples =
    "Examples:\n"
    "  boxgram bench                          everything, three seconds each\n"
    "  boxgram bench crypto codec --json\n"
    "  boxgram bench load --seconds 10        as fast as it goes\n"
    "  boxgram bench load --rate 1000         latency at a given rate";

constexpr const char* kKeygenExamples =
    "Examples:\n"
    "  boxgram keygen --state-dir /var/lib/boxgram     a gateway's identity\n"
    "  boxgram keygen --client                         a key for `boxgram control`; prints the\n"
    "                                                  line for the gateway's allow-list\n"
    "  boxgram keygen --item --out item.key            a key that signs items of the DHT";

constexpr const char* kClientExamples =
    "The allow-list says which keys may open a stream, and for what: control (every command),\n"
    "control:read (those that change nothing), dns, dht. A gateway that runs reads it again on\n"
    "SIGHUP.\n\n"
    "Examples:\n"
    "  boxgram client add laptop x25519:...                      may control the gateway\n"
    "  boxgram client add cron x25519:... --services control:read,dns\n"
    "  boxgram client remove laptop --state-dir /var/lib/boxgram\n"
    "  boxgram client list";

constexpr const char* kControlExamples =
    "Without a COMMAND: a prompt. `boxgram control help` lists the commands.\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 unreachable, 4 not authorised.\n\n"
    "Examples:\n"
    "  boxgram control --gateway boxgram://AQcv... status\n"
    "  boxgram control --gateway boxgram://AQcv... --key ops.key top\n"
    "  boxgram control --gateway boxgram://AQcv... cache flush --suffix example.org --json";

constexpr const char* kStampExamples =
    "Examples:\n"
    "  boxgram stamp --state-dir /var/lib/boxgram --address 198.51.100.7:5443 --name home";

constexpr const char* kCheckExamples =
    "Examples:\n"
    "  boxgram check --config /etc/boxgram/gateway.toml\n"
    "  boxgram check --stub --config stub.toml";

/// The title under which `--help` shows a setting.
std::string group_of(std::string_view key) {
  const auto dot = key.find('.');
  if (dot == std::string_view::npos) return "Serving";
  auto title = std::string(key.substr(0, dot));
  title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

/// The settings of a configuration as flags of a command.
template <class Config>
class Settings {
 public:
  Settings(CLI::App& command, std::span<const config::Option<Config>> options)
      : options_(options), values_(options.size()) {
    command.add_option("--config", path_, "read settings from a TOML file; flags override it")
        ->type_name("FILE")
        ->group("Serving");
    for (std::size_t i = 0; i < options.size(); ++i) add(command, options[i], values_[i]);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] std::vector<config::FlagValues> given() const {
    std::vector<config::FlagValues> flags;
    for (std::size_t i = 0; i < options_.size(); ++i)
      if (!values_[i].empty()) flags.push_back({std::string(options_[i].flag), values_[i]});
    return flags;
  }

 private:
  static void add(CLI::App& command, const config::Option<Config>& option,
                  std::vector<std::string>& values) {
    const std::string flag(option.flag);
    const std::string help(option.help);
    const bool repeats =
        option.kind == config::OptionKind::list || option.kind == config::OptionKind::mapping;
    auto* added = repeats ? command.add_option(flag, values, help)->allow_extra_args(false)
                          : command.add_option_function<std::string>(
                                flag, [&values](const std::string& v) { values = {v}; }, help);
    added->type_name(std::string(option.value))->group(group_of(option.key));
  }

  std::span<const config::Option<Config>> options_;
  std::vector<std::vector<std::string>> values_;
  std::string path_;
};

int wrong_config(const config::ConfigError& error) {
  return fail(kUsage, config::to_string(error));
}

void add_gateway(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("gateway", "open sealed queries and ask resolvers");
  command->footer(kGatewayExamples);
  auto settings =
      std::make_shared<Settings<config::GatewayConfig>>(*command, config::gateway_options());
  command->callback([settings, &code] {
    const auto reload = [path = settings->path(), flags = settings->given()] {
      auto config = config::merge_gateway_config(path, flags);
      if (config && config->state_dir.empty()) config->state_dir = default_state_dir();
      return config;
    };
    auto config = reload();
    code = config ? run_gateway({std::move(*config), settings->path(), reload})
                  : wrong_config(config.error());
  });
}

void add_stub(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("stub", "answer plain DNS by asking gateways");
  command->footer(kStubExamples);
  auto settings = std::make_shared<Settings<config::StubConfig>>(*command, config::stub_options());
  command->callback([settings, &code] {
    const auto reload =
        [path = settings->path(),
         flags = settings->given()]() -> base::expected<config::StubConfig, config::ConfigError> {
      auto config = config::merge_stub_config(path, flags);
      if (config && config->gateways.empty())
        return base::unexpected<config::ConfigError>(config::ConfigError{
            path, 0, 0, "no gateway is named",
            "give the stamp that `boxgram gateway` prints: --gateway boxgram://..."});
      // Not the gateway's folder, which one program at a time may use.
      if (config && config->control.state_dir.empty())
        config->control.state_dir = default_state_dir() + "/stub";
      return config;
    };
    auto config = reload();
    code = config ? run_stub({std::move(*config), settings->path(), reload})
                  : wrong_config(config.error());
  });
}

struct QueryFlags {
  QueryOptions options;
  std::string name;
  std::vector<std::string> types{"A"};
  std::vector<std::string> stamps;
  std::string config;
};

/// The gateways to ask: those named by flags, else those of a stub's configuration.
base::expected<std::vector<packet::Stamp>, config::ConfigError> gateways_of(
    const QueryFlags& flags) {
  std::vector<config::FlagValues> given;
  if (!flags.stamps.empty()) given.push_back({"--gateway", flags.stamps});
  auto path = flags.config;
  if (path.empty() && given.empty() && std::filesystem::exists(kDefaultStubConfig))
    path = kDefaultStubConfig;
  const auto config = config::merge_stub_config(path, given);
  if (!config) return base::unexpected<config::ConfigError>(config.error());
  if (config->gateways.empty())
    return base::unexpected<config::ConfigError>(config::ConfigError{
        path, 0, 0, "no gateway is named",
        "give the stamp that `boxgram gateway` prints: --gateway boxgram://..."});
  return config->gateways;
}

base::expected<void, config::ConfigError> read_question(QueryFlags& flags) {
  const auto name = dns::Name::from_text(flags.name);
  if (!name)
    return base::unexpected<config::ConfigError>(
        config::ConfigError{flags.name, 0, 0, "not a domain name", {}});
  flags.options.name = *name;
  for (const auto& text : flags.types) {
    const auto type = dns::parse_record_type(text);
    if (!type)
      return base::unexpected<config::ConfigError>(
          config::ConfigError{text, 0, 0, type.error(), {}});
    flags.options.types.push_back(*type);
  }
  return {};
}

void add_query(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("query", "ask one name through a gateway, without a stub");
  command->footer(kQueryExamples);
  auto flags = std::make_shared<QueryFlags>();
  auto timeout_ms = std::make_shared<unsigned>(3'000);
  command->add_option("NAME", flags->name, "the name to ask for")->required();
  command->add_option("TYPE", flags->types, "record types (default: A)");
  command->add_option("--gateway", flags->stamps, "a gateway's boxgram:// stamp")
      ->type_name("STAMP")
      ->allow_extra_args(false);
  command->add_option("--config", flags->config, "take the gateways from a stub's configuration")
      ->type_name("FILE");
  command->add_flag("--json", flags->options.json, "one JSON object");
  command->add_flag("--trace", flags->options.trace, "what travelled, and the time of each step");
  command->add_flag("--dnssec", flags->options.dnssec, "ask for signatures too");
  command->add_flag("--no-checking", flags->options.no_checking, "ask for unvalidated data too");
  command->add_option("--timeout", *timeout_ms, "give up after so many milliseconds")
      ->type_name("MS")
      ->check(CLI::Range(1u, 60'000u));
  command->callback([flags, timeout_ms, &code] {
    auto gateways = gateways_of(*flags);
    const auto question = read_question(*flags);
    if (!gateways || !question) {
      code = wrong_config(question ? gateways.error() : question.error());
      return;
    }
    flags->options.gateways = std::move(*gateways);
    flags->options.timeout = std::chrono::milliseconds(*timeout_ms);
    code = run_query(flags->options);
  });
}

void add_bench(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("bench", "measure the parts and the whole on this machine");
  command->footer(kBenchExamples);
  auto options = std::make_shared<BenchOptions>();
  auto seconds = std::make_shared<double>(3);
  command
      ->add_option("PART", options->parts,
                   "crypto codec cache transport stream load (default: all)")
      ->check(CLI::IsMember({"crypto", "codec", "cache", "transport", "stream", "load"}));
  command->add_option("--seconds", *seconds, "length of each measurement")
      ->type_name("S")
      ->check(CLI::Range(0.1, 3'600.0));
  command->add_option("--rate", options->rate, "load: queries a second (0: as many as go)")
      ->type_name("N");
  command->add_option("--in-flight", options->in_flight, "load: queries outstanding at once")
      ->type_name("N")
      ->check(CLI::Range(1u, 65'536u));
  command->add_flag("--stub-cache", options->stub_cache, "load: let the stub's cache answer");
  command->add_option("--server", options->server, "load: a DNS server instead of our own pair")
      ->type_name("ADDR:PORT");
  command->add_flag("--json", options->json, "one JSON object at the end");
  command->callback([options, seconds, &code] {
    options->duration = base::Duration(static_cast<std::int64_t>(*seconds * 1e9));
    code = run_bench(*options);
  });
}

/// A name for this machine's key in an allow-list.
std::string default_client_name() {
  std::string name(control::AllowList::kMaxName + 1, '\0');
  if (gethostname(name.data(), name.size() - 1) != 0) return "client";
  name.resize(name.find('\0'));
  return control::is_client_name(name) ? name : "client";
}

/// Where the key goes; empty if nobody has said so.
base::expected<std::string, std::string> keygen_path(const KeygenOptions& options,
                                                     const std::string& state_dir) {
  if (!options.path.empty()) return options.path;
  if (state_dir.empty() && !options.client) return std::string();
  const auto dir = StateDir::open_or_create(state_dir.empty() ? default_state_dir() : state_dir);
  if (!dir) return base::unexpected<std::string>(dir.error());
  return dir->path() + (options.client ? "/client.key" : "/identity.key");
}

void add_keygen(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("keygen", "make a key; prints its public part");
  command->footer(kKeygenExamples);
  auto options = std::make_shared<KeygenOptions>();
  auto state_dir = std::make_shared<std::string>();
  options->name = default_client_name();
  auto* client =
      command->add_flag("--client", options->client, "a client's key, not a gateway's identity");
  command->add_option("--name", options->name, "the client's name in the line that is printed")
      ->type_name("NAME")
      ->needs(client)
      ->check([](const std::string& name) {
        return control::is_client_name(name)
                   ? std::string()
                   : "a name has 1 to 64 letters, digits, '.', '-' or '_'";
      });
  auto* item =
      command->add_flag("--item", options->item, "a key that signs mutable items of the DHT");
  item->excludes(client);
  auto* out =
      command->add_option("--out", options->path, "the secret file, mode 0600")->type_name("FILE");
  command
      ->add_option("--state-dir", *state_dir,
                   "the same as --out DIR/identity.key, or DIR/client.key (default for --client)")
      ->type_name("DIR")
      ->excludes(out)
      ->excludes(item);
  command->add_flag("--force", options->force, "replace an existing key, which is lost then");
  command->callback([options, state_dir, &code] {
    const auto path = keygen_path(*options, *state_dir);
    if (!path) {
      code = fail(kFailed, path.error());
      return;
    }
    options->path = *path;
    code = path->empty()
               ? fail(kUsage, "no place for the key is named", "use --out FILE or --state-dir DIR")
               : run_keygen(*options);
  });
}

void add_client(CLI::App& app, int& code) {
  using Action = ClientOptions::Action;
  auto* command = app.add_subcommand("client", "say which keys may open a stream to a gateway");
  command->footer(kClientExamples);
  command->require_subcommand(1);
  const auto add_action = [&](Action action, const char* name, const char* help) {
    auto* sub = command->add_subcommand(name, help);
    auto options = std::make_shared<ClientOptions>();
    auto state_dir = std::make_shared<std::string>(default_state_dir());
    options->action = action;
    if (action != Action::list)
      sub->add_option("NAME", options->name, "the client's name in the list")->required();
    if (action == Action::add) {
      sub->add_option("KEY", options->key, "as `boxgram keygen --client` prints it")->required();
      sub->add_option("--services", options->services, "what it may do (default: control)")
          ->type_name("LIST");
    }
    auto* clients =
        sub->add_option("--clients", options->path, "the allow-list")->type_name("FILE");
    sub->add_option("--state-dir", *state_dir, "the same as --clients DIR/clients")
        ->type_name("DIR")
        ->excludes(clients);
    sub->callback([options, state_dir, &code] {
      if (options->path.empty()) options->path = *state_dir + "/clients";
      code = run_client(*options);
    });
  };
  add_action(Action::add, "add", "allow a key");
  add_action(Action::remove, "remove", "take a key off the list");
  add_action(Action::list, "list", "print the list");
}

/// The server to control: a stamp, else the only gateway of a stub's configuration.
base::expected<packet::Stamp, config::ConfigError> server_of(const std::string& stamp) {
  const auto wrong = [](std::string message, std::string hint) {
    return base::unexpected<config::ConfigError>(
        config::ConfigError{"--gateway", 0, 0, std::move(message), std::move(hint)});
  };
  packet::Stamp server;
  if (stamp.empty()) {
    auto gateways = gateways_of({});
    if (!gateways) return base::unexpected<config::ConfigError>(gateways.error());
    if (gateways->size() > 1)
      return wrong("the stub's configuration names several gateways",
                   "choose one: --gateway STAMP");
    server = gateways->front();
  } else {
    auto decoded = packet::decode_stamp(stamp);
    if (!decoded)
      return wrong(fmt::format("'{}' is not a boxgram:// stamp: {}", stamp,
                               packet::to_string(decoded.error())),
                   {});
    server = std::move(*decoded);
  }
  if (!server.tcp)
    return wrong("the stamp names no TCP, which control needs",
                 "take the stamp that the gateway prints now");
  return server;
}

void add_control(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("control", "see and change what a gateway or a stub does");
  command->footer(kControlExamples);
  command->prefix_command();
  auto options = std::make_shared<ControlOptions>();
  auto stamp = std::make_shared<std::string>();
  options->key_path = default_state_dir() + "/client.key";
  command->add_option("--gateway", *stamp, "the stamp that the gateway or the stub prints")
      ->type_name("STAMP");
  command->add_option("--key", options->key_path, "a secret of `boxgram keygen --client`")
      ->type_name("FILE");
  command->callback([command, options, stamp, &code] {
    options->words = command->remaining();
    options->find_server = [stamp] { return server_of(*stamp); };
    code = run_control(*options,
                       [](const packet::Stamp& to, const crypto::SecretKey& key)
                           -> base::expected<std::unique_ptr<control::Link>, control::LinkError> {
                         return std::make_unique<StreamControlLink>(to, key.copy());
                       });
  });
}

void add_stamp(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("stamp", "print a gateway's stamp");
  command->footer(kStampExamples);
  auto options = std::make_shared<StampOptions>();
  options->state_dir = default_state_dir();
  command->add_option("--state-dir", options->state_dir, "where the gateway keeps its keys")
      ->type_name("DIR");
  command->add_option("--address", options->address, "where clients reach it")
      ->type_name("ADDR:PORT");
  command->add_option("--name", options->name, "a name for people")->type_name("TEXT");
  command->add_flag("--udp-only", options->udp_only, "of a gateway that runs with --stream off");
  command->callback([options, &code] { code = run_stamp(*options); });
}

void add_check(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("check", "tell whether a configuration file is valid");
  command->footer(kCheckExamples);
  auto options = std::make_shared<CheckOptions>();
  command->add_option("--config", options->path, "the file")->type_name("FILE")->required();
  const std::string about_gateway = "it is a gateway's (default: find out)";
  const std::string about_stub = "it is a stub's";
  auto* gateway = command->add_flag("--gateway", about_gateway);
  command->add_flag("--stub", about_stub)->excludes(gateway);
  command->callback([options, command, &code] {
    if (command->count("--gateway") > 0) options->kind = CheckOptions::Kind::gateway;
    if (command->count("--stub") > 0) options->kind = CheckOptions::Kind::stub;
    code = run_check(*options);
  });
}

int run(int argc, char** argv) {
  CLI::App app(kAbout, "boxgram");
  app.footer(kExitCodes);
  app.set_version_flag("--version", "boxgram " BOXGRAM_VERSION);
  app.require_subcommand(1);
  int code = kOk;
  for (const auto add : {add_gateway, add_stub, add_query, add_dht, add_keygen, add_client,
                         add_control, add_stamp, add_check, add_bench})
    add(app, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto commands = app.get_subcommands();
    return fail(kUsage, error.what(),
                fmt::format("boxgram {}--help shows what there is",
                            commands.empty() ? "" : commands.front()->get_name() + " "));
  }
  return code;
}

}  // namespace
}  // namespace boxgram::tools

int main(int argc, char** argv) {
  try {
    return boxgram::tools::run(argc, argv);
  } catch (const std::exception& error) {
    return boxgram::tools::fail(boxgram::tools::kFailed, error.what());
  }
}
