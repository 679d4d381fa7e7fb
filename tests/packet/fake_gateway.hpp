// A gateway in the test's hands: opens what a Client sends and seals any frames in return.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <boxgram/packet/client.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::test {

using Datagram = std::vector<std::uint8_t>;
using Write = std::function<void(packet::FrameWriter&)>;

/// What a client sent, opened.
struct Heard {
  packet::DatagramType type{};
  Datagram raw;
  std::uint64_t n = 0;
  std::uint64_t ts = 0;
  crypto::PublicKey ec{};
  packet::SessionId sid{};
  bool assoc_req = false;
  std::optional<packet::CookieNonce> echo;
  Datagram cookie;
  packet::FrameType service{};
  std::uint32_t id = 0;
  Datagram payload;
};

class FakeGateway {
 public:
  explicit FakeGateway(std::uint64_t seed = 99)
      : rng_(seed), pair_(crypto::generate_key_pair(rng_)) {
    rng_.fill(token);
  }

  [[nodiscard]] const crypto::PublicKey& key() const { return pair_.public_key; }

  /// Nothing if it does not open.
  std::optional<Heard> hear(base::Bytes datagram);

  /// A MSG that answers `heard`, of its length unless told otherwise.
  Datagram msg(const Heard& heard, const Write& write, std::size_t size = 0);
  Datagram answer(const Heard& heard, base::Bytes payload);
  Datagram error(const Heard& heard, packet::ErrorCode code, base::Bytes detail = {});
  /// An answer with an ASSOC before it.
  Datagram associate(const Heard& heard, base::Bytes payload, std::uint32_t lifetime_s = 300);
  Datagram retry(const Heard& heard);
  Datagram reset();

  packet::SessionId sid{1, 2, 3, 4, 5, 6, 7, 8};
  packet::ResetToken token{};

 private:
  SeededRng rng_;
  crypto::KeyPair pair_;
  crypto::PublicKey ec_{};  // of the association, from the last INITIAL that was associated
};

}  // namespace boxgram::test
