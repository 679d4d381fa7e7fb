// What each command gets: options that have been read and checked. The commands themselves are the
// composition roots, one file each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/config/gateway_config.hpp>
#include <boxgram/config/stub_config.hpp>

namespace boxgram::tools {

/// Exit codes of every command; `--help` lists them.
enum Exit : int {
  kOk = 0,
  kFailed = 1,         ///< the work could not be done: a port taken, a disk full, a SERVFAIL
  kUsage = 2,          ///< the command line or the configuration is wrong; nothing was started
  kUnreachable = 3,    ///< no gateway or DHT node answered
  kNotAuthorised = 4,  ///< a gateway answered, but does not serve this to this key
};

/// Prints "boxgram: MESSAGE" and, if there is one, "  hint: HINT" on stderr; returns `code`.
int fail(Exit code, const std::string& message, const std::string& hint = {});

struct GatewayOptions {
  config::GatewayConfig config;  ///< the file with the flags on top; state_dir is set
  std::string config_path;       ///< empty: none was given
  /// Reads the file again and puts the same flags on top (SIGHUP).
  std::function<base::expected<config::GatewayConfig, config::ConfigError>()> reload;
};

struct StubOptions {
  config::StubConfig config;  ///< the file with the flags on top; has at least one gateway
  std::string config_path;
  std::function<base::expected<config::StubConfig, config::ConfigError>()> reload;
};

struct QueryOptions {
  dns::Name name;
  std::vector<std::uint16_t> types;  ///< at least one
  std::vector<packet::Stamp> gateways;
  bool json = false;
  bool trace = false;
  bool dnssec = false;       ///< ask for signatures (DO)
  bool no_checking = false;  ///< CD
  base::Duration timeout = std::chrono::seconds(3);
};

struct BenchOptions {
  std::vector<std::string> parts;  ///< as `boxgram bench --help` lists; empty: all
  base::Duration duration = std::chrono::seconds(3);  ///< of each measurement
  std::uint32_t rate = 0;                             ///< queries a second; 0: as many as go
  std::uint32_t in_flight = 256;                      ///< load: queries outstanding at once
  bool stub_cache = false;                            ///< load: let the stub's cache answer
  std::string server;  ///< load: an address to load instead of a pair of our own
  bool json = false;
};

struct KeygenOptions {
  bool client = false;  ///< an X25519 key instead of an Ed25519 identity
  bool item = false;    ///< an Ed25519 key for mutable items of the DHT
  std::string path;
  std::string name;  ///< client: in the line for the allow-list
  bool force = false;
};

/// `boxgram client`: the allow-list as a file, with or without a gateway that runs.
struct ClientOptions {
  enum class Action : std::uint8_t { add, remove, list };
  Action action = Action::list;
  std::string path;  ///< of the allow-list
  std::string name;
  std::string key;
  std::string services = "control";
};

struct StampOptions {
  std::string state_dir;
  bool udp_only = false;  ///< it takes no TCP connections
  std::string address;    ///< empty: the machine's own
  std::string name;
};

struct CheckOptions {
  enum class Kind : std::uint8_t { detect, gateway, stub };
  std::string path;
  Kind kind = Kind::detect;
};

int run_gateway(const GatewayOptions& options);
int run_stub(const StubOptions& options);
int run_query(const QueryOptions& options);
int run_bench(const BenchOptions& options);
int run_keygen(const KeygenOptions& options);
int run_client(const ClientOptions& options);
int run_stamp(const StampOptions& options);
int run_check(const CheckOptions& options);

}  // namespace boxgram::tools
