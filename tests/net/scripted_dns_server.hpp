// A DNS server that answers what the test says, on UDP and TCP of one port.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boxgram/net/framed_tcp.hpp>
#include <boxgram/net/udp_socket.hpp>

#include "loop_test.hpp"

namespace boxgram::net {

/// One question of type TXT, then a bare 11-byte OPT record (1,232 bytes).
inline std::string dns_query(std::uint16_t id, std::string_view name) {
  std::string query = {
      static_cast<char>(id >> 8), static_cast<char>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  while (!name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    query += static_cast<char>(dot);
    query += name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  query.append("\0\0\x10\0\1", 5);
  query.append("\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
  return query;
}

/// The question back, with QR set, filled up to `size` bytes with an OPT record's data.
inline std::string dns_answer(std::string_view query, std::size_t size = 0) {
  const bool has_opt = query[11] == 1;
  std::string answer(query.substr(0, query.size() - (has_opt ? 11 : 0)));
  answer[2] = static_cast<char>(0x81);
  answer[3] = static_cast<char>(0x80);
  answer[11] = 1;
  const auto data = size > answer.size() + 11 ? size - answer.size() - 11 : 0;
  answer.append("\0\0\x29\x04\xd0\0\0\0\0", 9);
  answer += static_cast<char>(data >> 8);
  answer += static_cast<char>(data & 0xff);
  answer.append(data, '\0');
  return answer;
}

inline std::string dns_truncated(std::string_view query) {
  auto answer = dns_answer(query);
  answer[2] = static_cast<char>(answer[2] | 2);
  return answer;
}

class ScriptedDnsServer {
 public:
  explicit ScriptedDnsServer(EventLoop& loop, const base::SocketAddress& address = loopback())
      : loop_(loop) {
    for (int attempt = 0; attempt < 20 && !tcp_; ++attempt) open(address);
    EXPECT_TRUE(tcp_) << "no port is free for UDP and TCP";
  }

  [[nodiscard]] const base::SocketAddress& address() const { return udp_->local_address(); }

  /// Keeps a UDP query unanswered until release_held().
  std::string hold(std::string_view query, std::size_t size = 0) {
    held_.push_back({from_, dns_answer(query, size)});
    return {};
  }
  void release_held() {
    for (const auto& [to, answer] : held_) put(to, answer);
    held_.clear();
    udp_->flush();
  }

  /// The answer to a query; empty for none.
  std::function<std::string(std::string_view query, bool tcp)> script =
      [](std::string_view query, bool) { return dns_answer(query); };

  bool close_after_answer = false;
  std::vector<std::string> queries;
  std::size_t tcp_queries = 0;
  std::set<std::uint16_t> ports;

 private:
  struct Held {
    base::SocketAddress to;
    std::string answer;
  };

  void open(const base::SocketAddress& address) {
    UdpHandlers handlers;
    handlers.on_batch = [this](std::span<const Datagram> batch) {
      for (const auto& datagram : batch) {
        from_ = datagram.from;
        ports.insert(from_.port);
        queries.emplace_back(base::as_text(datagram.data));
        put(datagram.from, script(std::string(base::as_text(datagram.data)), false));
      }
    };
    UdpOptions options;
    options.max_datagram = 65'507;
    auto udp = UdpSocket::bind(loop_.io(), address, options, handlers);
    ASSERT_TRUE(udp) << udp.error();
    FramedTcpHandlers tcp_handlers;
    tcp_handlers.on_message = [this](base::Handle handle, const base::SocketAddress&,
                                     base::Bytes bytes) {
      ++tcp_queries;
      queries.emplace_back(base::as_text(bytes));
      const auto answer = script(base::as_text(bytes), true);
      if (answer.empty())
        tcp_->no_answer(handle);
      else
        tcp_->send(handle, base::as_bytes(answer));
      if (close_after_answer) tcp_->close(handle);
    };
    auto tcp = FramedTcpServer::listen(loop_.io(), udp->local_address(), {}, tcp_handlers);
    if (!tcp) return;
    udp_.emplace(std::move(*udp));
    tcp_.emplace(std::move(*tcp));
  }

  void put(const base::SocketAddress& to, const std::string& answer) {
    if (answer.empty()) return;
    const auto room = udp_->next();
    std::copy(answer.begin(), answer.end(), room.begin());
    udp_->commit(to, answer.size());
  }

  EventLoop& loop_;
  std::optional<UdpSocket> udp_;
  std::optional<FramedTcpServer> tcp_;
  base::SocketAddress from_;
  std::vector<Held> held_;
};

}  // namespace boxgram::net
