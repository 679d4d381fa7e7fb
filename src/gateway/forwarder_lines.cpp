#include <algorithm>

#include <boxgram/gateway/forwarder_lines.hpp>

namespace boxgram::gateway {

ForwarderLines::ForwarderLines(std::shared_ptr<const dns::ForwarderConfig> rules,
                               dns::SharedCache* cache, base::Rng& rng, base::Instant start)
    : cache_(cache), rng_(rng) {
  lines_.push_back({1, std::make_unique<dns::Forwarder>(std::move(rules), cache_, rng_, start)});
}

bool ForwarderLines::poll_answer(base::Instant now, dns::Answered& answered,
                                 base::MutableBytes out) {
  for (Line& line : lines_)
    if (line.forwarder->poll_answer(now, answered, out)) return true;
  if (lines_.size() > 1) drop_finished();
  return false;
}

bool ForwarderLines::poll_action(UpstreamAction& action) {
  for (Line& line : lines_) {
    if (line.forwarder->poll_action(action.action)) {
      action.generation = line.generation;
      return true;
    }
  }
  return false;
}

void ForwarderLines::upstream_answer(base::Instant now, Generation generation, dns::TryId id,
                                     base::Bytes answer) {
  if (dns::Forwarder* forwarder = find(generation)) forwarder->upstream_answer(now, id, answer);
}

void ForwarderLines::upstream_failed(base::Instant now, Generation generation, dns::TryId id,
                                     dns::TryFailure why) {
  if (dns::Forwarder* forwarder = find(generation)) forwarder->upstream_failed(now, id, why);
}

void ForwarderLines::handle_timeout(base::Instant now) {
  for (Line& line : lines_) line.forwarder->handle_timeout(now);
}

std::optional<base::Instant> ForwarderLines::next_timeout() const {
  std::optional<base::Instant> next;
  for (const Line& line : lines_) {
    const auto deadline = line.forwarder->next_timeout();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

Generation ForwarderLines::reload(base::Instant now,
                                  std::shared_ptr<const dns::ForwarderConfig> rules) {
  const Generation next = generation() + 1;
  lines_.push_back({next, std::make_unique<dns::Forwarder>(std::move(rules), cache_, rng_, now)});
  drop_finished();
  return next;
}

dns::Forwarder* ForwarderLines::find(Generation generation) {
  const auto line = std::find_if(lines_.begin(), lines_.end(),
                                 [&](const Line& l) { return l.generation == generation; });
  return line == lines_.end() ? nullptr : line->forwarder.get();
}

void ForwarderLines::drop_finished() {
  while (lines_.size() > 1 && lines_.front().forwarder->in_flight() == 0 &&
         lines_.front().forwarder->waiting() == 0)
    lines_.erase(lines_.begin());
}

}  // namespace boxgram::gateway
