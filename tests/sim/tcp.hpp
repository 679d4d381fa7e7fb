// TCP for a World: bytes arrive in their order or not at all, late, in other pieces than they were
// written in, as fast as the reader reads; connections may be cut at any byte.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/world.hpp"

namespace boxgram::sim {

struct TcpOptions {
  Duration delay = 10ms;
  Duration jitter = 0ms;
  std::size_t window = 64 * 1024;  ///< of one direction: what is under way or unread
  std::size_t segment = 1460;
  std::uint32_t reset = 0;  ///< a chance in thousandths for each segment: both ends lose it
};

class TcpNetwork;

/// One end of a connection, as its owner's socket. Gone when the owner lets it go: the other end
/// sees an orderly end then, or a reset if the owner said abort().
class TcpEnd {
 public:
  ~TcpEnd();
  TcpEnd(const TcpEnd&) = delete;
  TcpEnd& operator=(const TcpEnd&) = delete;

  /// How much was taken; the rest when `wake` is called again.
  std::size_t write(base::Bytes bytes);
  /// How much was there.
  std::size_t read(base::MutableBytes room);
  /// The other end has ended, and all that it wrote was read; or the connection was cut.
  [[nodiscard]] bool ended() const;
  /// No byte follows.
  void finish();
  void abort();

  /// Something may be read or written, or it has ended. Called by the world, never from inside.
  std::function<void()> wake;

 private:
  friend class TcpNetwork;
  struct Shared;
  TcpEnd(TcpNetwork& network, std::shared_ptr<Shared> shared, std::size_t side)
      : network_(network), shared_(std::move(shared)), side_(side) {}

  TcpNetwork& network_;
  std::shared_ptr<Shared> shared_;
  std::size_t side_;
};

class TcpNetwork {
 public:
  /// Gives the accepted end, or lets it go.
  using Accept = std::function<void(std::unique_ptr<TcpEnd>, const SocketAddress& from)>;

  TcpNetwork(World& world, const TcpOptions& options) : world_(world), options_(options) {}

  void listen(Accept accept) { accept_ = std::move(accept); }
  /// `done` gets the open end after a round trip, or nothing.
  void connect(const SocketAddress& from, std::function<void(std::unique_ptr<TcpEnd>)> done);

  /// From now on, for all connections.
  void set_options(const TcpOptions& options) { options_ = options; }
  [[nodiscard]] const TcpOptions& options() const { return options_; }
  /// Nobody can connect.
  void refuse(bool refused) { refused_ = refused; }

  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] std::uint64_t bytes_carried() const { return bytes_carried_; }
  [[nodiscard]] std::uint64_t resets() const { return resets_; }

 private:
  friend class TcpEnd;
  Duration delay();
  void send_segment(const std::shared_ptr<TcpEnd::Shared>& shared, std::size_t to,
                    std::vector<std::uint8_t> bytes, bool last);
  static void notify(TcpEnd::Shared& shared, std::size_t side);
  void cut(const std::shared_ptr<TcpEnd::Shared>& shared);
  void wake(const std::shared_ptr<TcpEnd::Shared>& shared, std::size_t side, Duration after);

  World& world_;
  TcpOptions options_;
  Accept accept_;
  bool refused_ = false;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325;
  std::uint64_t bytes_carried_ = 0;
  std::uint64_t resets_ = 0;
};

}  // namespace boxgram::sim
