#include "boxgram/dht/seeds.hpp"

#include <gtest/gtest.h>

#include <boxgram/packet/stamp.hpp>

namespace boxgram::tools {
namespace {

packet::Stamp node_stamp() {
  packet::Stamp stamp;
  stamp.pinned.emplace();
  stamp.pinned->fill(7);
  stamp.address = base::SocketAddress::v4(198, 51, 100, 7, 5444);
  return stamp;
}

base::expected<Seeds, std::string> read(const std::vector<std::string>& texts) {
  std::vector<std::string> unknown;
  auto seeds = read_seeds(texts, unknown);
  EXPECT_TRUE(unknown.empty());
  return seeds;
}

TEST(Seeds, StampsAreSealedNodesWithTheirIds) {
  const auto seeds = read({packet::encode_stamp(node_stamp())});
  ASSERT_TRUE(seeds && seeds->sealed.size() == 1 && seeds->mainline.empty());
  const dht::RemoteNode& node = seeds->sealed[0];
  EXPECT_EQ(node.key, *node_stamp().pinned);
  EXPECT_EQ(node.id, dht::sealed_id(node.key, node.address));
}

TEST(Seeds, AddressesAreNodesOfMainlineWithoutIds) {
  const auto seeds = read({"192.0.2.1:6881", "[2001:db8::1]:6881"});
  ASSERT_TRUE(seeds && seeds->mainline.size() == 2 && seeds->sealed.empty());
  EXPECT_EQ(to_string(seeds->mainline[1].address), "[2001:db8::1]:6881");
  EXPECT_EQ(seeds->mainline[0].id, dht::NodeId{});
}

TEST(Seeds, HostsAreLookedUp) {
  const auto seeds = read({"localhost:6881"});
  ASSERT_TRUE(seeds && !seeds->mainline.empty());
  for (const auto& node : seeds->mainline) {
    EXPECT_TRUE(node.address.is_loopback());
    EXPECT_EQ(node.address.port, 6881);
  }
}

TEST(Seeds, AHostThatIsNotThereTodayIsNoError) {
  // A label of 64 characters is one too long, so that nobody need be asked.
  const std::string nowhere = std::string(64, 'x') + ":6881";
  std::vector<std::string> unknown;
  const auto seeds = read_seeds(std::vector<std::string>{nowhere}, unknown);
  ASSERT_TRUE(seeds);
  EXPECT_TRUE(seeds->mainline.empty());
  EXPECT_EQ(unknown, std::vector<std::string>{nowhere});
}

TEST(Seeds, WhatCannotBeANodeIsAnError) {
  packet::Stamp gateway = node_stamp();
  gateway.pinned.reset();
  gateway.identity.emplace();
  for (const auto& text :
       {std::string("192.0.2.1"), std::string("192.0.2.1:0"), std::string("localhost"),
        std::string("localhost:70000"), std::string("localhost:"), std::string(":6881"),
        std::string("a b:6881"), std::string(), std::string("boxgram://"),
        packet::encode_stamp(gateway)}) {
    const auto seeds = read({text});
    EXPECT_FALSE(seeds) << text;
    EXPECT_TRUE(seeds || !seeds.error().empty());
  }
}

TEST(Seeds, LocalMeansAllOfThem) {
  EXPECT_FALSE(all_local({}));
  EXPECT_TRUE(all_local(*read({"127.0.0.1:1", "10.0.0.1:1"})));
  EXPECT_FALSE(all_local(*read({"127.0.0.1:1", "192.0.2.1:1"})));
}

}  // namespace
}  // namespace boxgram::tools
