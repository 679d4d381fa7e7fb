// What a `boxgram dht` command shows: a line for each result as it comes, for people or as JSON.
#pragma once

#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include <boxgram/dht/node.hpp>

#include "options.hpp"

namespace boxgram::tools {

class Report {
 public:
  using Json = nlohmann::ordered_json;

  explicit Report(bool json) : json_(json) {}

  /// Distances are shown to this point.
  void set_target(const dht::NodeId& target) { target_ = target; }

  void show(const dht::Pinged& pinged);
  void show(const dht::Hop& hop);
  /// Each peer is shown once, however many nodes know it.
  void show(const dht::PeersFound& found);
  void show(const dht::ItemFound& found);
  void show(const dht::Stored& stored);
  void show(const dht::TableRow& row);
  /// `what` names what was done; nodes that answered are listed if `closest`.
  void finish(const dht::Finished& finished, const std::string& what, base::Duration elapsed,
              bool closest);
  /// What came of an operation, in a few words and as an exit code.
  [[nodiscard]] std::string what(DhtOperationOptions::Kind kind,
                                 const dht::Finished& finished) const;
  [[nodiscard]] Exit result(DhtOperationOptions::Kind kind, const dht::Finished& finished) const;
  /// Anything else that people want to know; `text` is not shown as JSON.
  void note(const Json& json, const std::string& text);

  [[nodiscard]] std::size_t peers() const { return peers_.size(); }
  [[nodiscard]] std::size_t items() const { return items_; }

 private:
  void line(const Json& json, const std::string& text) const;
  [[nodiscard]] Json node_json(const dht::RemoteNode& node) const;
  [[nodiscard]] std::string node_text(const dht::RemoteNode& node) const;

  bool json_;
  dht::NodeId target_;
  std::set<base::SocketAddress> peers_;
  std::size_t items_ = 0;
};

}  // namespace boxgram::tools
