// What the owner of a node, or the node itself, wants done.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "request_table.hpp"
#include "search.hpp"
#include "store_round.hpp"
#include "tables.hpp"

namespace boxgram::dht {

/// Lives in a Slab; buffers are reused by the next tenant.
struct RunningOperation {
  enum class Stage : std::uint8_t { asking, storing, ended };

  Operation self = 0;
  std::uint64_t tag = 0;
  RequestKind kind{};     ///< announce and put: of the second half; the first is get_peers or get
  bool internal = false;  ///< the node's own: no events
  bool trace = false;
  NodeId target;  ///< of what is stored
  Stage stage = Stage::asking;
  Outcome outcome = Outcome::done;

  /// One for each family, idle where the node has no socket. A ping has none.
  std::array<Search, 2> searches;
  std::array<bool, 2> searching{};
  StoreRound round;

  GetPeersOptions get_peers;
  AnnounceOptions announce;
  GetOptions get;
  PutOptions put;
  std::vector<std::uint8_t> salt;             // get and put
  std::vector<std::uint8_t> value;            // put
  std::optional<Authorship> author;           // put
  std::optional<std::int64_t> best_sequence;  // get: of what has been told
  bool found = false;                         // get: an immutable item has been told

  std::uint32_t asked = 0;  ///< a ping's; lookups count for themselves
  std::uint32_t answered = 0;
  std::uint32_t stored = 0;

  /// The lookup that a request belongs to, or nullptr if it is over.
  [[nodiscard]] Lookup* lookup_of(const Request& request) {
    return searches[static_cast<std::size_t>(family_of(request.node.address))].of(request.target);
  }
  [[nodiscard]] bool stores() const {
    return kind == RequestKind::announce || kind == RequestKind::put;
  }
  /// What the nodes of the lookup are asked.
  [[nodiscard]] RequestKind question() const {
    if (kind == RequestKind::announce) return RequestKind::get_peers;
    return kind == RequestKind::put ? RequestKind::get : kind;
  }
};

}  // namespace boxgram::dht
