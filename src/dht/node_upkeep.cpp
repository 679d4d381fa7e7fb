// The table's upkeep, time, and what is kept over a restart.
#include <algorithm>

#include <boxgram/dht/bencode.hpp>

#include "node_core.hpp"

namespace boxgram::dht {

namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;

/// One node of each table every 5 s, for 60 bytes a second. Every second one is from the buckets
/// near us, since there others rely on what we know: these come round in five minutes, all of a
/// full table in 40.
constexpr base::Duration kRefresh = 5s;
/// What has been heard of so lately needs no refresh.
constexpr base::Duration kRefreshAge = 60s;
/// Five hints a second: enough for every node that joins, and no flood for whoever is named in
/// forged ones.
constexpr base::Duration kHintPause = 200ms;
constexpr base::Duration kExpiry = 60s;
/// Alternately for our own id, so that our neighbours know us and we them, and for a random one,
/// which tells how large the network is.
constexpr base::Duration kOwnLookup = 7min;
/// After joining, so that the network's size is known soon.
constexpr base::Duration kEarlyLookup = 10s;
constexpr unsigned kEarlyLookups = NetworkSize::kEnough + 1;
/// While nobody answers.
constexpr base::Duration kFirstRetry = 5s;
constexpr base::Duration kLastRetry = 60s;

constexpr std::size_t kMaxSeeds = 64;
/// A full table with some buckets to spare.
constexpr std::size_t kMaxSaved = 1024;

}  // namespace

// --- who is known --------------------------------------------------------------------------------

/// A node has answered a request of ours: the only way into the table.
void Node::Core::heard(base::Instant now, const RemoteNode& node, const Response& response) {
  switch (tables_.of(node.address).answered(now, node)) {
    case Admission::entered:
    case Admission::replaced:
    case Admission::spare:
      ++counters_.admitted;
      break;
    case Admission::known:
      break;
    default:
      ++counters_.refused;
  }
  if (!response.ip || family_of(*response.ip) != family_of(node.address) ||
      is_martian(*response.ip, config_.addresses))
    return;
  auto& votes = votes_[static_cast<std::size_t>(family_of(node.address))];
  if (!votes.vote(node.address, response.ip->ip)) return;
  base::SocketAddress address = *response.ip;
  address.port = 0;
  on_address(address);
}

/// Our address in one family is known, or is another than before.
void Node::Core::on_address(const base::SocketAddress& address) {
  RoutingTable& table = tables_.of(address);
  const NodeId id = config_.overlay == Overlay::sealed ? sealed_id(key_, address)
                                                       : bound_to_ip(table.self(), address);
  events_.push_back(AddressLearnt{address, id});
  if (id == table.self()) return;
  table.rebase(id);
  responder_.rebase();
}

void Node::Core::hint(const RemoteNode& node) {
  if (!tables_.of(node.address).wants(node)) return;
  counters_.hints += hints_.push(node);
}

void Node::Core::follow_hint() {
  std::optional<RemoteNode> node = hints_.pop();
  if (!node && !saved_.empty()) {
    node = saved_.back();
    saved_.pop_back();
  }
  if (node && tables_.of(node->address).wants(*node))
    requests_.add(RequestKind::ping, *node, {}, 0);
}

void Node::Core::refresh(base::Instant now, Family family) {
  RoutingTable& table = tables_[family];
  const RoutingTable::Entry* stalest =
      table.take_stalest(now, kRefreshAge, refresh_near_ ? RoutingTable::kNear : 0);
  if (stalest == nullptr) return;
  // A ping would do for the node; this finds others for its bucket as well.
  requests_.add(RequestKind::find_node, stalest->node,
                table.random_in_bucket_of(stalest->node.id, rng_), 0);
}

// --- lookups of our own --------------------------------------------------------------------------

void Node::Core::bootstrap(base::Instant now, std::span<const RemoteNode> nodes) {
  for (const RemoteNode& node : nodes)
    if (seeds_.size() < kMaxSeeds && enabled(family_of(node.address)) &&
        !is_martian(node.address, config_.addresses))
      seeds_.push_back(node);
  next_own_lookup_ = now;
}

void Node::Core::own_lookup(base::Instant now) {
  next_own_lookup_ = base::Instant::max();
  std::array<NodeId, 2> targets = {tables_[Family::v4].self(), tables_[Family::v6].self()};
  if (own_lookups_ % 2 == 1) targets[0] = targets[1] = NodeId::random(rng_);
  RunningOperation* operation = begin(RequestKind::find_node, targets, 0);
  if (operation == nullptr) {
    next_own_lookup_ = now + kFirstRetry;
    return;
  }
  own_lookup_at_ = now;
  operation->internal = true;
  pump(*operation);
}

