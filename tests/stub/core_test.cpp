#include <gtest/gtest.h>

#include <boxgram/crypto/keys.hpp>
#include <boxgram/dns/record_text.hpp>
#include <boxgram/stub/core.hpp>

#include "dns/dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::stub {
namespace {

using namespace std::chrono_literals;

/// A stub whose only gateway never answers.
struct CoreTest : testing::Test {
  CoreTest() {
    auto made = std::make_shared<dns::ForwarderConfig>();
    made->upstreams = {{"gateway", true, true}};
    made->default_group = {0};
    dns::add_records("local.example 60 A 192.0.2.7\n", made->zone);
    GatewayConfig gateway;
    gateway.packets.pinned_key = crypto::generate_key_pair(rng).public_key;
    core.emplace(std::vector{gateway}, made, nullptr, rng, base::WallClock{now, 1'800'000'000'000},
                 now);
  }

  Core::Outcome ask(std::string_view name) {
    return core->query(now, {base::SocketAddress::v4(127, 0, 0, 1, 4000), {}, 0, 0},
                       test::query_for(name, 1), out);
  }

  base::Instant now = base::Instant{} + 1h;
  test::SeededRng rng{1};
  test::Octets out = test::Octets(65'535);
  std::optional<Core> core;
};

TEST_F(CoreTest, AnswersEvenWhenEveryPlaceIsTaken) {
  using Kind = Core::Outcome::Kind;
  for (int i = 0; i < 16'384; ++i)
    ASSERT_EQ(ask("n" + std::to_string(i % 16) + ".example").kind, Kind::pending);
  EXPECT_EQ(ask("local.example").kind, Kind::answered);
  EXPECT_EQ(ask("n0.example").kind, Kind::answered);
  EXPECT_EQ(base::load_be16(&out[2]) & 15, 2) << "SERVFAIL: too many wait";
  EXPECT_EQ(ask("another.example").kind, Kind::answered);
}

}  // namespace
}  // namespace boxgram::stub
