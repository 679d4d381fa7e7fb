// A client and a gateway that knows all keys: the input decides what it answers. An assist byte
// chooses between raw bytes and well sealed ones, so that fuzzing does not end at the box.
#include <algorithm>
#include <map>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/client.hpp>

#include "../tests/support/seeded_rng.hpp"

namespace {

using namespace boxgram;
using namespace std::chrono_literals;

constexpr base::UnixMillis kNowMs = 1767225600000;
constexpr std::size_t kCapacity = 32;

/// Draws decisions from the input; zeros when it has ended.
class Input {
 public:
  explicit Input(base::Bytes bytes) : rest_(bytes) {}
  [[nodiscard]] bool ended() const { return rest_.empty(); }
  std::uint8_t u8() {
    if (rest_.empty()) return 0;
    const std::uint8_t byte = rest_[0];
    rest_ = rest_.subspan(1);
    return byte;
  }
  /// Up to 255 * `unit` bytes.
  base::Bytes chunk(std::size_t unit = 1) {
    const std::size_t size = std::min(rest_.size(), u8() * unit);
    const base::Bytes bytes = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(bytes.size());
    return bytes;
  }

 private:
  base::Bytes rest_;
};

struct Emitted {
  crypto::PublicKey ec{};
  std::uint64_t n = 0;
  std::size_t size = 0;
};

class Harness {
 public:
  explicit Harness(bool key_per_query, bool identity)
      : pair_(crypto::generate_key_pair(rng_)), signing_(seed(rng_)) {
    packet::ClientConfig config;
    config.pinned_key = pair_.public_key;
    if (identity) config.identity = signing_.verify_key();
    config.key_per_query = key_per_query;
    config.capacity = kCapacity;
    client_.emplace(config, rng_, base::WallClock{now_, kNowMs}, now_);
  }

  void step(Input& input) {
    switch (input.u8() % 10) {
      case 0:
      case 1:
        request(input.chunk(5), input.u8());
        break;
      case 2:
        wait(1ms * input.u8() * (input.u8() % 8));
        break;
      case 3:
        deliver(input.chunk(5));
        break;
      case 4:
      case 5:
        msg(input);
        break;
      case 6:
        retry(input);
        break;
      case 7:
        reset(input);
        break;
      case 8:
        keys(input);
        break;
      default:
        if (input.u8() % 4 == 0)
          client_->address_changed(now_);
        else
          cancel(input.u8());
    }
    drain();
  }

  void finish() {
    // The gateway is silent from now on: everything ends.
    for (int i = 0; i < 2000 && !open_.empty(); ++i) wait(4ms);
    BOXGRAM_CHECK(open_.empty());
    BOXGRAM_CHECK(client_->state(now_).outstanding == 0);
  }

 private:
  static crypto::SigningSeed seed(base::Rng& rng) {
    crypto::SigningSeed seed;
    rng.fill(seed.bytes());
    return seed;
  }

  void request(base::Bytes payload, std::uint8_t service) {
    const std::uint64_t tag = next_tag_++;
    const auto type = service % 16 == 0 ? packet::FrameType::ping : packet::FrameType::dns;
    const base::Handle handle = client_->request(now_, type, payload, tag);
    BOXGRAM_CHECK((handle == 0) == (open_.size() == kCapacity));
    if (handle != 0) open_[tag] = handle;
  }

  void cancel(std::uint8_t which) {
    if (open_.empty()) return;
    auto it = open_.begin();
    std::advance(it, which % open_.size());
    client_->cancel(it->second);
    open_.erase(it);
  }

  void wait(base::Duration duration) {
    now_ += duration;
    client_->handle_timeout(now_);
    drain();
  }

  void deliver(base::Bytes bytes) {
    datagram_.assign(bytes.begin(), bytes.end());
    client_->handle_datagram(now_, datagram_);
    drain();
  }

  const Emitted* pick(Input& input) {
    if (emitted_.empty()) return nullptr;
    // The latest ones are the interesting ones.
    const std::size_t back = input.u8() % std::min<std::size_t>(emitted_.size(), 16);
    return &emitted_[emitted_.size() - 1 - back];
  }

  void msg(Input& input) {
    const Emitted* target = pick(input);
    if (target == nullptr) return;
    const std::uint8_t how = input.u8();
    std::vector<std::uint8_t> out(how % 16 == 0 ? std::size_t{256} + how : target->size);
    const base::MutableBytes space = packet::frame_space(packet::DatagramType::msg, out);
    packet::FrameWriter frames(space);
    if (how % 4 == 0) {
      const base::Bytes raw = input.chunk(4);
      std::ranges::fill(space, std::uint8_t{0});
      std::ranges::copy(raw.first(std::min(raw.size(), space.size())), space.begin());
    } else {
      for (int i = how % 4; i > 0; --i) {
        const auto type = static_cast<packet::FrameType>(input.u8() % 0x14);
        const bool response = input.u8() % 8 != 0;
        std::vector<std::uint8_t> payload;
        const base::Bytes chunk = input.chunk(3);
        payload.assign(chunk.begin(), chunk.end());
        if (type == packet::FrameType::assoc) {
          payload.resize(packet::kAssocPayloadSize, 7);
          std::ranges::copy(base::Bytes(payload).first(8), sid_.begin());
          std::ranges::copy(base::Bytes(payload).subspan(8, 16), token_.begin());
          ec_of_sid_ = target->ec;
        }
        if (type == packet::FrameType::error && payload.size() >= 2) payload[0] = 0;
        frames.put(type, response, input.u8(), payload);
      }
      frames.finish();
    }
    packet::MsgHeader header{packet::client_id(target->ec), {}};
    rng_.fill(header.r);
    packet::seal_msg(out, header, target->n, shared(target->ec));
    deliver(out);
  }

