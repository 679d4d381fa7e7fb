#include "sealed_peers.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/packet/frame.hpp>

namespace boxgram::dht {

namespace {

using namespace packet;
using std::chrono_literals::operator""s;

/// As packet::Client: one EC links what is asked under it, so it is not kept for long.
constexpr base::Duration kMaxAge = 600s;
constexpr std::uint64_t kMaxDatagrams = std::uint64_t{1} << 20;
/// A node takes a cookie for 30 s; 5 s are left for the way.
constexpr base::Duration kCookieAge = 25s;
constexpr std::uint8_t kMaxLosses = 2;

constexpr std::size_t kEchoFrame = kFrameHeaderSize + kEchoPayloadSize;
constexpr std::size_t kAssocFrame = kFrameHeaderSize + kAssocPayloadSize;
/// The id of the one frame in a datagram: its n names the request already.
constexpr std::uint32_t kFrameId = 1;

/// The smallest class of at least `size` bytes; 0 if there is none.
std::size_t class_of(std::size_t size, std::size_t at_least) {
  for (const std::size_t candidate : kSizeClasses)
    if (candidate >= size && candidate >= at_least) return candidate;
  return 0;
}

}  // namespace

std::size_t SealedPeers::AddressHash::operator()(const base::SocketAddress& address) const {
  std::array<std::uint8_t, 18> bytes;
  std::ranges::copy(address.ip, bytes.begin());
  base::store_be16(bytes.data() + 16, address.port);
  return (*key)(bytes);
}

SealedPeers::SealedPeers(base::Rng& rng, base::WallClock wall, std::size_t capacity)
    : rng_(rng),
      rng_generation_(rng.generation()),
      wall_(wall),
      hash_(rng),
      peers_(capacity),
      by_address_(0, AddressHash{&hash_}) {}

// --- the table -----------------------------------------------------------------------------------

SealedPeers::Peer* SealedPeers::find(const base::SocketAddress& address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : peers_.find(found->second);
}

void SealedPeers::unlink(Peer& peer) {
  (peer.older != 0 ? peers_.find(peer.older)->newer : oldest_) = peer.newer;
  (peer.newer != 0 ? peers_.find(peer.newer)->older : newest_) = peer.older;
}

/// Marks it as the last one used.
void SealedPeers::use(Peer& peer) {
  if (newest_ == peer.self) return;
  unlink(peer);
  peer.older = newest_;
  peer.newer = 0;
  (newest_ != 0 ? peers_.find(newest_)->newer : oldest_) = peer.self;
  newest_ = peer.self;
}

void SealedPeers::drop(Peer& peer) {
  unlink(peer);
  by_address_.erase(peer.address);
  crypto::wipe(peer.key.bytes());
  crypto::wipe(peer.reset_token.bytes());
  peers_.release(peer.self);
}

SealedPeers::Peer* SealedPeers::make(base::Instant now, const RemoteNode& to) {
  // The secret half of EC lives in this scope only.
  const crypto::KeyPair pair = crypto::generate_key_pair(rng_);
  auto shared = crypto::shared_key(to.key, pair.secret_key);
  if (!shared) return nullptr;
  if (peers_.size() == peers_.capacity()) {
    drop(*peers_.find(oldest_));
    ++counters_.evicted;
  }
  base::Handle handle = 0;
  Peer* peer = peers_.acquire(handle);
  BOXGRAM_CHECK(peer != nullptr);
  *peer = Peer{};
  peer->self = handle;
  peer->address = to.address;
  peer->node_key = to.key;
  peer->ec = pair.public_key;
  peer->key = std::move(*shared);
  peer->skid = key_id(to.key);
  peer->expires = now + kMaxAge;
  peer->older = newest_;
  (newest_ != 0 ? peers_.find(newest_)->newer : oldest_) = handle;
  newest_ = handle;
  by_address_[to.address] = handle;
  ++counters_.associations;
  return peer;
}

/// The association with that node, a new one if need be; nullptr if its key is a low-order point.
SealedPeers::Peer* SealedPeers::usable(base::Instant now, const RemoteNode& to) {
  if (rng_.generation() != rng_generation_) {
    // The process was duplicated, and the other one goes on counting under these keys.
    rng_generation_ = rng_.generation();
    while (oldest_ != 0) drop(*peers_.find(oldest_));
  }
  Peer* peer = find(to.address);
  const bool over = peer != nullptr && (peer->node_key != to.key || now >= peer->expires ||
                                        peer->next_n >= kMaxDatagrams);
  if (over) drop(*peer);
  if (peer == nullptr || over) return make(now, to);
  use(*peer);
  return peer;
}

void SealedPeers::lost(const base::SocketAddress& to) {
  Peer* peer = find(to);
  if (peer != nullptr && ++peer->losses >= kMaxLosses && peer->established) drop(*peer);
}

// --- what goes out -------------------------------------------------------------------------------

std::size_t SealedPeers::seal(base::Instant now, const RemoteNode& to, base::Handle request,
                              base::Bytes message, std::size_t room, base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram);
  Peer* peer = usable(now, to);
  if (peer == nullptr) return 0;
  const bool initial = !peer->established;
  const bool cookie = initial && peer->has_cookie && now - peer->cookie_at < kCookieAge;
  const DatagramType type = !initial ? DatagramType::short_
                            : cookie ? DatagramType::initial_c
                                     : DatagramType::initial;
  const std::size_t overhead =
      !initial
          ? kShortOverhead
          : (cookie ? kInitialCookieOverhead + kEchoFrame : kInitialOverhead) + kFrameHeaderSize;
  const bool bare = overhead + kFrameHeaderSize + message.size() > kMaxDatagram;
  BOXGRAM_CHECK(!bare || initial);
  const std::size_t used = bare ? overhead : overhead + kFrameHeaderSize + message.size();
  const std::size_t answer = kMsgOverhead + kFrameHeaderSize + room + (initial ? kAssocFrame : 0);
  // An answer for which there is no class comes as far as it fits.
  const std::size_t wanted = std::max(used, bare ? 0 : std::min(answer, kMaxDatagram));
  const std::size_t size = class_of(wanted, initial ? kMinInitial : kSizeClasses.front());

