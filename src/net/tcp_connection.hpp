// One connection of a FramedTcpServer: its buffers and its books.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <asio/ip/tcp.hpp>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/base/time.hpp>

namespace boxgram::net {

struct TcpConnection {
  explicit TcpConnection(asio::ip::tcp::socket accepted) : socket(std::move(accepted)) {}

  asio::ip::tcp::socket socket;
  base::SocketAddress from;
  base::Handle handle = 0;
  base::Instant active{};       ///< last whole message in or byte out
  std::size_t outstanding = 0;  ///< messages that wait for their answer
  bool reading = false;         ///< a read is under way
  bool writing = false;         ///< a write is under way
  bool ended = false;           ///< no more messages will come in (peer's end, or a drain)
  bool delivering = false;      ///< the owner is being called
  bool resume_posted = false;

  /// A whole message at the front of what was read, if there is one.
  [[nodiscard]] std::optional<base::Bytes> message() const;
  /// The length that the front message announces, if its two bytes are here.
  [[nodiscard]] std::optional<std::size_t> announced() const;
  void drop_message(std::size_t size) { begin_ += 2 + size; }

  /// Where to read to: room for the rest of the message at the front, at least.
  base::MutableBytes room();
  void received(std::size_t size) { end_ += size; }

  void queue(base::Bytes message);
  [[nodiscard]] std::size_t unsent() const { return sending_.size() - sent_ + queued_.size(); }
  /// What to write now: call when no write is under way.
  base::Bytes to_write();
  void wrote(std::size_t size) { sent_ += size; }

 private:
  std::vector<std::uint8_t> in_;  // in_[begin_, end_) has been read and not been delivered
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::vector<std::uint8_t> sending_;  // not to be moved while a write is under way
  std::size_t sent_ = 0;
  std::vector<std::uint8_t> queued_;
};

}  // namespace boxgram::net
