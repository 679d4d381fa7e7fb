#include "control_desk.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::tools {

gateway::StreamRights ControlDesk::rights_of(const control::AllowedClient& client) const {
  const auto given = [&](For who, control::Service service) {
    return who == For::all || (who == For::listed && client.services.has(service));
  };
  return {given(dns_for_, control::Service::dns), client.services.controls(),
          given(dht_for_, control::Service::dht)};
}

control::AllowedClient ControlDesk::look_up(const crypto::PublicKey& key) const {
  const control::AllowedClient* listed = clients_.list()->find(key);
  return listed == nullptr ? control::AllowedClient{} : *listed;
}

std::optional<gateway::StreamRights> ControlDesk::admit(base::Handle connection,
                                                        const crypto::PublicKey& key) {
  control::AllowedClient client = look_up(key);
  const gateway::StreamRights rights = rights_of(client);
  if (!rights.any()) return std::nullopt;
  sessions_[connection] = {key, std::move(client), ++admitted_, rights, nullptr};
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
    const gateway::StreamRights rights = rights_of(now);
    if (now.same_rights(session.client) && rights == session.rights) continue;
    // A session that controls is bound to the name and the rights it began with.
    const bool over =
        (session.client.services.controls() && !now.same_rights(session.client)) || !rights.any();
    changes.push_back({connection, over ? std::nullopt : std::optional(rights)});
    if (over) continue;
    session.client = std::move(now);
    session.rights = rights;
  }
  return changes;
}

std::string ControlDesk::name_of(base::Handle connection) const {
  const auto found = sessions_.find(connection);
  return found == sessions_.end() ? std::string() : found->second.client.name;
}

std::uint64_t ControlDesk::number_of(base::Handle connection) const {
  const auto found = sessions_.find(connection);
  return found == sessions_.end() ? 0 : found->second.number;
}

base::Handle ControlDesk::connection_of(std::uint64_t number) const {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& session) {
    return session.second.number == number;
  });
  return found == sessions_.end() ? 0 : found->first;
}

}  // namespace boxgram::tools