  const base::MutableBytes datagram = out.first(size);
  FrameWriter frames(frame_space(type, datagram));
  const base::Bytes proof = cookie ? base::Bytes(peer->cookie) : base::Bytes{};
  bool fits = size != 0;
  if (cookie) fits &= frames.put(FrameType::echo, false, 0, proof.first(kEchoPayloadSize));
  if (initial) fits &= frames.put(FrameType::assoc_req, false, 0);
  if (!bare) fits &= frames.put(FrameType::dht, false, kFrameId, message);
  BOXGRAM_CHECK(fits);
  frames.finish();

  const std::uint64_t n = peer->next_n++;
  if (initial)
    seal_initial(datagram, {peer->skid, peer->ec, n, proof}, wall_(now) + peer->clock_offset,
                 peer->key);
  else
    seal_short(datagram, {peer->sid, n}, peer->key);
  ++(initial ? counters_.initials : counters_.shorts);
  peer->sent[n % kInFlight] = {request, n, static_cast<std::uint16_t>(size), initial, bare, false};
  return size;
}

// --- what comes in -------------------------------------------------------------------------------

SealedReceived SealedPeers::receive(base::Instant now, const base::SocketAddress& from,
                                    base::MutableBytes datagram) {
  const auto type = parse_header(datagram);
  Peer* peer = find(from);
  if (!type || peer == nullptr) return nothing(counters_.not_ours);
  switch (*type) {
    case DatagramType::msg:
      return on_msg(now, *peer, datagram);
    case DatagramType::retry:
      return on_retry(now, *peer, datagram);
    case DatagramType::reset:
      return on_reset(*peer, datagram);
    default:
      return nothing(counters_.not_ours);
  }
}

