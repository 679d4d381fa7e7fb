// A packet::Server with a clock and keys in the test's hands, and a client made of the bare codec.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boxgram/crypto/box.hpp>
#include <boxgram/packet/server.hpp>

#include "packet/vectors.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {

/// Gives out what was queued, in that order, and seeded bytes when nothing is.
class QueuedRng final : public base::Rng {
 public:
  explicit QueuedRng(std::uint64_t seed) : seeded_(seed) {}
  void queue(base::Bytes bytes) { queued_.insert(queued_.end(), bytes.begin(), bytes.end()); }
  void fill(base::MutableBytes out) override {
    seeded_.fill(out);
    for (std::size_t i = 0; i < out.size() && !queued_.empty(); ++i) {
      out[i] = queued_.front();
      queued_.pop_front();
    }
  }

 private:
  SeededRng seeded_;
  std::deque<std::uint8_t> queued_;
};

/// 2026-01-01, the moment of the vectors.
inline constexpr base::UnixMillis kVectorTime = 1767225600000;

inline const base::SocketAddress kClientAddress = base::SocketAddress::v4(192, 0, 2, 7, 40000);

/// The keys of the vectors: one key, without a certificate.
inline std::shared_ptr<packet::BoxKey> vector_box_key() {
  auto key = std::make_shared<packet::BoxKey>();
  key->public_key = to_array<32>(vector_bytes("/keys/S"));
  key->id = packet::key_id(key->public_key);
  key->secret_key = crypto::SecretKey(to_array<32>(vector_bytes("/keys/Ss")));
  return key;
}

inline std::shared_ptr<packet::ServerKeys> vector_keys() {
  auto keys = std::make_shared<packet::ServerKeys>();
  keys->live.push_back(vector_box_key());
  keys->cookie_key = crypto::SharedKey(to_array<32>(vector_bytes("/keys/Ts")));
  keys->reset_key = crypto::SharedKey(to_array<32>(vector_bytes("/keys/Kr")));
  return keys;
}

using Frames = std::function<void(packet::FrameWriter&)>;

struct OpenedFrame {
  packet::FrameType type{};
  bool response = false;
  std::uint32_t id = 0;
  Buffer payload;
};

struct OpenedMsg {
  std::uint64_t re = 0;
  std::vector<OpenedFrame> frames;

  [[nodiscard]] const OpenedFrame* find(packet::FrameType type) const {
    for (const OpenedFrame& frame : frames)
      if (frame.type == type) return &frame;
    return nullptr;
  }
  /// The code of the ERROR frame, 0 without one.
  [[nodiscard]] unsigned error() const {
    const OpenedFrame* frame = find(packet::FrameType::error);
    return frame == nullptr ? 0u : base::load_be16(frame->payload.data());
  }
};

/// One EC towards one server key. Draws nothing but its key.
class BareClient {
 public:
  BareClient(base::Rng& rng, const crypto::PublicKey& server)
      : BareClient(crypto::generate_key_pair(rng), server) {}
  BareClient(crypto::KeyPair pair, const crypto::PublicKey& server)
      : pair_(std::move(pair)),
        server_(packet::key_id(server)),
        key_(*crypto::shared_key(server, pair_.secret_key)) {}

  Buffer initial(std::uint64_t n, base::UnixMillis ts, const Frames& frames, std::size_t size = 512,
                 base::Bytes cookie = {}) const {
    Buffer datagram(size);
    const auto type =
        cookie.empty() ? packet::DatagramType::initial : packet::DatagramType::initial_c;
    fill(packet::frame_space(type, datagram), frames);
    packet::seal_initial(datagram, {server_, pair_.public_key, n, cookie}, ts, key_);
    return datagram;
  }
  Buffer short_datagram(const packet::SessionId& sid, std::uint64_t n, const Frames& frames,
                        std::size_t size = 512) const {
    Buffer datagram(size);
    fill(packet::frame_space(packet::DatagramType::short_, datagram), frames);
    packet::seal_short(datagram, {sid, n}, key_);
    return datagram;
  }
  std::optional<OpenedMsg> open(base::Bytes reply) const {
    Buffer datagram(reply.begin(), reply.end());
    const auto type = packet::parse_header(datagram);
    if (!type || *type != packet::DatagramType::msg) return std::nullopt;
    const auto header = packet::parse_msg(datagram);
    const auto opened = packet::open_msg(datagram, header, key_);
    if (!opened || header.cid != packet::client_id(pair_.public_key)) return std::nullopt;
    OpenedMsg msg{opened->prefix, {}};
    packet::FrameReader reader(opened->frames);
    while (const auto frame = reader.next())
      msg.frames.push_back({frame->type, frame->response, frame->id,
                            Buffer(frame->payload.begin(), frame->payload.end())});
    return reader.ok() ? std::optional(msg) : std::nullopt;
  }
  const crypto::PublicKey& public_key() const { return pair_.public_key; }
  const crypto::SharedKey& key() const { return key_; }

