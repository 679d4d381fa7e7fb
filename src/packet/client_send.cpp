// Associations and what goes out on them.
#include <algorithm>
#include <bit>

#include "client_core.hpp"

namespace boxgram::packet {

namespace {

using std::chrono_literals::operator""s;

/// INITIALs unanswered at a time on one EC: each costs the gateway a scalar multiplication, and
/// what waits behind them goes as SHORT one round trip later.
constexpr std::uint32_t kMaxInitialsInFlight = 16;

/// An association's life. One EC links a client's requests, so it is not kept for long; 2^20
/// datagrams are far inside the window's and the counter's range.
constexpr base::Duration kMaxAge = 600s;
constexpr std::uint64_t kMaxDatagrams = std::uint64_t{1} << 20;

/// The gateway takes a cookie for 30 s; 5 s are left for the way.
constexpr base::Duration kCookieAge = 25s;

/// KEYREQs that are sent although nobody waits.
constexpr unsigned kIdleAttempts = 3;
constexpr base::Duration kMaxFetchDelay = 2s;

constexpr std::size_t kEchoFrame = kFrameHeaderSize + kEchoPayloadSize;

static_assert(kInitialCookieOverhead + kEchoFrame + 2 * kFrameHeaderSize + kMaxRequestPayload ==
              kMaxDatagram);

}  // namespace

std::uint64_t Client::Core::bucket_of(base::Bytes cid) const {
  // A cid is our own randomness, so no peer can aim at one bucket.
  return base::load_be64(cid.data()) & (buckets_.size() - 1);
}

ClientAssociation* Client::Core::find_association(base::Bytes cid) {
  ClientAssociation* found = associations_.find(buckets_[bucket_of(cid)]);
  while (found != nullptr && !std::ranges::equal(found->cid(), cid))
    found = associations_.find(found->next_same_bucket);
  return found;
}

ClientAssociation* Client::Core::create_association(base::Instant now) {
  const auto key = keys_.current(now);
  if (!key) {
    start_fetch(now);
    return nullptr;
  }
  // The secret half of EC lives in this scope only: the shared key is all that is needed, and it is
  // wiped with the association.
  const crypto::KeyPair pair = crypto::generate_key_pair(rng_);
  auto shared = crypto::shared_key(key->server_key, pair.secret_key);
  if (!shared) {
    while (ClientRequest* request = ready_.front()) fail(*request, FailReason::no_key);
    return nullptr;
  }
  base::Handle handle = 0;
  ClientAssociation* association = associations_.acquire(handle);
  BOXGRAM_CHECK(association != nullptr);
  // A request has up to 13 transmissions in its lifetime; four live ones on average are plenty.
  association->reset(config_.key_per_query ? 16 : std::bit_ceil(4 * config_.capacity));
  association->self = handle;
  association->key = std::move(*shared);
  association->ec = pair.public_key;
  association->skid = key_id(key->server_key);
  association->key_serial = key->serial;
  association->created = now;
  association->expires = std::min(now + kMaxAge, key->usable_until);
  base::Handle& bucket = buckets_[bucket_of(association->cid())];
  association->next_same_bucket = bucket;
  bucket = handle;
  ++counters_.associations;
  return association;
}

ClientAssociation* Client::Core::association_for(base::Instant now, ClientRequest& request) {
  if (config_.key_per_query) {
    ClientAssociation* own = associations_.find(request.association);
    if (own == nullptr && (own = create_association(now)) != nullptr)
      request.association = own->self;
    return own;
  }
  ClientAssociation* association = associations_.find(current_);
  if (association != nullptr &&
      (now >= association->expires || association->next_n >= kMaxDatagrams)) {
    retire_current(now);
    association = nullptr;
  }
  if (association == nullptr) {
    association = create_association(now);
    current_ = association == nullptr ? 0 : association->self;
  }
  return association;
}

void Client::Core::retire_current(base::Instant now) {
  if (current_ == 0) return;
  drop_association(previous_);
  previous_ = current_;
  previous_until_ = now + config_.request_lifetime;
  current_ = 0;
}

void Client::Core::drop_association(base::Handle handle) {
  ClientAssociation* association = associations_.find(handle);
  if (association == nullptr) return;
  base::Handle* link = &buckets_[bucket_of(association->cid())];
  while (*link != handle) link = &associations_.find(*link)->next_same_bucket;
  *link = association->next_same_bucket;
  association->wipe();
  associations_.release(handle);
  if (current_ == handle) current_ = 0;
  if (previous_ == handle) previous_ = 0;
}

void Client::Core::start_fetch(base::Instant now) {
  if (!keys_.has_identity() || fetch_.active) return;
  fetch_.active = true;
  fetch_.attempts = 0;
  fetch_.next_at = now;
  rng_.fill(fetch_.echo);
}

bool Client::Core::fetch_due(base::Instant now) {
  if (!fetch_.active || now < fetch_.next_at) return false;
  if (fetch_.attempts < kIdleAttempts || requests_.size() > 0) return true;
  fetch_.active = false;
  fetch_.not_before = now + kFetchPause;
  return false;
}

std::size_t Client::Core::write_fetch(base::Instant now, base::MutableBytes out) {
  ++fetch_.attempts;
  fetch_.shown = 0;
  ++counters_.keyreqs;
  fetch_.sent_at = now;
  fetch_.next_at = now + std::min(rtt_.delay(fetch_.attempts), kMaxFetchDelay);
  return write_keyreq(out.first(kKeyreqSize), fetch_.echo);
}

std::size_t Client::Core::poll_transmit(base::Instant now, base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram);
  if (const auto generation = rng_.generation(); generation != rng_generation_) {
    rng_generation_ = generation;
    address_changed(now);
  }
  ClientAssociation* association = ready_.empty() ? nullptr : association_for(now, *ready_.front());
  if (fetch_due(now)) return write_fetch(now, out);
  if (association == nullptr || ready_.empty()) return 0;
  if (!association->established && association->initials_in_flight >= kMaxInitialsInFlight)
    return 0;
  return send(now, *ready_.front(), *association, out);
}

