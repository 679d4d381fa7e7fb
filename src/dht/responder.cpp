#include "responder.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::dht {

/// What every answer needs to know of its question.
struct Responder::Context {
  base::Instant now;
  const Asker& asker;
  const Query& query;
  base::MutableBytes out;
};

namespace {

/// The nearest nodes of one family in the form that an overlay's messages have.
template <class Entry>
class NearNodes {
 public:
  NearNodes(const RoutingTable& table, const NodeId& target, const base::SocketAddress& except) {
    std::array<const RoutingTable::Entry*, RoutingTable::kK> found;
    size_ = table.closest(target, found, except);
    for (std::size_t i = 0; i < size_; ++i) {
      const RemoteNode& node = found[i]->node;
      if constexpr (std::is_same_v<Entry, Contact>)
        nodes_[i] = {node.id, node.address};
      else
        nodes_[i] = {node.key, node.address};
    }
  }
  [[nodiscard]] std::span<const Entry> nodes() const { return std::span(nodes_).first(size_); }

 private:
  std::array<Entry, RoutingTable::kK> nodes_;
  std::size_t size_ = 0;
};

Want resolve(Want want, const base::SocketAddress& from) {
  if (want.v4 || want.v6) return want;
  return {from.is_v4(), !from.is_v4()};
}

}  // namespace

Responder::Responder(Overlay overlay, const Tables& tables, base::Rng& rng)
    : overlay_(overlay),
      tables_(tables),
      rng_(rng),
      tokens_(rng),
      peers_(tables[Family::v4].self(), {}, rng),
      items_(tables[Family::v4].self(), rng) {}

void Responder::rebase() {
  peers_.rebase(tables_[Family::v4].self());
  items_.rebase(tables_[Family::v4].self());
}

void Responder::expire(base::Instant now) {
  peers_.expire(now);
  items_.expire(now);
}

Answered Responder::answer(base::Instant now, const Asker& asker, const Query& query,
                           base::MutableBytes out) {
  ++queries_[query.arguments.index()];
  const Context context{now, asker, query, out};
  return std::visit([&](const auto& arguments) { return answer_to(context, arguments); },
                    query.arguments);
}

Reply Responder::blank(const Context& context) const {
  Reply reply;
  reply.transaction = context.query.transaction;
  reply.id = tables_.of(context.asker.from).self();
  reply.ip = context.asker.from;
  return reply;
}

Answered Responder::reply(const Context& context, const Reply& reply) const {
  const bool long_one = overlay_ == Overlay::sealed || reply.item;
  const base::MutableBytes room =
      long_one ? context.out : context.out.first(std::min(context.out.size(), kMaxReply));
  if (const std::size_t size = encode(reply, overlay_, room)) return {Answered::Kind::reply, size};
  return {Answered::Kind::too_large, least_size(reply, overlay_)};
}

Answered Responder::error(const Context& context, ErrorCode code) const {
  const std::size_t size = encode_error(context.query.transaction, code, context.out);
  return {Answered::Kind::reply, size};
}

Answered Responder::reply_with_nodes(const Context& context, const NodeId& target, Want want,
                                     Reply& reply) const {
  want = resolve(want, context.asker.from);
  base::SocketAddress except = context.asker.from;
  if (context.query.hint) except.port = context.query.hint->port;
  if (overlay_ == Overlay::mainline) {
    const NearNodes<Contact> v4(tables_[Family::v4], target, except);
    const NearNodes<Contact> v6(tables_[Family::v6], target, except);
    if (want.v4) reply.nodes = v4.nodes();
    if (want.v6) reply.nodes6 = v6.nodes();
    return this->reply(context, reply);
  }
  const NearNodes<SealedContact> v4(tables_[Family::v4], target, except);
  const NearNodes<SealedContact> v6(tables_[Family::v6], target, except);
  if (want.v4) reply.sealed_nodes = v4.nodes();
  if (want.v6) reply.sealed_nodes6 = v6.nodes();
  return this->reply(context, reply);
}

Answered Responder::answer_to(const Context& context, const Ping&) {
  return reply(context, blank(context));
}

Answered Responder::answer_to(const Context& context, const FindNode& query) {
  Reply reply = blank(context);
  return reply_with_nodes(context, query.target, query.want, reply);
}

Answered Responder::answer_to(const Context& context, const GetPeers& query) {
  Reply reply = blank(context);
  const Token token = tokens_.issue(context.now, context.asker.from, query.info_hash.bytes);
  reply.token = token;
  std::array<base::SocketAddress, kMaxPeers> peers;
  std::size_t count = 0;
  const Family family = family_of(context.asker.from);
  peers_.sample(context.now, query.info_hash, family, query.no_seeds, kMaxPeers, rng_,
                [&](base::Bytes compact) {
                  // What is stored came from an admitted address; no policy is needed again.
                  peers[count++] =
                      *read_compact<base::SocketAddress>(compact, family, AddressPolicy::and_local);
                });
  reply.peers = std::span(peers).first(count);
  return reply_with_nodes(context, query.info_hash, query.want, reply);
}

Answered Responder::answer_to(const Context& context, const AnnouncePeer& query) {
  if (!context.asker.validated) return {Answered::Kind::need_assoc, 0};
  if (!tokens_.accepts(context.now, context.asker.from, query.info_hash.bytes, query.token)) {
    ++bad_tokens_;
    return error(context, ErrorCode::protocol);
  }
  base::SocketAddress peer = context.asker.from;
  if (!query.implied_port) peer.port = query.port;
  if (!peers_.announce(context.now, query.info_hash, peer, query.seed))
    return error(context, ErrorCode::server);
  return reply(context, blank(context));
}

Answered Responder::answer_to(const Context& context, const GetItem& query) {
  Reply reply = blank(context);
  const Token token = tokens_.issue(context.now, context.asker.from, query.target.bytes);
  reply.token = token;
  const auto item = items_.find(context.now, query.target);
  if (!item) return reply_with_nodes(context, query.target, query.want, reply);
  if (item->author && query.newer_than && item->author->sequence <= *query.newer_than) {
    reply.sequence = item->author->sequence;
    return reply_with_nodes(context, query.target, query.want, reply);
  }
  reply.item = item;
  return this->reply(context, reply);
}

Answered Responder::answer_to(const Context& context, const PutItem& query) {
  if (!context.asker.validated) return {Answered::Kind::need_assoc, 0};
  const NodeId target = target_of(query.item);
  if (!tokens_.accepts(context.now, context.asker.from, target.bytes, query.token)) {
    ++bad_tokens_;
    return error(context, ErrorCode::protocol);
  }
  // A signature is verified last: everything else is cheaper.
  if (const auto code = items_.conflict(context.now, target, query.item, query.cas))
    return error(context, *code);
  if (const auto code = check(query.item)) return error(context, *code);
  if (const auto code = items_.put(context.now, target, query.item, query.cas, context.asker.from))
    return error(context, *code);
  return reply(context, blank(context));
}

}  // namespace boxgram::dht
