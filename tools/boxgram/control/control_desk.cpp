#include "control_desk.hpp"

#include <boxgram/base/check.hpp>

namespace boxgram::tools {
namespace {

gateway::StreamRights rights_of(const control::AllowedClient& client) {
  return {client.services.has(control::Service::dns), client.services.controls()};
}

}  // namespace

control::AllowedClient ControlDesk::look_up(const crypto::PublicKey& key) const {
  const control::AllowedClient* listed = clients_.list()->find(key);
  control::AllowedClient client = listed == nullptr ? control::AllowedClient{} : *listed;
  if (dns_for_all_) client.services.add(control::Service::dns);
  return client;
}

std::optional<gateway::StreamRights> ControlDesk::admit(base::Handle connection,
                                                        const crypto::PublicKey& key) {
  control::AllowedClient client = look_up(key);
  const gateway::StreamRights rights = rights_of(client);
  if (!rights.dns && !rights.control) return std::nullopt;
  sessions_[connection] = {key, std::move(client), nullptr};
  return rights;
}

void ControlDesk::handle(base::Handle connection, base::Bytes request,
                         const Dispatcher::Send& send) {
  const auto found = sessions_.find(connection);
  BOXGRAM_CHECK(found != sessions_.end());
  Session& session = found->second;
  if (!session.dispatcher)
    session.dispatcher = std::make_unique<Dispatcher>(
        methods_,
        Caller{session.client.name, session.client.services.has(control::Service::control)});
  session.dispatcher->handle(base::as_text(request), send);
}

std::vector<ControlDesk::Change> ControlDesk::recheck() {
  std::vector<Change> changes;
  for (auto& [connection, session] : sessions_) {
    control::AllowedClient now = look_up(session.key);
    if (now.same_rights(session.client)) continue;
    const gateway::StreamRights rights = rights_of(now);
    // A session that controls is bound to the name and the rights it began with.
    const bool over = session.client.services.controls() || (!rights.dns && !rights.control);
    changes.push_back({connection, over ? std::nullopt : std::optional(rights)});
    if (!over) session.client = std::move(now);
  }
  return changes;
}

std::string ControlDesk::name_of(base::Handle connection) const {
  const auto found = sessions_.find(connection);
  return found == sessions_.end() ? std::string() : found->second.client.name;
}

}  // namespace boxgram::tools
