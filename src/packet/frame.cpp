#include <algorithm>

#include <boxgram/packet/frame.hpp>

namespace boxgram::packet {
namespace {

constexpr std::uint8_t kResponseFlag = 0x01;
constexpr std::uint8_t kMoreFlag = 0x02;

bool all_zero(base::Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

}  // namespace

std::optional<Frame> FrameReader::stop(bool ok) {
  ok_ = ok_ && ok;
  rest_ = {};
  return std::nullopt;
}

std::optional<Frame> FrameReader::next() {
  if (rest_.empty()) return std::nullopt;
  if (rest_[0] == 0) return stop(all_zero(rest_));
  base::Reader reader(rest_);
  Frame frame;
  frame.type = FrameType{reader.u8()};
  const std::uint8_t flags = reader.u8();
  const std::size_t length = reader.u16();
  frame.id = reader.u32();
  frame.payload = reader.bytes(length);
  const std::uint8_t defined = may_continue_ ? kResponseFlag | kMoreFlag : kResponseFlag;
  if (!reader.ok() || (flags & ~defined) != 0) return stop(false);
  frame.response = (flags & kResponseFlag) != 0;
  frame.more = (flags & kMoreFlag) != 0;
  rest_ = reader.rest();
  return frame;
}

std::optional<base::MutableBytes> FrameWriter::reserve(FrameType type, bool response,
                                                       std::uint32_t id, std::size_t payload_size,
                                                       bool more) {
  if (payload_size > 0xffff || left() < kFrameHeaderSize + payload_size) return std::nullopt;
  base::Writer header(space_.subspan(size_, kFrameHeaderSize));
  header.u8(static_cast<std::uint8_t>(type));
  header.u8(static_cast<std::uint8_t>((response ? kResponseFlag : 0) | (more ? kMoreFlag : 0)));
  header.u16(static_cast<std::uint16_t>(payload_size));
  header.u32(id);
  const base::MutableBytes payload = space_.subspan(size_ + kFrameHeaderSize, payload_size);
  size_ += kFrameHeaderSize + payload_size;
  return payload;
}

bool FrameWriter::put(FrameType type, bool response, std::uint32_t id, base::Bytes payload,
                      bool more) {
  const auto place = reserve(type, response, id, payload.size(), more);
  if (!place) return false;
  std::copy(payload.begin(), payload.end(), place->begin());
  return true;
}

void FrameWriter::finish() {
  std::fill(space_.begin() + static_cast<std::ptrdiff_t>(size_), space_.end(), std::uint8_t{0});
  size_ = space_.size();
}

}  // namespace boxgram::packet
