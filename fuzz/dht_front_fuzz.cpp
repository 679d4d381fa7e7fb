// A front between clients and an owner that both say anything: the input decides who, what and
// when.
#include <array>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/front.hpp>

#include "../tests/support/seeded_rng.hpp"

namespace {

using namespace boxgram;
using namespace std::chrono_literals;
using dht::Front;

class Harness {
 public:
  Harness() : front_(config(), rng_) {}

  /// kind 1 | size 1 | that many bytes.
  bool step(base::Bytes& input) {
    if (input.size() < 2) return false;
    const std::uint8_t kind = input[0];
    const std::size_t size = std::min<std::size_t>(input[1] * std::size_t{4}, input.size() - 2);
    const base::Bytes bytes = input.subspan(2, size);
    input = input.subspan(2 + size);
    if (kind < 0x80)
      ask(kind, bytes);
    else if (kind < 0xc0)
      answer(kind, bytes);
    else
      wait(kind & 0x3f);
    drain();
    return true;
  }

  void finish() {
    for (const std::uint64_t tag : open_) front_.failed(now_, tag);
    open_.clear();
    drain();
    BOXGRAM_CHECK(waiting_ == 0);
  }

 private:
  static dht::FrontConfig config() {
    dht::FrontConfig config;
    for (std::uint16_t i = 0; i < 16; ++i)
      config.nodes.push_back(base::SocketAddress::v4(127, 0, 0, 1, 7000 + i));
    config.announce = true;
    return config;
  }

  void ask(std::uint8_t kind, base::Bytes bytes) {
    const auto from = base::SocketAddress::v4(127, 0, 0, 2, 6000 + kind / 16);
    const dht::FrontCounters before = front_.counters();
    const std::size_t size = front_.handle_datagram(now_, kind % 16, from, bytes, out_);
    BOXGRAM_CHECK(size <= dht::kMaxItemReply);
    const dht::FrontCounters after = front_.counters();
    // A query is answered now or waits: nothing is forgotten.
    waiting_ += (after.queries - before.queries) - (size > 0 && after.queries > before.queries);
    if (size > 0) BOXGRAM_CHECK(dht::decode(base::Bytes(out_).first(size), dht::Overlay::mainline));
  }

  void answer(std::uint8_t kind, base::Bytes bytes) {
    if (open_.empty()) return;
    const std::size_t which = kind % open_.size();
    const std::uint64_t tag = open_[which];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(which));
    if (kind % 8 == 7)
      front_.failed(now_, tag);
    else
      front_.answered(now_, tag, bytes);
  }

  void wait(unsigned seconds) {
    now_ += 1s * seconds;
    front_.handle_timeout(now_);
  }

  void drain() {
    Front::Request request;
    while (front_.poll_request(request, out_)) {
      BOXGRAM_CHECK(
          dht::decode(base::Bytes(out_).first(request.size), dht::Overlay::mainline).has_value());
      open_.push_back(request.tag);
    }
    BOXGRAM_CHECK(open_.size() <= Front::kMaxUnderWay);
    Front::Transmit transmit;
    while (front_.poll_transmit(now_, transmit, out_)) {
      BOXGRAM_CHECK(transmit.node < 16 && transmit.size > 0 && transmit.size <= dht::kMaxItemReply);
      BOXGRAM_CHECK(
          dht::decode(base::Bytes(out_).first(transmit.size), dht::Overlay::mainline).has_value());
      --waiting_;
    }
  }

  test::SeededRng rng_{1};
  base::Instant now_ = base::Instant{} + 1000h;
  Front front_;
  std::vector<std::uint64_t> open_;
  std::uint64_t waiting_ = 0;
  std::array<std::uint8_t, Front::kMaxDatagram> out_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Harness harness;
  base::Bytes input(data, size);
  for (int steps = 0; steps < 300 && harness.step(input);) ++steps;
  harness.finish();
  return 0;
}
