// What stands behind packet::Client. Three sources: client.cpp (requests, events, time),
// client_send.cpp (associations and outgoing datagrams), client_receive.cpp (incoming ones).
#pragma once

#include <optional>
#include <vector>

#include <boxgram/packet/client.hpp>
#include <boxgram/packet/client_keys.hpp>

#include "client_association.hpp"
#include "client_request.hpp"
#include "rtt.hpp"
#include "size_class.hpp"

namespace boxgram::packet {

/// Transmissions of one request that a gateway can ask for by RETRY and ERROR; beyond, the timer
/// decides, so that no gateway can make a client send as fast as the path allows.
inline constexpr std::uint8_t kMaxPrompted = 4;

/// A pause between looks for keys while the ones at hand are usable.
inline constexpr base::Duration kFetchPause = std::chrono::seconds(60);

/// Room for the answer: three certificates take 388 bytes.
inline constexpr std::size_t kKeyreqSize = kMinInitial;

/// What an ASSOC takes of an answer's room.
inline constexpr std::size_t kAssocFrame = kFrameHeaderSize + kAssocPayloadSize;

class Client::Core {
 public:
  Core(const ClientConfig& config, base::Rng& rng, base::WallClock wall, base::Instant start);

  base::Handle request(base::Instant now, FrameType service, base::Bytes payload,
                       std::uint64_t tag);
  void cancel(base::Handle handle);
  void handle_datagram(base::Instant now, base::MutableBytes datagram);
  void address_changed(base::Instant now);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  std::size_t poll_transmit(base::Instant now, base::MutableBytes out);
  bool poll_event(ClientEvent& event);
  [[nodiscard]] const ClientCounters& counters() const { return counters_; }
  [[nodiscard]] ClientState state(base::Instant now) const;
  [[nodiscard]] std::optional<CertificateBytes> certificate() const { return keys_.bytes(); }

 private:
  /// KEYREQ in clear until its KEYS comes.
  struct Fetch {
    bool active = false;
    unsigned attempts = 0;
    unsigned shown = 0;  ///< KEYS looked at since the last KEYREQ: their signatures cost time
    Echo echo{};
    base::Instant sent_at{};
    base::Instant next_at{};
    base::Instant not_before{};  ///< no refresh of a usable key before
  };

  // Requests.
  ClientRequest* live_request(base::Handle handle);
  void make_ready(ClientRequest& request, bool first);
  void leave_place(ClientRequest& request);
  void free_initial(ClientRequest& request);
  void fail(ClientRequest& request, FailReason reason, std::uint16_t size = 0);
  void release(ClientRequest& request);
  void resend(base::Handle association);
  void prompt(ClientRequest& request);
  void note_loss(base::Instant now, ClientRequest& request);

  // Associations.
  ClientAssociation* association_for(base::Instant now, ClientRequest& request);
  ClientAssociation* create_association(base::Instant now);
  ClientAssociation* find_association(base::Bytes cid);
  void retire_current(base::Instant now);
  void drop_association(base::Handle handle);
  std::uint64_t bucket_of(base::Bytes cid) const;

  // Keys.
  void start_fetch(base::Instant now);
  bool fetch_due(base::Instant now);
  std::size_t write_fetch(base::Instant now, base::MutableBytes out);

  std::size_t send(base::Instant now, ClientRequest& request, ClientAssociation& association,
                   base::MutableBytes out);

  // Datagrams.
  void on_msg(base::Instant now, base::MutableBytes datagram);
  void on_retry(base::Instant now, base::Bytes datagram);
  void on_reset(base::Instant now, base::Bytes datagram);
  void on_keys(base::Instant now, base::Bytes datagram);
  void on_frame(base::Instant now, const Frame& frame, const InFlight& sent,
                ClientAssociation& association);
  void on_assoc(base::Instant now, base::Bytes payload, ClientAssociation& association);
  void on_error(base::Instant now, base::Bytes payload, const InFlight& sent,
                ClientRequest& request);
  void on_too_large(base::Bytes detail, const InFlight& sent, ClientRequest& request);
  void on_answer(base::Instant now, const Frame& frame, const InFlight& sent,
                 ClientRequest& request);
  void leave_unlisted(base::Instant now, base::Bytes certificates);
  ClientKeys::Shown show(base::Instant now, base::Bytes certificates);

  ClientConfig config_;
  base::Rng& rng_;
  std::uint64_t rng_generation_;
  base::Instant start_;
  ClientKeys keys_;
  RttEstimator rtt_;
  SizePolicy sizes_;
  base::TimerWheel wheel_;
  base::Slab<ClientRequest> requests_;
  RequestQueue ready_;
  RequestQueue ended_;
  std::optional<Answer> answer_;

  base::Slab<ClientAssociation> associations_;
  std::vector<base::Handle> buckets_;  // by cid, a power of two
  base::Handle current_ = 0;
  base::Handle previous_ = 0;  // answers to what was sent on it are still taken
  base::Instant previous_until_{};

  Fetch fetch_;
  base::Instant next_look_{};  // at KEYS inside MSG
  ClientCounters counters_;
};

}  // namespace boxgram::packet
