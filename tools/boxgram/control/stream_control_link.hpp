// A control session over the stream transport, for a client that waits for each response.
#pragma once

#include <optional>
#include <string>

#include <boxgram/control/link.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/packet/stamp.hpp>
#include <boxgram/stream/client.hpp>

#include "boxgram/stream_link.hpp"

namespace boxgram::tools {

class StreamControlLink final : public control::Link {
 public:
  /// Connects with the first request. `key` is the client's long-term secret.
  StreamControlLink(const packet::Stamp& stamp, crypto::SecretKey key);

  base::expected<std::string, control::LinkError> exchange(std::string_view request) override;

 private:
  void settle();
  void take(const stream::ClientEvent& event);
  [[nodiscard]] control::LinkError error_of(stream::FailReason reason) const;
  [[nodiscard]] control::LinkError handshake_error(stream::HandshakeError error) const;

  packet::Stamp stamp_;
  crypto::SystemRng rng_;
  net::EventLoop loop_;
  stream::Client client_;
  StreamLink link_;
  net::DeadlineTimer timer_;
  base::Instant used_at_{};
  std::optional<stream::ConnectionDown> down_;
  std::optional<base::expected<std::string, control::LinkError>> outcome_;
};

}  // namespace boxgram::tools