  void retry(Input& input) {
    const Emitted* target = pick(input);
    if (target == nullptr) return;
    packet::RetryView retry{packet::client_id(target->ec), target->n, {}};
    if (input.u8() % 8 == 0) retry.n ^= input.u8();
    std::array<std::uint8_t, packet::kRetrySize> out;
    deliver(base::Bytes(out).first(packet::write_retry(out, retry)));
  }

  void reset(Input& input) {
    packet::ResetView reset{sid_, token_};
    if (input.u8() % 4 == 0) reset.token[input.u8() % 16] ^= 1;
    std::array<std::uint8_t, packet::kResetSize> out;
    deliver(base::Bytes(out).first(packet::write_reset(out, reset)));
  }

  void keys(Input& input) {
    std::vector<std::uint8_t> certificates;
    for (int i = input.u8() % 4; i > 0; --i) {
      packet::Certificate certificate;
      certificate.serial = input.u8();
      certificate.not_before = kNowMs / 1000 + input.u8() - 128;
      certificate.not_after = certificate.not_before + input.u8() * 16;
      certificate.server_key = pair_.public_key;
      auto bytes = packet::sign_certificate(certificate, signing_);
      if (input.u8() % 8 == 0) bytes[input.u8() % bytes.size()] ^= 4;
      certificates.insert(certificates.end(), bytes.begin(), bytes.end());
    }
    std::array<std::uint8_t, packet::kMaxDatagram> out;
    deliver(base::Bytes(out).first(packet::write_keys(out, {echo_, certificates})));
  }

  const crypto::SharedKey& shared(const crypto::PublicKey& ec) {
    auto it = shared_.find(ec);
    if (it == shared_.end())
      it = shared_.emplace(ec, std::move(*crypto::shared_key(ec, pair_.secret_key))).first;
    return it->second;
  }

  void drain() {
    packet::ClientEvent event;
    while (client_->poll_event(event)) {
      const std::uint64_t tag = std::visit([](const auto& e) { return e.tag; }, event);
      BOXGRAM_CHECK(open_.erase(tag) == 1);
      if (const auto* answer = std::get_if<packet::Answer>(&event)) {
        if (!answer->payload.empty())
          BOXGRAM_CHECK(answer->payload.data() >= datagram_.data() &&
                        answer->payload.data() + answer->payload.size() <=
                            datagram_.data() + datagram_.size());
      }
    }
    std::array<std::uint8_t, packet::kMaxDatagram> out;
    for (int i = 0;; ++i) {
      const std::size_t size = client_->poll_transmit(now_, out);
      if (size == 0) break;
      BOXGRAM_CHECK(i < 2 * static_cast<int>(kCapacity));
      note(base::MutableBytes(out).first(size));
    }
    if (const auto next = client_->next_timeout()) BOXGRAM_CHECK(*next > now_ - 10s);
  }

  void note(base::MutableBytes datagram) {
    const auto type = packet::parse_header(datagram);
    BOXGRAM_CHECK(type.has_value());
    Emitted emitted;
    emitted.size = datagram.size();
    if (*type == packet::DatagramType::keyreq) {
      echo_ = *packet::parse_keyreq(datagram);
      return;
    }
    if (*type == packet::DatagramType::short_) {
      const auto header = packet::parse_short(datagram);
      emitted.n = header.n;
      emitted.ec = ec_of_sid_;
      BOXGRAM_CHECK(header.n < packet::kMaxCounter);
    } else {
      const auto header = packet::parse_initial(datagram);
      emitted.n = header.n;
      emitted.ec = header.client_key;
      BOXGRAM_CHECK(packet::open_initial(datagram, header, shared(header.client_key)));
      // A counter never stands still under one key.
      const auto [last, fresh] = last_n_.try_emplace(header.client_key, header.n);
      BOXGRAM_CHECK(fresh || last->second < header.n);
      last->second = header.n;
    }
    emitted_.push_back(emitted);
  }

  test::SeededRng rng_{1};
  crypto::KeyPair pair_;
  crypto::SigningKey signing_;
  base::Instant now_ = base::Instant{} + 1000s;
  std::optional<packet::Client> client_;
  std::map<std::uint64_t, base::Handle> open_;
  std::uint64_t next_tag_ = 1;
  std::vector<Emitted> emitted_;
  std::map<crypto::PublicKey, crypto::SharedKey> shared_;
  std::map<crypto::PublicKey, std::uint64_t> last_n_;
  std::vector<std::uint8_t> datagram_;
  packet::SessionId sid_{};
  packet::ResetToken token_{};
  crypto::PublicKey ec_of_sid_{};
  packet::Echo echo_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input({data, size});
  const std::uint8_t kind = input.u8();
  Harness harness(kind % 4 == 0, kind % 2 == 1);
  for (int steps = 0; steps < 200 && !input.ended(); ++steps) harness.step(input);
  harness.finish();
  return 0;
}
