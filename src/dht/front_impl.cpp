#include "front_impl.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::dht {

/// What every answer needs to know of its question.
struct Front::Impl::Context {
  base::Instant now;
  std::size_t node;
  const base::SocketAddress& from;
  const Query& query;
  base::MutableBytes out;
};

namespace {

using Kind = FrontKey::Kind;

/// Of one key: more than a client asks for, and 256 keys take 3 MiB at the most.
constexpr std::size_t kMaxPeersKept = 512;
/// Named in a reply of 1,024 bytes, which IPv4 fills.
constexpr std::size_t kMaxPeersNamed = 120;
/// Of the clients' own: they are near, and leave room for others.
constexpr std::size_t kMaxLocalNamed = 50;
/// An item is stored when the nodes around its target have been found and have answered.
constexpr base::Duration kStorePatience = std::chrono::seconds(10);
/// Announced peers that have expired are dropped so often.
constexpr base::Duration kExpiryInterval = std::chrono::minutes(1);
/// A request is answered by whoever has tokens of its own; without any it would be malformed.
constexpr std::string_view kAnyToken = "-";

/// Ids of virtual nodes: the first four bits tell them apart, so that one is near to any target.
std::vector<Contact> make_nodes(std::span<const base::SocketAddress> addresses, base::Rng& rng) {
  std::vector<Contact> nodes;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    NodeId id = NodeId::random(rng);
    if (addresses.size() > 1)
      id.bytes[0] = static_cast<std::uint8_t>(i * 256 / addresses.size() | (id.bytes[0] & 0x0f));
    nodes.push_back({id, addresses[i]});
  }
  return nodes;
}

}  // namespace

Front::Impl::Impl(FrontConfig config, base::Rng& rng)
    : config_(std::move(config)),
      rng_(rng),
      family_(family_of(config_.nodes.at(0))),
      nodes_(make_nodes(config_.nodes, rng)),
      tokens_(rng),
      announced_(nodes_[0].id, {}, rng),
      hash_(rng),
      entries_(0, FrontKeyHash(hash_)) {
  BOXGRAM_CHECK(nodes_.size() <= 16);
}

std::size_t Front::Impl::drop(FrontDrop reason) {
  ++counters_.drops[static_cast<std::size_t>(reason)];
  return 0;
}

std::size_t Front::Impl::error(base::Bytes transaction, ErrorCode code, base::MutableBytes out) {
  ++counters_.errors;
  return encode_error(transaction, code, out);
}

std::size_t Front::Impl::handle_datagram(base::Instant now, std::size_t node,
                                         const base::SocketAddress& from, base::Bytes datagram,
                                         base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram && node < nodes_.size());
  const bool served =
      from.is_loopback() || std::any_of(config_.clients.begin(), config_.clients.end(),
                                        [&](const auto& client) { return client.ip == from.ip; });
  if (!served || from.port == 0) return drop(FrontDrop::stranger);
  const auto message = decode(datagram, Overlay::mainline);
  if (!message) {
    if (message.error().transaction.empty()) return drop(FrontDrop::malformed);
    return error(message.error().transaction, message.error().error, out);
  }
  const auto* query = std::get_if<Query>(&*message);
  if (query == nullptr) return drop(FrontDrop::not_query);
  ++counters_.queries;
  const Context context{now, node, from, *query, out};
  return std::visit([&](const auto& method) { return answer_to(context, method); },
                    query->arguments);
}

FrontWaiter Front::Impl::waiter_of(const Context& context, base::Duration patience) const {
  FrontWaiter waiter;
  waiter.node = context.node;
  waiter.from = context.from;
  waiter.transaction_size = context.query.transaction.size();
  std::copy(context.query.transaction.begin(), context.query.transaction.end(),
            waiter.transaction.begin());
  waiter.deadline = context.now + patience;
  return waiter;
}

std::size_t Front::Impl::answer_to(const Context& context, const Ping&) {
  Reply reply;
  reply.transaction = context.query.transaction;
  reply.id = nodes_[context.node].id;
  reply.ip = context.from;
  ++counters_.replies;
  return encode(reply, Overlay::mainline, context.out.first(kMaxReply));
}

std::size_t Front::Impl::answer_to(const Context& context, const FindNode& query) {
  Reply reply;
  reply.transaction = context.query.transaction;
  reply.id = nodes_[context.node].id;
  reply.ip = context.from;
  return write(query.target, query.want, reply, context.out);
}

