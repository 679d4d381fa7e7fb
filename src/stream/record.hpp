// Records: what a stream consists of once the handshake's bodies are over. Source: PROTOCOL.md,
// "Records".
//
//   on the wire: length 2 | Box[ frames | 00.. ](ECs -> ESs or back), 24 to 16,400 bytes of box
//   nonce: label | epoch 8 | counter 8; neither is sent, both follow from the order of TCP
//
// A record that does not open ends the stream: there is no way to find the place again.
#pragma once

#include <cstdint>
#include <string_view>

#include <boxgram/base/bytes.hpp>
#include <boxgram/crypto/box.hpp>
#include <boxgram/crypto/keys.hpp>

namespace boxgram::stream {

/// A frame's header at least, and so that lengths say little, all plaintexts are padded.
inline constexpr std::size_t kMinRecord = crypto::kTagSize + 8;
inline constexpr std::size_t kMaxPlaintext = 16384;
inline constexpr std::size_t kMaxRecord = crypto::kTagSize + kMaxPlaintext;
inline constexpr std::size_t kLengthSize = 2;

enum class Direction : std::uint8_t { to_server, to_client };

constexpr Direction opposite(Direction direction) {
  return direction == Direction::to_server ? Direction::to_client : Direction::to_server;
}

/// One direction of a stream: its key of this epoch and the place in it. Each end has one to seal
/// with and one to open with.
class RecordKey {
 public:
  RecordKey(Direction direction, crypto::SharedKey key)
      : direction_(direction), key_(std::move(key)) {}

  /// Seals in place; `boxed` is tag room and plaintext.
  void seal(base::MutableBytes boxed);
  /// Opens in place. After a failure the stream is over.
  [[nodiscard]] bool open(base::MutableBytes boxed);

  /// The next epoch: counters begin anew under another key, the old one is wiped.
  void next_epoch(crypto::SharedKey key);

  [[nodiscard]] Direction direction() const { return direction_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  /// Records and their bytes under this key.
  [[nodiscard]] std::uint64_t records() const { return counter_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] crypto::Nonce nonce() const;

  Direction direction_;
  crypto::SharedKey key_;
  std::uint64_t epoch_ = 0;
  std::uint64_t counter_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace boxgram::stream
