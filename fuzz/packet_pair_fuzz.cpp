// A real client and a real server; the input decides what the network and time do to them.
#include <array>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/server.hpp>

#include "../tests/support/seeded_rng.hpp"

namespace {

using namespace boxgram;
using namespace std::chrono_literals;
using Datagram = std::vector<std::uint8_t>;

const base::SocketAddress kClient = base::SocketAddress::v4(192, 0, 2, 7, 40000);
constexpr base::UnixMillis kNowMs = 1767225600000;

class Pair {
 public:
  explicit Pair(std::uint8_t kind) {
    crypto::SigningSeed seed;
    rng_.fill(seed.bytes());
    crypto::SigningKey identity(seed);
    crypto::SecretKey pinned;
    rng_.fill(pinned.bytes());
    crypto::SharedKey reset;
    rng_.fill(reset.bytes());
    packet::ClientConfig config;
    if (kind & 1) config.identity = identity.verify_key();
    if (!(kind & 1) || (kind & 2)) config.pinned_key = crypto::public_key_of(pinned);
    config.key_per_query = (kind & 4) != 0;
    config.capacity = 16;
    const base::WallClock server_wall{now_, kNowMs};
    const base::WallClock client_wall{now_, kNowMs + (kind & 8 ? 315'360'000'000 : 0)};
    rotation_.emplace(packet::KeyRotationConfig{}, rng_, server_wall, now_, std::move(identity),
                      std::move(pinned), std::move(reset));
    wall_ = server_wall;
    restart();
    client_.emplace(config, rng_, client_wall, now_);
  }

  void step(std::uint8_t op, std::uint8_t argument) {
    switch (op % 12) {
      case 0:
        request(argument);
        break;
      case 1:
        wait(1ms * argument);
        break;
      case 2:
        wait(100ms * argument);
        break;
      case 3:
        deliver(to_server_, argument, true);
        break;
      case 4:
        deliver(to_client_, argument, false);
        break;
      case 5:
        drop(to_server_, argument);
        break;
      case 6:
        drop(to_client_, argument);
        break;
      case 7:
        spoil(to_server_, argument);
        break;
      case 8:
        spoil(to_client_, argument);
        break;
      case 9:
        if (argument % 8 == 0) restart();
        if (argument % 8 == 1) client_->address_changed(now_);
        break;
      default:
        deliver(to_server_, 0, true);
        deliver(to_client_, 0, false);
    }
    drain();
  }

  void finish() {
    // A network without faults: what is new now must succeed, what is open must end.
    request(1);
    const std::uint64_t last = next_tag_ - 1;
    const bool taken = open_.contains(last);
    for (int i = 0; i < 1000 && !open_.empty(); ++i) {
      drain();
      while (!to_server_.empty()) deliver(to_server_, 0, true);
      while (!to_client_.empty()) deliver(to_client_, 0, false);
      wait(4ms);
    }
    BOXGRAM_CHECK(open_.empty());
    BOXGRAM_CHECK(!taken || answered_.contains(last));
  }

 private:
  void restart() {
    server_.emplace(packet::ServerConfig{}, rng_, wall_, now_, rotation_->snapshot());
  }

  void request(std::uint8_t size) {
    const std::uint64_t tag = next_tag_++;
    std::array<std::uint8_t, 10> payload{};
    base::store_be64(payload.data(), tag);
    base::store_be16(payload.data() + 8, static_cast<std::uint16_t>(size * 4));
    if (client_->request(now_, packet::FrameType::dns, payload, tag) != 0) open_[tag] = size * 4u;
    drain();
  }

  void wait(base::Duration duration) {
    now_ += duration;
    if (rotation_->handle_timeout(now_)) server_->install(rotation_->snapshot());
    server_->handle_timeout(now_);
    client_->handle_timeout(now_);
    drain();
  }

  /// Any of those under way; a high bit leaves a copy behind.
  void deliver(std::deque<Datagram>& way, std::uint8_t argument, bool to_server) {
    if (way.empty()) return;
    const auto at = way.begin() + static_cast<std::ptrdiff_t>(argument % 64 % way.size());
    Datagram datagram = *at;
    if (argument < 0xc0) way.erase(at);
    if (to_server)
      serve(datagram);
    else
      client_->handle_datagram(now_, datagram);
    drain();
  }

  static void drop(std::deque<Datagram>& way, std::uint8_t argument) {
    if (!way.empty()) way.erase(way.begin() + static_cast<std::ptrdiff_t>(argument % way.size()));
  }

  static void spoil(std::deque<Datagram>& way, std::uint8_t argument) {
    if (way.empty()) return;
    Datagram& datagram = way.front();
    if (argument % 8 == 7)
      datagram.resize(datagram.size() * argument / 256);
    else if (!datagram.empty())
      datagram[argument * 37u % datagram.size()] ^= static_cast<std::uint8_t>(1 << argument % 8);
  }

  void serve(Datagram& datagram) {
    const std::size_t size = datagram.size();
    std::array<std::uint8_t, packet::kMaxDatagram> out;
    const packet::Received received = server_->receive(now_, kClient, datagram, out);
    std::size_t reply = 0;
    if (received.kind == packet::Received::Kind::transmit) reply = received.size;
    if (received.kind == packet::Received::Kind::request) {
      BOXGRAM_CHECK(received.payload.size() == 10);
      const std::size_t wanted = base::load_be16(received.payload.data() + 8);
      const base::MutableBytes space = packet::Server::payload_space(received.reply, out);
      if (wanted > space.size()) {
        std::uint8_t fits[2];
        base::store_be16(fits, static_cast<std::uint16_t>(wanted));
        reply = server_->seal_error(received.reply, packet::ErrorCode::too_large, fits, out);
      } else {
        std::fill_n(space.begin(), wanted, static_cast<std::uint8_t>(received.payload[7]));
        reply = server_->seal_reply(received.reply, wanted, out);
      }
    }
    BOXGRAM_CHECK(reply <= size);
    if (reply != 0) to_client_.emplace_back(out.begin(), out.begin() + reply);
  }

  void drain() {
    packet::ClientEvent event;
    while (client_->poll_event(event)) {
      const std::uint64_t tag = std::visit([](const auto& e) { return e.tag; }, event);
      const auto request = open_.find(tag);
      BOXGRAM_CHECK(request != open_.end());
      if (const auto* answer = std::get_if<packet::Answer>(&event)) {
        BOXGRAM_CHECK(answer->payload.size() == request->second);
        for (const std::uint8_t byte : answer->payload)
          BOXGRAM_CHECK(byte == static_cast<std::uint8_t>(tag));
        answered_.insert(tag);
      }
      open_.erase(request);
    }
    std::array<std::uint8_t, packet::kMaxDatagram> out;
    while (const std::size_t size = client_->poll_transmit(now_, out)) {
      to_server_.emplace_back(out.begin(), out.begin() + size);
      BOXGRAM_CHECK(sent_.insert(to_server_.back()).second || out[3] == 4);
    }
  }

  test::SeededRng rng_{1};
  base::Instant now_ = base::Instant{} + 1000s;
  base::WallClock wall_;
  std::optional<packet::KeyRotation> rotation_;
  std::optional<packet::Server> server_;
  std::optional<packet::Client> client_;
  std::deque<Datagram> to_server_, to_client_;
  std::map<std::uint64_t, std::size_t> open_;  // tag to answer size
  std::set<std::uint64_t> answered_;
  std::set<Datagram> sent_;  // no box leaves twice
  std::uint64_t next_tag_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Pair pair(data[0]);
  for (std::size_t i = 1; i + 1 < size && i < 400; i += 2) pair.step(data[i], data[i + 1]);
  pair.finish();
  return 0;
}
