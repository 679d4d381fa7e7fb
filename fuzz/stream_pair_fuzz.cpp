// A real stream::Client and a real stream::Server; the input decides how bytes are cut, spoiled and
// lost between them, and what time does to both.
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/stream/client.hpp>
#include <boxgram/stream/server.hpp>

#include "../tests/support/seeded_rng.hpp"

namespace {

using namespace boxgram;
using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

const base::SocketAddress kClient = base::SocketAddress::v4(192, 0, 2, 7, 40000);

/// What a request's payload must be, so that a wrong or doubled one shows on either side.
Bytes payload_of(std::uint32_t tag, std::size_t size) {
  Bytes payload(4 + size, static_cast<std::uint8_t>(tag * 7));
  base::store_be32(payload.data(), tag);
  return payload;
}

class Pair {
 public:
  explicit Pair(std::uint8_t kind) : pinned_(crypto::generate_key_pair(rng_)) {
    crypto::SigningSeed seed;
    rng_.fill(seed.bytes());
    crypto::SigningKey identity(seed);
    stream::ClientConfig config;
    if (kind & 1) config.identity = identity.verify_key();
    if (!(kind & 1)) config.pinned_key = pinned_.public_key;
    if (kind & 2) config.client_key = crypto::generate_key_pair(rng_).secret_key;
    if (kind & 4) config.close_after = 0s;
    config.ask_again = (kind & 8) == 0;
    config.capacity = 16;
    rotation_.emplace(packet::KeyRotationConfig{}, rng_, wall_, now_, std::move(identity),
                      pinned_.secret_key.copy(), crypto::SharedKey());
    server_.emplace(stream::ServerConfig{}, rng_, wall_, now_, rotation_->snapshot());
    client_.emplace(std::move(config), rng_, wall_, now_);
  }

  void step(std::uint8_t op, std::uint8_t argument) {
    switch (op % 11) {
      case 0:
        request(argument < 240 ? argument : argument * 250u);
        break;
      case 1:
        wait(10ms * argument);
        break;
      case 2:
        wait(5s * argument);
        break;
      case 3:
        carry(to_server_, argument);
        break;
      case 4:
        carry(to_client_, argument);
        break;
      case 5:
        spoil(argument & 1 ? to_server_ : to_client_, argument);
        break;
      case 6:
        lose(argument & 1 ? to_server_ : to_client_, argument);
        break;
      case 7:
        repeat(argument & 1 ? to_server_ : to_client_, argument);
        break;
      case 8:
        if (handle_ != 0 && argument % 4 == 0)
          server_->close(now_, handle_, stream::CloseCode::killed, "by the input");
        if (argument % 4 == 1) client_->close(now_);
        if (argument % 4 == 2) cut();
        break;
      default:
        carry(to_server_, 0xff);
        carry(to_client_, 0xff);
    }
    settle();
  }

  /// A network without faults: what was open must end, and what is new must succeed.
  void finish() {
    calm(200s);
    BOXGRAM_CHECK(open_.empty());
    request(1000);
    const bool taken = !open_.empty();
    calm(3s);
    BOXGRAM_CHECK(open_.empty());
    BOXGRAM_CHECK(!taken || answered_.contains(next_tag_ - 1));
  }

 private:
  void calm(base::Duration duration) {
    const base::Instant end = now_ + duration;
    for (int i = 0; i < 2000 && now_ < end; ++i) {
      for (int j = 0; j < 8; ++j) {
        carry(to_server_, 0xff);
        carry(to_client_, 0xff);
      }
      wait(duration / 400);
    }
  }

  void request(std::size_t size) {
    const std::uint32_t tag = next_tag_++;
    const Bytes payload = payload_of(tag, size);
    if (client_->request(now_, packet::FrameType::dns, payload, tag) != 0) open_.insert(tag);
    settle();
  }

  void wait(base::Duration duration) {
    now_ += duration;
    if (rotation_->handle_timeout(now_)) server_->install(rotation_->snapshot());
    server_->handle_timeout(now_);
    client_->handle_timeout(now_);
    settle();
    const auto due = client_->next_timeout();
    BOXGRAM_CHECK(!due || *due > now_);
  }

  /// So many bytes, or all at the highest.
  void carry(Bytes& way, std::uint8_t argument) {
    std::size_t left = argument == 0xff ? way.size() : std::min<std::size_t>(argument, way.size());
    while (left > 0) {
      const base::MutableBytes room =
          &way == &to_server_ ? server_->room(handle_) : client_->room();
      const std::size_t size = std::min(room.size(), left);
      if (size == 0) break;
      std::copy_n(way.begin(), size, room.begin());
      way.erase(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(size));
      left -= size;
      if (&way == &to_server_)
        server_->received(handle_, size);
      else
        client_->received(size);
      settle();
    }
    settle();
  }

