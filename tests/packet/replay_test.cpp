#include <set>

#include <gtest/gtest.h>

#include "packet/replay_set.hpp"
#include "packet/replay_window.hpp"
#include "packet/vectors.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::test {
namespace {

using namespace std::chrono_literals;
using packet::ReplaySet;
using packet::ReplayWindow;
using Insert = packet::ReplaySet::Insert;

TEST(ReplayWindow, AgreesWithAPlainSet) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRng rng(seed);
    ReplayWindow window;
    std::set<std::uint64_t> seen;
    std::uint64_t top = 0;
    for (int i = 0; i < 5000; ++i) {
      std::uint64_t n = top;
      switch (rng.below(4)) {
        case 0:
          n = top + rng.below(3);
          break;
        case 1:
          n = top - std::min(top, rng.below(1100));
          break;
        case 2:
          n = top + rng.below(2000);
          break;
        default:
          n = top - std::min(top, rng.below(64));
      }
      const bool expected = n > top || (top - n < 960 && !seen.contains(n));
      ASSERT_EQ(window.would_accept(n), expected) << "seed " << seed << " n " << n;
      if (!expected) continue;
      window.accept(n);
      seen.insert(n);
      top = std::max(top, n);
    }
  }
}

TEST(ReplayWindow, AskingChangesNothing) {
  ReplayWindow window;
  EXPECT_TRUE(window.would_accept(1'000'000));
  EXPECT_TRUE(window.would_accept(0));
}

TEST(ReplayWindow, EndsAtTwoToTheFortyEight) {
  ReplayWindow window;
  EXPECT_FALSE(window.would_accept(packet::kMaxCounter));
  EXPECT_FALSE(window.would_accept(~std::uint64_t{0}));
  EXPECT_TRUE(window.would_accept(packet::kMaxCounter - 1));
  window.accept(packet::kMaxCounter - 1);
  EXPECT_FALSE(window.would_accept(packet::kMaxCounter - 1));
}

std::array<std::uint8_t, 16> tag(std::uint64_t i) {
  std::array<std::uint8_t, 16> bytes{};
  base::store_be64(bytes.data(), i);
  return bytes;
}

TEST(ReplaySet, TellsFreshFromSeen) {
  SeededRng rng(1);
  ReplaySet set(4096, rng, {});
  for (std::uint64_t i = 0; i < 2000; ++i) EXPECT_EQ(set.insert({}, tag(i)), Insert::fresh);
  for (std::uint64_t i = 0; i < 2000; ++i) EXPECT_EQ(set.insert({}, tag(i)), Insert::seen);
}

TEST(ReplaySet, IdleSetHoldsNoMemory) {
  SeededRng rng(1);
  ReplaySet set(std::size_t{1} << 20, rng, {});
  EXPECT_EQ(set.slots(), 0u);
  set.insert({}, tag(1));
  EXPECT_LE(set.slots(), 64u);
}

// The longest that a copy can be acceptable is 35 s after the first one, wherever in a generation
// that was.
TEST(ReplaySet, RemembersForAsLongAsACopyCouldBeAccepted) {
  for (const auto offset : {0ms, 1ms, 18'000ms, 35'999ms, 36'000ms, 71'999ms}) {
    SeededRng rng(1);
    ReplaySet set(64, rng, {});
    const base::Instant first = base::Instant{} + offset;
    EXPECT_EQ(set.insert(first, tag(1)), Insert::fresh);
    for (auto later = 1000ms; later <= 35'001ms; later += 1000ms)
      EXPECT_EQ(set.insert(first + later, tag(1)), Insert::seen) << offset.count();
    EXPECT_EQ(set.insert(first + 35'001ms, tag(1)), Insert::seen) << offset.count();
  }
}

TEST(ReplaySet, RemembersAlsoWhenNothingElseComes) {
  for (const auto offset : {0ms, 35'999ms, 71'000ms}) {
    SeededRng rng(1);
    ReplaySet set(64, rng, {});
    const base::Instant first = base::Instant{} + offset;
    set.insert(first, tag(1));
    EXPECT_EQ(set.insert(first + 35'001ms, tag(1)), Insert::seen) << offset.count();
  }
}

TEST(ReplaySet, ForgetsAfterTwoGenerations) {
  SeededRng rng(1);
  ReplaySet set(64, rng, {});
  set.insert({}, tag(1));
  EXPECT_EQ(set.insert(base::Instant{} + 2 * ReplaySet::kGeneration, tag(1)), Insert::fresh);
  set.advance(base::Instant{} + 10 * ReplaySet::kGeneration);
  EXPECT_TRUE(set.empty());
}

TEST(ReplaySet, NeverAcceptsWhatItCannotRemember) {
  SeededRng rng(1);
  ReplaySet set(1024, rng, {});
  std::uint64_t fresh = 0;
  std::uint64_t i = 0;
  while (!set.crowded({})) fresh += set.insert({}, tag(i++)) == Insert::fresh;
  EXPECT_EQ(fresh, 768u);
  for (; i < 3000; ++i) fresh += set.insert({}, tag(i)) == Insert::fresh;
  EXPECT_EQ(fresh, 896u);
  EXPECT_EQ(set.insert({}, tag(5000)), Insert::full);
  EXPECT_EQ(set.insert({}, tag(5)), Insert::seen);
  EXPECT_LE(set.slots(), 1024u);
  const base::Instant later = base::Instant{} + ReplaySet::kGeneration;
  EXPECT_EQ(set.insert(later, tag(5)), Insert::seen);
  EXPECT_EQ(set.insert(later, tag(5000)), Insert::fresh);
  EXPECT_FALSE(set.crowded(later));
  EXPECT_LE(set.slots(), 2048u);
}

}  // namespace
}  // namespace boxgram::test
