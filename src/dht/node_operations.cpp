// Lookups, what follows them, and what they send.
#include <algorithm>
#include <limits>

#include <boxgram/base/check.hpp>

#include "node_core.hpp"

namespace boxgram::dht {
namespace {

/// Requests in a row without an answer, and without anything else that comes, that still speak
/// against the nodes they went to.
constexpr std::uint32_t kMaxSilence = 4;

}  // namespace

RunningOperation* Node::Core::begin(RequestKind kind, const std::array<NodeId, 2>& targets,
                                    std::uint64_t tag) {
  Operation handle = 0;
  RunningOperation* operation = operations_.acquire(handle);
  if (operation == nullptr) {
    ++counters_.full;
    return nullptr;
  }
  ++counters_.operations;
  operation->self = handle;
  operation->tag = tag;
  operation->kind = kind;
  operation->target = targets[0];
  operation->internal = operation->trace = operation->found = false;
  operation->stage = RunningOperation::Stage::asking;
  operation->outcome = Outcome::done;
  operation->round.start();
  operation->best_sequence.reset();
  operation->author.reset();
  operation->asked = operation->answered = operation->stored = 0;
  for (const Family family : kFamilies) {
    const auto index = static_cast<std::size_t>(family);
    operation->searching[index] = enabled(family) && kind != RequestKind::ping;
    if (!operation->searching[index]) continue;
    Search& search = operation->searches[index];
    search.start(targets[index], network_size(family).radius(Lookup::kK));
    seed(search.main(), family);
  }
  return operation;
}

/// The nodes that a lookup begins with.
void Node::Core::seed(Lookup& lookup, Family family) const {
  std::array<const RoutingTable::Entry*, 2 * Lookup::kK> known;
  const std::size_t size = tables_[family].closest(lookup.target(), known);
  for (std::size_t i = 0; i < size; ++i) lookup.add(known[i]->node);
  if (size >= Lookup::kK) return;
  for (const auto* more : {&seeds_, &saved_})
    for (const RemoteNode& node : *more)
      if (family_of(node.address) == family) lookup.add(node);
}

Operation Node::Core::ping(const RemoteNode& node, std::uint64_t tag) {
  RunningOperation* operation = begin(RequestKind::ping, {}, tag);
  if (operation == nullptr) return 0;
  const bool possible =
      enabled(family_of(node.address)) && !is_martian(node.address, config_.addresses);
  if (!possible || requests_.add(RequestKind::ping, node, {}, operation->self) == nullptr)
    operation->outcome = Outcome::no_nodes;
  else
    operation->asked = 1;
  if (operation->outcome == Outcome::no_nodes) finish(*operation);
  return operation->self;
}

void Node::Core::cancel(Operation handle) {
  if (operations_.find(handle) != nullptr) {
    std::erase(ended_, handle);
    operations_.release(handle);
  }
}

/// False if there is no place for another request.
bool Node::Core::ask(RunningOperation& operation, Candidate& candidate, RequestKind kind,
                     const NodeId& target) {
  Request* request = candidate.tries > 1 ? requests_.find(candidate.request) : nullptr;
  if (request != nullptr) {
    requests_.send_again(*request);
    return true;
  }
  request = requests_.add(kind, candidate.node, target, operation.self);
  if (request == nullptr) return false;
  candidate.request = request->self;
  return true;
}

/// Asks whoever is to be asked. False when the search is over.
bool Node::Core::pump(RunningOperation& operation, Search& search, Family family) {
  while (true) {
    Lookup& lookup = search.current();
    const RequestKind kind = search.flanking() ? RequestKind::find_node : operation.question();
    while (Candidate* candidate = lookup.next())
      if (!ask(operation, *candidate, kind, lookup.target())) lookup.failed(*candidate);
    if (!lookup.finished()) return true;
    if (!search.go_on(rng_, [&](Lookup& flank) { seed(flank, family); })) return false;
  }
}

void Node::Core::pump(RunningOperation& operation) {
  using Stage = RunningOperation::Stage;
  if (operation.stage == Stage::asking && operation.kind != RequestKind::ping) {
    bool searching = false;
    for (const Family family : kFamilies) {
      const auto index = static_cast<std::size_t>(family);
      if (operation.searching[index] && pump(operation, operation.searches[index], family))
        searching = true;
    }
    if (!searching) end_of_lookups(operation);
  }
  if (operation.stage == Stage::storing) {
    while (Candidate* target = operation.round.next())
      if (!ask(operation, *target, operation.kind, operation.target))
        target->state = Candidate::State::failed;
    if (operation.round.finished()) finish(operation);
  }
}

void Node::Core::end_of_lookups(RunningOperation& operation) {
  std::size_t asked = 0;
  for (const Family family : kFamilies) {
    if (!operation.searching[static_cast<std::size_t>(family)]) continue;
    const Lookup& lookup = operation.searches[static_cast<std::size_t>(family)].main();
    asked += lookup.asked();
    if (lookup.reached() != 0)
      network_sizes_[static_cast<std::size_t>(family)].add(Lookup::kK, lookup.reached());
    if (operation.stores())
      lookup.for_each_result([&](const Candidate& result) {
        if (result.token_size > 0) operation.round.add(result);
      });
  }
  if (asked == 0) operation.outcome = Outcome::no_nodes;
  if (operation.stores())
    operation.stage = RunningOperation::Stage::storing;
  else
    finish(operation);
}

void Node::Core::finish(RunningOperation& operation) {
  operation.stage = RunningOperation::Stage::ended;
  if (!operation.internal) {
    ended_.push_back(operation.self);
    return;
  }
  own_lookup_ended();
  operations_.release(operation.self);
}

Candidate* Node::Core::candidate_of(RunningOperation& operation, const Request& request) {
  if (operation.kind == RequestKind::ping || operation.stage == RunningOperation::Stage::ended)
    return nullptr;
  Candidate* candidate = nullptr;
  if (request.kind == RequestKind::announce || request.kind == RequestKind::put)
    candidate = operation.round.find(request.node.id, request.node.address);
  else if (Lookup* lookup = operation.lookup_of(request))
    candidate = lookup->find(request.node.id, request.node.address);
  const bool open = candidate != nullptr && candidate->state != Candidate::State::answered &&
                    candidate->state != Candidate::State::failed;
  return open ? candidate : nullptr;
}

/// The request has ended without an answer that could be used.
void Node::Core::fail(RunningOperation& operation, const Request& request, HopKind kind,
                      std::int64_t error) {
  if (operation.kind == RequestKind::ping) {
    operation.outcome = Outcome::timed_out;
    return finish(operation);
  }
  Candidate* candidate = candidate_of(operation, request);
  if (candidate == nullptr) return;
  if (operation.stage == RunningOperation::Stage::storing)
    candidate->state = Candidate::State::failed;
  else
    operation.lookup_of(request)->failed(*candidate);
  if (operation.trace) {
    Hop hop;
    hop.tag = operation.tag;
    hop.node = request.node;
    hop.kind = kind;
    hop.tries = request.tries;
    hop.error = error;
    tell(operation, hop);
  }
  pump(operation);
}

void Node::Core::on_slow(const Request& request) {
  if (sealed_) sealed_->peers().lost(request.node.address);
  RunningOperation* operation = operations_.find(request.operation);
  if (operation == nullptr) return;
  Candidate* candidate = candidate_of(*operation, request);
  if (candidate == nullptr) return;
  if (operation->stage == RunningOperation::Stage::storing)
    candidate->state = Candidate::State::slow;
  else
    operation->lookup_of(request)->slow(*candidate);
  pump(*operation);
}

void Node::Core::on_dead(Request& request) {
  ++counters_.unanswered;
  // Where nothing at all comes for so many, it is our own network that is down.
  if (++silence_ <= kMaxSilence)
    tables_.of(request.node.address).failed(request.node.id, request.node.address);
  give_up(request, HopKind::timed_out, 0);
}

/// Ends a request that cannot be answered any more.
void Node::Core::give_up(Request& request, HopKind kind, std::int64_t error) {
  const Request ended = request;
  requests_.release(request);
  if (RunningOperation* operation = operations_.find(ended.operation))
    fail(*operation, ended, kind, error);
}

/// The message of a request; false if nobody wants it sent any more.
bool Node::Core::describe(const Request& request, Query& query) {
  query.id = tables_.of(request.node.address).self();
  query.read_only = config_.read_only;
  if (sealed_ && !config_.read_only && config_.port != 0) query.hint = NodeHint{key_, config_.port};
  RunningOperation* operation = operations_.find(request.operation);
  if (request.operation != 0 &&
      (operation == nullptr || operation->stage == RunningOperation::Stage::ended))
    return false;
  const Want want{config_.v4 && config_.v6, config_.v4 && config_.v6};
  switch (request.kind) {
    case RequestKind::ping:
      query.arguments = Ping{};
      return true;
    case RequestKind::find_node:
      query.arguments = FindNode{request.target, want};
      return true;
    case RequestKind::get_peers:
      query.arguments = GetPeers{request.target, want, operation->get_peers.no_seeds, false};
      return true;
    case RequestKind::get: {
      GetItem get{request.target, want, operation->get.newer_than};
      // For a put only tokens and nodes matter, and a node that sends its item names no nodes.
      if (operation->stores()) get.newer_than = std::numeric_limits<std::int64_t>::max();
      query.arguments = get;
      return true;
    }
    case RequestKind::announce:
    case RequestKind::put:
      break;
  }
  const Candidate* target = operation->round.find(request.node.id, request.node.address);
  if (target == nullptr) return false;
  if (request.kind == RequestKind::announce) {
    const AnnounceOptions& options = operation->announce;
    query.arguments = AnnouncePeer{request.target, options.port, options.port == 0, options.seed,
                                   target->token_bytes()};
  } else {
    Item item{operation->value, operation->author};
    if (item.author) item.author->salt = operation->salt;
    query.arguments = PutItem{target->token_bytes(), item, operation->put.cas};
  }
  return true;
}

/// The datagram of a request; 0 if it fits none.
std::size_t Node::Core::write(base::Instant now, const Request& request, const Query& query,
                              base::MutableBytes out) {
  if (!sealed_) return encode(query, config_.overlay, out.first(kMaxMessage));
  std::array<std::uint8_t, SealedPeers::kMaxMessage> message;
  const std::size_t size = encode(query, config_.overlay, message);
  return size == 0 ? 0 : seal(now, request, base::Bytes(message).first(size), out);
}

std::size_t Node::Core::poll_transmit(base::Instant now, base::SocketAddress& to,
                                      base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram);
  while (Request* request = requests_.take_ready(now)) {
    Query query;
    const auto transaction = RequestTable::transaction_of(*request);
    query.transaction = transaction;
    if (!describe(*request, query)) {
      requests_.release(*request);
      continue;
    }
    const std::size_t size = write(now, *request, query, out);
    if (size == 0) {
      give_up(*request, HopKind::refused, static_cast<std::int64_t>(ErrorCode::value_too_big));
      continue;
    }
    ++(request->tries == 1 ? counters_.requests : counters_.retries);
    to = request->node.address;
    return size;
  }
  return 0;
}

Finished Node::Core::finished_event(RunningOperation& operation) {
  Finished finished;
  finished.tag = operation.tag;
  finished.outcome = operation.outcome;
  finished.asked = operation.asked;
  finished.answered = operation.answered;
  finished.stored = operation.stored;
  closest_found_.clear();
  for (const Family family : kFamilies) {
    if (!operation.searching[static_cast<std::size_t>(family)]) continue;
    const Lookup& lookup = operation.searches[static_cast<std::size_t>(family)].main();
    finished.asked += static_cast<std::uint32_t>(lookup.asked());
    finished.answered += static_cast<std::uint32_t>(lookup.answers());
    lookup.for_each_result([&](const Candidate& result) { closest_found_.push_back(result.node); });
  }
  finished.closest = closest_found_;
  return finished;
}

bool Node::Core::poll_event(NodeEvent& event) {
  if (next_event_ < events_.size()) {
    event = events_[next_event_++];
    return true;
  }
  events_.clear();
  next_event_ = 0;
  if (ended_.empty()) return false;
  const Operation handle = ended_.front();
  ended_.erase(ended_.begin());
  event = finished_event(*operations_.find(handle));
  operations_.release(handle);
  return true;
}

}  // namespace boxgram::dht
