// The DHT nodes of a process with their sockets, and what they keep over a restart.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>

#include "dht_state.hpp"
#include "node_driver.hpp"
#include "options.hpp"

namespace boxgram::tools {

/// Nothing but loopback to listen on, or nothing but local nodes to begin with: then local
/// addresses take part, since nobody else could.
bool is_laboratory(const DhtNodeOptions& options);

/// A node of the sealed overlay, one of Mainline, or both. Their tables are saved early and then
/// less and less often, so that a crash costs little.
class DhtNodes {
 public:
  using OnEvent = NodeDriver::OnEvent;

  /// Events are told like those of a NodeDriver. All references outlive this.
  DhtNodes(net::EventLoop& loop, base::Rng& rng, const DhtNodeOptions& options, OnEvent on_event);
  ~DhtNodes();
  DhtNodes(const DhtNodes&) = delete;
  DhtNodes& operator=(const DhtNodes&) = delete;

  /// Claims the state directory, binds, and begins to join. The error is a line for people.
  base::expected<void, std::string> start();

  /// After any call of a node, and once when the loop is about to run. Not from on_event.
  void settle();
  void save();

  /// Null if there is none in that overlay.
  [[nodiscard]] dht::Node* node(dht::Overlay overlay);
  /// Of the sealed node; empty if there is none.
  [[nodiscard]] std::string stamp() const;
  /// A line for people about each.
  [[nodiscard]] std::vector<std::string> describe() const;

 private:
  class Member;

  base::expected<void, std::string> start_sealed();
  base::expected<void, std::string> start_mainline();
  [[nodiscard]] dht::NodeConfig config() const;
  void on_timer();

  net::EventLoop& loop_;
  base::Rng& rng_;
  const DhtNodeOptions& options_;
  OnEvent on_event_;
  base::Instant start_;
  base::Instant next_save_;
  std::optional<StateDir> dir_;
  crypto::PublicKey key_{};
  std::vector<std::unique_ptr<Member>> members_;
  net::DeadlineTimer timer_;
};

}  // namespace boxgram::tools