std::size_t Client::Core::send(base::Instant now, ClientRequest& request,
                               ClientAssociation& association, base::MutableBytes out) {
  const bool initial = !association.established;
  const bool with_cookie =
      initial && association.has_cookie && now - association.cookie_at < kCookieAge;
  const std::size_t needed = request.answer_size + kMsgOverhead + kFrameHeaderSize;
  const bool ask = initial && !config_.key_per_query && needed + kAssocFrame <= kMaxDatagram &&
                   (!association.asked || now - association.asked_at >= rtt_.delay(1));
  std::size_t used = kFrameHeaderSize + request.payload.size();
  if (ask) used += kFrameHeaderSize;
  if (with_cookie) used += kEchoFrame;
  used += !initial ? kShortOverhead : with_cookie ? kInitialCookieOverhead : kInitialOverhead;
  const std::size_t size =
      size_class_for(std::max(used, needed + (ask ? kAssocFrame : 0)),
                     std::max(sizes_.current(), initial ? kMinInitial : kSizeClasses.front()));
  BOXGRAM_CHECK(size != 0);

  const base::MutableBytes datagram = out.first(size);
  const DatagramType type = !initial      ? DatagramType::short_
                            : with_cookie ? DatagramType::initial_c
                                          : DatagramType::initial;
  FrameWriter frames(frame_space(type, datagram));
  const base::Bytes cookie = with_cookie ? base::Bytes(association.cookie) : base::Bytes{};
  bool fits = true;
  if (with_cookie) fits &= frames.put(FrameType::echo, false, 0, cookie.first(kEchoPayloadSize));
  if (ask) fits &= frames.put(FrameType::assoc_req, false, 0);
  fits &= frames.put(request.service, false, request.frame_id(), request.payload);
  BOXGRAM_CHECK(fits);
  frames.finish();

  const std::uint64_t n = association.next_n++;
  if (initial)
    seal_initial(datagram, {association.skid, association.ec, n, cookie}, keys_.unix_ms(now),
                 association.key);
  else
    seal_short(datagram, {association.sid, n}, association.key);

  if (ask) {
    association.asked = true;
    association.asked_at = now;
  }
  const InFlight sent{request.self, n, now, static_cast<std::uint16_t>(size), initial, false, ask};
  if (association.sent.add(sent, [&](base::Handle h) { return live_request(h) != nullptr; }))
    ++counters_.overwritten;

  ready_.remove(request);
  request.place = ClientRequest::Place::in_flight;
  request.association = association.self;
  request.n = n;
  request.counts_as_initial_in_flight = initial;
  if (initial) ++association.initials_in_flight;
  ++(initial ? counters_.initials : counters_.shorts);
  if (request.transmissions > 0) ++counters_.retransmissions;
  if (request.transmissions < 255) ++request.transmissions;
  wheel_.set(request.timer, std::min(now + rtt_.delay(request.transmissions), request.expires));
  return size;
}

}  // namespace boxgram::packet
