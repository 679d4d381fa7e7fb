#include "transmit_arena.hpp"

#include <algorithm>
#include <cerrno>

#include <netinet/udp.h>

#include <boxgram/base/check.hpp>

namespace boxgram::net {
namespace {

// The kernel's UDP_MAX_SEGMENTS before 6.9, and what one IP packet can carry.
constexpr std::size_t kTrainDatagrams = 64;
constexpr std::size_t kTrainBytes = 65'000;

// Each datagram of a train must fit the path whole: 1,280 (IPv6's least MTU) less 48 of headers.
constexpr std::size_t kLargestSegment = 1'232;

constexpr std::size_t kBatchMessages = 64;
constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(2);

bool no_room(int error) {
  return error == EAGAIN || error == ENOBUFS || error == ENOMEM;
}

// What kernels and drivers say when they cannot send a train.
bool refuses_trains(int error) {
  return error == EIO || error == EINVAL || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

// An ICMP message about an earlier datagram: reading it has cleared it, this one was not tried.
bool about_earlier(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH;
}

bool kernel_has_trains(int fd) {
  // Without this question an old kernel would ignore the control message and send a train as one
  // huge datagram.
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &value, &size) == 0;
}

}  // namespace

struct TransmitArena::Batch {
  std::array<mmsghdr, kBatchMessages> headers;
  std::array<Sockaddr, kBatchMessages> names;
  std::array<iovec, kDatagrams> pieces;
  alignas(cmsghdr) std::array<std::array<std::uint8_t, kControlSize>, kBatchMessages> control;
};

TransmitArena::TransmitArena(int fd, std::size_t max_datagram, bool connected)
    : fd_(fd),
      max_datagram_(max_datagram),
      connected_(connected),
      trains_allowed_(kernel_has_trains(fd)),
      memory_(kDatagrams * max_datagram) {
  newest_.fill(kNone);
}

std::size_t TransmitArena::bucket(const base::SocketAddress& to) const {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::memcpy(&a, to.ip.data(), 8);
  std::memcpy(&b, to.ip.data() + 8, 8);
  return static_cast<std::size_t>((a ^ b ^ std::uint64_t{to.port} << 40) * 0x9e3779b97f4a7c15 >>
                                  58);
}

void TransmitArena::commit(const base::SocketAddress& to, std::size_t size,
                           const base::SocketAddress& local, UdpCounters& counters) {
  BOXGRAM_CHECK(size <= max_datagram_ && !full());
  if (to.port == 0 && !connected_) {  // a forged source; the kernel would say EINVAL
    ++counters.send_errors;
    return;
  }
  const auto entry = static_cast<std::uint16_t>(datagrams_.size());
  datagrams_.push_back({static_cast<std::uint32_t>(end_), static_cast<std::uint16_t>(size), kNone});
  end_ += size;
  const bool may_join = trains_allowed_ && size > 0 && size <= kLargestSegment;
  auto& newest = newest_[connected_ ? 0 : bucket(to)];
  if (may_join && newest != kNone) {
    const auto& train = trains_[newest];
    if ((connected_ || (train.to == to && train.local == local)) && append(newest, entry)) return;
  }
  newest = static_cast<std::uint16_t>(trains_.size());
  trains_.push_back({to, local, static_cast<std::uint32_t>(size), static_cast<std::uint16_t>(size),
                     1, entry, entry, !may_join});
}

bool TransmitArena::append(std::uint16_t index, std::uint16_t entry) {
  auto& train = trains_[index];
  const auto size = datagrams_[entry].size;
  if (train.closed || size > train.segment || train.count == kTrainDatagrams ||
      train.bytes + size > kTrainBytes)
    return false;
  datagrams_[train.last].next = entry;
  train.last = entry;
  train.bytes += size;
  ++train.count;
  train.closed = size < train.segment;  // only the last datagram of a train may be shorter
  return true;
}

int TransmitArena::flush(UdpCounters& counters) {
  error_ = 0;
  if (datagrams_.empty()) return 0;
  Batch batch;
  for (std::size_t first = 0; first < trains_.size(); first += kBatchMessages) {
    const auto count = std::min(kBatchMessages, trains_.size() - first);
    prepare(batch, first, count);
    if (send_batch(batch, first, count, counters)) continue;
    for (auto i = first + kBatchMessages; i < trains_.size(); ++i)
      counters.dropped_out += trains_[i].count;
    break;
  }
  datagrams_.clear();
  trains_.clear();
  newest_.fill(kNone);
  end_ = 0;
  return error_;
}

void TransmitArena::prepare(Batch& batch, std::size_t first, std::size_t count) {
  std::size_t piece = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& train = trains_[first + i];
    auto& header = batch.headers[i].msg_hdr;
    header = {};
    if (!connected_) {
      header.msg_namelen = to_sockaddr(train.to, batch.names[i]);
      header.msg_name = &batch.names[i];
    }
    header.msg_iov = &batch.pieces[piece];
    for (auto e = train.first; e != kNone; e = datagrams_[e].next) {
      auto* data = memory_.data() + datagrams_[e].offset;
      auto& last = batch.pieces[piece == 0 ? 0 : piece - 1];
      if (e != train.first && static_cast<std::uint8_t*>(last.iov_base) + last.iov_len == data)
        last.iov_len += datagrams_[e].size;
      else
        batch.pieces[piece++] = {data, datagrams_[e].size};
    }
    header.msg_iovlen = static_cast<std::size_t>(&batch.pieces[piece] - header.msg_iov);
    const auto control = prepare_control(batch.control[i].data(), train, train.count > 1);
    if (control > 0) {
      header.msg_control = batch.control[i].data();
      header.msg_controllen = static_cast<std::size_t>(control);
    }
  }
}

