// What every test of this layer needs: a loop that runs until something has happened, but not for
// ever, and a plain socket as the peer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <asio/io_context.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boxgram/base/socket_address.hpp>
#include <boxgram/net/event_loop.hpp>

namespace boxgram::net {

inline base::SocketAddress loopback(std::uint16_t port = 0) {
  return base::SocketAddress::v4(127, 0, 0, 1, port);
}

inline base::SocketAddress loopback6(std::uint16_t port = 0) {
  base::SocketAddress address;
  address.ip[15] = 1;
  address.port = port;
  return address;
}

inline std::vector<std::uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

class LoopTest : public testing::Test {
 protected:
  /// Runs handlers until `done`, at most for `limit` (generous: a busy machine is no failure).
  bool run_until(const std::function<bool()>& done,
                 std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop_.io().restart();
      loop_.io().run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  /// Runs handlers for a while in which something must not happen.
  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }

  EventLoop loop_;
};

/// A non-blocking socket without any of the code under test.
class PlainSocket {
 public:
  PlainSocket(int type, const base::SocketAddress& remote = {}) {
    fd_ = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (remote.port != 0) {
      const auto name = sockaddr_of(remote);
      EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    } else {
      const auto name = sockaddr_of(loopback());
      EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    }
    fcntl(fd_, F_SETFL, O_NONBLOCK);
    const int buffer = 4 << 20;  // what a test sends at once must not be lost
    if (type == SOCK_DGRAM) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  ~PlainSocket() { close(); }
  PlainSocket(const PlainSocket&) = delete;
  PlainSocket& operator=(const PlainSocket&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] base::SocketAddress address() const {
    sockaddr_in name{};
    socklen_t size = sizeof name;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size);
    return loopback(ntohs(name.sin_port));
  }

  void send(std::string_view text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void send_to(std::string_view text, const base::SocketAddress& to) const {
    const auto name = sockaddr_of(to);
    EXPECT_EQ(sendto(fd_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&name),
                     sizeof name),
              static_cast<ssize_t>(text.size()));
  }

  /// Datagram sockets: appends what has arrived to `datagrams`.
  void receive() {
    char buffer[65536];
    for (;;) {
      sockaddr_in name{};
      socklen_t size = sizeof name;
      const auto n =
          recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&name), &size);
      if (n < 0) return;
      datagrams.emplace_back(buffer, static_cast<std::size_t>(n));
      const auto* b = reinterpret_cast<const std::uint8_t*>(&name.sin_addr);
      sender = base::SocketAddress::v4(b[0], b[1], b[2], b[3], ntohs(name.sin_port));
    }
  }

  /// Stream sockets: appends what has arrived to `stream`; sets `ended` and `broken`.
  void read() {
    char buffer[65536];
    for (;;) {
      const auto n = recv(fd_, buffer, sizeof buffer, 0);
      if (n > 0) {
        stream.append(buffer, static_cast<std::size_t>(n));
        continue;
      }
      ended = ended || n == 0;
      broken = broken || (n < 0 && errno != EAGAIN);
      return;
    }
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  std::vector<std::string> datagrams;
  base::SocketAddress sender;
  std::string stream;
  bool ended = false;
  bool broken = false;

 private:
  static sockaddr_in sockaddr_of(const base::SocketAddress& address) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    std::memcpy(&name.sin_addr, address.ip.data() + 12, 4);
    return name;
  }

  int fd_ = -1;
};

}  // namespace boxgram::net
