#include <algorithm>

#include <boxgram/control/methods.hpp>

#include "in_quotes.hpp"

namespace boxgram::control {
namespace {

using Kind = Parameter::Kind;
using Place = Parameter::Place;

constexpr Parameter kCursor{"cursor", Kind::text, Place::none, false,
                            "where the page before has ended; left out for the first page"};

constexpr Parameter kShow[] = {
    {"name", Kind::text, Place::word, true, "a domain name"},
};
constexpr Parameter kFlush[] = {
    {"name", Kind::text, Place::word, false, "forget all types of this name"},
    {"suffix", Kind::text, Place::option, false, "forget this name and all below it"},
    {"all", Kind::flag, Place::option, false, "forget everything"},
};
constexpr Parameter kDump[] = {kCursor};
constexpr Parameter kLoad[] = {
    {"lines", Kind::lines, Place::word, true, "lines of a dump"},
};
constexpr Parameter kExplain[] = {
    {"name", Kind::text, Place::word, true, "a domain name"},
    {"type", Kind::text, Place::word, false, "a record type; A if left out"},
};
constexpr Parameter kListClients[] = {kCursor};
constexpr Parameter kAddClient[] = {
    {"name", Kind::text, Place::word, true, "1 to 64 letters, digits, '.', '-' or '_'"},
    {"key", Kind::text, Place::word, true, "x25519:KEY as `boxgram keygen --client` prints it"},
    {"services", Kind::text, Place::option, false,
     "control, control:read, dns, dht, joined by commas; control if left out"},
};
constexpr Parameter kRemoveClient[] = {
    {"name", Kind::text, Place::word, true, "the client's name in the list"},
};
constexpr Parameter kListSessions[] = {kCursor};
constexpr Parameter kKillSession[] = {
    {"id", Kind::number, Place::word, true, "the session's number in sessions.list"},
};
constexpr Parameter kLog[] = {
    {"level", Kind::text, Place::word, true, "error, warning, info or debug"},
};

constexpr Method kMethods[] = {
    {MethodId::status,
     "status",
     false,
     Served::by_both,
     {},
     "what runs, since when, where",
     "status",
     {}},
    {MethodId::stats,
     "stats",
     false,
     Served::by_both,
     {},
     "all counters and gauges; --watch: a line each second",
     "stats --watch",
     {}},
    {MethodId::upstreams,
     "upstreams",
     false,
     Served::by_both,
     {},
     "the upstreams, their health and round-trip times",
     "upstreams",
     {}},
    {MethodId::cache_stats,
     "cache.stats",
     false,
     Served::by_both,
     {},
     "size and hits of the cache",
     "cache stats",
     {}},
    {MethodId::cache_show,
     "cache.show",
     false,
     Served::by_both,
     kShow,
     "what the cache holds for a name",
     "cache show example.org",
     {}},
    {MethodId::cache_flush,
     "cache.flush",
     true,
     Served::by_both,
     kFlush,
     "forget a name, all below a suffix, or everything",
     "cache flush --suffix example.org",
     {}},
    {MethodId::cache_dump,
     "cache.dump",
     false,
     Served::by_both,
     kDump,
     "the cached answers as lines of text",
     "cache dump answers.txt",
     {}},
    {MethodId::cache_load,
     "cache.load",
     true,
     Served::by_both,
     kLoad,
     "take lines of a dump into the cache",
     "cache load answers.txt",
     {}},
    {MethodId::explain,
     "explain",
     false,
     Served::by_both,
     kExplain,
     "which rule, upstreams and cached answer a question meets",
     "explain example.org AAAA",
     {}},
    {MethodId::keys_list,
     "keys.list",
     false,
     Served::by_gateway,
     {},
     "the server keys and how long they live",
     "keys list",
     {}},
    {MethodId::keys_rotate,
     "keys.rotate",
     true,
     Served::by_gateway,
     {},
     "make a new server key now",
     "keys rotate",
     {}},
    {MethodId::clients_list,
     "clients.list",
     false,
     Served::by_both,
     kListClients,
     "the allow-list",
     "clients list",
     {}},
    {MethodId::clients_add, "clients.add", true, Served::by_both, kAddClient, "allow a client",
     "clients add laptop x25519:KEY --services control:read", "name"},
    {MethodId::clients_remove, "clients.remove", true, Served::by_both, kRemoveClient,
     "take a client off the list and end its sessions", "clients remove laptop", "name"},
    {MethodId::sessions_list,
     "sessions.list",
     false,
     Served::by_both,
     kListSessions,
     "the open streams",
     "sessions list",
     {}},
    {MethodId::sessions_kill, "sessions.kill", true, Served::by_both, kKillSession, "end a stream",
     "sessions kill 12", "id"},
    {MethodId::reload,
     "reload",
     true,
     Served::by_both,
     {},
     "read configuration and allow-list again; a wrong one changes nothing",
     "reload",
     {}},
    {MethodId::log, "log", true, Served::by_both, kLog, "set the log's level until a reload",
     "log debug", "level"},
    {MethodId::drain,
     "drain",
     true,
     Served::by_both,
     {},
     "take no new query, answer what waits, then end",
     "drain",
     {}},
    {MethodId::shutdown, "shutdown", true, Served::by_both, {}, "end at once", "shutdown", {}},
};

std::optional<RpcError> wrong(std::string message) {
  return RpcError{code::invalid_params, std::move(message)};
}

std::string names_of(const Method& method) {
  std::string names;
  for (const Parameter& parameter : method.parameters)
    names += (names.empty() ? "" : ", ") + std::string(parameter.name);
  return names.empty() ? "none" : names;
}

/// What a value of this kind is called if `value` is none; nothing if it is one.
const char* expected_of(Kind kind, const Json& value) {
  switch (kind) {
    case Kind::text:
      if (value.is_string() && value.get_ref<const std::string&>().size() <= Parameter::kMaxText)
        return nullptr;
      return "a string of at most 1024 bytes";
    case Kind::number:
      return value.is_number_integer() && value >= 0 ? nullptr : "an integer, 0 or more";
    case Kind::flag:
      return value.is_boolean() ? nullptr : "true or false";
    case Kind::lines:
      break;
  }
  const bool fits = value.is_array() && std::all_of(value.begin(), value.end(),
                                                    [](const Json& v) { return v.is_string(); });
  return fits ? nullptr : "an array of strings";
}

}  // namespace

std::span<const Method> methods() {
  return kMethods;
}

const Method* find_method(std::string_view name) {
  const auto* found = std::find_if(std::begin(kMethods), std::end(kMethods),
                                   [&](const Method& method) { return method.name == name; });
  return found == std::end(kMethods) ? nullptr : found;
}

std::optional<RpcError> check_params(const Method& method, const Json& params) {
  for (const auto& [name, value] : params.items()) {
    const auto parameter =
        std::find_if(method.parameters.begin(), method.parameters.end(),
                     [&key = name](const Parameter& known) { return known.name == key; });
    if (parameter == method.parameters.end())
      return wrong(fmt::format("{} has no parameter {}; its parameters: {}", method.name,
                               in_quotes(name), names_of(method)));
    if (const char* kind = expected_of(parameter->kind, value))
      return wrong(
          fmt::format("parameter '{}' of {} must be {}", parameter->name, method.name, kind));
  }
  for (const Parameter& parameter : method.parameters)
    if (parameter.required && !params.contains(parameter.name))
      return wrong(fmt::format("{} needs the parameter '{}': {}", method.name, parameter.name,
                               parameter.help));
  return std::nullopt;
}

}  // namespace boxgram::control
