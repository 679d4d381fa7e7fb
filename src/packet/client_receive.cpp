// What comes in from the gateway. Nothing of a datagram is believed before its box has opened, its
// token or its echo has matched, or its signature has been verified.
#include <algorithm>

#include "client_core.hpp"

namespace boxgram::packet {

namespace {

using std::chrono_literals::operator""s;

/// KEYS datagrams looked at for one KEYREQ: a forger on the path costs four signature checks each.
constexpr unsigned kMaxShown = 4;

/// How often KEYS inside MSG are looked at; the gateway repeats them until the new key is in use.
constexpr base::Duration kLookInterval = 1s;

/// Shorter lives would make every request an INITIAL.
constexpr base::Duration kMinLifetime = 5s;

FrameType response_to(FrameType service) {
  return service == FrameType::ping ? FrameType::pong : service;
}

}  // namespace

void Client::Core::handle_datagram(base::Instant now, base::MutableBytes datagram) {
  BOXGRAM_CHECK(!answer_);
  const auto type = parse_header(datagram);
  if (!type) {
    ++counters_.not_ours;
    return;
  }
  switch (*type) {
    case DatagramType::msg:
      return on_msg(now, datagram);
    case DatagramType::retry:
      return on_retry(now, datagram);
    case DatagramType::reset:
      return on_reset(now, datagram);
    case DatagramType::keys:
      return on_keys(now, datagram);
    case DatagramType::initial:
    case DatagramType::initial_c:
    case DatagramType::short_:
    case DatagramType::keyreq:
      ++counters_.not_ours;
      return;
  }
}

void Client::Core::on_msg(base::Instant now, base::MutableBytes datagram) {
  const MsgHeader header = parse_msg(datagram);
  ClientAssociation* association = find_association(header.cid);
  if (association == nullptr) {
    ++counters_.not_ours;
    return;
  }
  const auto opened = open_msg(datagram, header, association->key);
  if (!opened) {
    ++counters_.not_authentic;
    return;
  }
  InFlight* in_flight = association->sent.find(opened->prefix);
  if (in_flight == nullptr) {
    ++counters_.late;
    return;
  }
  const InFlight sent = *in_flight;
  FrameReader check(opened->frames);
  while (check.next()) {
  }
  if (datagram.size() != sent.size || !check.ok()) {
    ++counters_.violations;
    return;
  }
  in_flight->request = 0;
  association->answered();
  rtt_.sample(now - sent.at);
  if (live_request(sent.request) == nullptr) ++counters_.late;
  const base::Handle handle = association->self;
  FrameReader frames(opened->frames);
  while (const auto frame = frames.next()) {
    // A frame may end the request and, with a key for each, the association.
    association = associations_.find(handle);
    if (association == nullptr) break;
    on_frame(now, *frame, sent, *association);
  }
}

void Client::Core::on_frame(base::Instant now, const Frame& frame, const InFlight& sent,
                            ClientAssociation& association) {
  switch (frame.type) {
    case FrameType::assoc:
      return on_assoc(now, frame.payload, association);
    case FrameType::keys:
      if (now < next_look_ || frame.payload.size() % kCertificateSize != 0) return;
      next_look_ = now + kLookInterval;
      show(now, frame.payload);
      return;
    case FrameType::error:
      if (ClientRequest* request = live_request(sent.request))
        on_error(now, frame.payload, sent, *request);
      return;
    default:
      break;
  }
  ClientRequest* request = live_request(sent.request);
  if (request == nullptr) return;
  if (frame.type != response_to(request->service)) {
    // TIME and the like: nothing was asked, nothing is done. Another service's answer is wrong.
    if (is_service(frame.type)) ++counters_.violations;
    return;
  }
  if (!frame.response || frame.id != request->frame_id()) {
    ++counters_.violations;
    return;
  }
  on_answer(now, frame, sent, *request);
}

void Client::Core::on_answer(base::Instant now, const Frame& frame, const InFlight& sent,
                             ClientRequest& request) {
  sizes_.answered(frame.payload.size() + kMsgOverhead + kFrameHeaderSize);
  ++counters_.answers;
  answer_ = Answer{request.tag, frame.payload,         now - sent.at, now - request.created,
                   sent.size,   request.transmissions, sent.initial};
  release(request);
}

void Client::Core::on_assoc(base::Instant now, base::Bytes payload,
                            ClientAssociation& association) {
  if (payload.size() != kAssocPayloadSize || !association.asked) {
    ++counters_.violations;
    return;
  }
  // One EC, one association: a second ASSOC answers a retransmission of the request for it.
  if (association.established || association.self != current_) return;
  base::Reader reader(payload);
  std::ranges::copy(reader.bytes(association.sid.size()), association.sid.begin());
  std::ranges::copy(reader.bytes(association.reset_token.kSize), association.reset_token.data());
  const base::Duration lifetime = std::chrono::seconds(reader.u32());
  association.established = true;
  association.expires = std::min(association.expires, now + std::max(lifetime, kMinLifetime));
}

void Client::Core::on_error(base::Instant now, base::Bytes payload, const InFlight& sent,
                            ClientRequest& request) {
  if (payload.size() < 2) {
    ++counters_.violations;
    return;
  }
  const base::Bytes detail = payload.subspan(2);
  switch (static_cast<ErrorCode>(base::load_be16(payload.data()))) {
    case ErrorCode::stale_time:
      if (!sent.initial || detail.size() < 8) break;
      ++counters_.stale_times;
      keys_.learn_time(now, base::load_be64(detail.data()));
      // With a cookie the time does not count, so it was the cookie that was no good.
      if (ClientAssociation* association = associations_.find(request.association))
        association->has_cookie = false;
      return prompt(request);
    case ErrorCode::too_large:
      return on_too_large(detail, sent, request);
    case ErrorCode::key_retiring:
      start_fetch(now);
      return;
    case ErrorCode::need_assoc: {
      // Before the association the timer decides: ASSOC is on its way then.
      const ClientAssociation* current = associations_.find(current_);
      if (current != nullptr && current->established) prompt(request);
      return;
    }
    case ErrorCode::unknown_service:
      return fail(request, FailReason::unknown_service);
    case ErrorCode::malformed:
      return fail(request, FailReason::malformed);
    case ErrorCode::shutdown:
      return fail(request, FailReason::shutdown);
    default:
      return fail(request, FailReason::refused);
  }
  ++counters_.violations;
}

void Client::Core::on_too_large(base::Bytes detail, const InFlight& sent, ClientRequest& request) {
  ++counters_.too_large;
  const std::size_t told = detail.size() >= 2 ? base::load_be16(detail.data()) : 0xffff;
  const std::size_t overhead = kMsgOverhead + kFrameHeaderSize;
  sizes_.overflowed(std::min(told + overhead, kMaxDatagram));
  // What did not fit needs more than the datagram had for it, whatever the gateway says.
  const std::size_t had = sent.size - (sent.asked ? kAssocFrame : 0);
  const std::size_t needed = std::max(told + overhead, had + 1);
  if (needed > kMaxDatagram || request.prompted >= kMaxPrompted)
    return fail(request, FailReason::too_large, static_cast<std::uint16_t>(told));
  request.answer_size = static_cast<std::uint16_t>(needed - overhead);
  prompt(request);
}

void Client::Core::on_retry(base::Instant now, base::Bytes datagram) {
  const RetryView retry = parse_retry(datagram);
  ClientAssociation* association = find_association(retry.cid);
  InFlight* sent = association == nullptr ? nullptr : association->sent.find(retry.n);
  ClientRequest* request = sent == nullptr ? nullptr : live_request(sent->request);
  if (request == nullptr || !sent->initial || sent->retried) {
    ++counters_.not_ours;
    return;
  }
  ++counters_.retries_accepted;
  sent->retried = true;  // but it stays in flight: the MSG may still come
  association->has_cookie = true;
  association->cookie = retry.cookie;
  association->cookie_at = now;
  // A newer transmission on its way has its own RETRY or answer coming.
  if (request->association == association->self && request->n == retry.n) prompt(*request);
}

void Client::Core::on_reset(base::Instant now, base::Bytes datagram) {
  const ResetView reset = parse_reset(datagram);
  for (const base::Handle handle : {current_, previous_}) {
    const ClientAssociation* association = associations_.find(handle);
    if (association == nullptr || !association->established || association->sid != reset.sid ||
        !crypto::equal_constant_time(association->reset_token.bytes(), reset.token))
      continue;
    ++counters_.resets_accepted;
    resend(handle);
    drop_association(handle);
    // A gateway that has forgotten its associations may have forgotten its keys: ask beside the
    // new INITIAL, so that both cases take one more round trip at the same time.
    start_fetch(now);
    return;
  }
  ++counters_.not_ours;
}

ClientKeys::Shown Client::Core::show(base::Instant now, base::Bytes certificates) {
  const ClientKeys::Shown shown = keys_.show(now, certificates);
  counters_.certificates_bad += shown.bad;
  if (shown.newer) ++counters_.certificates;
  return shown;
}

void Client::Core::leave_unlisted(base::Instant now, base::Bytes certificates) {
  // The gateway serves the keys that it shows and its pinned one. An association under another key
  // is dead: waiting for its datagrams to be lost would cost seconds.
  const auto listed = [&](const ClientAssociation& association) {
    if (association.key_serial == 0) return true;
    for (std::size_t i = 0; i < certificates.size(); i += kCertificateSize)
      if (unverified_serial(certificates.subspan(i, kCertificateSize)) == association.key_serial)
        return true;
    return false;
  };
  if (config_.key_per_query) {
    requests_.for_each([&](base::Handle, ClientRequest& request) {
      const ClientAssociation* own = associations_.find(request.association);
      if (own == nullptr || listed(*own)) return;
      make_ready(request, false);
      drop_association(request.association);
    });
    return;
  }
  const ClientAssociation* current = associations_.find(current_);
  if (current == nullptr || listed(*current)) return;
  resend(current_);
  retire_current(now);
}

void Client::Core::on_keys(base::Instant now, base::Bytes datagram) {
  const auto keys = parse_keys(datagram);
  if (!keys || datagram.size() > kKeyreqSize || !fetch_.active || keys->echo != fetch_.echo ||
      fetch_.shown >= kMaxShown) {
    ++counters_.not_ours;
    return;
  }
  ++fetch_.shown;
  const ClientKeys::Shown shown = show(now, keys->certificates);
  if (shown.verified == 0) return;
  // All KEYREQs of a search have one echo: only an answer to a single one is a measure. It saves
  // the first INITIAL from waiting the longest delay.
  if (fetch_.attempts == 1) rtt_.sample(now - fetch_.sent_at);
  fetch_.active = false;
  fetch_.not_before = now + kFetchPause;
  if (!shown.newer) return;
  leave_unlisted(now, keys->certificates);
}

}  // namespace boxgram::packet
