#include <gtest/gtest.h>

#include <boxgram/net/system_resolvers.hpp>

namespace boxgram::net {
namespace {

std::vector<std::string> names(const SystemResolvers& resolvers) {
  std::vector<std::string> result;
  for (const auto& server : resolvers.servers) result.push_back(to_string(server));
  return result;
}

using Names = std::vector<std::string>;

TEST(ParseResolvConf, TakesNameserversInOrderAndOnce) {
  const auto result = parse_resolv_conf(
      "# made by hand\n"
      "search example.org\n"
      "nameserver 192.0.2.1\n"
      "  nameserver\t2001:db8::53  # trailing\r\n"
      "options edns0 nameserver 192.0.2.9\n"
      "nameserver 192.0.2.1\n"
      "nameserver 192.0.2.2");
  EXPECT_EQ(names(result), (Names{"192.0.2.1:53", "[2001:db8::53]:53", "192.0.2.2:53"}));
  EXPECT_TRUE(result.ignored.empty());
}

TEST(ParseResolvConf, ReportsWhatItCannotUse) {
  const auto result = parse_resolv_conf(
      "nameserver fe80::1%eth0\nnameserver\nnameserver ns.example.org\nnameserver 1.2.3\n"
      "#nameserver 192.0.2.7\n;nameserver 192.0.2.8\nnameservers 192.0.2.9\n");
  EXPECT_TRUE(result.servers.empty());
  EXPECT_EQ(result.ignored.size(), 4u);
}

TEST(ParseResolvConf, LeavesOutOurOwnAddresses) {
  const auto own = base::SocketAddress::v4(127, 0, 0, 53, 53);
  const auto other_port = base::SocketAddress::v4(192, 0, 2, 1, 5300);
  const auto result = parse_resolv_conf("nameserver 127.0.0.53\nnameserver 192.0.2.1\n",
                                        std::vector{own, other_port});
  EXPECT_EQ(names(result), Names{"192.0.2.1:53"});
  EXPECT_EQ(result.ignored.size(), 1u);
}

TEST(ParseResolvConf, AnOwnUnspecifiedAddressMeansEveryLoopbackOfItsFamily) {
  const auto own = base::SocketAddress::v4(0, 0, 0, 0, 53);
  const auto result = parse_resolv_conf(
      "nameserver 127.0.0.1\nnameserver ::1\nnameserver 192.0.2.1\n", std::vector{own});
  EXPECT_EQ(names(result), (Names{"[::1]:53", "192.0.2.1:53"}));
}

TEST(ParseResolvConf, EmptyTextHasNone) {
  EXPECT_TRUE(parse_resolv_conf("").servers.empty());
  EXPECT_TRUE(parse_resolv_conf("\n\n\0nameserver").servers.empty());
}

TEST(SystemResolvers, AMissingFileIsAClearError) {
  const auto result = system_resolvers({}, "/nonexistent/resolv.conf");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find("/nonexistent/resolv.conf"), std::string::npos);
}

}  // namespace
}  // namespace boxgram::net
