// The receiving half of a UDP socket: 32 messages in one system call, trains taken apart.
#pragma once

#include <array>
#include <span>
#include <vector>

#include <boxgram/net/udp_socket.hpp>

#include "mapped_memory.hpp"
#include "sockaddr.hpp"

namespace boxgram::net {

class ReceiveRing {
 public:
  static constexpr std::size_t kMessages = 32;

  /// `trains`: UDP_GRO is on; `destinations`: IP_PKTINFO or IPV6_RECVPKTINFO is on.
  ReceiveRing(bool trains, bool destinations);

  /// One recvmmsg. Returns how many messages came, or -errno. The datagrams are those of this call.
  int receive(int fd, UdpCounters& counters);

  [[nodiscard]] std::span<const Datagram> datagrams() const { return datagrams_; }

 private:
  struct Message {
    Sockaddr name;
    alignas(cmsghdr) std::array<std::uint8_t, 96> control;
  };

  void reset(std::size_t index);
  void take_apart(std::size_t index, UdpCounters& counters);

  std::size_t slot_size_;
  std::size_t control_size_;
  std::size_t used_ = kMessages;  // messages that the last call has changed
  MappedMemory memory_;
  std::array<mmsghdr, kMessages> headers_{};
  std::array<iovec, kMessages> pieces_{};
  std::array<Message, kMessages> messages_{};
  std::vector<Datagram> datagrams_;
};

}  // namespace boxgram::net
