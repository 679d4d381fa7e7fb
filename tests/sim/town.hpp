// Two gateways with their resolvers and one stub that knows both.
#pragma once

#include <algorithm>

#include <gtest/gtest.h>

#include "sim/dns_nodes.hpp"

namespace boxgram::sim {

inline const auto kFirst = SocketAddress::v4(192, 0, 2, 1, 5443);
inline const auto kSecond = SocketAddress::v4(198, 51, 100, 1, 5443);
inline const auto kStub = SocketAddress::v4(203, 0, 113, 7, 40000);

struct Town {
  explicit Town(std::uint64_t seed, const LinkOptions& link = {}, bool stub_cache = false,
                const DnsGatewayOptions& options = {}, std::int64_t clock_error_ms = 0)
      : world(seed, link),
        first(options, seed * 100 + 1),
        second(options, seed * 100 + 2),
        stub(world, {{kFirst, &first}, {kSecond, &second}}, stub_cache, seed * 100 + 3,
             clock_error_ms) {
    world.add(first, kFirst);
    world.add(second, kSecond);
    world.add(stub, kStub);
  }

  /// `count` queries for different names, one every `gap`; the answers have the sizes given, in
  /// turn.
  void traffic(std::uint32_t count, Duration gap, const std::vector<std::size_t>& sizes = {40}) {
    for (std::uint32_t i = 0; i < count; ++i)
      world.after(gap * i, [this, n = next + i, size = sizes[i % sizes.size()]] {
        stub.ask(world, n, size, size > 1000);
      });
    world.run_for(gap * count + 3100ms);
    next += count;
  }

  /// Every query has exactly one answer, within 3 s, and none is wrong.
  void expect_sound() const {
    for (const auto& q : stub.queries()) {
      ASSERT_EQ(q.answers, 1u);
      ASSERT_LE(q.took, 3s);
      ASSERT_FALSE(q.wrong);
    }
    EXPECT_EQ(first.amplified() + second.amplified(), 0u);
  }

  std::size_t good_since(std::size_t from = 0) const {
    return static_cast<std::size_t>(
        std::count_if(stub.queries().begin() + static_cast<std::ptrdiff_t>(from),
                      stub.queries().end(), [](const auto& q) { return q.has_data; }));
  }
  Duration median_since(std::size_t from) const {
    std::vector<Duration> took;
    for (std::size_t i = from; i < stub.queries().size(); ++i)
      took.push_back(stub.queries()[i].took);
    std::sort(took.begin(), took.end());
    return took[took.size() / 2];
  }

  World world;
  DnsGatewayNode first;
  DnsGatewayNode second;
  StubNode stub;
  std::uint32_t next = 0;
};

}  // namespace boxgram::sim