std::size_t Front::Impl::answer_to(const Context& context, const GetPeers& query) {
  FrontWaiter waiter = waiter_of(context, kPatience);
  waiter.want = query.want;
  return look_up(context, {Kind::peers, query.no_seeds, query.info_hash}, waiter,
                 GetPeers{query.info_hash, {}, query.no_seeds, false});
}

std::size_t Front::Impl::answer_to(const Context& context, const GetItem& query) {
  FrontWaiter waiter = waiter_of(context, kPatience);
  waiter.want = query.want;
  waiter.newer_than = query.newer_than;
  return look_up(context, {Kind::item, false, query.target}, waiter,
                 GetItem{query.target, {}, std::nullopt});
}

/// Answers from what is known, or waits for it.
template <class Method>
std::size_t Front::Impl::look_up(const Context& context, const FrontKey& key,
                                 const FrontWaiter& waiter, const Method& method) {
  const auto found = entries_.find(key);
  FrontEntry* entry = found == entries_.end() ? nullptr : &found->second;
  if (entry != nullptr && !entry->under_way) {
    if (entry->fresh_until > context.now) {
      ++counters_.cached;
      return compose(context.now, key, waiter, context.out);
    }
    entries_.erase(found);
    entry = nullptr;
  }
  if (entry != nullptr)
    ++counters_.merged;
  else
    entry = begin(context.now, key, method);
  if (entry != nullptr && wait(*entry, waiter)) return 0;
  ++counters_.crowded;
  return compose(context.now, key, waiter, context.out);
}

std::size_t Front::Impl::answer_to(const Context& context, const AnnouncePeer& query) {
  const base::Bytes transaction = context.query.transaction;
  if (!tokens_.accepts(context.now, context.from, query.info_hash.bytes, query.token)) {
    ++counters_.bad_tokens;
    return error(transaction, ErrorCode::protocol, context.out);
  }
  base::SocketAddress peer = context.from;
  if (!query.implied_port) peer.port = query.port;
  if (!announced_.announce(context.now, query.info_hash, peer, query.seed))
    return error(transaction, ErrorCode::server, context.out);
  if (config_.announce)
    begin(context.now, {Kind::store, false, query.info_hash, next_tag_},
          AnnouncePeer{query.info_hash, peer.port, false, query.seed, base::as_bytes(kAnyToken)});
  return answer_to(context, Ping{});
}

std::size_t Front::Impl::answer_to(const Context& context, const PutItem& query) {
  const base::Bytes transaction = context.query.transaction;
  const NodeId target = target_of(query.item);
  if (!tokens_.accepts(context.now, context.from, target.bytes, query.token)) {
    ++counters_.bad_tokens;
    return error(transaction, ErrorCode::protocol, context.out);
  }
  if (const auto code = check(query.item)) return error(transaction, *code, context.out);
  const FrontWaiter waiter = waiter_of(context, kStorePatience);
  FrontEntry* entry = begin(context.now, {Kind::store, false, target, next_tag_},
                            PutItem{base::as_bytes(kAnyToken), query.item, query.cas});
  if (entry == nullptr || !wait(*entry, waiter)) {
    ++counters_.crowded;
    return error(transaction, ErrorCode::server, context.out);
  }
  return 0;
}

// --- requests -----------------------------------------------------------------------------------

/// Null if there is no place for another request.
template <class Method>
FrontEntry* Front::Impl::begin(base::Instant now, const FrontKey& key, const Method& method) {
  if (under_way_.size() >= kMaxUnderWay || !make_room(now)) return nullptr;
  std::array<std::uint8_t, kMaxDatagram> bytes;
  Query query;  // under the id of nobody
  query.transaction = base::as_bytes("f");
  query.arguments = method;
  const std::size_t size = encode(query, Overlay::mainline, bytes);
  if (size == 0) return nullptr;
  FrontEntry& entry = entries_[key];
  entry.tag = next_tag_++;
  entry.query.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  under_way_.emplace(entry.tag, key);
  unasked_.push_back(entry.tag);
  ++counters_.requests;
  return &entry;
}

