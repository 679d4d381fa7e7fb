// The sealed overlay's way in and out of a node.
#include <algorithm>

#include "node_core.hpp"

namespace boxgram::dht {

namespace {

/// Datagrams of one request that its node can ask for (RETRY, RESET, ERROR); beyond, the timer
/// decides, so that no node can make us send as fast as the path allows.
constexpr std::uint8_t kMaxPrompts = 4;

/// Payload sizes of answers: eight nodes of a family, with token, address and all around them; some
/// peers more where peers are asked for; next to nothing for the rest. An item shows its size when
/// it does not fit.
constexpr std::uint16_t kNodesV4 = 8 * 38 + 20;
constexpr std::uint16_t kNodesV6 = 8 * 50 + 20;
constexpr std::uint16_t kAround = 60;
constexpr std::uint16_t kSomePeers = 240;

}  // namespace

std::uint16_t Node::Core::room_for(const Request& request) const {
  if (request.room != 0) return request.room;
  const bool both = config_.v4 && config_.v6;
  const bool v4 = request.node.address.is_v4();
  const auto nodes = static_cast<std::uint16_t>((v4 || both ? kNodesV4 : 0) +
                                                (!v4 || both ? kNodesV6 : 0) + kAround);
  switch (request.kind) {
    case RequestKind::find_node:
    case RequestKind::get:
      return nodes;
    case RequestKind::get_peers:
      return static_cast<std::uint16_t>(nodes + kSomePeers);
    default:
      return kAround;
  }
}

std::size_t Node::Core::seal(base::Instant now, const Request& request, base::Bytes message,
                             base::MutableBytes out) {
  return sealed_->peers().seal(now, request.node, request.self, message, room_for(request), out);
}

std::size_t Node::Core::receive_sealed(base::Instant now, const base::SocketAddress& from,
                                       base::MutableBytes datagram, base::MutableBytes out) {
  if (SealedCarriage::is_answer(datagram)) {
    on_sealed_answer(now, from, datagram);
    return 0;
  }
  packet::Server& server = sealed_->server();
  const packet::Received received = server.receive(now, from, datagram, out);
  using Kind = packet::Received::Kind;
  if (received.kind == Kind::transmit) return received.size;
  if (received.kind != Kind::request) {
    drop(NodeDrop::not_sealed);
    return 0;
  }
  const packet::ReplyTo& reply = received.reply;
  const Answered answered = on_question(now, {from, reply.validated}, received.payload,
                                        packet::Server::payload_space(reply, out));
  switch (answered.kind) {
    case Answered::Kind::need_assoc:
      return server.seal_error(reply, packet::ErrorCode::need_assoc, {}, out);
    case Answered::Kind::too_large: {
      std::uint8_t size[2];
      base::store_be16(size, static_cast<std::uint16_t>(answered.size));
      return server.seal_error(reply, packet::ErrorCode::too_large, size, out);
    }
    case Answered::Kind::reply:
      break;
  }
  return answered.size == 0 ? 0 : server.seal_reply(reply, answered.size, out);
}

void Node::Core::on_sealed_answer(base::Instant now, const base::SocketAddress& from,
                                  base::MutableBytes datagram) {
  const SealedReceived received = sealed_->peers().receive(now, from, datagram);
  if (received.kind == SealedReceived::Kind::nothing) return drop(NodeDrop::not_sealed);
  Request* request = requests_.find(received.request);
  if (request == nullptr || request->node.address != from) return drop(NodeDrop::unknown_tid);
  silence_ = 0;
  switch (received.kind) {
    case SealedReceived::Kind::again:
      if (request->prompts >= kMaxPrompts) return;
      ++request->prompts;
      request->room = std::max(request->room, received.room);
      return requests_.send_again(*request);
    case SealedReceived::Kind::refused:
      ++counters_.refusals;
      return give_up(*request, HopKind::refused, 0);
    case SealedReceived::Kind::answer:
      return on_answer(now, from, received.message);
    case SealedReceived::Kind::nothing:
      return;
  }
}

}  // namespace boxgram::dht
