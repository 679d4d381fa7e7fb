// A request of a client and the order in which requests wait.
#pragma once

#include <cstdint>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/base/timer_wheel.hpp>
#include <boxgram/packet/client.hpp>

namespace boxgram::packet {

/// Lives in a Slab; its payload buffer is reused by the next tenant.
struct ClientRequest {
  enum class Place : std::uint8_t {
    in_flight,  ///< sent; the timer stands at the retransmission
    ready,      ///< waits to be sent; the timer stands at the expiry
    ended       ///< its Failed event waits to be fetched
  };

  base::Handle self = 0;
  std::uint64_t tag = 0;
  FrameType service{};
  Place place = Place::ready;
  std::vector<std::uint8_t> payload;
  base::Timer timer;
  base::Instant created{};
  base::Instant expires{};

  // The latest transmission.
  base::Handle association = 0;
  std::uint64_t n = 0;
  bool counts_as_initial_in_flight = false;

  std::uint8_t transmissions = 0;
  std::uint8_t prompted = 0;      ///< transmissions that the gateway asked for
  std::uint16_t answer_size = 0;  ///< payload known to be needed, from ERROR too_large
  std::uint16_t failed_size = 0;
  FailReason reason{};

  ClientRequest* previous = nullptr;
  ClientRequest* next = nullptr;

  /// Inside the box only: re names the datagram, this names the request in it.
  [[nodiscard]] std::uint32_t frame_id() const { return static_cast<std::uint32_t>(self); }
};

/// First in, first out, with removal from the middle; links live in the requests.
class RequestQueue {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] ClientRequest* front() const { return first_; }

  void push_back(ClientRequest& request) { insert(request, last_, nullptr); }
  void push_front(ClientRequest& request) { insert(request, nullptr, first_); }

  void remove(ClientRequest& request) {
    (request.previous ? request.previous->next : first_) = request.next;
    (request.next ? request.next->previous : last_) = request.previous;
    request.previous = request.next = nullptr;
  }

 private:
  void insert(ClientRequest& request, ClientRequest* before, ClientRequest* after) {
    request.previous = before;
    request.next = after;
    (before ? before->next : first_) = &request;
    (after ? after->previous : last_) = &request;
  }

  ClientRequest* first_ = nullptr;
  ClientRequest* last_ = nullptr;
};

}  // namespace boxgram::packet
