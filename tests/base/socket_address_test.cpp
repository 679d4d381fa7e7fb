#include <gtest/gtest.h>

#include <boxgram/base/socket_address.hpp>

namespace boxgram::base {
namespace {

TEST(ParseSocketAddress, ReadsWhatToStringWrites) {
  for (const char* text : {"192.0.2.1:53", "[2001:db8::1]:5443", "127.0.0.1:65535", "[::]:1"}) {
    const auto address = parse_socket_address(text, 0);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), text);
  }
}

TEST(ParseSocketAddress, FillsInTheDefaultPort) {
  EXPECT_EQ(parse_socket_address("192.0.2.1", 53)->port, 53);
  EXPECT_EQ(parse_socket_address("2001:db8::1", 53)->port, 53);
  EXPECT_EQ(parse_socket_address("[2001:db8::1]", 53)->port, 53);
  EXPECT_EQ(parse_socket_address("192.0.2.1:54", 53)->port, 54);
}

TEST(ParseSocketAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text : {"", "example.com:53", "192.0.2.1:0", "192.0.2.1:65536",
                           "192.0.2.1:", "192.0.2.1:5x", "[::1", "[::1]x", "[::1]:", "192.0.2:53",
                           "1.2.3.4.5:1", "192.0.2.1:+53", "[192.0.2.1:53"}) {
    const auto address = parse_socket_address(text, 0);
    ASSERT_FALSE(address) << text;
    EXPECT_FALSE(address.error().empty());
  }
  EXPECT_FALSE(parse_socket_address("192.0.2.1", 0)) << "the port is required without a default";
}

TEST(ParseListenAddress, TakesPortZeroWhereItIsAPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:0", 53)->port, 0);
  EXPECT_EQ(parse_listen_address("[::1]:0", 53)->port, 0);
  EXPECT_EQ(parse_listen_address("127.0.0.1:10", 53)->port, 10);
  EXPECT_EQ(parse_listen_address("2001:db8::0", 53)->port, 53) << "an address, no port";
  EXPECT_FALSE(parse_listen_address("example:0", 53));
}

TEST(SocketAddress, KnowsItsKind) {
  EXPECT_TRUE(parse_socket_address("127.9.9.9", 1)->is_loopback());
  EXPECT_TRUE(parse_socket_address("::1", 1)->is_loopback());
  EXPECT_FALSE(parse_socket_address("128.0.0.1", 1)->is_loopback());
  EXPECT_TRUE(parse_socket_address("0.0.0.0", 1)->is_unspecified());
  EXPECT_TRUE(parse_socket_address("::", 1)->is_unspecified());
  EXPECT_FALSE(parse_socket_address("::2", 1)->is_unspecified());
  EXPECT_TRUE(SocketAddress::v4(10, 0, 0, 1, 9).is_v4());
}

TEST(SocketAddress, PrefixIsTheAddressForV4And56BitsForV6) {
  EXPECT_NE(parse_ip("192.0.2.1"), parse_ip("192.0.2.2"));
  EXPECT_EQ(parse_socket_address("192.0.2.1", 1)->prefix(), *parse_ip("192.0.2.1"));
  EXPECT_EQ(parse_socket_address("2001:db8:1:1ff::9", 1)->prefix(), *parse_ip("2001:db8:1:100::"));
}

}  // namespace
}  // namespace boxgram::base
