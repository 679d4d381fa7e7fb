#include <boxgram/base/check.hpp>
#include <boxgram/dht/node.hpp>

#include "node_core.hpp"

namespace boxgram::dht {

namespace {

/// Where the owner's operations end and the node's own begin: a lookup of its own, and its like.
constexpr std::size_t kOwnOperations = 2;
/// Unanswered requests of one lookup: five a second for eight seconds, and the first five. Those of
/// a store round are fewer.
constexpr std::size_t kRequestsOfLookup = 48;
/// Pings and refreshes: five hints and less than a refresh a second, for eight seconds.
constexpr std::size_t kUpkeepRequests = 64;

std::array<NodeId, 2> first_ids(const NodeConfig& config, const crypto::PublicKey& key,
                                base::Rng& rng) {
  if (config.overlay == Overlay::mainline) {
    const NodeId id = config.id ? *config.id : NodeId::random(rng);
    return {id, id};
  }
  // Until our address is known: what a local address gives, which binds nothing.
  const NodeId id = sealed_id(key, base::SocketAddress::v4(127, 0, 0, 1, 1));
  return {id, id};
}

}  // namespace

Node::Core::Core(NodeConfig config, base::Rng& rng, base::WallClock wall, base::Instant start)
    : config_(std::move(config)),
      key_(config_.secret_key ? crypto::public_key_of(*config_.secret_key) : crypto::PublicKey{}),
      rng_(rng),
      sealed_(config_.overlay == Overlay::sealed && config_.secret_key
                  ? std::make_unique<SealedCarriage>(*config_.secret_key, rng, wall, start)
                  : nullptr),
      tables_(first_ids(config_, key_, rng)),
      responder_(config_.overlay, tables_, rng),
      budget_(config_.limits, config_.rate_table_capacity, rng),
      requests_(2 * kRequestsOfLookup * (config_.max_operations + kOwnOperations) + kUpkeepRequests,
                rng),
      operations_(config_.max_operations + kOwnOperations),
      next_refresh_(start),
      next_hint_(start),
      next_expiry_(start),
      next_own_lookup_(start + std::chrono::minutes(1)),
      retry_delay_(std::chrono::seconds(5)) {
  BOXGRAM_CHECK(config_.overlay == Overlay::mainline || config_.secret_key);
  BOXGRAM_CHECK(config_.v4 || config_.v6);
}

NodeCounters Node::Core::counters() const {
  NodeCounters counters = counters_;
  counters.hints_dropped = hints_.dropped();
  counters.bad_tokens = responder_.bad_tokens();
  counters.peers_stored = responder_.peers().peers();
  counters.items_stored = responder_.items().size();
  return counters;
}

const char* to_string(NodeDrop reason) {
  constexpr std::array<const char*, static_cast<std::size_t>(NodeDrop::count_)> kNames = {
      "malformed",    "unknown_tid", "wrong_endpoint", "wrong_id",   "own_id",   "bad_address",
      "rate_limited", "byte_budget", "read_only",      "not_sealed", "bad_item",
  };
  return kNames[static_cast<std::size_t>(reason)];
}

Node::Node(NodeConfig config, base::Rng& rng, base::WallClock wall, base::Instant start)
    : core_(std::make_unique<Core>(std::move(config), rng, wall, start)) {}
Node::~Node() = default;
Node::Node(Node&&) noexcept = default;

std::size_t Node::handle_datagram(base::Instant now, const base::SocketAddress& from,
                                  base::MutableBytes datagram, base::MutableBytes out) {
  return core_->handle_datagram(now, from, datagram, out);
}
void Node::handle_timeout(base::Instant now) {
  core_->handle_timeout(now);
}
std::optional<base::Instant> Node::next_timeout() const {
  return core_->next_timeout();
}
std::size_t Node::poll_transmit(base::Instant now, base::SocketAddress& to,
                                base::MutableBytes out) {
  return core_->poll_transmit(now, to, out);
}
bool Node::poll_event(NodeEvent& event) {
  return core_->poll_event(event);
}
void Node::bootstrap(base::Instant now, std::span<const RemoteNode> nodes) {
  core_->bootstrap(now, nodes);
}

Operation Node::ping(base::Instant, const RemoteNode& node, std::uint64_t tag) {
  return core_->ping(node, tag);
}

Operation Node::find_node(base::Instant, const NodeId& target, std::uint64_t tag, bool trace) {
  RunningOperation* operation = core_->begin(RequestKind::find_node, {target, target}, tag);
  if (operation == nullptr) return 0;
  operation->trace = trace;
  core_->pump(*operation);
  return operation->self;
}

Operation Node::get_peers(base::Instant, const NodeId& infohash, std::uint64_t tag,
                          const GetPeersOptions& options) {
  RunningOperation* operation = core_->begin(RequestKind::get_peers, {infohash, infohash}, tag);
  if (operation == nullptr) return 0;
  operation->trace = options.trace;
  operation->get_peers = options;
  core_->pump(*operation);
  return operation->self;
}

Operation Node::announce(base::Instant, const NodeId& infohash, std::uint64_t tag,
                         const AnnounceOptions& options) {
  RunningOperation* operation = core_->begin(RequestKind::announce, {infohash, infohash}, tag);
  if (operation == nullptr) return 0;
  operation->trace = options.trace;
  operation->get_peers = {};
  operation->announce = options;
  core_->pump(*operation);
  return operation->self;
}

Operation Node::get(base::Instant, const NodeId& target, std::uint64_t tag,
                    const GetOptions& options) {
  RunningOperation* operation = core_->begin(RequestKind::get, {target, target}, tag);
  if (operation == nullptr) return 0;
  operation->trace = options.trace;
  operation->salt.assign(options.salt.begin(), options.salt.end());
  operation->get = options;
  core_->pump(*operation);
  return operation->self;
}

Operation Node::put(base::Instant, const Item& item, std::uint64_t tag, const PutOptions& options) {
  const NodeId target = target_of(item);
  RunningOperation* operation = core_->begin(RequestKind::put, {target, target}, tag);
  if (operation == nullptr) return 0;
  operation->trace = options.trace;
  operation->put = options;
  operation->value.assign(item.value.begin(), item.value.end());
  operation->author = item.author;
  operation->salt.clear();
  if (item.author) operation->salt.assign(item.author->salt.begin(), item.author->salt.end());
  core_->pump(*operation);
  return operation->self;
}

void Node::cancel(Operation operation) {
  core_->cancel(operation);
}

const NodeId& Node::id(Family family) const {
  return core_->tables()[family].self();
}
std::size_t Node::table_size(Family family) const {
  return core_->tables()[family].size();
}

std::vector<TableRow> Node::table(base::Instant now) const {
  std::vector<TableRow> rows;
  for (const Family family : kFamilies)
    core_->tables()[family].for_each([&](std::size_t bucket, const RoutingTable::Entry& entry) {
      rows.push_back({entry.node, bucket, now - entry.heard, entry.good(now), entry.failures});
    });
  return rows;
}

std::vector<std::uint8_t> Node::export_table() const {
  return core_->export_table();
}
bool Node::import_table(base::Instant now, base::Bytes saved) {
  return core_->import_table(now, saved);
}
NodeCounters Node::counters() const {
  return core_->counters();
}
double Node::network_size(Family family) const {
  return core_->network_size(family).nodes();
}

}  // namespace boxgram::dht
