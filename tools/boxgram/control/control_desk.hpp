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
  /// Who gets a service in a stream: a stub gives none, it answers plain DNS beside it.
  enum class For : std::uint8_t { nobody, listed, all };

  /// Both outlive this.
  ControlDesk(ServerMethods& methods, const ClientFile& clients)
      : methods_(methods), clients_(clients) {}

  void set_dns_for(For who) { dns_for_ = who; }
  void set_dht_for(For who) { dht_for_ = who; }

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
  /// A short number for people, counted from 1 in the order of admission; 0 if there is none.
  [[nodiscard]] std::uint64_t number_of(base::Handle connection) const;
  /// The connection of that number, or 0.
  [[nodiscard]] base::Handle connection_of(std::uint64_t number) const;

 private:
  struct Session {
    crypto::PublicKey key{};
    control::AllowedClient client;
    std::uint64_t number = 0;
    gateway::StreamRights rights;            // that it was given
    std::unique_ptr<Dispatcher> dispatcher;  // of those that have asked for something
  };

  [[nodiscard]] control::AllowedClient look_up(const crypto::PublicKey& key) const;
  [[nodiscard]] gateway::StreamRights rights_of(const control::AllowedClient& client) const;

  ServerMethods& methods_;
  const ClientFile& clients_;
  For dns_for_ = For::nobody;
  For dht_for_ = For::nobody;
  std::unordered_map<base::Handle, Session> sessions_;
  std::uint64_t admitted_ = 0;
};

}  // namespace boxgram::tools
