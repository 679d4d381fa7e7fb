// The stream transport in memory: what a connection, a full record and a DNS query cost.
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

/// The plaintext of a full record is one frame: its header, and this.
constexpr std::size_t kRecord = 16384;
constexpr std::size_t kFullPayload = kRecord - packet::kFrameHeaderSize;

/// Both ends of a stream on this thread.
class StreamPair {
 public:
  explicit StreamPair(base::Bytes answer)
      : answer_(answer),
        now_(net::now()),
        key_(crypto::generate_key_pair(rng_)),
        server_(server_config(), rng_, wall(), now_, keys()),
        client_(client_config(), rng_, wall(), now_) {}

  /// `count` requests at once, and all their answers.
  void exchange(base::Bytes request, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      client_.request(now_, packet::FrameType::dns, request, 0);
    answers_ = 0;
    for (int rounds = 0; answers_ < count; ++rounds) {
      if (rounds > 10'000) std::abort();
      carry();
    }
  }

  /// Both ends see the connection end.
  void cut() {
    client_.peer_ended();
    drain_client();
    client_.disconnected();
    server_.closed(connection_);
    connection_ = 0;
  }

 private:
  [[nodiscard]] base::WallClock wall() const { return {now_, 1'800'000'000'000}; }
  static stream::ServerConfig server_config() {
    stream::ServerConfig config;
    config.handshake_rate = config.all_handshakes_rate = {1e9, 1e9};
    return config;
  }
  [[nodiscard]] stream::ClientConfig client_config() const {
    stream::ClientConfig config;
    config.pinned_key = key_.public_key;
    return config;
  }
  std::shared_ptr<const packet::ServerKeys> keys() {
    packet::KeyRotation rotation({}, rng_, wall(), now_, std::nullopt, key_.secret_key.copy(),
                                 crypto::SharedKey());
    return rotation.snapshot();
  }

  void carry() {
    if (client_.wants_connection()) {
      client_.connecting(now_);
      connection_ = server_.accept(now_, base::SocketAddress::v4(127, 0, 0, 1, 1));
      client_.connected(now_);
    }
    client_.sent(copy(client_.unsent(), server_.room(connection_),
                      [&](std::size_t size) { server_.received(connection_, size); }));
    drain_server();
    while (server_.poll_transmit() != 0) {
    }
    server_.sent(connection_, copy(server_.unsent(connection_), client_.room(),
                                   [&](std::size_t size) { client_.received(size); }));
    drain_client();
  }

  template <class Received>
  static std::size_t copy(base::Bytes from, base::MutableBytes to, Received&& received) {
    const std::size_t size = std::min(from.size(), to.size());
    std::copy_n(from.begin(), size, to.begin());
    received(size);
    return size;
  }

  void drain_server() {
    stream::ServerEvent event;
    while (server_.poll_event(now_, event)) {
      if (const auto* proven = std::get_if<stream::ClientProven>(&event))
        server_.authorise(now_, proven->connection);
      else if (const auto* received = std::get_if<stream::MessageReceived>(&event))
        server_.respond(now_, received->connection, received->message.type, received->message.id,
                        answer_);
    }
  }

  void drain_client() {
    stream::ClientEvent event;
    while (client_.poll_event(now_, event))
      if (std::holds_alternative<stream::Answered>(event)) ++answers_;
  }

  base::Bytes answer_;
  base::Instant now_;
  crypto::SystemRng rng_;
  crypto::KeyPair key_;
  stream::Server server_;
  stream::Client client_;
  base::Handle connection_ = 0;
  std::size_t answers_ = 0;
};

/// What a box and its opening of so many bytes cost.
double box_and_open(std::size_t size, base::Duration each) {
  crypto::SystemRng rng;
  const auto pair = crypto::generate_key_pair(rng);
  const auto key = crypto::shared_key(pair.public_key, pair.secret_key);
  std::vector<std::uint8_t> boxed(crypto::kTagSize + size);
  std::array<std::uint8_t, 16> tail{};
  std::uint64_t n = 0;
  return cpu_us(each, [&] {
    base::store_be64(tail.data() + 8, ++n);
    const auto nonce = crypto::make_nonce("BXG1-XX.", tail);
    crypto::box(boxed, nonce, *key);
    if (!crypto::box_open(boxed, nonce, *key)) std::abort();
  });
}

void measure_handshake(Report& report, base::Duration each) {
  crypto::SystemRng rng;
  const auto pair = crypto::generate_key_pair(rng);
  const double generate = cpu_us(each, [&] { (void)crypto::generate_key_pair(rng); });
  const double multiply =
      cpu_us(each, [&] { (void)crypto::shared_key(pair.public_key, pair.secret_key); });
  const auto query = query_for(1);
  const auto answer = answer_to(query);
  StreamPair streams(answer);
  const double handshake = cpu_us(each, [&] {
    streams.exchange(query, 1);
    streams.cut();
  });
  // EC, C and ES are made; four keys are shared at each end: with S, with ES, V's and W's.
  report.row("connection, first query and its answer", handshake, "us",
             "its 11 scalar multiplications", handshake / (3 * generate + 8 * multiply));
}

}  // namespace

void measure_stream(Report& report, base::Duration each) {
  report.part("streams in memory (client and server on one thread)");
  measure_handshake(report, each);

  const std::vector<std::uint8_t> full(kFullPayload, 7);
  StreamPair bulk(full);
  bulk.exchange(full, 1);
  const double records = cpu_us(each, [&] { bulk.exchange(full, 4); }) / 8;
  const double bare = box_and_open(kRecord, each);
  report.row("record of 16 KiB, sealed and opened", records, "us", "its box and opening",
             records / bare);
  report.row("throughput, both ends on one core", kRecord / records, "MB/s", "that of the bare box",
             bare / records);

  const auto query = query_for(1);
  const auto answer = answer_to(query);
  StreamPair dns(answer);
  dns.exchange(query, 1);
  const double single = cpu_us(each, [&] { dns.exchange(query, 1); });
  report.row("DNS round trip, one at a time", single, "us", "its 4 boxes",
             single / (box_and_open(128, each) + box_and_open(468, each)));
  report.row("DNS round trip, 32 at a time", cpu_us(each, [&] { dns.exchange(query, 32); }) / 32,
             "us");
}

}  // namespace boxgram::tools::bench
