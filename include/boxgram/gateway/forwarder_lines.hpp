// The forwarders of a worker: the current one, and older ones that still owe answers after a
// reload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/shared_cache.hpp>

namespace boxgram::gateway {

/// Names one Forwarder: the first is 1, each reload makes the next.
using Generation = std::uint64_t;

/// What to do with an upstream of one generation.
struct UpstreamAction {
  Generation generation = 0;
  dns::Action action;
};

/// New queries go by new rules; what waits ends under the rules it began with.
class ForwarderLines {
 public:
  /// `cache` may be null (no cache); it and `rng` outlive this.
  ForwarderLines(std::shared_ptr<const dns::ForwarderConfig> rules, dns::SharedCache* cache,
                 base::Rng& rng, base::Instant start);

  /// As dns::Forwarder's, for the current one; polls and ends go through all.
  dns::Outcome query(base::Instant now, std::uint64_t tag, base::Bytes query,
                     const dns::Asker& asker, base::MutableBytes out) {
    return lines_.back().forwarder->query(now, tag, query, asker, out);
  }
  bool poll_answer(base::Instant now, dns::Answered& answered, base::MutableBytes out);
  bool poll_action(UpstreamAction& action);
  void upstream_answer(base::Instant now, Generation generation, dns::TryId id, base::Bytes answer);
  void upstream_failed(base::Instant now, Generation generation, dns::TryId id,
                       dns::TryFailure why);
  void handle_timeout(base::Instant now);
  [[nodiscard]] std::optional<base::Instant> next_timeout() const;

  Generation reload(base::Instant now, std::shared_ptr<const dns::ForwarderConfig> rules);
  /// The oldest generation that still owes answers; the upstreams of older ones can go.
  [[nodiscard]] Generation oldest_generation() const { return lines_.front().generation; }
  [[nodiscard]] Generation generation() const { return lines_.back().generation; }
  [[nodiscard]] const dns::Forwarder& current() const { return *lines_.back().forwarder; }

 private:
  struct Line {
    Generation generation = 0;
    std::unique_ptr<dns::Forwarder> forwarder;
  };

  [[nodiscard]] dns::Forwarder* find(Generation generation);
  void drop_finished();

  dns::SharedCache* cache_;
  base::Rng& rng_;
  std::vector<Line> lines_;  // oldest first, the last is current; never empty
};

}  // namespace boxgram::gateway
