// A lookup that looks behind those who crowd around its target.
#pragma once

#include <algorithm>

#include <boxgram/base/rng.hpp>

#include "lookup.hpp"

namespace boxgram::dht {

/// Whoever puts many nodes next to a target does not only catch what is stored there: the honest
/// nodes around name him alone as well, for he is nearer than they are to each other. But he is
/// near to one point only. So when nodes stand closer to the target, or to each other, or more of
/// them within the radius, than the size of the network explains, other points within the radius
/// are looked up; those find the honest ones, which the lookup then asks too.
///
/// For one family; for each point a Lookup like any other.
class Search {
 public:
  /// Points around the target: eight nodes each, of the eight that are to be found.
  static constexpr unsigned kFlanks = 3;
  /// Crowded: eight nodes stand where two are to be expected, or more than sixteen where eight are,
  /// or four in one place (Lookup::Window). By chance once in two hundred lookups.
  static constexpr std::uint64_t kCloser = 4;
  static constexpr std::size_t kMore = 2 * Lookup::kK;
  static constexpr std::size_t kCrowd = 4;

  void start(const NodeId& target, std::uint64_t radius) {
    main_.start(target, radius);
    radius_ = radius;
    flanking_ = false;
    flanks_left_ = kFlanks;
  }

  [[nodiscard]] Lookup& main() { return main_; }
  [[nodiscard]] const Lookup& main() const { return main_; }
  /// The lookup around a target, or nullptr if it is over.
  [[nodiscard]] Lookup* of(const NodeId& target) {
    if (target == main_.target()) return &main_;
    return flanking_ && target == flank_.target() ? &flank_ : nullptr;
  }
  /// The one that goes on now.
  [[nodiscard]] Lookup& current() { return flanking_ ? flank_ : main_; }
  [[nodiscard]] bool flanking() const { return flanking_; }

  /// The current lookup has finished. True if there is another one now, which may be the main one
  /// with more to ask; `seed(lookup)` gives a new one its first candidates.
  template <class F>
  bool go_on(base::Rng& rng, F&& seed) {
    if (flanking_) {
      flanking_ = false;
      bool more = false;
      flank_.for_each_result(
          [&](const Candidate& result) { more = main_.add(result.node) || more; });
      if (more) return true;
    }
    if (flanks_left_ == 0 || !crowded()) return false;
    --flanks_left_;
    flanking_ = true;
    flank_.start(point_around(rng), radius_);
    seed(flank_);
    return true;
  }

 private:
  [[nodiscard]] bool crowded() const {
    const std::uint64_t reached = main_.reached();
    if (radius_ == 0 || reached == 0) return false;
    const Lookup::Window window = main_.window();
    return reached <= radius_ / kCloser || window.size > kMore || window.crowd >= kCrowd;
  }

  /// Anywhere within twice the radius, which may be somewhat small by chance.
  [[nodiscard]] NodeId point_around(base::Rng& rng) const {
    const std::uint64_t within = 2 * std::min(radius_, std::uint64_t{1} << 62);
    NodeId point = NodeId::random(rng);
    base::store_be64(point.bytes.data(),
                     base::load_be64(main_.target().bytes.data()) ^ rng.below(within));
    return point;
  }

  Lookup main_, flank_;
  std::uint64_t radius_ = 0;
  bool flanking_ = false;
  unsigned flanks_left_ = 0;
};

}  // namespace boxgram::dht
