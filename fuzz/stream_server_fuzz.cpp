// A stream::Server before a peer that says anything: raw bytes, or (as the first byte chooses) a
// real handshake and then records whose plaintext is the input, so that what stands behind the
// authenticator is reached.
#include <optional>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/stream/server.hpp>

#include "../src/stream/handshake.hpp"
#include "../src/stream/record.hpp"
#include "../tests/support/seeded_rng.hpp"

namespace {

using namespace boxgram;
using namespace std::chrono_literals;

class Peer {
 public:
  Peer() : server_key_(crypto::generate_key_pair(rng_)), server_({}, rng_, wall_, now_, keys()) {
    handle_ = server_.accept(now_, base::SocketAddress::v4(192, 0, 2, 7, 40000));
    BOXGRAM_CHECK(handle_ != 0);
  }

  void send(base::Bytes bytes) {
    while (!bytes.empty()) {
      const base::MutableBytes room = server_.room(handle_);
      BOXGRAM_CHECK(room.size() <= 64 * 1024 + 2 * stream::kMaxRecord);
      const std::size_t size = std::min(room.size(), bytes.size());
      if (size == 0) break;
      std::copy_n(bytes.begin(), size, room.begin());
      server_.received(handle_, size);
      bytes = bytes.subspan(size);
      serve();
    }
    serve();
  }

  void send_body(base::Bytes body) {
    std::vector<std::uint8_t> framed(2);
    base::store_be16(framed.data(), static_cast<std::uint16_t>(body.size()));
    framed.insert(framed.end(), body.begin(), body.end());
    send(framed);
  }

  /// Any plaintext that a record can have, sealed as the next one.
  void send_record(base::Bytes text) {
    std::vector<std::uint8_t> boxed(crypto::kTagSize);
    boxed.insert(boxed.end(), text.begin(), text.end());
    boxed.resize(std::max(boxed.size(), stream::kMinRecord));
    key_->seal(boxed);
    send_body(boxed);
  }

  void shake_hands() {
    const auto ephemeral = crypto::generate_key_pair(rng_);
    const auto client = crypto::generate_key_pair(rng_);
    const auto hello_key = crypto::shared_key(server_key_.public_key, ephemeral.secret_key);
    stream::Tag tag;
    rng_.fill(tag.bytes());
    const auto hello = stream::seal_hello(packet::key_id(server_key_.public_key),
                                          ephemeral.public_key, tag, *hello_key);
    send_body(hello);
    BOXGRAM_CHECK(said_.size() >= 2 + stream::kCookieSize);
    const auto cookie =
        stream::open_cookie(base::MutableBytes(said_).subspan(2, stream::kCookieSize), *hello_key);
    BOXGRAM_CHECK(cookie.has_value());
    const auto& server_ephemeral = cookie->server_key;
    const auto session = crypto::shared_key(server_ephemeral, ephemeral.secret_key);
    const auto voucher =
        stream::seal_voucher(ephemeral.public_key, cookie->server_tag, {},
                             *crypto::shared_key(server_key_.public_key, client.secret_key));
    send_body(stream::seal_vouch(client.public_key, voucher, *session));
    const auto binding = stream::bind({hello, server_key_.public_key, client.public_key,
                                       server_ephemeral, tag, cookie->server_tag});
    const auto confirm =
        stream::seal_confirm(binding, {}, *crypto::shared_key(server_ephemeral, client.secret_key));
    key_.emplace(stream::Direction::to_server, session->copy());
    std::vector<std::uint8_t> text(128);
    packet::FrameWriter frames(text);
    frames.put(packet::FrameType::confirm, false, 0, confirm);
    send_record(text);
    BOXGRAM_CHECK(server_.sessions() == 1);
  }

  void wait(base::Duration duration) {
    now_ += duration;
    server_.handle_timeout(now_);
    serve();
    const auto due = server_.next_timeout();
    BOXGRAM_CHECK(!due || *due > now_ || server_.half_open() + server_.sessions() == 0);
  }

 private:
  std::shared_ptr<const packet::ServerKeys> keys() {
    return packet::KeyRotation({}, rng_, wall_, now_, std::nullopt, server_key_.secret_key.copy(),
                               crypto::SharedKey())
        .snapshot();
  }

  void serve() {
    stream::ServerEvent event;
    while (server_.poll_event(now_, event)) {
      if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
        BOXGRAM_CHECK(key_.has_value());  // raw bytes prove nobody
        server_.authorise(now_, proven->connection);
      } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
        BOXGRAM_CHECK(key_.has_value());
        BOXGRAM_CHECK(received->message.payload.size() <= stream::kMaxMessage);
        if (!received->message.response)
          server_.respond(now_, handle_, received->message.type, received->message.id, {});
      } else {
        over_ = true;
      }
    }
    while (server_.poll_transmit() != 0) {
    }
    const base::Bytes said = server_.unsent(handle_);
    said_.insert(said_.end(), said.begin(), said.end());
    server_.sent(handle_, said.size());
    if (over_) BOXGRAM_CHECK(server_.room(handle_).empty());  // dead for ever
  }

  test::SeededRng rng_{1};
  base::Instant now_ = base::Instant{} + 1000s;
  base::WallClock wall_{now_, 1767225600000};
  crypto::KeyPair server_key_;
  stream::Server server_;
  base::Handle handle_ = 0;
  std::optional<stream::RecordKey> key_;
  std::vector<std::uint8_t> said_;
  bool over_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Peer peer;
  base::Bytes input(data + 1, size - 1);
  if ((data[0] & 1) == 0) {
    peer.send(input);
    peer.wait(6s);
    return 0;
  }
  peer.shake_hands();
  // A record each: length in one byte, times 64 where the first byte says so; time passes between.
  const std::size_t scale = data[0] & 2 ? 64 : 1;
  while (!input.empty()) {
    const std::size_t wanted = std::min(input[0] * scale, stream::kMaxPlaintext);
    const std::size_t length = std::min(wanted, input.size() - 1);
    peer.send_record(input.subspan(1, length));
    input = input.subspan(1 + length);
    if (data[0] & 4) peer.wait(30s);
  }
  peer.wait(200s);
  return 0;
}
