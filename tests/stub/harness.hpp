// A stub::Core between recorded clients and gateways in memory, under virtual time. Datagrams and
// streams are sealed and opened by the real servers; what the gateways answer is made up.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <boxgram/dns/shared_cache.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/server.hpp>
#include <boxgram/stream/server.hpp>
#include <boxgram/stub/core.hpp>

#include "dns/dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {

using namespace std::chrono_literals;

/// Answers "sSIZE.REST" with a TXT record whose data has SIZE bytes: over datagrams where that
/// fits.
class MemoryGateway {
 public:
  enum class Tcp { works, refuses, is_silent };

  MemoryGateway(base::Instant now, base::WallClock wall, std::uint64_t seed);

  [[nodiscard]] stub::GatewayConfig config() const;

  /// One round: true if anything moved.
  bool carry(base::Instant now, stub::Core& core, std::size_t index);
  /// Starts anew with other keys, as a gateway that has no pinned one does.
  void restart(base::Instant now);
  /// The connection ends without a word, as when the gateway's process dies.
  void break_connection() { broken_ = true; }

  Tcp tcp = Tcp::works;
  bool takes_streams = true;        ///< says so in its stamp
  bool mute = false;                ///< says nothing over UDP
  bool holds_answers = false;       ///< of streams, until release()
  void release(base::Instant now);  ///< answers what was held, the last first

  [[nodiscard]] std::size_t held() const { return held_.size(); }
  stream::Server& streams() { return *streams_; }
  std::size_t datagrams = 0;  ///< requests that came in them
  std::size_t by_stream = 0;  ///< requests that came in streams
  std::size_t connections = 0;

 private:
  struct Held {
    base::Handle connection = 0;
    std::uint32_t id = 0;
    Octets answer;
  };

  bool carry_datagrams(base::Instant now, stub::Core& core, std::size_t index);
  bool carry_stream(base::Instant now, stream::Client& client);
  bool carry_bytes(stream::Client& client);
  bool take_events(base::Instant now);
  void answer(base::Instant now, packet::Received& received);

  base::WallClock wall_;
  SeededRng rng_;
  crypto::SigningSeed identity_;
  std::unique_ptr<packet::KeyRotation> keys_;
  std::unique_ptr<packet::Server> packets_;
  std::unique_ptr<stream::Server> streams_;
  std::array<std::uint8_t, packet::kMaxDatagram> in_{};
  std::array<std::uint8_t, packet::kMaxDatagram> out_{};
  base::Handle connection_ = 0;
  bool ended_ = false;  // by the server
  bool broken_ = false;
  std::vector<Held> held_;
};

struct StubAnswer {
  base::Duration took{};
  Octets bytes;

  [[nodiscard]] unsigned rcode() const { return bytes[3] & 15u; }
  [[nodiscard]] bool truncated() const { return (bytes[2] & 2) != 0; }
  /// Bytes of the first record's data; 0 without one.
  [[nodiscard]] std::size_t data_size() const;
  /// The code of the first extended error; none: 0xffff.
  [[nodiscard]] unsigned extended_error() const;
};

class StubHarness {
 public:
  explicit StubHarness(std::size_t gateways = 1, bool cache = true);

  /// Makes the core; before it, gateways may be changed.
  void start();
  stub::Core& core() { return *core_; }
  MemoryGateway& gateway(std::size_t i = 0) { return *gateways_[i]; }

  /// Asks for a TXT record of so many bytes; nothing is carried yet.
  std::uint32_t ask(std::size_t size, bool tcp = true, std::string_view rest = "example");
  /// Carries until nothing moves any more.
  void settle();
  /// Lets time go by; each timeout is handled when it is due.
  void run(base::Duration time);
  /// Asks and waits for the answer, 4 s at most.
  StubAnswer answer_of(std::size_t size, bool tcp = true, std::string_view rest = "example");

  [[nodiscard]] bool has_answer(std::uint32_t number) const { return answers_.contains(number); }
  [[nodiscard]] const StubAnswer& answer(std::uint32_t number) const { return answers_.at(number); }
  [[nodiscard]] std::size_t answered() const { return answers_.size(); }

  base::Instant now = base::Instant{} + 1h;
  bool key_per_query = false;

 private:
  void take(std::uint32_t number, std::size_t size);

  base::WallClock wall_{base::Instant{}, 1'800'000'000'000};
  SeededRng rng_{1};
  std::unique_ptr<dns::SharedCache> cache_;
  std::vector<std::unique_ptr<MemoryGateway>> gateways_;
  std::unique_ptr<stub::Core> core_;
  std::map<std::uint32_t, base::Instant> asked_;
  std::map<std::uint32_t, StubAnswer> answers_;
  std::uint32_t last_ = 0;
  Octets out_ = Octets(65535);
};

}  // namespace boxgram::test
