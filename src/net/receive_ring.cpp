#include "receive_ring.hpp"

#include <algorithm>
#include <cerrno>

#include <netinet/udp.h>

namespace boxgram::net {
namespace {

// A train is at most one IP packet long. Without trains 4,096 bytes are enough: no DNS query and no
// sealed datagram is longer, and 64 KiB for each message would only spread the cache.
constexpr std::size_t kTrainSlot = 65'536;
constexpr std::size_t kPlainSlot = 4'096;

// Slots one after another at a power of two would all compete for the same cache lines.
constexpr std::size_t kStagger = 1'344;

std::size_t slot_size(bool trains) {
  return trains ? kTrainSlot : kPlainSlot;
}

}  // namespace

ReceiveRing::ReceiveRing(bool trains, bool destinations)
    : slot_size_(slot_size(trains)),
      control_size_(trains || destinations ? sizeof(Message::control) : 0),
      memory_(kMessages * (slot_size_ + kStagger)) {
  for (std::size_t i = 0; i < kMessages; ++i) {
    pieces_[i] = {memory_.data() + i * (slot_size_ + kStagger), slot_size_};
    auto& header = headers_[i].msg_hdr;
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
    header.msg_name = &messages_[i].name;
    header.msg_control = control_size_ > 0 ? messages_[i].control.data() : nullptr;
  }
  datagrams_.reserve(kMessages);
}

void ReceiveRing::reset(std::size_t index) {
  auto& header = headers_[index].msg_hdr;
  header.msg_namelen = sizeof(Sockaddr);
  header.msg_controllen = control_size_;
  header.msg_flags = 0;
}

int ReceiveRing::receive(int fd, UdpCounters& counters) {
  for (std::size_t i = 0; i < used_; ++i) reset(i);
  used_ = 0;
  datagrams_.clear();
  const int count = recvmmsg(fd, headers_.data(), kMessages, MSG_DONTWAIT, nullptr);
  if (count < 0) return -errno;
  used_ = static_cast<std::size_t>(count);
  ++counters.receive_calls;
  for (std::size_t i = 0; i < used_; ++i) take_apart(i, counters);
  counters.datagrams_in += datagrams_.size();
  return count;
}

void ReceiveRing::take_apart(std::size_t index, UdpCounters& counters) {
  auto& header = headers_[index].msg_hdr;
  const std::size_t size = headers_[index].msg_len;
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    ++counters.too_long_in;
    return;
  }
  counters.bytes_in += size;
  Datagram datagram;
  datagram.from = from_sockaddr(messages_[index].name);
  std::size_t segment = size;
  for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
      int value = 0;
      std::memcpy(&value, CMSG_DATA(c), sizeof value);
      if (value > 0) segment = static_cast<std::size_t>(value);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      datagram.local = from_v4(info.ipi_spec_dst, 0);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      // The index matters for link-local addresses only; for others it would pin the reply's route.
      const bool link_local = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr);
      datagram.local = from_v6(info.ipi6_addr, 0, link_local ? info.ipi6_ifindex : 0);
    }
  }
  auto* data = static_cast<std::uint8_t*>(pieces_[index].iov_base);
  if (segment < size) ++counters.trains_in;
  std::size_t offset = 0;
  do {  // at least once: an empty datagram is one, too
    const auto length = std::min(segment, size - offset);
    datagram.data = {data + offset, length};
    datagrams_.push_back(datagram);
    offset += length;
  } while (offset < size);
}

}  // namespace boxgram::net
