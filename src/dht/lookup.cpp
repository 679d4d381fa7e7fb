#include "lookup.hpp"

#include <algorithm>
#include <bit>

#include <boxgram/base/check.hpp>

#include "network.hpp"

namespace boxgram::dht {
namespace {

/// Only one of them counts: they stand at one endpoint (under two ids, one of them perhaps not
/// known yet), or in one network. Where addresses are local, that is no sign of one owner.
bool rivals(const RemoteNode& a, const RemoteNode& b) {
  return a.address == b.address ||
         (network_of(a.address) == network_of(b.address) && !is_local(a.address));
}

}  // namespace

void Lookup::start(const NodeId& target, std::uint64_t radius) {
  target_ = target;
  radius_ = radius;
  candidates_.clear();
  candidates_.reserve(kMaxCandidates);
  in_slots_ = asked_ = answers_ = 0;
}

std::uint64_t Lookup::distance(const RemoteNode& node) const {
  if (node.id == NodeId{}) return 0;
  return base::load_be64(target_.bytes.data()) ^ base::load_be64(node.id.bytes.data());
}

bool Lookup::nearer(const RemoteNode& a, const RemoteNode& b) const {
  if (a.id == NodeId{} || b.id == NodeId{}) return a.id == NodeId{} && b.id != NodeId{};
  return closer(target_, a.id, b.id);
}

Lookup::Window Lookup::window() const {
  // Nodes of one cell stand side by side here, since the order is that of the distance's bits.
  const std::uint64_t cells = radius_ / kCells;
  const int shift = cells == 0 ? 0 : 63 - std::countl_zero(cells);
  Window window;
  std::uint64_t cell = 0;
  std::size_t in_cell = 0;
  for (const Candidate& candidate : candidates_) {
    if (out_of_count(candidate)) continue;
    const std::uint64_t distance = this->distance(candidate.node);
    const bool new_cell = in_cell == 0 || distance >> shift != cell;
    const bool enough = window.size - window.crowd >= kK && distance > radius_;
    if (window.size == kMaxWindow || (enough && new_cell)) break;
    ++window.size;
    in_cell = new_cell ? 1 : in_cell + 1;
    cell = distance >> shift;
    // The first one too many uncounts those before it.
    if (cells != 0 && in_cell > kOfCell) window.crowd += in_cell == kOfCell + 1 ? in_cell : 1;
  }
  return window;
}

bool Lookup::network_has_room(const RemoteNode& node) const {
  std::size_t unproven = 0;
  for (const Candidate& candidate : candidates_) {
    if (!rivals(candidate.node, node)) continue;
    if (candidate.state == Candidate::State::answered) return false;
    if (!out_of_count(candidate)) ++unproven;
  }
  return unproven < kUnprovenOfNetwork;
}

bool Lookup::add(const RemoteNode& node) {
  const auto known = [&](const Candidate& candidate) {
    return candidate.node.address == node.address &&
           (candidate.node.id == node.id || candidate.state == Candidate::State::answered);
  };
  const auto place = std::ranges::upper_bound(
      candidates_, node, [&](const auto& a, const auto& b) { return nearer(a, b); },
      &Candidate::node);
  if (place == candidates_.end() && candidates_.size() == kMaxCandidates) return false;
  if (std::ranges::any_of(candidates_, known) || !network_has_room(node)) return false;
  if (candidates_.size() == kMaxCandidates) {
    leave_slot(candidates_.back());
    candidates_.pop_back();
  }
  Candidate candidate;
  candidate.node = node;
  candidates_.insert(place, candidate);
  return true;
}

Candidate* Lookup::next() {
  if (in_slots_ >= kAlpha) return nullptr;
  Candidate* again = nullptr;
  std::size_t left = window().size;
  for (Candidate& candidate : candidates_) {
    if (out_of_count(candidate)) continue;
    if (candidate.state == Candidate::State::slow) {
      // Most likely it is gone: whoever would take its place is asked without waiting for it.
      if (again == nullptr) again = &candidate;
      continue;
    }
    if (left-- == 0) break;
    if (candidate.state == Candidate::State::fresh) return ask(candidate);
  }
  return again == nullptr ? nullptr : ask(*again);
}

Candidate* Lookup::ask(Candidate& candidate) {
  asked_ += candidate.tries == 0;
  ++candidate.tries;
  candidate.state = Candidate::State::asked;
  ++in_slots_;
  return &candidate;
}

Candidate* Lookup::find(const NodeId& id, const base::SocketAddress& address) {
  for (Candidate& candidate : candidates_)
    if (candidate.node.id == id && candidate.node.address == address) return &candidate;
  return nullptr;
}

void Lookup::leave_slot(Candidate& candidate) {
  if (candidate.state == Candidate::State::asked) --in_slots_;
}

/// One of its network has answered: the others are not needed, and it is not if it was late.
void Lookup::drop_rivals(const Candidate& answered) {
  for (Candidate& other : candidates_) {
    if (&other == &answered || !rivals(other.node, answered.node)) continue;
    if (other.state == Candidate::State::answered) continue;
    leave_slot(other);
    other.state = Candidate::State::failed;
  }
}

void Lookup::answered(Candidate& candidate, const NodeId& id, base::Bytes token) {
  BOXGRAM_CHECK(token.size() <= candidate.token.size());
  leave_slot(candidate);
  ++answers_;
  const bool late = std::ranges::any_of(candidates_, [&](const Candidate& other) {
    return other.state == Candidate::State::answered && rivals(other.node, candidate.node);
  });
  candidate.state = late ? Candidate::State::failed : Candidate::State::answered;
  std::ranges::copy(token, candidate.token.begin());
  candidate.token_size = static_cast<std::uint8_t>(token.size());
  if (!late) drop_rivals(candidate);
  if (candidate.node.id == id) return;
  candidate.node.id = id;
  std::ranges::stable_sort(
      candidates_, [&](const auto& a, const auto& b) { return nearer(a, b); }, &Candidate::node);
}

void Lookup::failed(Candidate& candidate) {
  leave_slot(candidate);
  candidate.state = Candidate::State::failed;
}

void Lookup::slow(Candidate& candidate) {
  if (candidate.state != Candidate::State::asked) return;
  leave_slot(candidate);
  candidate.state = Candidate::State::slow;
}

bool Lookup::finished() const {
  std::size_t left = window().size;
  for (const Candidate& candidate : candidates_) {
    if (out_of_count(candidate)) continue;
    if (left-- == 0) break;
    if (candidate.state != Candidate::State::answered) return false;
  }
  return true;
}

std::uint64_t Lookup::reached() const {
  std::size_t left = kK;
  for (const Candidate& candidate : candidates_)
    if (candidate.state == Candidate::State::answered && --left == 0)
      return distance(candidate.node);
  return 0;
}

}  // namespace boxgram::dht
