// boxgram client: the allow-list, edited in its file.
#include <algorithm>

#include <fmt/format.h>

#include "commands.hpp"
#include "control/client_file.hpp"

namespace boxgram::tools {
namespace {

constexpr const char* kTell =
    "a gateway that runs learns of it by SIGHUP, or `boxgram control reload`";

/// The mistake of a word of the command line.
int wrong(const control::ListError& error) {
  return fail(kUsage, error.message, error.hint);
}

int refuse(const config::ConfigError& error) {
  return fail(kFailed, config::to_string(error));
}

int add(ClientFile& file, const ClientOptions& options) {
  const auto key = control::parse_client_key(options.key);
  if (!key) return wrong(key.error());
  const auto services = control::parse_services(options.services);
  if (!services) return wrong(services.error());
  if (!control::is_client_name(options.name))
    return fail(kUsage, fmt::format("'{}' is not a client's name", options.name),
                "a name has 1 to 64 letters, digits, '.', '-' or '_'");
  const auto added = file.add(*key, options.name, *services);
  if (!added) return refuse(added.error());
  fmt::print("{} may use {} now\n{}\n", options.name, control::services_text(*services), kTell);
  return kOk;
}

int remove(ClientFile& file, const ClientOptions& options) {
  const auto removed = file.remove(options.name);
  if (!removed) return refuse(removed.error());
  fmt::print("{} is off the list\n{}\n", options.name, kTell);
  return kOk;
}

int list(ClientFile& file) {
  const auto read = file.reload();
  if (!read) return refuse(read.error());
  using Entry = std::pair<const crypto::PublicKey, control::AllowedClient>;
  std::vector<const Entry*> entries;
  for (const Entry& entry : file.list()->clients()) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->second.line < b->second.line; });
  for (const Entry* entry : entries)
    fmt::print("{} services={} name={}\n", control::client_key_text(entry->first),
               control::services_text(entry->second.services), entry->second.name);
  return kOk;
}

}  // namespace

int run_client(const ClientOptions& options) {
  ClientFile file(options.path);
  switch (options.action) {
    case ClientOptions::Action::add:
      return add(file, options);
    case ClientOptions::Action::remove:
      return remove(file, options);
    case ClientOptions::Action::list:
      break;
  }
  return list(file);
}

}  // namespace boxgram::tools
