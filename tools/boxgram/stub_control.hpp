// A stub's control port: keys of its own, an allow-list, sessions.
#pragma once

#include <memory>
#include <string>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/stub_config.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>

#include "key_ring.hpp"
#include "stream_service.hpp"

namespace boxgram::tools {

class StubControl {
 public:
  /// Nothing happens before open(). `loop` and `host` outlive this. REQUIRES: config.listen is set,
  /// config.state_dir is not empty.
  StubControl(net::EventLoop& loop, Host& host, config::StubControlConfig config);

  /// Reads the list. The error names the file and the line.
  ClientFile::Result<void> read_clients() { return clients_.reload(); }
  /// Makes the keys and listens. The error is a line for people.
  base::expected<void, std::string> open();

  [[nodiscard]] std::string stamp() const;
  [[nodiscard]] ClientFile& clients() { return clients_; }
  [[nodiscard]] StreamService& streams() { return *streams_; }
  [[nodiscard]] const StreamService& streams() const { return *streams_; }

 private:
  void on_key_timer();

  net::EventLoop& loop_;
  config::StubControlConfig config_;
  crypto::SystemRng rng_;
  ClientFile clients_;
  ServerMethods methods_;
  ControlDesk desk_;
  std::optional<KeyRing> keys_;
  std::optional<StreamService> streams_;
  net::DeadlineTimer key_timer_;
};

}  // namespace boxgram::tools
