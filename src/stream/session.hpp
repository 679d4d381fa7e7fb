// A stream after READY: messages in both directions until it ends. Source: PROTOCOL.md, "Stream
// transport".
#pragma once

#include <optional>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/stream/types.hpp>

#include "record_writer.hpp"

namespace boxgram::stream {

/// When a client renews the keys; a server waits for twice as much before it ends the session. What
/// one key sealed can be opened by whoever takes that key out of memory, so this bounds the loss;
/// the boxes themselves would bear far more.
struct EpochLimits {
  base::Duration time = std::chrono::minutes(10);
  std::uint64_t bytes = std::uint64_t{1} << 30;
  std::uint64_t records = std::uint64_t{1} << 20;
};

/// Both ends of a session are one class: only Role tells who renews the keys.
///
/// What has ended stays ended: after end() nothing is opened, delivered or written any more.
/// Not copied or moved: the owner builds it where it stays.
class Session {
 public:
  enum class Role : std::uint8_t { client, server };

  struct Timing {
    base::Instant now{};              ///< when the session began
    base::Duration idle = kIdleTime;  ///< as READY says
    bool keep_alive = false;          ///< send PING before the silence is too long
    EpochLimits limits{};
  };

  /// `writer` has sealed the handshake's records already, `opener` has opened them; `rng` outlives
  /// this.
  Session(Role role, RecordWriter writer, RecordKey opener, base::Rng& rng, const Timing& timing);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// One record's box, opened in place. Then drain poll_message() before the next.
  void receive(base::Instant now, base::MutableBytes boxed);

  /// The next whole message of that record; `payload` stands in it, or in memory of ours.
  bool poll_message(base::Instant now, Message& message);

  /// Queues a message. False, and nothing happens, when nothing may be sent any more.
  bool send(packet::FrameType type, bool response, std::uint32_t id, base::Bytes payload);

  /// Says that no message follows. The session ends when the other side has said so too.
  void close(base::Instant now, CloseCode code, std::string_view reason);

  /// The connection has ended on the other side.
  void peer_ended();
  /// A length that no record has.
  void bad_length() { end_with(SessionEnd::bad_length); }

  /// Seals what is queued: call before the queue is written to the connection.
  void flush();

  void handle_timeout(base::Instant now);
  [[nodiscard]] base::Instant next_timeout() const;

  [[nodiscard]] std::optional<SessionEnd> end() const { return end_; }
  /// What the other side's CLOSE said, once it came.
  [[nodiscard]] const std::optional<PeerClose>& peer_close() const { return peer_close_; }
  [[nodiscard]] bool closing() const { return close_wanted_.has_value(); }
  [[nodiscard]] std::uint64_t epoch() const { return opener_.epoch(); }

 private:
  struct WantedClose {
    CloseCode code{};
    std::string reason;
    base::Instant give_up_at{};
  };

  void end_with(SessionEnd end);
  /// False: not for the owner.
  bool take(base::Instant now, const packet::Frame& frame, Message& message);
  bool assemble(const packet::Frame& frame, Message& message);
  void take_transport(base::Instant now, const packet::Frame& frame);
  void take_close(base::Bytes payload);
  void take_rekey_req(base::Instant now, base::Bytes payload);
  void take_rekey_ack(base::Instant now, base::Bytes payload);
  void take_rekey_done(base::Instant now);
  /// What the present keys have served for.
  struct Use {
    base::Duration time{};
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
  };
  [[nodiscard]] Use use(base::Instant now) const;
  [[nodiscard]] bool too_fresh(base::Instant now) const;
  void renew_if_worn(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> ping_due() const;
  void say_close();
  [[nodiscard]] bool renewing() const { return next_key_pair_ || next_opening_key_; }

  Role role_;
  RecordWriter writer_;
  RecordKey opener_;
  base::Rng& rng_;
  base::Duration idle_;
  bool keep_alive_;
  EpochLimits limits_;
  base::Instant heard_;  // when the last record came
  base::Instant epoch_began_;
  bool ping_sent_ = false;  // since heard_

  packet::FrameReader frames_{{}};   // of the last record
  bool last_word_ = false;           // the frame that was taken ends its record's epoch
  std::vector<std::uint8_t> parts_;  // of a message in several frames
  std::optional<Message> partial_;   // its type and id

  std::optional<crypto::KeyPair> next_key_pair_;       // client: REKEY_REQ is out
  std::optional<crypto::SharedKey> next_opening_key_;  // server: REKEY_ACK is out
  std::optional<WantedClose> close_wanted_;
  bool close_said_ = false;
  std::optional<PeerClose> peer_close_;
  std::optional<SessionEnd> end_;
};

}  // namespace boxgram::stream