/// The result that is the nearest to its end gives way. Cost: O(kMaxRequests), only when full.
bool Front::Impl::make_room(base::Instant now) {
  if (entries_.size() < kMaxRequests) return true;
  const std::size_t expired = std::erase_if(entries_, [&](const auto& entry) {
    return !entry.second.under_way && entry.second.fresh_until <= now;
  });
  if (expired > 0) return true;
  auto oldest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
    if (!entry->second.under_way &&
        (oldest == entries_.end() || entry->second.fresh_until < oldest->second.fresh_until))
      oldest = entry;
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  ++counters_.evicted;
  return true;
}

bool Front::Impl::wait(FrontEntry& entry, const FrontWaiter& waiter) {
  if (waiting_ >= kMaxWaiting || entry.waiters.size() >= kMaxWaitingForOne) return false;
  entry.waiters.push_back(waiter);
  ++waiting_;
  return true;
}

bool Front::Impl::poll_request(Request& request, base::MutableBytes out) {
  while (!unasked_.empty()) {
    const std::uint64_t tag = unasked_.front();
    unasked_.pop_front();
    const auto key = under_way_.find(tag);
    if (key == under_way_.end()) continue;
    FrontEntry& entry = entries_.at(key->second);
    std::copy(entry.query.begin(), entry.query.end(), out.begin());
    request = {tag, entry.query.size()};
    entry.query = {};
    return true;
  }
  return false;
}

void Front::Impl::answered(base::Instant now, std::uint64_t tag, base::Bytes message) {
  const auto asked = under_way_.find(tag);
  if (asked == under_way_.end()) return;
  const FrontKey key = asked->second;
  under_way_.erase(asked);
  FrontEntry& entry = entries_.at(key);
  entry.under_way = false;
  entry.fresh_until = now + kFresh;
  take(key, entry, message);
  release_waiters(key, entry, std::nullopt);
  if (key.kind != Kind::store) return;
  entries_.erase(key);
  // What was known of the item may have changed.
  const auto item = entries_.find(FrontKey{Kind::item, false, key.target});
  if (item != entries_.end() && !item->second.under_way) entries_.erase(item);
}

void Front::Impl::take(const FrontKey& key, FrontEntry& entry, base::Bytes bytes) {
  const auto message = decode(bytes, Overlay::mainline, 65'535);
  const auto* response = message ? std::get_if<Response>(&*message) : nullptr;
  if (key.kind == Kind::store) {
    const auto* refusal = message ? std::get_if<Error>(&*message) : nullptr;
    const bool stored = response != nullptr && response->effort && response->effort->stored > 0;
    if (!stored) entry.error = ErrorCode::server;
    if (refusal != nullptr && refusal->code > 0 && refusal->code <= 999)
      entry.error = static_cast<ErrorCode>(refusal->code);
  } else if (response != nullptr && key.kind == Kind::peers) {
    take_peers(entry, *response);
  } else if (response != nullptr) {
    take_item(key, entry, *response);
  }
  if (response == nullptr) ++counters_.failed;
}

void Front::Impl::take_peers(FrontEntry& entry, const Response& response) {
  response.peers.for_each(AddressPolicy::and_local, [&](const base::SocketAddress& peer) {
    if (family_of(peer) == family_ && entry.peers.size() < kMaxPeersKept)
      entry.peers.push_back(peer);
  });
}

/// A mutable item may have a salt that only the client knows: it has to verify it in any case.
void Front::Impl::take_item(const FrontKey& key, FrontEntry& entry, const Response& response) {
  const auto& item = response.item;
  if (!item || item->value.size() > kMaxValue) return;
  if (!item->author && immutable_target(item->value) != key.target) return;
  entry.value.assign(item->value.begin(), item->value.end());
  entry.author = item->author;
}

// --- replies ------------------------------------------------------------------------------------

/// Those whose time is over, or all.
void Front::Impl::release_waiters(const FrontKey& key, FrontEntry& entry,
                                  std::optional<base::Instant> impatient_at) {
  while (!entry.waiters.empty()) {
    const FrontWaiter& waiter = entry.waiters.front();
    if (impatient_at && waiter.deadline > *impatient_at) break;
    if (impatient_at) ++counters_.late;
    std::optional<ErrorCode> error = entry.error;
    if (impatient_at && key.kind == Kind::store) error = ErrorCode::server;
    late_.push_back({key, waiter, error});
    entry.waiters.pop_front();
  }
}

bool Front::Impl::poll_transmit(base::Instant now, Transmit& transmit, base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram);
  if (late_.empty()) return false;
  const LateReply late = late_.front();
  late_.pop_front();
  --waiting_;
  transmit.node = late.waiter.node;
  transmit.to = late.waiter.from;
  transmit.size =
      late.error ? error(base::Bytes(late.waiter.transaction).first(late.waiter.transaction_size),
                         *late.error, out)
                 : compose(now, late.key, late.waiter, out);
  return true;
}

