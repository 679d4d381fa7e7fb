// Clients that keep a number of queries in the air, or send them at a steady rate.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/packet/stamp.hpp>

namespace boxgram::tools::bench {

/// How long answers took, in buckets of an eighth of an octave: exact to 9 %.
class Latency {
 public:
  void add(base::Duration duration);
  /// Microseconds below which the share `p` of the answers stayed.
  [[nodiscard]] double percentile(double p) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::array<std::uint64_t, 512> buckets_{};
  std::uint64_t count_ = 0;
};

struct LoadResult {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t wrong = 0;  ///< answers other than the one expected
  base::Duration elapsed{};
  Latency latency;
};

struct LoadOptions {
  base::Duration duration{};
  std::uint32_t sockets = 8;
  std::uint32_t in_flight = 256;  ///< over all sockets
  std::uint32_t rate = 0;         ///< a second; 0: as many as `in_flight` allows
  /// Names h0..h(names-1) in turn; `first` is where to begin.
  std::uint32_t names = 10'000;
  std::uint32_t first = 0;
};

/// Plain DNS over UDP.
base::expected<LoadResult, std::string> plain_load(const base::SocketAddress& server,
                                                   const LoadOptions& options);

/// Over streams: each socket is one connection.
base::expected<LoadResult, std::string> stream_load(const packet::Stamp& gateway,
                                                    const LoadOptions& options);

/// Sealed: each socket is one client with one association.
base::expected<LoadResult, std::string> sealed_load(const packet::Stamp& gateway,
                                                    const LoadOptions& options);

}  // namespace boxgram::tools::bench