int TransmitArena::prepare_control(std::uint8_t* out, const Train& train, bool segmented) const {
  std::size_t used = 0;
  const auto put = [&](int level, int type, const void* value, std::size_t size) {
    auto* c = reinterpret_cast<cmsghdr*>(out + used);
    std::memset(out + used, 0, CMSG_SPACE(size));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(c), value, size);
    used += CMSG_SPACE(size);
  };
  if (segmented) put(SOL_UDP, UDP_SEGMENT, &train.segment, sizeof train.segment);
  if (!train.local.is_unspecified()) {
    if (train.local.is_v4()) {
      in_pktinfo info{};
      std::memcpy(&info.ipi_spec_dst, train.local.ip.data() + 12, 4);
      put(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
      in6_pktinfo info{};
      std::memcpy(&info.ipi6_addr, train.local.ip.data(), 16);
      info.ipi6_ifindex = train.local.scope;
      put(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
  }
  return static_cast<int>(used);
}

bool TransmitArena::send_batch(Batch& batch, std::size_t first, std::size_t count,
                               UdpCounters& counters) {
  bool retried = false;
  for (std::size_t i = 0; i < count;) {
    const auto& train = trains_[first + i];
    const int n = sendmmsg(fd_, &batch.headers[i], static_cast<unsigned>(count - i), 0);
    ++counters.send_calls;
    if (n > 0) {
      for (int k = 0; k < n; ++k) sent(trains_[first + i++], counters);
      retried = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (no_room(error)) {
      for (; i < count; ++i) counters.dropped_out += trains_[first + i].count;
      return false;
    }
    if (about_earlier(error) && !retried) {
      error_ = error;
      retried = true;
      continue;
    }
    if (train.count > 1 && (refuses_trains(error) || error == EMSGSIZE)) {
      if (!send_singly(train, error, counters)) {
        for (++i; i < count; ++i) counters.dropped_out += trains_[first + i].count;
        return false;
      }
    } else {
      fail(error, train, counters);
    }
    retried = false;
    ++i;
  }
  return true;
}

bool TransmitArena::send_singly(const Train& train, int why, UdpCounters& counters) {
  Sockaddr name;
  alignas(cmsghdr) std::array<std::uint8_t, kControlSize> control;
  msghdr header{};
  if (!connected_) {
    header.msg_namelen = to_sockaddr(train.to, name);
    header.msg_name = &name;
  }
  header.msg_controllen = static_cast<std::size_t>(prepare_control(control.data(), train, false));
  header.msg_control = header.msg_controllen > 0 ? control.data() : nullptr;
  Train one = train;
  one.count = 1;
  unsigned left = train.count;
  for (auto e = train.first; e != kNone; e = datagrams_[e].next, --left) {
    iovec piece{memory_.data() + datagrams_[e].offset, datagrams_[e].size};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    one.bytes = datagrams_[e].size;
    ++counters.send_calls;
    if (sendmsg(fd_, &header, 0) >= 0) {
      // A whole segment travels alone, so it was the train that was refused, not its address nor
      // its size: a peer behind a narrow path must not cost all others their trains.
      if (refuses_trains(why) && one.bytes == train.segment) trains_allowed_ = false;
      sent(one, counters);
    } else if (no_room(errno)) {
      counters.dropped_out += left;
      return false;
    } else {
      fail(errno, one, counters);
    }
  }
  return true;
}

void TransmitArena::sent(const Train& train, UdpCounters& counters) {
  counters.datagrams_out += train.count;
  counters.bytes_out += train.bytes;
  if (train.count > 1) ++counters.trains_out;
}

void TransmitArena::fail(int error, const Train& train, UdpCounters& counters) {
  counters.send_errors += train.count;
  error_ = error;
}

}  // namespace boxgram::net
