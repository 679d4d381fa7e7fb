// Answers others' queries: the part of a node that remembers nothing about who asks, but what they
// have stored. Source: BEP 5, 32, 33 (flags), 42 (`ip`), 44.
#pragma once

#include <boxgram/base/time.hpp>
#include <boxgram/dht/message.hpp>
#include <boxgram/dht/node_types.hpp>

#include "item_store.hpp"
#include "peer_store.hpp"
#include "tables.hpp"
#include "token_issuer.hpp"

namespace boxgram::dht {

struct Asker {
  base::SocketAddress from;
  /// Requests that change something may be acted on. Mainline: always, their tokens prove the
  /// address. Sealed: on an association from the address that received its sid.
  bool validated = true;
};

struct Answered {
  enum class Kind : std::uint8_t {
    reply,       ///< `size` bytes in `out`: a response or an error
    need_assoc,  ///< sealed: nothing was done, the transport is to ask for an association
    too_large    ///< `size` bytes would be needed: an item that does not fit
  };
  Kind kind = Kind::reply;
  std::size_t size = 0;
};

class Responder {
 public:
  /// Peers named in a reply: what fits beside nodes, and enough to begin a download.
  static constexpr std::size_t kMaxPeers = 50;

  Responder(Overlay overlay, const Tables& tables, base::Rng& rng);

  /// Writes the answer to a query into `out`, whose size is the limit for everything but items in
  /// Mainline, which may take up to kMaxItemReply (REQUIRES so much room there).
  /// Cost: some 2 us for find_node and get_peers, no allocation. An announce or put may allocate, a
  /// put of a mutable item verifies a signature (60 us), and only after its token was found good.
  Answered answer(base::Instant now, const Asker& asker, const Query& query,
                  base::MutableBytes out);

  /// Drops what has expired.
  void expire(base::Instant now);
  /// Our ids have changed.
  void rebase();

  [[nodiscard]] const PeerStore& peers() const { return peers_; }
  [[nodiscard]] const ItemStore& items() const { return items_; }
  [[nodiscard]] std::uint64_t bad_tokens() const { return bad_tokens_; }
  [[nodiscard]] const std::array<std::uint64_t, 6>& queries() const { return queries_; }

 private:
  struct Context;

  Answered answer_to(const Context& context, const Ping&);
  Answered answer_to(const Context& context, const FindNode& query);
  Answered answer_to(const Context& context, const GetPeers& query);
  Answered answer_to(const Context& context, const AnnouncePeer& query);
  Answered answer_to(const Context& context, const GetItem& query);
  Answered answer_to(const Context& context, const PutItem& query);

  [[nodiscard]] Answered reply(const Context& context, const Reply& reply) const;
  [[nodiscard]] Answered reply_with_nodes(const Context& context, const NodeId& target, Want want,
                                          Reply& reply) const;
  [[nodiscard]] Answered error(const Context& context, ErrorCode code) const;
  [[nodiscard]] Reply blank(const Context& context) const;

  Overlay overlay_;
  const Tables& tables_;
  base::Rng& rng_;
  TokenIssuer tokens_;
  PeerStore peers_;
  ItemStore items_;
  std::array<std::uint64_t, 6> queries_{};
  std::uint64_t bad_tokens_ = 0;
};

}  // namespace boxgram::dht
