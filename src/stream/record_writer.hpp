// Messages in, sealed records out, in the order of the wire.
#pragma once

#include <boxgram/stream/types.hpp>

#include "byte_queue.hpp"
#include "record.hpp"

namespace boxgram::stream {

/// Collects the messages of a batch in one open record and seals it when it is full or when its
/// owner wants to send: one box for many small messages.
///
/// Plaintexts are padded with zeros to a multiple of 128 bytes where a DNS question stands in them,
/// of 468 where a DNS answer does (RFC 8467), else of 64.
class RecordWriter {
 public:
  /// `out` must outlive this; nobody else adds to it from now on.
  RecordWriter(RecordKey key, ByteQueue& out) : key_(std::move(key)), out_(&out) {}

  /// REQUIRES: payload.size() <= kMaxMessage. Cost: a copy.
  void put(packet::FrameType type, bool response, std::uint32_t id, base::Bytes payload);

  /// The same in a record of its own, sealed at once: for what must be the last word of an epoch.
  void put_alone(packet::FrameType type, std::uint32_t id, base::Bytes payload);

  /// Seals what is open.
  void seal();

  /// REQUIRES: nothing is open (put_alone() came last).
  void next_epoch(crypto::SharedKey key);

  [[nodiscard]] const RecordKey& key() const { return key_; }

 private:
  void begin();
  void put_frame(packet::FrameType type, bool response, std::uint32_t id, base::Bytes part,
                 bool more);
  [[nodiscard]] std::size_t left() const { return kMaxPlaintext - plain_; }

  RecordKey key_;
  ByteQueue* out_;
  bool open_ = false;
  std::size_t plain_ = 0;  // bytes of frames in the open record, which the queue has in the making
  std::size_t block_ = 0;
};

}  // namespace boxgram::stream
