// Who may do what in the streams of this process, and the control sessions among them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/gateway/stream_worker.hpp>

#include "client_file.hpp"
#include "dispatcher.hpp"

namespace boxgram::tools {

class ControlDesk {
 public:
  /// Both outlive this.
  ControlDesk(ServerMethods& methods, const ClientFile& clients)
      : methods_(methods), clients_(clients) {}

  /// Whether DNS is for everybody, keys that stand on no list included.
  void set_dns_for_all(bool dns_for_all) { dns_for_all_ = dns_for_all; }

  /// What a proven client may do; nothing if it may do nothing: refuse it.
  std::optional<gateway::StreamRights> admit(base::Handle connection, const crypto::PublicKey& key);
  void forget(base::Handle connection) { sessions_.erase(connection); }

  /// A control request of an admitted session.
  void handle(base::Handle connection, base::Bytes request, const Dispatcher::Send& send);

  /// What the list as it is now makes of the open sessions. Those whose rights changed get them;
  /// those without rights, and those that controlled and may no longer do what they could, are to
  /// be closed.
  struct Change {
    base::Handle connection = 0;
    std::optional<gateway::StreamRights> rights;  ///< nothing: close it
  };
  std::vector<Change> recheck();

  /// The client's name on the list; empty for a key that stands on none.
  [[nodiscard]] std::string name_of(base::Handle connection) const;

 private:
  struct Session {
    crypto::PublicKey key{};
    control::AllowedClient client;
    std::unique_ptr<Dispatcher> dispatcher;  // of those that have asked for something
  };

  [[nodiscard]] control::AllowedClient look_up(const crypto::PublicKey& key) const;

  ServerMethods& methods_;
  const ClientFile& clients_;
  bool dns_for_all_ = false;
  std::unordered_map<base::Handle, Session> sessions_;
};

}  // namespace boxgram::tools
