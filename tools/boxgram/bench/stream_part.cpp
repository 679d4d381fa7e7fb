#include <fmt/format.h>

#include <boxgram/crypto/box.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/stream/client.hpp>
#include <boxgram/stream/server.hpp>

#include "messages.hpp"
#include "parts.hpp"

namespace boxgram::tools::bench {
namespace {

using packet::FrameType;

/// The largest payload that stands in one record with its frame's header.
constexpr std::size_t kOneRecord = 16384 - packet::kFrameHeaderSize;

/// Both ends of streams on one thread; bytes are carried by copying them.
class StreamPair {
 public:
  StreamPair()
      : pinned_(crypto::generate_key_pair(rng_)),
        server_(server_config(), rng_, wall_, now_, keys()),
        key_(crypto::generate_key_pair(rng_).secret_key) {}

  /// A new connection until it is ready.
  void connect() {
    stream::ClientConfig config;
    config.pinned_key = pinned_.public_key;
    config.client_key = key_.copy();
    if (handle_ != 0) server_.closed(handle_);
    client_.emplace(std::move(config), rng_, wall_, now_);
    ask({});
    handle_ = server_.accept(now_, base::SocketAddress::v4(127, 0, 0, 1, 1));
    client_->connecting(now_);
    client_->connected(now_);
    while (!client_->ready()) carry();
    carry();
  }

  void ask(base::Bytes payload) { client_->request(now_, FrameType::dns, payload, 1); }

  /// Carries what each has to say to the other once; each request gets `answer`.
  void carry(base::Bytes answer = {}) {
    move(
        client_->unsent(), [&] { return server_.room(handle_); },
        [&](std::size_t size) { server_.received(handle_, size); },
        [&](std::size_t size) { client_->sent(size); }, [&] { serve(answer); });
    while (server_.poll_transmit() != 0) {
    }
    move(
        server_.unsent(handle_), [&] { return client_->room(); },
        [&](std::size_t size) { client_->received(size); },
        [&](std::size_t size) { server_.sent(handle_, size); }, [&] { take(); });
  }

  [[nodiscard]] std::size_t outstanding() const { return client_->outstanding(); }

 private:
  static stream::ServerConfig server_config() {
    stream::ServerConfig config;
    config.handshake_rate = config.all_handshakes_rate = {1e9, 1e9};
    return config;
  }
  std::shared_ptr<const packet::ServerKeys> keys() {
    packet::KeyRotation rotation({}, rng_, wall_, now_, std::nullopt, pinned_.secret_key.copy(),
                                 crypto::SharedKey());
    return rotation.snapshot();
  }

  template <class Room, class Received, class Sent, class Drain>
  void move(base::Bytes bytes, Room room, Received received, Sent sent, Drain drain) {
    const std::size_t all = bytes.size();
    while (!bytes.empty()) {
      const base::MutableBytes space = room();
      const std::size_t size = std::min(space.size(), bytes.size());
      if (size == 0) break;
      std::copy_n(bytes.begin(), size, space.begin());
      received(size);
      bytes = bytes.subspan(size);
      drain();
    }
    sent(all - bytes.size());
  }

  void serve(base::Bytes answer) {
    stream::ServerEvent event;
    while (server_.poll_event(now_, event)) {
      if (const auto* proven = std::get_if<stream::ClientProven>(&event))
        server_.authorise(now_, proven->connection);
      else if (const auto* received = std::get_if<stream::MessageReceived>(&event))
        server_.respond(now_, handle_, FrameType::dns, received->message.id, answer);
    }
  }
  void take() {
    stream::ClientEvent event;
    while (client_->poll_event(now_, event)) {
    }
  }

  base::Instant now_ = net::now();
  base::WallClock wall_{now_, 1'800'000'000'000};
  crypto::SystemRng rng_;
  crypto::KeyPair pinned_;
  stream::Server server_;
  crypto::SecretKey key_;
  std::optional<stream::Client> client_;
  base::Handle handle_ = 0;
};

/// Seals and opens a box of this size.
double box_us(base::Duration each, const crypto::SharedKey& key, std::size_t size) {
  std::vector<std::uint8_t> boxed(size);
  const crypto::Nonce nonce{};
  return cpu_us(each, [&] {
    crypto::box(boxed, nonce, key);
    if (!crypto::box_open(boxed, nonce, key)) std::abort();
  });
}

}  // namespace

void measure_stream(Report& report, base::Duration each) {
  report.part("stream in memory (client and server on one thread)");
  crypto::SystemRng rng;
  const auto a = crypto::generate_key_pair(rng);
  const auto key = crypto::shared_key(a.public_key, a.secret_key);
  const double make = cpu_us(each, [&] { (void)crypto::generate_key_pair(rng); });
  const double multiply =
      cpu_us(each, [&] { (void)crypto::shared_key(a.public_key, a.secret_key); });

  StreamPair pair;
  const double handshake = cpu_us(each, [&] { pair.connect(); });
  // EC and ES are made; each end multiplies EC with S, EC with ES, C with S, C with ES.
  report.row("handshake until READY, and one request", handshake, "us", "its 10 X25519",
             handshake / (2 * make + 8 * multiply));

  const std::vector<std::uint8_t> large(kOneRecord);
  const double record = cpu_us(each, [&] {
    pair.ask(large);
    pair.carry();
  });
  const double bare = box_us(each, *key, kOneRecord + packet::kFrameHeaderSize + crypto::kTagSize);
  report.row("16 KiB requests, one way", static_cast<double>(large.size()) / record, "MB/s",
             "the bare box's speed", bare / record);

  // As many in flight as a server takes at once; what is under way together shares records.
  constexpr std::size_t kInFlight = 64;
  const auto query = query_for(1);
  const auto answer = answer_to(query);
  const double batch = cpu_us(each, [&] {
    for (std::size_t i = 0; i < kInFlight; ++i) pair.ask(query);
    pair.carry(answer);
    if (pair.outstanding() != 0) std::abort();
  });
  const double one = cpu_us(each, [&] {
    pair.ask(query);
    pair.carry(answer);
    if (pair.outstanding() != 0) std::abort();
  });
  const double datagram = live_round_trip_us(each);
  report.row("DNS round trip, one at a time", one, "us", "datagrams' rate", datagram / one);
  report.row(fmt::format("DNS round trip, {} in flight", kInFlight), batch / kInFlight, "us",
             "datagrams' rate", datagram * kInFlight / batch);
}

}  // namespace boxgram::tools::bench
