// The search for the nodes nearest to a target. Source: BEP 5; S/Kademlia for what it defends
// against; the constants are the best of libtorrent and mldht.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/slab.hpp>
#include <boxgram/base/time.hpp>
#include <boxgram/dht/message.hpp>
#include <boxgram/dht/remote_node.hpp>

namespace boxgram::dht {

/// A node that a lookup has heard of.
struct Candidate {
  enum class State : std::uint8_t {
    fresh,  ///< not asked yet
    asked,  ///< within the last second
    slow,   ///< asked longer ago: it may still answer, but takes no slot any more
    answered,
    failed  ///< no answer, another id than expected, or an error
  };
  RemoteNode node;
  State state = State::fresh;
  std::uint8_t tries = 0;
  std::uint8_t token_size = 0;
  std::array<std::uint8_t, kMaxToken> token;
  base::Handle request = 0;  ///< the one under way

  [[nodiscard]] base::Bytes token_bytes() const { return base::Bytes(token).first(token_size); }
};

/// One lookup in one address family; it sends nothing itself. Nearest first: of the candidates in
/// the *window*, the nearest `kK` that have not failed, those not asked yet are asked, kAlpha at a
/// time; a slot opens when an answer comes or is slow, so dead nodes hold nothing up. A node in the
/// window that is slow is asked up to kMaxTries times. It is over when everybody in the window has
/// answered.
///
/// Against made-up nodes near the target: an answer counts only under the id that was expected
/// (the caller's duty), only one node of a network counts among those that have answered, and the
/// window is wider than kK where more nodes stand nearer than the size of the network explains: all
/// within the radius where kK are to be expected belong to it, and those of which more than two
/// stand in one place are not counted towards kK. So there are honest ones among them.
class Lookup {
 public:
  static constexpr std::size_t kK = 8;
  static constexpr std::size_t kAlpha = 5;
  /// Where a fifth of all datagrams is lost, a third of the questions is: four tries leave 2 %.
  static constexpr std::uint8_t kMaxTries = 4;
  /// The window's end whatever stands near: 24 made-up nodes need 24 networks, and more only cost
  /// time for everybody.
  static constexpr std::size_t kMaxWindow = 32;
  static constexpr std::size_t kMaxCandidates = 96;
  /// A place is a 64th of the radius; that three of eight honest nodes stand in one happens once in
  /// seventy lookups.
  static constexpr std::uint64_t kCells = 64;
  static constexpr std::size_t kOfCell = 2;
  /// Unproven nodes of one network at a time. More than one, so that naming a made-up neighbour
  /// does not keep an honest node out.
  static constexpr std::size_t kUnprovenOfNetwork = 2;

  /// `radius`: the distance (first 64 bits) within which kK nodes are to be expected, 0: unknown.
  void start(const NodeId& target, std::uint64_t radius);

  /// Takes a node that somebody named. False if it is known, one too many of its network, or too
  /// far to matter. An id of zeros (unknown) counts as the nearest of all.
  bool add(const RemoteNode& node);

  /// Whom to ask now, or nullptr. It counts as asked: the caller sends, and stores the request's
  /// handle. When `tries` is above 1 the request under way is to be sent again.
  Candidate* next();

  /// The candidate of this id and endpoint, or nullptr.
  Candidate* find(const NodeId& id, const base::SocketAddress& address);

  /// It answered, as the node `id` (which matters where the id was unknown). Only for one that has
  /// neither answered nor failed before.
  void answered(Candidate& candidate, const NodeId& id, base::Bytes token);
  void failed(Candidate& candidate);
  /// Its answer is late.
  void slow(Candidate& candidate);

  struct Window {
    std::size_t size = 0;   ///< so many of the nearest candidates are asked and count as results
    std::size_t crowd = 0;  ///< of them, those of which more than two stand in one place
  };
  [[nodiscard]] Window window() const;

  /// Nothing more is to be asked or waited for.
  [[nodiscard]] bool finished() const;

  /// Calls f(candidate) for those in the window that have answered, nearest first: the result.
  template <class F>
  void for_each_result(F&& f) const {
    std::size_t left = window().size;
    for (const Candidate& candidate : candidates_) {
      if (out_of_count(candidate)) continue;
      if (left-- == 0) break;
      if (candidate.state == Candidate::State::answered) f(candidate);
    }
  }

  [[nodiscard]] const NodeId& target() const { return target_; }
  [[nodiscard]] std::size_t asked() const { return asked_; }
  [[nodiscard]] std::size_t answers() const { return answers_; }
  [[nodiscard]] std::size_t candidates() const { return candidates_.size(); }

  /// The distance (first 64 bits) of the kK-th nearest node that has answered; 0 if there are
  /// fewer.
  [[nodiscard]] std::uint64_t reached() const;

 private:
  [[nodiscard]] static bool exhausted(const Candidate& candidate) {
    return candidate.state == Candidate::State::slow && candidate.tries >= kMaxTries;
  }
  /// Takes no place in the window.
  [[nodiscard]] static bool out_of_count(const Candidate& candidate) {
    return candidate.state == Candidate::State::failed || exhausted(candidate);
  }
  [[nodiscard]] std::uint64_t distance(const RemoteNode& node) const;
  [[nodiscard]] bool nearer(const RemoteNode& a, const RemoteNode& b) const;
  [[nodiscard]] bool network_has_room(const RemoteNode& node) const;
  Candidate* ask(Candidate& candidate);
  void leave_slot(Candidate& candidate);
  void drop_rivals(const Candidate& candidate);

  NodeId target_;
  std::uint64_t radius_ = 0;
  std::vector<Candidate> candidates_;  // nearest first
  std::size_t in_slots_ = 0;
  std::size_t asked_ = 0;
  std::size_t answers_ = 0;
};

}  // namespace boxgram::dht
