// The two ends of one session without handshake or connection, and records made by hand.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "packet/world.hpp"
#include "stream/session.hpp"

namespace boxgram::test {

using namespace std::chrono_literals;

/// A frame to be put into a record as it is, whatever it says.
struct RawFrame {
  packet::FrameType type{};
  bool response = false;
  std::uint32_t id = 0;
  Buffer payload;
  bool more = false;
};

/// Seals records by hand, and opens what the other end sealed.
class RawRecords {
 public:
  RawRecords(stream::Direction sealing, const crypto::SharedKey& key)
      : seal_(sealing, key.copy()), open_(stream::opposite(sealing), key.copy()) {}

  /// One record with its length, of this plaintext.
  Buffer seal(base::Bytes plaintext) {
    Buffer record(stream::kLengthSize + crypto::kTagSize + plaintext.size());
    base::store_be16(record.data(), static_cast<std::uint16_t>(record.size() - 2));
    std::copy(plaintext.begin(), plaintext.end(), record.begin() + 18);
    seal_.seal(base::MutableBytes(record).subspan(stream::kLengthSize));
    return record;
  }
  Buffer seal(const std::vector<RawFrame>& frames, std::size_t block = 64) {
    Buffer plaintext(stream::kMaxPlaintext);
    packet::FrameWriter writer(plaintext);
    for (const RawFrame& frame : frames)
      writer.put(frame.type, frame.response, frame.id, frame.payload, frame.more);
    const std::size_t size = std::max(block, (writer.size() + block - 1) / block * block);
    writer.finish();
    plaintext.resize(size);
    return seal(plaintext);
  }
  /// The frames of all records in these bytes; nothing if one does not open.
  std::optional<std::vector<RawFrame>> open(Buffer bytes) {
    std::vector<RawFrame> frames;
    while (!bytes.empty()) {
      const std::size_t size = base::load_be16(bytes.data());
      Buffer body(bytes.begin() + 2, bytes.begin() + 2 + static_cast<std::ptrdiff_t>(size));
      bytes.erase(bytes.begin(), bytes.begin() + 2 + static_cast<std::ptrdiff_t>(size));
      if (!open_.open(body)) return std::nullopt;
      packet::FrameReader reader(base::Bytes(body).subspan(crypto::kTagSize), true);
      while (const auto frame = reader.next())
        frames.push_back({frame->type, frame->response, frame->id,
                          Buffer(frame->payload.begin(), frame->payload.end()), frame->more});
      if (!reader.ok()) return std::nullopt;
    }
    return frames;
  }
  void next_epoch(const crypto::SharedKey& key) {
    next_sealing_epoch(key);
    next_opening_epoch(key);
  }
  void next_sealing_epoch(const crypto::SharedKey& key) { seal_.next_epoch(key.copy()); }
  void next_opening_epoch(const crypto::SharedKey& key) { open_.next_epoch(key.copy()); }

 private:
  stream::RecordKey seal_;
  stream::RecordKey open_;
};

inline crypto::SharedKey session_key() {
  SeededRng rng(4711);
  crypto::SharedKey key;
  rng.fill(key.bytes());
  return key;
}

/// One end, and what it sends and delivers.
struct End {
  using Role = stream::Session::Role;

  End(Role which, base::Rng& rng, const stream::Session::Timing& timing)
      : role(which),
        session(which, stream::RecordWriter(stream::RecordKey(sealing(which), session_key()), out),
                stream::RecordKey(stream::opposite(sealing(which)), session_key()), rng, timing) {}

  static stream::Direction sealing(Role role) {
    return role == Role::client ? stream::Direction::to_server : stream::Direction::to_client;
  }

  /// Takes one record with its length, as an owner does, and keeps its messages.
  void receive(base::Instant now, Buffer record) {
    const base::MutableBytes body = base::MutableBytes(record).subspan(stream::kLengthSize);
    session.receive(now, body);
    stream::Message message;
    while (session.poll_message(now, message))
      messages.push_back({message.type, message.response, message.id,
                          Buffer(message.payload.begin(), message.payload.end())});
  }

  /// What it has to send, record by record, each with its length.
  std::deque<Buffer> records() {
    session.flush();
    Buffer bytes(out.held().begin(), out.held().end());
    out.dropped(bytes.size());
    std::deque<Buffer> records;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 2u + base::load_be16(&bytes[at]);
      records.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                           bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
      at += size;
    }
    return records;
  }
  Buffer bytes() {
    Buffer all;
    for (const Buffer& record : records()) all.insert(all.end(), record.begin(), record.end());
    return all;
  }

  Role role;
  stream::ByteQueue out;
  stream::Session session;
  std::vector<RawFrame> messages;
};

struct SessionPair {
  explicit SessionPair(const stream::EpochLimits& limits = {}, base::Duration idle = 1h,
                       bool keep_alive = false)
      : client(End::Role::client, rng, {now, idle, keep_alive, limits}),
        server(End::Role::server, rng, {now, idle, false, limits}) {}

  /// Carries records both ways until there are none. False if nothing moved.
  bool carry() {
    bool any = false;
    while (true) {
      const bool up = carry_from(client, server);
      const bool down = carry_from(server, client);
      if (!up && !down) return any;
      any = true;
    }
  }
  bool carry_from(End& from, End& to) {
    const auto records = from.records();
    for (const Buffer& record : records) to.receive(now, record);
    return !records.empty();
  }

  QueuedRng rng{11};
  base::Instant now{};
  End client;
  End server;
};

}  // namespace boxgram::test
