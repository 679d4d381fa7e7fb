#include "record_writer.hpp"

#include <boxgram/packet/frame.hpp>

namespace boxgram::stream {
namespace {

constexpr std::size_t kOverhead = kLengthSize + crypto::kTagSize;

/// Room for a small record at once, so that the usual answer costs one allocation.
constexpr std::size_t kFirstRoom = 1024;

std::size_t block_of(packet::FrameType type, bool response) {
  if (type != packet::FrameType::dns) return 64;
  return response ? 468 : 128;
}

std::size_t padded(std::size_t size, std::size_t block) {
  return std::min((size + block - 1) / block * block, kMaxPlaintext);
}

}  // namespace

void RecordWriter::begin() {
  out_->room(kFirstRoom);
  out_->extended(kOverhead);
  open_ = true;
  plain_ = 0;
  block_ = 0;
}

void RecordWriter::put_frame(packet::FrameType type, bool response, std::uint32_t id,
                             base::Bytes part, bool more) {
  if (!open_) begin();
  const std::size_t size = packet::kFrameHeaderSize + part.size();
  packet::FrameWriter frame(out_->room(size));
  BOXGRAM_CHECK(frame.put(type, response, id, part, more));
  out_->extended(size);
  plain_ += size;
  block_ = std::max(block_, block_of(type, response));
}

void RecordWriter::put(packet::FrameType type, bool response, std::uint32_t id,
                       base::Bytes payload) {
  BOXGRAM_CHECK(payload.size() <= kMaxMessage);
  if (open_ && left() < packet::kFrameHeaderSize + payload.size()) seal();
  constexpr std::size_t kMostOfOneFrame = kMaxPlaintext - packet::kFrameHeaderSize;
  while (payload.size() > kMostOfOneFrame) {
    put_frame(type, response, id, payload.first(kMostOfOneFrame), true);
    seal();
    payload = payload.subspan(kMostOfOneFrame);
  }
  put_frame(type, response, id, payload, false);
}

void RecordWriter::put_alone(packet::FrameType type, std::uint32_t id, base::Bytes payload) {
  seal();
  put_frame(type, false, id, payload, false);
  seal();
}

void RecordWriter::seal() {
  if (!open_) return;
  const std::size_t size = padded(plain_, block_);
  const std::size_t padding = size - plain_;
  const base::MutableBytes zeros = out_->room(padding).first(padding);
  std::fill(zeros.begin(), zeros.end(), std::uint8_t{0});
  out_->extended(padding);
  const base::MutableBytes record = out_->unfinished();
  base::store_be16(record.data(), static_cast<std::uint16_t>(crypto::kTagSize + size));
  key_.seal(record.subspan(kLengthSize));
  out_->finish();
  open_ = false;
}

void RecordWriter::next_epoch(crypto::SharedKey key) {
  BOXGRAM_CHECK(!open_);
  key_.next_epoch(std::move(key));
}

}  // namespace boxgram::stream
