// Datagrams that come: others' queries, and what answers our own.
#include <algorithm>

#include <boxgram/base/check.hpp>

#include "node_core.hpp"

namespace boxgram::dht {

namespace {

/// Nodes taken from one list of a reply: as many as BEP 5 has it hold. Whoever names more may be
/// making them up.
constexpr std::size_t kMaxNamed = Lookup::kK;

}  // namespace

std::size_t Node::Core::handle_datagram(base::Instant now, const base::SocketAddress& from,
                                        base::MutableBytes datagram, base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxDatagram);
  if (is_martian(from, config_.addresses) || !enabled(family_of(from))) {
    drop(NodeDrop::bad_address);
    return 0;
  }
  if (sealed_) return receive_sealed(now, from, datagram, out);
  const Answered answered = on_question(now, {from, true}, datagram, out);
  return answered.kind == Answered::Kind::reply ? answered.size : 0;
}

/// A message that asks something, or in Mainline any message.
Answered Node::Core::on_question(base::Instant now, const Asker& asker, base::Bytes message,
                                 base::MutableBytes out) {
  const auto decoded = decode(message, config_.overlay);
  if (!decoded) return on_fault(now, asker, decoded.error(), out);
  silence_ = 0;
  if (const auto* query = std::get_if<Query>(&*decoded)) return on_query(now, asker, *query, out);
  // Sealed, an answer counts only in a box of the node that was asked.
  if (sealed_)
    drop(NodeDrop::unknown_tid);
  else if (const auto* response = std::get_if<Response>(&*decoded))
    on_response(now, asker.from, *response);
  else
    on_error(now, asker.from, std::get<Error>(*decoded));
  return {};
}

/// Sealed: a message in a box of the node that was asked.
void Node::Core::on_answer(base::Instant now, const base::SocketAddress& from,
                           base::Bytes message) {
  const auto decoded = decode(message, config_.overlay);
  if (!decoded || std::holds_alternative<Query>(*decoded)) return drop(NodeDrop::malformed);
  if (const auto* response = std::get_if<Response>(&*decoded))
    on_response(now, from, *response);
  else
    on_error(now, from, std::get<Error>(*decoded));
}

/// What cannot be read gets an error, if it shows under which transaction.
Answered Node::Core::on_fault(base::Instant now, const Asker& asker, const Fault& fault,
                              base::MutableBytes out) {
  const auto refuse = [this](NodeDrop reason) {
    drop(reason);
    return Answered{};
  };
  if (fault.transaction.empty() || config_.read_only) return refuse(NodeDrop::malformed);
  const bool proven = sealed_ && asker.validated;
  if (!budget_.take_query(now, asker.from, proven)) return refuse(NodeDrop::rate_limited);
  const std::size_t size = encode_error(fault.transaction, fault.error, out);
  if (!sealed_ && !budget_.take_bytes(now, asker.from, size)) return refuse(NodeDrop::byte_budget);
  ++counters_.errors;
  return {Answered::Kind::reply, size};
}

// --- queries -------------------------------------------------------------------------------------

Answered Node::Core::on_query(base::Instant now, const Asker& asker, const Query& query,
                              base::MutableBytes out) {
  ++counters_.queries;
  const auto refuse = [this](NodeDrop reason) {
    drop(reason);
    return Answered{};
  };
  if (config_.read_only) return refuse(NodeDrop::read_only);
  if (is_our_own(query)) return refuse(NodeDrop::own_id);
  const bool proven =
      sealed_ ? asker.validated : tables_.of(asker.from).find(query.id, asker.from) != nullptr;
  if (!budget_.take_query(now, asker.from, proven)) return refuse(NodeDrop::rate_limited);

  const Answered answered = responder_.answer(now, asker, query, out);
  // Sealed, nothing that goes back is longer than what came.
  if (!sealed_ && !proven) {
    if (!budget_.take_bytes(now, asker.from, answered.size)) return refuse(NodeDrop::byte_budget);
    counters_.bytes_to_unproven += answered.size;
  }
  learn_from(now, asker.from, query);
  ++counters_.replies;
  return answered;
}

bool Node::Core::is_our_own(const Query& query) const {
  return sealed_ ? query.hint && query.hint->key == key_ : tables_.is_own(query.id);
}

/// A query proves nothing. In Mainline it keeps a node good that is known; of any other it is a
/// hint that is worth a ping.
void Node::Core::learn_from(base::Instant now, const base::SocketAddress& from,
                            const Query& query) {
  if (!sealed_) {
    tables_.of(from).queried(now, query.id, from);
    if (!query.read_only) hint({query.id, from, {}});
    return;
  }
  if (query.read_only || !query.hint || hints_.full()) return;
  SealedContact contact{query.hint->key, from};
  contact.address.port = query.hint->port;
  if (!is_martian(contact.address, config_.addresses)) hint(remote_node(contact));
}

// --- answers -------------------------------------------------------------------------------------

/// The request that this endpoint may answer under this transaction id.
Request* Node::Core::request_of(base::Bytes transaction, const base::SocketAddress& from) {
  Request* request = requests_.find(transaction);
  if (request == nullptr) {
    drop(NodeDrop::unknown_tid);
    return nullptr;
  }
  if (request->node.address != from) {
    drop(NodeDrop::wrong_endpoint);
    return nullptr;
  }
  return request;
}

/// Somebody else than expected: whoever named it, or it itself, has made up its id.
void Node::Core::on_wrong_id(Request& request) {
  drop(NodeDrop::wrong_id);
  tables_.of(request.node.address).remove(request.node.id, request.node.address);
  give_up(request, HopKind::wrong_id, 0);
}

