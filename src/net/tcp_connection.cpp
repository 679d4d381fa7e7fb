#include "tcp_connection.hpp"

#include <algorithm>
#include <cstring>

namespace boxgram::net {
namespace {

// Enough for a burst of usual queries; a longer message makes it grow while it lasts.
constexpr std::size_t kUsualRoom = 2048;

}  // namespace

std::optional<std::size_t> TcpConnection::announced() const {
  if (end_ - begin_ < 2) return std::nullopt;
  return base::load_be16(&in_[begin_]);
}

std::optional<base::Bytes> TcpConnection::message() const {
  const auto size = announced();
  if (!size || end_ - begin_ < 2 + *size) return std::nullopt;
  return base::Bytes(in_.data() + begin_ + 2, *size);
}

base::MutableBytes TcpConnection::room() {
  const auto held = end_ - begin_;
  if (begin_ > 0 && held > 0) std::memmove(in_.data(), in_.data() + begin_, held);
  begin_ = 0;
  end_ = held;
  const auto size = announced();
  const auto wanted = std::max(kUsualRoom, size ? 2 + *size : 0);
  if (held == 0 && in_.size() > kUsualRoom) std::vector<std::uint8_t>().swap(in_);
  if (in_.size() < wanted || in_.size() == end_) in_.resize(std::max(wanted, end_ + kUsualRoom));
  return {in_.data() + end_, in_.size() - end_};
}

void TcpConnection::queue(base::Bytes message) {
  std::uint8_t length[2];
  base::store_be16(length, static_cast<std::uint16_t>(message.size()));
  queued_.insert(queued_.end(), length, length + 2);
  queued_.insert(queued_.end(), message.begin(), message.end());
}

base::Bytes TcpConnection::to_write() {
  if (sent_ == sending_.size()) {
    sending_.clear();
    sent_ = 0;
    sending_.swap(queued_);
  }
  return base::Bytes(sending_).subspan(sent_);
}

}  // namespace boxgram::net
