// A server against a sequence of datagrams. The input is a list of steps:
//
//   op 1 | length 2 | bytes
//
// op chooses raw bytes, or frames that this harness seals as a client would (so that fuzzing does
// not end at the authenticator), or time passing, or a new key. Whatever comes: at most one
// datagram out for one in, never longer, every table within its size.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include <boxgram/packet/server.hpp>

namespace {

using namespace boxgram;
using Kind = packet::Received::Kind;

void require(bool condition) {
  if (!condition) std::abort();
}

class CountingRng final : public base::Rng {
 public:
  void fill(base::MutableBytes out) override {
    for (std::uint8_t& byte : out)
      byte = static_cast<std::uint8_t>(
          (state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

class Harness {
 public:
  Harness() {
    config_.max_associations = 8;
    config_.replay_capacity = 64;
    config_.rate_table_capacity = 16;
    config_.probation_per_prefix = 4;
    server_ = std::make_unique<packet::Server>(config_, rng_, wall_, now_, make_keys());
    client_ = crypto::generate_key_pair(rng_);
    key_ = std::move(*crypto::shared_key(server_key_.public_key, client_.secret_key));
    now_ += std::chrono::seconds(60);
  }

  void step(std::uint8_t op, base::Bytes bytes) {
    switch (op % 8) {
      case 0:
        return deliver(to_vector(bytes));
      case 1:
        return initial(to_vector(bytes), {});
      case 2:
        return initial(op >= 128 ? echo_and(bytes) : to_vector(bytes), cookie_);
      case 3:
      case 4:
        return short_datagram(bytes, op >= 128);
      case 5:
        now_ += std::chrono::milliseconds(bytes.size() * (op >= 128 ? 1000 : 1));
        return server_->handle_timeout(now_);
      case 6:
        return answer(bytes);
      default:
        // A service's answer to a request under the key before: let it go.
        pending_.reset();
        server_->install(make_keys());
        key_ = std::move(*crypto::shared_key(server_key_.public_key, client_.secret_key));
    }
  }

 private:
  std::shared_ptr<packet::ServerKeys> make_keys() {
    server_key_ = crypto::generate_key_pair(rng_);
    auto key = std::make_shared<packet::BoxKey>();
    key->public_key = server_key_.public_key;
    key->id = packet::key_id(key->public_key);
    key->secret_key = server_key_.secret_key.copy();
    key->serial = ++serial_;
    key->certificate.emplace();
    auto keys = std::make_shared<packet::ServerKeys>();
    keys->live = {key};
    if (previous_) keys->live.insert(keys->live.begin(), previous_);
    previous_ = key;
    return keys;
  }

  static std::vector<std::uint8_t> to_vector(base::Bytes bytes) {
    return {bytes.begin(), bytes.end()};
  }

  /// The frames behind an ECHO of the cookie held.
  std::vector<std::uint8_t> echo_and(base::Bytes frames) const {
    std::vector<std::uint8_t> all(24 + frames.size());
    if (cookie_.empty()) return all;
    packet::FrameWriter writer(all);
    writer.put(packet::FrameType::echo, false, 0, base::Bytes(cookie_).first(16));
    std::copy(frames.begin(), frames.end(), all.begin() + 24);
    return all;
  }

  void initial(const std::vector<std::uint8_t>& frames, base::Bytes cookie) {
    std::vector<std::uint8_t> datagram(512);
    const auto type =
        cookie.empty() ? packet::DatagramType::initial : packet::DatagramType::initial_c;
    copy(frames, packet::frame_space(type, datagram));
    packet::seal_initial(datagram,
                         {packet::key_id(server_key_.public_key), client_.public_key, n_++, cookie},
                         wall_(now_), key_);
    deliver(std::move(datagram));
  }

  void short_datagram(base::Bytes frames, bool small) {
    std::vector<std::uint8_t> datagram(small ? 64 : 256);
    copy(frames, packet::frame_space(packet::DatagramType::short_, datagram));
    packet::seal_short(datagram, {sid_, n_++}, key_);
    deliver(std::move(datagram));
  }

  static void copy(base::Bytes from, base::MutableBytes to) {
    std::copy_n(from.begin(), std::min(from.size(), to.size()), to.begin());
  }

  void deliver(std::vector<std::uint8_t> datagram) {
    const std::size_t size = datagram.size();
    auto received =
        server_->receive(now_, base::SocketAddress::v4(192, 0, 2, 1, 1), datagram, out_);
    require(received.size <= size);
    require((received.kind == Kind::transmit) == (received.size > 0));
    require(server_->associations() <= config_.max_associations);
    if (received.kind == Kind::request) {
      require(packet::Server::payload_space(received.reply, out_).size() >= 4);
      pending_ = std::make_unique<packet::ReplyTo>(std::move(received.reply));
      pending_size_ = size;
    }
    if (received.kind == Kind::transmit) learn(base::MutableBytes(out_).first(received.size));
  }

  void answer(base::Bytes payload) {
    if (!pending_) return;
    const auto space = packet::Server::payload_space(*pending_, out_);
    const std::size_t size = std::min(payload.size(), space.size());
    std::copy_n(payload.begin(), size, space.begin());
    require(server_->seal_reply(*pending_, size, out_) == pending_size_);
    learn(base::MutableBytes(out_).first(pending_size_));
    pending_.reset();
  }

  /// What a client would learn: its session or its cookie.
  void learn(base::MutableBytes reply) {
    const auto type = packet::parse_header(reply);
    require(type.has_value());
    if (*type == packet::DatagramType::retry) {
      const auto cookie = packet::parse_retry(reply).cookie;
      cookie_.assign(cookie.begin(), cookie.end());
    }
    if (*type != packet::DatagramType::msg) return;
    const auto opened = packet::open_msg(reply, packet::parse_msg(reply), key_);
    require(opened.has_value());
    packet::FrameReader reader(opened->frames);
    while (const auto frame = reader.next())
      if (frame->type == packet::FrameType::assoc)
        std::copy_n(frame->payload.begin(), sid_.size(), sid_.begin());
    require(reader.ok());
  }

  CountingRng rng_;
  packet::ServerConfig config_;
  base::Instant now_{};
  base::WallClock wall_{base::Instant{}, 1767225600000};
  crypto::KeyPair server_key_;
  std::shared_ptr<packet::BoxKey> previous_;
  std::uint32_t serial_ = 0;
  std::unique_ptr<packet::Server> server_;
  crypto::KeyPair client_;
  crypto::SharedKey key_;
  std::uint64_t n_ = 0;
  packet::SessionId sid_{};
  std::vector<std::uint8_t> cookie_;
  std::unique_ptr<packet::ReplyTo> pending_;
  std::size_t pending_size_ = 0;
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(packet::kMaxDatagram);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Harness harness;
  base::Reader reader(base::Bytes(data, size));
  // A hundred steps reach every state; more only cost time.
  for (int i = 0; i < 100 && reader.left() >= 3; ++i) {
    const std::uint8_t op = reader.u8();
    const std::size_t length = reader.u16();
    harness.step(op, reader.bytes(std::min(length, reader.left())));
  }
  return 0;
}
