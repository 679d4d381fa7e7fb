// A stream::Server and any number of connections whose bytes the test writes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/stream/server.hpp>

#include "stream/pair.hpp"
#include "stream/raw_peers.hpp"

namespace boxgram::test {

struct ServerWorld {
  explicit ServerWorld(const stream::ServerConfig& server_config = {}, std::uint64_t seed = 1)
      : config(server_config), rng(seed) {
    server = std::make_unique<stream::Server>(config, rng, wall, now, keys);
  }

  base::Handle connect(const base::SocketAddress& from = kClientAddress) {
    return server->accept(now, from);
  }

  /// Writes bytes to a connection, as much as it has room for at a time, and acts on all events.
  /// Gives how many were read.
  std::size_t give(base::Handle connection, base::Bytes bytes) {
    drain();
    std::size_t read = 0;
    while (read < bytes.size()) {
      const base::MutableBytes room = server->room(connection);
      const std::size_t size = std::min(room.size(), bytes.size() - read);
      if (size == 0) break;
      std::copy_n(&bytes[read], size, room.begin());
      read += size;
      server->received(connection, size);
      drain();
    }
    return read;
  }
  void end_input(base::Handle connection) {
    server->peer_ended(connection);
    drain();
  }

  void drain() {
    do {
      stream::ServerEvent event;
      while (server->poll_event(now, event)) take(event);
      while (const base::Handle handle = server->poll_transmit()) {
        const base::Bytes bytes = server->unsent(handle);
        if (!peers_read) continue;
        Buffer& out = sent[handle];
        out.insert(out.end(), bytes.begin(), bytes.end());
        server->sent(handle, bytes.size());
      }
    } while (server->next_timeout().value_or(base::Instant::max()) <= now);
    for (const base::Handle handle : std::exchange(to_close_, {})) server->closed(handle);
  }

  void advance(base::Duration duration) {
    const base::Instant end = now + duration;
    while (now < end) {
      now = std::min(end, server->next_timeout().value_or(end));
      server->handle_timeout(now);
      drain();
      ASSERT_GT(server->next_timeout().value_or(base::Instant::max()), now) << "it spins";
    }
  }

  /// What the server has sent on this connection since the last look.
  Buffer taken(base::Handle connection) { return std::exchange(sent[connection], {}); }

  RawClient client(std::uint64_t seed = 5) {
    client_rngs.push_back(std::make_unique<SeededRng>(seed));
    return {*client_rngs.back(), keys->live.back()->public_key, Pair::client_key_pair()};
  }

  /// A session, READY included: the client's records go on from there.
  base::Handle establish(RawClient& client, const base::SocketAddress& from = kClientAddress) {
    const base::Handle handle = connect(from);
    give(handle, client.hello());
    Buffer out = taken(handle);
    EXPECT_TRUE(client.take_cookie(take_body(out)));
    give(handle, client.vouch() + client.confirm());
    const auto frames = client.records->open(taken(handle));
    EXPECT_TRUE(frames && !frames->empty() && frames->at(0).type == packet::FrameType::ready);
    return handle;
  }

  [[nodiscard]] std::uint64_t failed(stream::HandshakeError error) const {
    return server->counters().handshakes_failed[static_cast<std::size_t>(error)];
  }
  [[nodiscard]] std::uint64_t ended_by(stream::SessionEnd end) const {
    return server->counters().sessions_ended[static_cast<std::size_t>(end)];
  }

  stream::ServerConfig config;
  std::shared_ptr<const packet::ServerKeys> keys = vector_keys();
  QueuedRng rng;
  base::Instant now = base::Instant{} + 1000s;
  base::WallClock wall{base::Instant{} + 1000s, kVectorTime};
  std::unique_ptr<stream::Server> server;
  bool peers_read = true;
  bool close_ended = true;

  std::function<std::optional<packet::ErrorCode>(const crypto::PublicKey&)> allow_list;
  std::function<void(const SeenMessage&)> service;

  std::map<base::Handle, Buffer> sent;
  std::map<base::Handle, stream::ConnectionEnded> ended;
  std::vector<crypto::PublicKey> proven;
  std::vector<SeenMessage> messages;
  std::vector<std::unique_ptr<SeededRng>> client_rngs;

 private:
  void take(const stream::ServerEvent& event) {
    if (const auto* claim = std::get_if<stream::ClientProven>(&event)) {
      proven.push_back(claim->client_key);
      const auto no = allow_list ? allow_list(claim->client_key) : std::nullopt;
      if (no)
        server->refuse(now, claim->connection, *no);
      else
        server->authorise(now, claim->connection);
    } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
      const stream::Message& message = received->message;
      messages.push_back({received->connection, message.type, message.response, message.id,
                          Buffer(message.payload.begin(), message.payload.end())});
      if (service) return service(messages.back());
      if (!message.response)
        server->respond(now, received->connection, message.type, message.id,
                        messages.back().payload);
    } else {
      const auto& end = std::get<stream::ConnectionEnded>(event);
      EXPECT_TRUE(ended.emplace(end.connection, end).second) << "an end is told once";
      if (close_ended) to_close_.push_back(end.connection);
    }
  }

  std::vector<base::Handle> to_close_;
};

}  // namespace boxgram::test