void Node::Core::own_lookup_ended() {
  const std::size_t known = tables_[Family::v4].size() + tables_[Family::v6].size();
  base::Duration pause = retry_delay_;
  if (known == 0) {
    retry_delay_ = std::min(2 * retry_delay_, kLastRetry);
  } else {
    retry_delay_ = kFirstRetry;
    ++own_lookups_;
    pause = own_lookups_ < kEarlyLookups ? kEarlyLookup : kOwnLookup;
  }
  // Up to a quarter more, so that nodes that were started together part.
  const auto quarter = static_cast<std::uint64_t>((pause / 4).count());
  next_own_lookup_ =
      own_lookup_at_ + pause + base::Duration(static_cast<std::int64_t>(rng_.below(quarter)));
}

// --- time ----------------------------------------------------------------------------------------

void Node::Core::handle_timeout(base::Instant now) {
  RequestTable::Due due{};
  while (Request* request = requests_.expire(now, due)) {
    if (due == RequestTable::Due::slow)
      on_slow(*request);
    else
      on_dead(*request);
  }
  if (now >= next_refresh_) {
    next_refresh_ = now + kRefresh;
    refresh_near_ = !refresh_near_;
    for (const Family family : kFamilies) refresh(now, family);
  }
  if (has_hints() && now >= next_hint_) {
    next_hint_ = now + kHintPause;
    follow_hint();
  }
  if (sealed_ && now >= sealed_->next_timeout()) sealed_->handle_timeout(now);
  if (now >= next_own_lookup_) own_lookup(now);
  if (now >= next_expiry_) {
    next_expiry_ = now + kExpiry;
    responder_.expire(now);
  }
}

std::optional<base::Instant> Node::Core::next_timeout() const {
  base::Instant next = std::min({next_refresh_, next_expiry_, next_own_lookup_});
  if (const auto due = requests_.next()) next = std::min(next, *due);
  if (has_hints()) next = std::min(next, next_hint_);
  if (sealed_) next = std::min(next, sealed_->next_timeout());
  return next;
}

// --- files ---------------------------------------------------------------------------------------

std::vector<std::uint8_t> Node::Core::export_table() const {
  const bool plain = config_.overlay == Overlay::mainline;
  constexpr std::array<std::array<std::string_view, 2>, 2> kKeys = {
      {{"nodes", "nodes6"}, {"snodes", "snodes6"}}};
  std::vector<std::uint8_t> out(
      128 + kMaxCompactSize * (tables_[Family::v4].size() + tables_[Family::v6].size()));
  bencode::Encoder encoder(out);
  encoder.begin_dictionary();
  if (plain) {
    encoder.key("id");
    encoder.string(tables_[config_.v4 ? Family::v4 : Family::v6].self().bytes);
  }
  for (const Family family : kFamilies) {
    const RoutingTable& table = tables_[family];
    const std::size_t size =
        plain ? compact_size<Contact>(family) : compact_size<SealedContact>(family);
    encoder.key(kKeys[plain ? 0 : 1][static_cast<std::size_t>(family)]);
    encoder.begin_string(table.size() * size);
    table.for_each([&](std::size_t, const RoutingTable::Entry& entry) {
      if (plain)
        write_compact(encoder.out(), Contact{entry.node.id, entry.node.address});
      else
        write_compact(encoder.out(), SealedContact{entry.node.key, entry.node.address});
    });
  }
  encoder.end();
  out.resize(encoder.size());
  return out;
}

bool Node::Core::import_table(base::Instant now, base::Bytes saved) {
  std::vector<RemoteNode> nodes;
  const auto take = [&](const auto& list) {
    if (!list) return false;
    for (std::size_t i = 0; i < list->size() && nodes.size() < kMaxSaved; ++i) {
      const auto contact = list->at(i, config_.addresses);
      if (!contact || !enabled(family_of(contact->address))) continue;
      const RemoteNode node = remote_node(*contact);
      if (node.id != NodeId{} && !tables_.is_own(node.id)) nodes.push_back(node);
    }
    return true;
  };
  bencode::Dictionary dictionary(saved);
  const bool plain = config_.overlay == Overlay::mainline;
  while (const auto entry = dictionary.next()) {
    const auto bytes = entry->value.string();
    if (!bytes) return false;
    const Family family = entry->key.ends_with('6') ? Family::v6 : Family::v4;
    const bool plain_list = entry->key == "nodes" || entry->key == "nodes6";
    const bool sealed_list = entry->key == "snodes" || entry->key == "snodes6";
    if (plain && plain_list && !take(CompactList<Contact>::from(*bytes, family))) return false;
    if (!plain && sealed_list && !take(CompactList<SealedContact>::from(*bytes, family)))
      return false;
  }
  if (!dictionary.ok() || !dictionary.rest().empty()) return false;
  saved_ = std::move(nodes);
  next_own_lookup_ = now;
  return true;
}

}  // namespace boxgram::dht
