// What others say our address is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "network.hpp"

namespace boxgram::dht {

/// A node behind a NAT learns its address from the `ip` of replies (BEP 42). Only replies to our
/// own requests vote, each network once, and a liar alone changes nothing: an address is taken when
/// more than half of the last 16 votes, and four at least, say the same.
class AddressVotes {
 public:
  using Ip = std::array<std::uint8_t, 16>;
  static constexpr std::size_t kVotes = 16;
  static constexpr std::size_t kEnough = 4;

  /// The address that the majority names, once it is another than before.
  std::optional<Ip> vote(const base::SocketAddress& voter, const Ip& ip) {
    const Network network = network_of(voter);
    Vote* place = &votes_[next_];
    for (Vote& vote : votes_)
      if (vote.used && vote.network == network) place = &vote;
    if (place == &votes_[next_]) next_ = (next_ + 1) % kVotes;
    *place = {true, network, ip};
    std::size_t all = 0, same = 0;
    for (const Vote& vote : votes_) {
      all += vote.used;
      same += vote.used && vote.ip == ip;
    }
    if (same < kEnough || same * 2 <= all || ip == current_) return std::nullopt;
    current_ = ip;
    return current_;
  }

  [[nodiscard]] const std::optional<Ip>& current() const { return current_; }

 private:
  struct Vote {
    bool used = false;
    Network network = 0;
    Ip ip{};
  };

  std::array<Vote, kVotes> votes_{};
  std::size_t next_ = 0;
  std::optional<Ip> current_;
};

}  // namespace boxgram::dht
