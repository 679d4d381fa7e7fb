// The sending half of a UDP socket: datagrams are gathered, then leave in trains.
#pragma once

#include <array>
#include <span>
#include <vector>

#include <boxgram/net/udp_socket.hpp>

#include "mapped_memory.hpp"
#include "sockaddr.hpp"

namespace boxgram::net {

/// Datagrams stand one behind the other in the arena, so that a train of neighbours is one piece of
/// memory for the kernel.
class TransmitArena {
 public:
  /// Four trains of the kernel's 64 datagrams; 308 KiB of sealed datagrams stay in the second-level
  /// cache.
  static constexpr std::size_t kDatagrams = 256;

  TransmitArena(int fd, std::size_t max_datagram, bool connected);

  [[nodiscard]] bool full() const {
    return datagrams_.size() == kDatagrams || end_ + max_datagram_ > memory_.size();
  }
  [[nodiscard]] bool empty() const { return datagrams_.empty(); }
  [[nodiscard]] base::MutableBytes next() { return {memory_.data() + end_, max_datagram_}; }
  void commit(const base::SocketAddress& to, std::size_t size, const base::SocketAddress& local,
              UdpCounters& counters);

  /// Sends all and is empty afterwards. Returns the errno to report, 0 for none.
  int flush(UdpCounters& counters);

  [[nodiscard]] bool sends_trains() const { return trains_allowed_; }

 private:
  static constexpr std::uint16_t kNone = 0xffff;

  struct Entry {
    std::uint32_t offset;
    std::uint16_t size;
    std::uint16_t next;  // in its train
  };
  struct Train {
    base::SocketAddress to;
    base::SocketAddress local;
    std::uint32_t bytes;
    std::uint16_t segment;
    std::uint16_t count;
    std::uint16_t first;
    std::uint16_t last;
    bool closed;
  };
  struct Batch;

  bool append(std::uint16_t train, std::uint16_t entry);
  [[nodiscard]] std::size_t bucket(const base::SocketAddress& to) const;
  void prepare(Batch& batch, std::size_t first, std::size_t count);
  int prepare_control(std::uint8_t* out, const Train& train, bool segmented) const;
  /// False: the kernel is full, nothing more can leave now.
  bool send_batch(Batch& batch, std::size_t first, std::size_t count, UdpCounters& counters);
  bool send_singly(const Train& train, int why, UdpCounters& counters);
  void fail(int error, const Train& train, UdpCounters& counters);
  void sent(const Train& train, UdpCounters& counters);

  int fd_;
  std::size_t max_datagram_;
  bool connected_;
  bool trains_allowed_;
  int error_ = 0;
  std::size_t end_ = 0;
  MappedMemory memory_;
  std::vector<Entry> datagrams_;
  std::vector<Train> trains_;
  // The newest train of each destination, by hash; a collision only ends a train early.
  std::array<std::uint16_t, 64> newest_;
};

}  // namespace boxgram::net
