// What stands behind dht::Node. Sources: node.cpp (making, reading, events), node_receive.cpp
// (messages that come), node_sealed.cpp (their way in the sealed overlay), node_operations.cpp
// (lookups and what they send), node_upkeep.cpp (the table, time, files).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/dht/message.hpp>
#include <boxgram/dht/node.hpp>

#include "address_votes.hpp"
#include "hint_queue.hpp"
#include "network_size.hpp"
#include "operation.hpp"
#include "rate_budget.hpp"
#include "request_table.hpp"
#include "responder.hpp"
#include "sealed_carriage.hpp"
#include "tables.hpp"

namespace boxgram::dht {

class Node::Core {
 public:
  Core(NodeConfig config, base::Rng& rng, base::WallClock wall, base::Instant start);

  std::size_t handle_datagram(base::Instant now, const base::SocketAddress& from,
                              base::MutableBytes datagram, base::MutableBytes out);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;
  std::size_t poll_transmit(base::Instant now, base::SocketAddress& to, base::MutableBytes out);
  bool poll_event(NodeEvent& event);

  void bootstrap(base::Instant now, std::span<const RemoteNode> nodes);
  Operation ping(const RemoteNode& node, std::uint64_t tag);
  /// A new operation of that kind with its lookups started, or nullptr when there is no place. The
  /// caller sets what else it needs, then calls pump().
  RunningOperation* begin(RequestKind kind, const std::array<NodeId, 2>& targets,
                          std::uint64_t tag);
  void pump(RunningOperation& operation);
  void cancel(Operation operation);

  [[nodiscard]] const Tables& tables() const { return tables_; }
  [[nodiscard]] std::vector<std::uint8_t> export_table() const;
  bool import_table(base::Instant now, base::Bytes saved);
  [[nodiscard]] NodeCounters counters() const;
  [[nodiscard]] const NetworkSize& network_size(Family family) const {
    return network_sizes_[static_cast<std::size_t>(family)];
  }

 private:
  // Messages.
  Answered on_question(base::Instant now, const Asker& asker, base::Bytes message,
                       base::MutableBytes out);
  Answered on_fault(base::Instant now, const Asker& asker, const Fault& fault,
                    base::MutableBytes out);
  Answered on_query(base::Instant now, const Asker& asker, const Query& query,
                    base::MutableBytes out);
  [[nodiscard]] bool is_our_own(const Query& query) const;
  void learn_from(base::Instant now, const base::SocketAddress& from, const Query& query);
  void on_answer(base::Instant now, const base::SocketAddress& from, base::Bytes message);
  void on_response(base::Instant now, const base::SocketAddress& from, const Response& response);
  void on_error(base::Instant now, const base::SocketAddress& from, const Error& error);
  Request* request_of(base::Bytes transaction, const base::SocketAddress& from);
  void on_wrong_id(Request& request);
  void answer_for_lookup(base::Instant now, RunningOperation& operation, const Request& request,
                         const RemoteNode& node, const Response& response);
  bool take_item(RunningOperation& operation, const RemoteNode& from, const Response& response);
  std::uint16_t take_peers(RunningOperation& operation, const RemoteNode& from,
                           const Response& response);
  /// Calls f(node) for the nodes that a response names.
  template <class F>
  void for_each_named(const Response& response, F&& f) const;
  void drop(NodeDrop reason) { ++counters_.drops[static_cast<std::size_t>(reason)]; }

  // Sealed.
  std::size_t receive_sealed(base::Instant now, const base::SocketAddress& from,
                             base::MutableBytes datagram, base::MutableBytes out);
  void on_sealed_answer(base::Instant now, const base::SocketAddress& from,
                        base::MutableBytes datagram);
  [[nodiscard]] std::uint16_t room_for(const Request& request) const;
  std::size_t seal(base::Instant now, const Request& request, base::Bytes message,
                   base::MutableBytes out);

  // Operations.
  void seed(Lookup& lookup, Family family) const;
  bool pump(RunningOperation& operation, Search& search, Family family);
  bool ask(RunningOperation& operation, Candidate& candidate, RequestKind kind,
           const NodeId& target);
  void end_of_lookups(RunningOperation& operation);
  void finish(RunningOperation& operation);
  Candidate* candidate_of(RunningOperation& operation, const Request& request);
  void fail(RunningOperation& operation, const Request& request, HopKind kind, std::int64_t error);
  void on_slow(const Request& request);
  void on_dead(Request& request);
  void give_up(Request& request, HopKind kind, std::int64_t error);
  bool describe(const Request& request, Query& query);
  std::size_t write(base::Instant now, const Request& request, const Query& query,
                    base::MutableBytes out);
  Finished finished_event(RunningOperation& operation);
  void tell(const RunningOperation& operation, const NodeEvent& event) {
    if (!operation.internal) events_.push_back(event);
  }

  // Upkeep.
  void heard(base::Instant now, const RemoteNode& node, const Response& response);
  void on_address(const base::SocketAddress& address);
  void hint(const RemoteNode& node);
  void refresh(base::Instant now, Family family);
  void follow_hint();
  void own_lookup(base::Instant now);
  void own_lookup_ended();
  [[nodiscard]] bool enabled(Family family) const {
    return family == Family::v4 ? config_.v4 : config_.v6;
  }
  [[nodiscard]] bool has_hints() const { return !hints_.empty() || !saved_.empty(); }

  NodeConfig config_;
  crypto::PublicKey key_{};  // sealed: our own
  base::Rng& rng_;
  std::unique_ptr<SealedCarriage> sealed_;  // none in Mainline
  Tables tables_;
  Responder responder_;
  RateBudget budget_;
  RequestTable requests_;
  base::Slab<RunningOperation> operations_;

  std::vector<NodeEvent> events_;
  std::size_t next_event_ = 0;
  std::vector<Operation> ended_;  // their Finished waits
  std::vector<base::SocketAddress> peers_found_;
  std::vector<RemoteNode> closest_found_;

  HintQueue hints_;
  std::vector<RemoteNode> seeds_;  // from bootstrap()
  std::vector<RemoteNode> saved_;  // from import_table(), not pinged yet
  std::array<AddressVotes, 2> votes_;
  std::array<NetworkSize, 2> network_sizes_;
  std::uint32_t silence_ = 0;  // dead requests since something came
  base::Instant next_refresh_;
  bool refresh_near_ = false;
  base::Instant next_hint_;
  base::Instant next_expiry_;
  base::Instant next_own_lookup_;
  base::Duration retry_delay_;
  base::Instant own_lookup_at_{};
  unsigned own_lookups_ = 0;
  NodeCounters counters_;
};

}  // namespace boxgram::dht