SealedReceived SealedPeers::on_msg(base::Instant now, Peer& peer, base::MutableBytes datagram) {
  const MsgHeader header = parse_msg(datagram);
  if (header.cid != client_id(peer.ec)) return nothing(counters_.not_ours);
  const auto opened = open_msg(datagram, header, peer.key);
  if (!opened) return nothing(counters_.not_authentic);
  InFlight& slot = peer.sent[opened->prefix % kInFlight];
  if (slot.request == 0 || slot.n != opened->prefix) return nothing(counters_.late);
  FrameReader check(opened->frames);
  while (check.next()) {
  }
  if (!check.ok() || datagram.size() != slot.size) return nothing(counters_.violations);
  const InFlight sent = slot;
  slot.request = 0;
  peer.losses = 0;

  SealedReceived received;
  FrameReader frames(opened->frames);
  while (const auto frame = frames.next()) {
    if (frame->type == FrameType::assoc)
      on_assoc(now, peer, frame->payload);
    else if (frame->response && frame->id == kFrameId && frame->type == FrameType::dht)
      received = {SealedReceived::Kind::answer, sent.request, frame->payload, 0};
    else if (frame->type == FrameType::error)  // id 0 if the box was not looked into
      received = on_error(now, peer, sent, frame->payload);
  }
  if (sent.bare && received.kind == SealedReceived::Kind::nothing && peer.established)
    return {SealedReceived::Kind::again, sent.request, {}, 0};
  return received;
}

void SealedPeers::on_assoc(base::Instant now, Peer& peer, base::Bytes payload) {
  if (payload.size() != kAssocPayloadSize) {
    ++counters_.violations;
    return;
  }
  // One EC, one association: a second ASSOC answers a second INITIAL.
  if (peer.established) return;
  base::Reader reader(payload);
  std::ranges::copy(reader.bytes(peer.sid.size()), peer.sid.begin());
  std::ranges::copy(reader.bytes(peer.reset_token.kSize), peer.reset_token.data());
  peer.expires = std::min(peer.expires, now + std::chrono::seconds(reader.u32()));
  peer.established = true;
}

SealedReceived SealedPeers::on_error(base::Instant now, Peer& peer, const InFlight& sent,
                                     base::Bytes payload) {
  using Kind = SealedReceived::Kind;
  if (payload.size() < 2) return nothing(counters_.violations);
  const base::Bytes detail = payload.subspan(2);
  const auto code = static_cast<packet::ErrorCode>(base::load_be16(payload.data()));
  if (code == packet::ErrorCode::stale_time && sent.initial && detail.size() >= 8) {
    // With a cookie the time does not count, so it was the cookie that was no good.
    peer.has_cookie = false;
    peer.clock_offset = base::load_be64(detail.data()) - wall_(now);
    return {Kind::again, sent.request, {}, 0};
  }
  if (code == packet::ErrorCode::need_assoc && peer.established)
    return {Kind::again, sent.request, {}, 0};
  if (code == packet::ErrorCode::too_large && detail.size() >= 2) {
    // What did not fit needs more than the datagram had for it, whatever the node says.
    const std::size_t overhead = kMsgOverhead + kFrameHeaderSize;
    const std::size_t had = sent.size - overhead - (sent.initial ? kAssocFrame : 0);
    const std::size_t needed = std::max<std::size_t>(base::load_be16(detail.data()), had + 1);
    if (needed + overhead <= kMaxDatagram)
      return {Kind::again, sent.request, {}, static_cast<std::uint16_t>(needed)};
  }
  return {Kind::refused, sent.request, {}, 0};
}

SealedReceived SealedPeers::on_retry(base::Instant now, Peer& peer, base::Bytes datagram) {
  const RetryView retry = parse_retry(datagram);
  InFlight& sent = peer.sent[retry.n % kInFlight];
  if (retry.cid != client_id(peer.ec) || sent.request == 0 || sent.n != retry.n || !sent.initial ||
      sent.retried)
    return nothing(counters_.not_ours);
  sent.retried = true;  // but it stays in flight: the MSG may still come
  peer.has_cookie = true;
  peer.cookie = retry.cookie;
  peer.cookie_at = now;
  return {SealedReceived::Kind::again, sent.request, {}, 0};
}

SealedReceived SealedPeers::on_reset(Peer& peer, base::Bytes datagram) {
  const ResetView reset = parse_reset(datagram);
  if (!peer.established || peer.sid != reset.sid ||
      !crypto::equal_constant_time(peer.reset_token.bytes(), reset.token))
    return nothing(counters_.not_ours);
  // The latest request goes out again at once, under a new EC; earlier ones when they are late.
  const InFlight latest = peer.sent[(peer.next_n - 1) % kInFlight];
  drop(peer);
  if (latest.request == 0) return {};
  return {SealedReceived::Kind::again, latest.request, {}, 0};
}

}  // namespace boxgram::dht