  static void spoil(Bytes& way, std::uint8_t argument) {
    if (!way.empty())
      way[argument * 37u % way.size()] ^= static_cast<std::uint8_t>(1 << argument % 8);
  }
  static void lose(Bytes& way, std::uint8_t argument) {
    const std::size_t size = std::min<std::size_t>(argument, way.size());
    way.erase(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(size));
  }
  static void repeat(Bytes& way, std::uint8_t argument) {
    const Bytes copy(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(
                                                    std::min<std::size_t>(argument, way.size())));
    way.insert(way.begin(), copy.begin(), copy.end());
  }

  /// TCP ends on both sides; what was under way is lost.
  void cut() {
    to_server_.clear();
    to_client_.clear();
    if (handle_ != 0) server_->closed(handle_);
    handle_ = 0;
    if (connected_) client_->peer_ended();
  }

  void settle() {
    if (client_->wants_connection()) {
      cut();
      client_->connecting(now_);
      client_->connected(now_);
      connected_ = true;
      handle_ = server_->accept(now_, kClient);
      if (handle_ == 0) client_->peer_ended();
    }
    serve();
    listen();
    const base::Bytes up = client_->unsent();
    to_server_.insert(to_server_.end(), up.begin(), up.end());
    client_->sent(up.size());
    while (server_->poll_transmit() != 0) {
    }
    const base::Bytes down = server_->unsent(handle_);
    to_client_.insert(to_client_.end(), down.begin(), down.end());
    server_->sent(handle_, down.size());
    if (handle_ == 0) to_server_.clear();
    if (client_->wants_close()) {
      connected_ = false;
      cut();
      client_->disconnected();
      settle();
    }
  }

  void serve() {
    stream::ServerEvent event;
    while (server_->poll_event(now_, event)) {
      if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
        server_->authorise(now_, proven->connection);
      } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
        const stream::Message& message = received->message;
        BOXGRAM_CHECK(message.payload.size() >= 4);
        const std::uint32_t tag = base::load_be32(message.payload.data());
        BOXGRAM_CHECK(tag < next_tag_);
        const Bytes expected = payload_of(tag, message.payload.size() - 4);
        BOXGRAM_CHECK(std::equal(expected.begin(), expected.end(), message.payload.begin()));
        server_->respond(now_, received->connection, message.type, message.id, expected);
      } else {
        const auto ended = std::get<stream::ConnectionEnded>(event).connection;
        if (ended != handle_) continue;
        const base::Bytes last = server_->unsent(handle_);
        to_client_.insert(to_client_.end(), last.begin(), last.end());
        server_->closed(handle_);
        handle_ = 0;
        if (to_client_.empty() && connected_) client_->peer_ended();
      }
    }
  }

  void listen() {
    if (handle_ == 0 && to_client_.empty() && connected_) client_->peer_ended();
    stream::ClientEvent event;
    while (client_->poll_event(now_, event)) {
      if (const auto* answered = std::get_if<stream::Answered>(&event)) {
        const auto tag = static_cast<std::uint32_t>(answered->tag);
        BOXGRAM_CHECK(open_.erase(tag) == 1);
        const Bytes expected = payload_of(tag, answered->payload.size() - 4);
        BOXGRAM_CHECK(std::equal(expected.begin(), expected.end(), answered->payload.begin()));
        answered_.insert(tag);
      } else if (const auto* failed = std::get_if<stream::RequestFailed>(&event)) {
        BOXGRAM_CHECK(open_.erase(static_cast<std::uint32_t>(failed->tag)) == 1);
      }
    }
  }

  test::SeededRng rng_{1};
  base::Instant now_ = base::Instant{} + 1000s;
  base::WallClock wall_{now_, 1767225600000};
  crypto::KeyPair pinned_;
  std::optional<packet::KeyRotation> rotation_;
  std::optional<stream::Server> server_;
  std::optional<stream::Client> client_;
  base::Handle handle_ = 0;  // of the connection at the server
  bool connected_ = false;   // the client has one
  Bytes to_server_, to_client_;
  std::set<std::uint32_t> open_, answered_;
  std::uint32_t next_tag_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Pair pair(data[0]);
  for (std::size_t i = 1; i + 1 < size && i < 300; i += 2) pair.step(data[i], data[i + 1]);
  pair.finish();
  return 0;
}
