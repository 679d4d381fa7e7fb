// A stream::Client whose server is the test.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <boxgram/crypto/sign.hpp>
#include <boxgram/packet/certificate.hpp>
#include <boxgram/stream/client.hpp>

#include "stream/pair.hpp"
#include "stream/raw_peers.hpp"

namespace boxgram::test {

struct ClientWorld {
  explicit ClientWorld(stream::ClientConfig config = {}, bool pinned = true) {
    if (pinned) config.pinned_key = vector_box_key()->public_key;
    client = std::make_unique<stream::Client>(std::move(config), rng, wall, now);
  }

  static crypto::KeyPair server_key_pair() {
    const auto key = vector_box_key();
    return {key->public_key, key->secret_key.copy()};
  }
  RawServer server() { return {server_rng, server_key_pair()}; }

  std::uint64_t ask(std::string_view text = "question") {
    EXPECT_NE(client->request(now, packet::FrameType::dns, base::as_bytes(text), ++tag), 0u);
    drain();
    return tag;
  }
  /// The TCP connection comes about.
  void open() {
    ASSERT_TRUE(client->wants_connection());
    client->connecting(now);
    client->connected(now);
    drain();
  }
  /// The owner closes, as it was asked to.
  void close() {
    ASSERT_TRUE(client->wants_close());
    client->disconnected();
    drain();
  }
  void give(base::Bytes bytes) {
    while (!bytes.empty()) {
      const base::MutableBytes room = client->room();
      const std::size_t size = std::min(room.size(), bytes.size());
      if (size == 0) return;
      std::copy_n(bytes.begin(), size, room.begin());
      bytes = bytes.subspan(size);
      client->received(size);
      drain();
    }
  }
  void end_input() {
    client->peer_ended();
    drain();
  }
  Buffer taken() {
    const base::Bytes out = client->unsent();
    const Buffer bytes(out.begin(), out.end());
    client->sent(bytes.size());
    return bytes;
  }
  void advance(base::Duration duration) {
    const base::Instant end = now + duration;
    while (now < end) {
      now = std::min(end, client->next_timeout().value_or(end));
      client->handle_timeout(now);
      drain();
      ASSERT_GT(client->next_timeout().value_or(base::Instant::max()), now) << "it spins";
    }
  }
  void drain() {
    stream::ClientEvent event;
    while (client->poll_event(now, event)) {
      if (const auto* answered = std::get_if<stream::Answered>(&event))
        answers.push_back(
            {answered->tag, Buffer(answered->payload.begin(), answered->payload.end())});
      else if (const auto* failed = std::get_if<stream::RequestFailed>(&event))
        failures.push_back(*failed);
      else if (const auto* down = std::get_if<stream::ConnectionDown>(&event))
        downs.push_back(*down);
      else
        ++readies;
    }
  }

  /// Opens a connection to this server, with a request if none waits, until READY. The request is
  /// not answered.
  void establish(RawServer& raw) {
    if (!client->wants_connection()) ask();
    open();
    Buffer out = taken();
    ASSERT_TRUE(raw.take_hello(take_body(out)));
    give(raw.cookie());
    out = taken();
    ASSERT_TRUE(raw.take_vouch(take_body(out)));
    const auto frames = raw.records->open(out);
    ASSERT_TRUE(frames);
    seen = *frames;
    give(raw.ready());
    ASSERT_TRUE(client->ready());
  }
  /// The frames of what the client has sent since the last look.
  std::vector<RawFrame> frames(RawServer& raw) {
    auto opened = raw.records->open(taken());
    EXPECT_TRUE(opened);
    return opened ? *opened : std::vector<RawFrame>{};
  }

  SeededRng rng{21};
  SeededRng server_rng{22};
  base::Instant now = base::Instant{} + 1000s;
  base::WallClock wall{base::Instant{} + 1000s, kVectorTime};
  std::unique_ptr<stream::Client> client;
  std::uint64_t tag = 0;
  std::vector<RawFrame> seen;  // behind VOUCH, with CONFIRM
  std::vector<SeenAnswer> answers;
  std::vector<stream::RequestFailed> failures;
  std::vector<stream::ConnectionDown> downs;
  std::size_t readies = 0;
};

}  // namespace boxgram::test