 private:
  static void fill(base::MutableBytes space, const Frames& frames) {
    packet::FrameWriter writer(space);
    frames(writer);
    writer.finish();
  }

  crypto::KeyPair pair_;
  packet::KeyId server_;
  crypto::SharedKey key_;
};

inline BareClient vector_client() {
  crypto::KeyPair pair;
  pair.public_key = to_array<32>(vector_bytes("/keys/EC"));
  pair.secret_key = crypto::SecretKey(to_array<32>(vector_bytes("/keys/ECs")));
  return BareClient(std::move(pair), to_array<32>(vector_bytes("/keys/S")));
}

inline void ask_dns(packet::FrameWriter& frames) {
  frames.put(packet::FrameType::dns, false, 7, base::as_bytes("question"));
}
inline void ask_ping(packet::FrameWriter& frames) {
  frames.put(packet::FrameType::ping, false, 9);
}
inline void ask_assoc_and_ping(packet::FrameWriter& frames) {
  frames.put(packet::FrameType::assoc_req, false, 0);
  ask_ping(frames);
}

/// One server. It began to serve a minute before `now`, which the test moves.
struct World {
  using Received = packet::Received;

  explicit World(packet::ServerConfig server_config = {},
                 std::shared_ptr<const packet::ServerKeys> server_keys = vector_keys())
      : config(std::move(server_config)), keys(std::move(server_keys)) {
    start();
  }

  /// (Re)starts the server with empty tables.
  void start() {
    boot = now;
    server = std::make_unique<packet::Server>(config, rng, wall, boot, keys);
    now += std::chrono::seconds(60);
  }

  [[nodiscard]] base::UnixMillis unix_ms() const { return wall(now); }
  [[nodiscard]] BareClient client() { return {rng, keys->live.back()->public_key}; }

  /// Gives the server a copy; what it would open is in `datagram`, what it sends in `sent`.
  Received receive(base::Bytes bytes, const base::SocketAddress& from = kClientAddress) {
    datagram.assign(bytes.begin(), bytes.end());
    out.assign(packet::kMaxDatagram, 0xee);
    Received received = server->receive(now, from, datagram, out);
    sent.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(received.size));
    return received;
  }

  /// Answers a request with this text.
  void answer(const packet::ReplyTo& reply, std::string_view text) {
    const auto space = packet::Server::payload_space(reply, out);
    std::copy(text.begin(), text.end(), space.begin());
    const std::size_t size = server->seal_reply(reply, text.size(), out);
    sent.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  }

  [[nodiscard]] std::uint64_t drops(packet::Drop reason) const {
    return server->counters().drops[static_cast<std::size_t>(reason)];
  }

  /// Makes an association and gives its sid.
  packet::SessionId associate(const BareClient& client,
                              const base::SocketAddress& from = kClientAddress,
                              std::uint64_t n = 0) {
    receive(client.initial(n, unix_ms(), ask_assoc_and_ping), from);
    const auto msg = client.open(sent);
    const OpenedFrame* assoc = msg ? msg->find(packet::FrameType::assoc) : nullptr;
    if (assoc == nullptr) return {};
    return to_array<8>(base::Bytes(assoc->payload).first(8));
  }

  packet::ServerConfig config;
  std::shared_ptr<const packet::ServerKeys> keys;
  QueuedRng rng{1};
  base::Instant now{};
  base::WallClock wall{base::Instant{}, kVectorTime - 60'000};
  base::Instant boot{};
  std::unique_ptr<packet::Server> server;
  Buffer datagram;
  Buffer out;
  Buffer sent;
};

}  // namespace boxgram::test