void Node::Core::on_response(base::Instant now, const base::SocketAddress& from,
                             const Response& response) {
  Request* request = request_of(response.transaction, from);
  if (request == nullptr) return;
  RemoteNode node = request->node;
  if (config_.overlay == Overlay::mainline) node.id = response.id;
  if (tables_.is_own(node.id)) {
    drop(NodeDrop::own_id);
    return give_up(*request, HopKind::wrong_id, 0);
  }
  if (request->node.id != NodeId{} && node.id != request->node.id) return on_wrong_id(*request);
  ++counters_.answers;
  requests_.measure(now, *request);
  heard(now, node, response);

  const Request answered = *request;
  requests_.release(*request);
  if (answered.operation == 0)
    return for_each_named(response, [this](const RemoteNode& named) { hint(named); });
  RunningOperation* operation = operations_.find(answered.operation);
  if (operation == nullptr || operation->stage == RunningOperation::Stage::ended) return;
  if (operation->kind == RequestKind::ping) {
    operation->answered = 1;
    tell(*operation, Pinged{operation->tag, node, now - answered.sent_at});
    return finish(*operation);
  }
  Candidate* candidate = candidate_of(*operation, answered);
  if (candidate == nullptr) return;
  if (operation->stage == RunningOperation::Stage::storing) {
    candidate->state = Candidate::State::answered;
    ++operation->stored;
    tell(*operation, Stored{operation->tag, node, 0});
  } else {
    answer_for_lookup(now, *operation, answered, node, response);
  }
  pump(*operation);
}

template <class F>
void Node::Core::for_each_named(const Response& response, F&& f) const {
  const auto take = [&](const auto& list) {
    for (std::size_t i = 0; i < std::min(list.size(), kMaxNamed); ++i) {
      const auto contact = list.at(i, config_.addresses);
      if (!contact || !enabled(family_of(contact->address))) continue;
      const RemoteNode node = remote_node(*contact);
      if (node.id != NodeId{} && !tables_.is_own(node.id)) f(node);
    }
  };
  take(response.nodes);
  take(response.nodes6);
  take(response.sealed_nodes);
  take(response.sealed_nodes6);
}

void Node::Core::answer_for_lookup(base::Instant now, RunningOperation& operation,
                                   const Request& request, const RemoteNode& node,
                                   const Response& response) {
  Hop hop;
  hop.tag = operation.tag;
  hop.node = node;
  hop.kind = HopKind::answered;
  hop.round_trip = now - request.sent_at;
  hop.tries = request.tries;
  if (response.item && request.kind == RequestKind::get) {
    if (!take_item(operation, node, response)) {
      drop(NodeDrop::bad_item);
      return fail(operation, request, HopKind::refused, 0);
    }
    hop.item = true;
  }
  Lookup& lookup = *operation.lookup_of(request);
  lookup.answered(*candidate_of(operation, request), node.id, response.token);
  const Family family = family_of(node.address);
  for_each_named(response, [&](const RemoteNode& named) {
    ++hop.nodes;
    // What is named of the other family belongs to the search there.
    const auto index = static_cast<std::size_t>(family_of(named.address));
    const bool same = family_of(named.address) == family;
    if (!same && !operation.searching[index]) return;
    const bool added = (same ? lookup : operation.searches[index].main()).add(named);
    hop.new_nodes = static_cast<std::uint16_t>(hop.new_nodes + added);
  });
  if (request.kind == RequestKind::get_peers && !operation.stores())
    hop.peers = take_peers(operation, node, response);
  if (operation.trace) tell(operation, hop);
  // Nothing better can come than the one value with this hash.
  if (operation.kind == RequestKind::get && operation.found) finish(operation);
}

std::uint16_t Node::Core::take_peers(RunningOperation& operation, const RemoteNode& from,
                                     const Response& response) {
  peers_found_.clear();
  response.peers.for_each(
      config_.addresses, [this](const base::SocketAddress& peer) { peers_found_.push_back(peer); });
  if (!peers_found_.empty()) tell(operation, PeersFound{operation.tag, from, peers_found_});
  return static_cast<std::uint16_t>(peers_found_.size());
}

/// False if the item is not what it claims to be.
bool Node::Core::take_item(RunningOperation& operation, const RemoteNode& from,
                           const Response& response) {
  if (operation.stores()) return true;  // only its token is of use
  Item item = *response.item;
  if (item.author) item.author->salt = operation.salt;
  if (target_of(item) != operation.target) return false;
  if (item.author && operation.best_sequence && item.author->sequence <= *operation.best_sequence)
    return true;
  if (check(item)) return false;
  if (item.author)
    operation.best_sequence = item.author->sequence;
  else
    operation.found = true;
  tell(operation, ItemFound{operation.tag, from, item});
  return true;
}

void Node::Core::on_error(base::Instant now, const base::SocketAddress& from, const Error& error) {
  Request* request = request_of(error.transaction, from);
  if (request == nullptr) return;
  ++counters_.refusals;
  RunningOperation* operation = operations_.find(request->operation);
  if (operation != nullptr && operation->stage == RunningOperation::Stage::storing &&
      candidate_of(*operation, *request) != nullptr)
    tell(*operation, Stored{operation->tag, request->node, error.code});
  if (operation != nullptr && operation->kind == RequestKind::ping) {
    // An error is as good a sign of life as any.
    operation->answered = 1;
    tell(*operation, Pinged{operation->tag, request->node, now - request->sent_at});
    requests_.release(*request);
    return finish(*operation);
  }
  give_up(*request, HopKind::refused, error.code);
}

}  // namespace boxgram::dht