/// What is known now.
std::size_t Front::Impl::compose(base::Instant now, const FrontKey& key, const FrontWaiter& waiter,
                                 base::MutableBytes out) {
  const auto found = entries_.find(key);
  const FrontEntry* entry = found == entries_.end() ? nullptr : &found->second;
  Reply reply;
  reply.transaction = base::Bytes(waiter.transaction).first(waiter.transaction_size);
  reply.id = nodes_[waiter.node].id;
  reply.ip = waiter.from;
  const Token token = tokens_.issue(now, waiter.from, key.target.bytes);
  if (key.kind != Kind::store) reply.token = token;
  std::array<base::SocketAddress, kMaxPeersNamed> peers;
  std::size_t count = 0;
  if (key.kind == Kind::peers) {
    announced_.sample(
        now, key.target, family_, key.no_seeds, kMaxLocalNamed, rng_, [&](base::Bytes compact) {
          peers[count++] =
              *read_compact<base::SocketAddress>(compact, family_, AddressPolicy::and_local);
        });
    const std::size_t known = entry == nullptr ? 0 : entry->peers.size();
    const std::size_t start = known == 0 ? 0 : rng_.below(known);
    for (std::size_t i = 0; i < known && count < peers.size(); ++i)
      peers[count++] = entry->peers[(start + i) % known];
    reply.peers = std::span(peers).first(count);
  } else if (key.kind == Kind::item && entry != nullptr && !entry->value.empty()) {
    const bool old =
        entry->author && waiter.newer_than && entry->author->sequence <= *waiter.newer_than;
    if (old)
      reply.sequence = entry->author->sequence;
    else
      reply.item = Item{entry->value, entry->author};
  }
  return write(key.target, waiter.want, reply, out);
}

/// Adds our virtual nodes where nothing else was found, and never anybody else's.
std::size_t Front::Impl::write(const NodeId& target, Want want, Reply& reply,
                               base::MutableBytes out) {
  constexpr std::size_t kK = 8;
  std::array<Contact, 16> nearest;
  const auto end = std::copy(nodes_.begin(), nodes_.end(), nearest.begin());
  std::sort(nearest.begin(), end,
            [&](const Contact& a, const Contact& b) { return closer(target, a.id, b.id); });
  const std::span<const Contact> ours(nearest.data(), std::min(nodes_.size(), kK));
  if (!want.v4 && !want.v6) (family_ == Family::v4 ? want.v4 : want.v6) = true;
  if (reply.peers.empty() && !reply.item) {
    if (want.v4) reply.nodes = family_ == Family::v4 ? ours : ours.first(0);
    if (want.v6) reply.nodes6 = family_ == Family::v6 ? ours : ours.first(0);
  }
  ++counters_.replies;
  const std::size_t most = reply.item ? kMaxItemReply : kMaxReply;
  return encode(reply, Overlay::mainline, out.first(most));
}

// --- time ---------------------------------------------------------------------------------------

void Front::Impl::handle_timeout(base::Instant now) {
  for (const auto& [tag, key] : under_way_) release_waiters(key, entries_.at(key), now);
  if (now < next_expiry_) return;
  next_expiry_ = now + kExpiryInterval;
  announced_.expire(now);
}

std::optional<base::Instant> Front::Impl::next_timeout() const {
  std::optional<base::Instant> next;
  if (announced_.peers() > 0) next = next_expiry_;
  for (const auto& [tag, key] : under_way_) {
    const FrontEntry& entry = entries_.at(key);
    if (!entry.waiters.empty() && (!next || entry.waiters.front().deadline < *next))
      next = entry.waiters.front().deadline;
  }
  return next;
}

FrontCounters Front::Impl::counters() const {
  FrontCounters counters = counters_;
  counters.peers = announced_.peers();
  return counters;
}

}  // namespace boxgram::dht
