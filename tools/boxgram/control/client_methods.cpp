#include "client_methods.hpp"

#include <algorithm>
#include <vector>

namespace boxgram::tools {
namespace {

using control::Json;
using control::Result;
using control::rpc_error;

/// Rows of one page: 200 of at most 200 bytes fit a message.
constexpr std::size_t kPage = 200;

Result result_of(const ClientFile::Result<void>& edited) {
  if (edited) return Json::object();
  auto message = config::to_string(edited.error());
  std::replace(message.begin(), message.end(), '\n', ';');  // the hint stands in a line of its own
  return rpc_error(control::code::failed, std::move(message));
}

}  // namespace

Result list_clients(const control::AllowList& list, const Json& params) {
  using Entry = std::pair<const crypto::PublicKey, control::AllowedClient>;
  const auto last = params.value("cursor", std::string());
  std::vector<const Entry*> entries;
  for (const Entry& entry : list.clients())
    if (entry.second.name > last) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->second.name < b->second.name; });
  Json result = {{"clients", Json::array()}};
  for (std::size_t i = 0; i < entries.size() && i < kPage; ++i)
    result["clients"].push_back({{"name", entries[i]->second.name},
                                 {"services", control::services_text(entries[i]->second.services)},
                                 {"key", control::client_key_text(entries[i]->first)}});
  if (entries.size() > kPage) result["cursor"] = entries[kPage - 1]->second.name;
  return result;
}

Result add_client(ClientFile& file, const Json& params) {
  const auto key = control::parse_client_key(params.at("key").get_ref<const std::string&>());
  if (!key) return rpc_error(control::code::invalid_params, key.error().message);
  const auto services = control::parse_services(params.value("services", std::string("control")));
  if (!services) return rpc_error(control::code::invalid_params, services.error().message);
  const auto& name = params.at("name").get_ref<const std::string&>();
  if (!control::is_client_name(name))
    return rpc_error(control::code::invalid_params,
                     "a name has 1 to 64 letters, digits, '.', '-' or '_'");
  return result_of(file.add(*key, name, *services));
}

Result remove_client(ClientFile& file, const Json& params) {
  const auto& name = params.at("name").get_ref<const std::string&>();
  // As the file has it: it may have been edited since it was read.
  if (const auto read = file.reload(); !read) return result_of(read);
  const auto& clients = file.list()->clients();
  const bool is_there = std::any_of(clients.begin(), clients.end(),
                                    [&](const auto& c) { return c.second.name == name; });
  if (!is_there) return rpc_error(control::code::not_found, "no client has this name");
  return result_of(file.remove(name));
}

}  // namespace boxgram::tools
