// The second half of an announce or a put: telling those that a lookup has found.
#pragma once

#include <vector>

#include "lookup.hpp"

namespace boxgram::dht {

/// All at once, each up to Lookup::kMaxTries times. Storing twice is the same as
/// storing once, so asking again does no harm.
class StoreRound {
 public:
  void start() { targets_.clear(); }

  void add(const Candidate& result) {
    targets_.push_back(result);
    Candidate& target = targets_.back();
    target.state = Candidate::State::fresh;
    target.tries = 0;
    target.request = 0;
  }

  /// Whom to tell now, or nullptr; as Lookup::next().
  Candidate* next() {
    for (Candidate& target : targets_) {
      const bool again = target.state == Candidate::State::slow && target.tries < Lookup::kMaxTries;
      if (target.state != Candidate::State::fresh && !again) continue;
      target.state = Candidate::State::asked;
      ++target.tries;
      return &target;
    }
    return nullptr;
  }

  Candidate* find(const NodeId& id, const base::SocketAddress& address) {
    for (Candidate& target : targets_)
      if (target.node.id == id && target.node.address == address) return &target;
    return nullptr;
  }

  /// Nobody is to be told or waited for any more.
  [[nodiscard]] bool finished() const {
    for (const Candidate& target : targets_)
      if (target.state == Candidate::State::fresh || target.state == Candidate::State::asked ||
          (target.state == Candidate::State::slow && target.tries < Lookup::kMaxTries))
        return false;
    return true;
  }

 private:
  std::vector<Candidate> targets_;
};

}  // namespace boxgram::dht
