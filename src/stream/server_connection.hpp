// One connection of a stream::Server: its state and its books.
#pragma once

#include <array>
#include <optional>
#include <variant>

#include <boxgram/base/slab.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/timer_wheel.hpp>
#include <boxgram/stream/server.hpp>

#include "body_queue.hpp"
#include "server_handshake.hpp"
#include "session.hpp"

namespace boxgram::stream {

struct ServerConnection {
  struct Over {};

  ServerConnection(base::Handle own_handle, const base::SocketAddress& peer, base::Instant now)
      : handle(own_handle), from(peer), began(now), timer(own_handle) {}

  base::Handle handle;
  base::SocketAddress from;
  base::Instant began;
  base::Timer timer;
  BodyQueue in;
  ByteQueue out;
  std::variant<AwaitHello, AwaitVouch, AwaitConfirm, Proven, Session, Over> state;
  crypto::PublicKey client_key{};  ///< of a session

  bool keys_asked = false;  ///< one KEYREQ is enough for anybody
  bool peer_ended = false;  ///< no more bytes will come
  bool queued = false;      ///< stands in the list of those with input to look at
  bool unwritten = false;   ///< stands in the list of those with output
  bool is_session = false;  ///< counted as a session, not as half-open
  bool end_reported = false;
  std::optional<ConnectionEnded> end;
  std::optional<CloseCode> close_when_answered;

  std::size_t outstanding = 0;
  std::uint64_t requests = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  [[nodiscard]] Session* session() { return std::get_if<Session>(&state); }

  /// The lengths that the next body may have now; {0, 0}: none may come.
  struct Lengths {
    std::size_t least = 0;
    std::size_t most = 0;
  };
  [[nodiscard]] Lengths lengths() const {
    if (std::holds_alternative<AwaitHello>(state)) return {kHelloSize, kHelloSize};
    if (std::holds_alternative<AwaitVouch>(state)) return {kVouchSize, kVouchSize};
    if (std::holds_alternative<AwaitConfirm>(state)) return {kMinRecord, AwaitConfirm::kMaxBody};
    if (std::holds_alternative<Session>(state)) return {kMinRecord, kMaxRecord};
    return {};
  }
  [[nodiscard]] bool length_allowed(std::size_t size) const {
    if (size == packet::kMinInitial && std::holds_alternative<AwaitHello>(state))
      return !keys_asked;  // KEYREQ
    const Lengths allowed = lengths();
    return size >= allowed.least && size <= allowed.most;
  }
};

}  // namespace boxgram::stream
