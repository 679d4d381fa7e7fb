// The one table of control methods: the server's checks, the client's commands, completion, help
// and a test of docs/control.md come from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boxgram/control/json_rpc.hpp>

namespace boxgram::control {

enum class MethodId : std::uint8_t {
  status,
  stats,
  upstreams,
  cache_stats,
  cache_show,
  cache_flush,
  cache_dump,
  cache_load,
  explain,
  keys_list,
  keys_rotate,
  clients_list,
  clients_add,
  clients_remove,
  sessions_list,
  sessions_kill,
  reload,
  log,
  drain,
  shutdown,
};

struct Parameter {
  enum class Kind : std::uint8_t {
    text,    ///< a string of at most kMaxText bytes
    number,  ///< an integer, 0 or more
    flag,    ///< true or false
    lines    ///< an array of strings; the client reads them from a file
  };
  /// How the client's command line gives it.
  enum class Place : std::uint8_t {
    word,    ///< in its turn: `cache show NAME`
    option,  ///< `--suffix NAME`, and for a flag `--all`
    none     ///< never: the client fills it in by itself
  };
  static constexpr std::size_t kMaxText = 1'024;

  std::string_view name;
  Kind kind = Kind::text;
  Place place = Place::word;
  bool required = false;
  std::string_view help;
};

/// Which programs serve a method.
enum class Served : std::uint8_t { by_both, by_gateway };

struct Method {
  MethodId id{};
  std::string_view name;  ///< "cache.show": the command is "cache show"
  bool changes = false;   ///< needs the service control, not only control:read
  Served served = Served::by_both;
  std::span<const Parameter> parameters;
  std::string_view help;     ///< one line
  std::string_view example;  ///< a command line, without `boxgram control`
  /// The parameter that the log names beside the method; empty for none. Names of the DNS are never
  /// logged for a method.
  std::string_view logged;
};

/// In the order of MethodId.
std::span<const Method> methods();
/// nullptr for an unknown name.
const Method* find_method(std::string_view name);

/// Errors: invalid_params for a parameter that the method does not take, one of the wrong kind, or
/// one that is missing.
std::optional<RpcError> check_params(const Method& method, const Json& params);

}  // namespace boxgram::control
