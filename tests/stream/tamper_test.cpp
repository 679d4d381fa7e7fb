// A whole session with somebody on the path: what he cuts, flips, drops, repeats or swaps is always
// noticed, by the end that it was done to. Rows 13 and 15 of the choice table.
#include <gtest/gtest.h>

#include "stream/pair.hpp"

namespace boxgram::test {
namespace {

using packet::FrameType;
using stream::SessionEnd;

enum class Way { up, down };

/// HELLO to CLOSE with new keys in between, over ten minutes; the payloads of requests are numbers,
/// so that a lost, doubled or swapped one shows.
class Script {
 public:
  Script() : pair(options()) {
    pair.service = [this](const SeenMessage& message) {
      served.push_back(message.payload);
      pair.server->respond(pair.now, message.connection, message.type, message.id, message.payload);
    };
  }

  static PairOptions options() {
    PairOptions options;
    options.client.close_after = 200s;
    options.client.request_lifetime = 3s;
    options.client.ask_again = false;
    return options;
  }

  void ask(std::size_t size) {
    if (!pair.downs.empty()) return;
    Buffer payload(std::max<std::size_t>(size, 1), static_cast<std::uint8_t>(asked.size()));
    asked[pair.ask(payload, FrameType::control)] = payload;
    in_order.push_back(payload);
    pair.run();
  }
  void wait(base::Duration duration) {
    if (pair.downs.empty()) pair.advance(duration);
  }

  /// Small records: 82 bytes each.
  void play_small() {
    ask(1);
    ask(2);
    for (int i = 0; i < 6; ++i) {
      wait(100s);
      ask(3);
    }
    ask(4);
    finish();
  }
  /// Messages of one to five records, several under way at a time.
  void play_large() {
    ask(1);
    for (const std::size_t size : {100u, 16376u, 16377u, 65535u, 3u}) ask(size);
    if (pair.downs.empty()) {
      for (const std::size_t size : {10u, 30000u, 10u}) {
        Buffer payload(size, static_cast<std::uint8_t>(asked.size()));
        asked[pair.ask(payload, FrameType::control)] = payload;
        in_order.push_back(payload);
      }
      pair.run();
    }
    for (int i = 0; i < 6; ++i) {
      wait(100s);
      ask(3);
    }
    ask(20000);
    finish();
  }
  void finish() {
    if (pair.downs.empty()) pair.client->close(pair.now);
    pair.run();
    pair.advance(130s);  // whatever was stuck has been noticed by now
  }

  /// What must hold whatever was done.
  void expect_no_lie() {
    // The server was given what was asked, in its order, nothing twice.
    ASSERT_LE(served.size(), in_order.size());
    for (std::size_t i = 0; i < served.size(); ++i) EXPECT_EQ(served[i], in_order[i]);
    // Each request has ended once, and an answer is the right one.
    std::map<std::uint64_t, int> ends;
    for (const SeenAnswer& answer : pair.answers) {
      EXPECT_EQ(answer.payload, asked.at(answer.tag));
      ++ends[answer.tag];
    }
    for (const auto& failed : pair.failures) ++ends[failed.tag];
    EXPECT_EQ(ends.size(), asked.size());
    for (const auto& [tag, count] : ends) EXPECT_EQ(count, 1);
    EXPECT_EQ(pair.server->sessions() + pair.server->half_open(), 0u);
  }

  [[nodiscard]] bool server_saw_clean_end() const {
    return pair.server_ended && pair.server_ended->session == SessionEnd::closed;
  }
  [[nodiscard]] bool client_saw_clean_end() const {
    return !pair.downs.empty() && pair.downs[0].session == SessionEnd::closed;
  }
  /// The end to which it was done.
  [[nodiscard]] bool victim_saw_clean_end(Way way) const {
    return way == Way::up ? server_saw_clean_end() : client_saw_clean_end();
  }

  Pair pair;
  std::vector<Buffer> served;
  std::vector<Buffer> in_order;
  std::map<std::uint64_t, Buffer> asked;
};

TEST(StreamOnThePath, WithoutAnAttackerAllIsWell) {
  for (const bool large : {false, true}) {
    Script script;
    large ? script.play_large() : script.play_small();
    script.expect_no_lie();
    EXPECT_TRUE(script.client_saw_clean_end());
    EXPECT_TRUE(script.server_saw_clean_end());
    EXPECT_EQ(script.pair.answers.size(), script.asked.size());
    EXPECT_EQ(script.pair.readies, 1u);
  }
}

std::size_t bytes_of_a_session(Way way) {
  Script script;
  script.play_small();
  return (way == Way::up ? script.pair.from_client : script.pair.from_server).size();
}

/// Lets f change the byte at this offset of the direction, or what follows it.
void at_offset(Script& script, Way way, std::size_t offset,
               const std::function<void(Buffer& fresh, std::size_t at)>& f) {
  auto seen = std::make_shared<std::size_t>(0);
  const auto hook = [=](Buffer& fresh) {
    const std::size_t before = *seen;
    *seen += fresh.size();
    if (offset >= before && offset < *seen) f(fresh, offset - before);
  };
  (way == Way::up ? script.pair.on_way_up : script.pair.on_way_down) = hook;
}

TEST(StreamOnThePath, ACutAtAnyByteIsNeverACleanEnd) {
  for (const Way way : {Way::up, Way::down}) {
    const std::size_t size = bytes_of_a_session(way);
    ASSERT_GT(size, 1000u);
    for (std::size_t offset = 0; offset < size; ++offset) {
      Script script;
      at_offset(script, way, offset, [&](Buffer& fresh, std::size_t at) {
        fresh.resize(at);
        Buffer& ours = way == Way::up ? script.pair.to_server : script.pair.to_client;
        ours.insert(ours.end(), fresh.begin(), fresh.end());
        script.pair.break_connection();
      });
      script.play_small();
      SCOPED_TRACE(offset);
      script.expect_no_lie();
      EXPECT_FALSE(script.victim_saw_clean_end(way));
      if (HasFailure()) return;
    }
  }
}

TEST(StreamOnThePath, AFlippedBitInAnyByteIsNoticed) {
  for (const Way way : {Way::up, Way::down}) {
    const std::size_t size = bytes_of_a_session(way);
    for (std::size_t offset = 0; offset < size; ++offset) {
      Script script;
      at_offset(script, way, offset, [&](Buffer& fresh, std::size_t at) {
        fresh[at] ^= static_cast<std::uint8_t>(1u << offset % 8);
      });
      script.play_small();
      SCOPED_TRACE(offset);
      script.expect_no_lie();
      EXPECT_FALSE(script.victim_saw_clean_end(way));
      if (HasFailure()) return;
    }
  }
}

/// The fresh bytes as bodies with their lengths; each write of an end consists of whole ones.
std::vector<Buffer> bodies(const Buffer& bytes) {
  std::vector<Buffer> all;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = 2u + base::load_be16(&bytes[at]);
    all.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                     bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
  }
  return all;
}

enum class Trick { drop, repeat, repeat_later, swap, cut_before, shorten, flip_tag };

/// Plays the large session with a trick on the n-th body; true if there is one of that number.
bool trick_on_body(Way way, Trick trick, std::size_t n) {
  Script script;
  std::size_t seen = 0;
  bool done = false;
  Buffer kept;
  const auto hook = [&](Buffer& fresh) {
    Buffer out;
    std::vector<Buffer> all = bodies(fresh);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Buffer& body = all[i];
      const auto put = [&](const Buffer& bytes) {
        out.insert(out.end(), bytes.begin(), bytes.end());
      };
      if (trick == Trick::repeat_later && !kept.empty() && seen == n + 1) put(kept);
      if (seen++ != n) {
        put(body);
        continue;
      }
      done = true;
      kept = body;
      if (trick == Trick::repeat || trick == Trick::repeat_later) put(body);
      if (trick == Trick::repeat) put(body);
      if (trick == Trick::swap) {
        // With the next one of this write; without one this trick is a drop.
        if (i + 1 < all.size()) put(all[i + 1]), put(body), ++i, ++seen;
      }
      if (trick == Trick::cut_before) {
        fresh = out;
        Buffer& ours = way == Way::up ? script.pair.to_server : script.pair.to_client;
        ours.insert(ours.end(), out.begin(), out.end());
        return script.pair.break_connection();
      }
      if (trick == Trick::shorten) put(Buffer(body.begin(), body.end() - 1));
      if (trick == Trick::flip_tag) {
        Buffer flipped = body;
        flipped[2] ^= 1;
        put(flipped);
      }
    }
    fresh = out;
  };
  (way == Way::up ? script.pair.on_way_up : script.pair.on_way_down) = hook;
  script.play_large();
  if (!done) return false;
  SCOPED_TRACE(testing::Message() << "body " << n << " trick " << static_cast<int>(trick) << " way "
                                  << static_cast<int>(way));
  script.expect_no_lie();
  // A copy of the very last body comes after the end, or not at all: then nothing was done.
  const bool harmless =
      (trick == Trick::repeat_later && seen == n + 1) ||
      (trick == Trick::repeat && script.victim_saw_clean_end(way) && seen == n + 1);
  EXPECT_EQ(script.victim_saw_clean_end(way) && !harmless, false);
  return !testing::Test::HasFailure();
}

TEST(StreamOnThePath, EveryTrickOnEveryBodyIsNoticed) {
  std::size_t played = 0;
  for (const Way way : {Way::up, Way::down}) {
    for (const Trick trick : {Trick::drop, Trick::repeat, Trick::repeat_later, Trick::swap,
                              Trick::cut_before, Trick::shorten, Trick::flip_tag}) {
      std::size_t n = 0;
      while (trick_on_body(way, trick, n)) ++n;
      ASSERT_FALSE(HasFailure());
      EXPECT_GT(n, 25u) << "as many bodies as the session has";
      played += n;
    }
  }
  std::printf("%zu tricks\n", played);
}

TEST(StreamOnThePath, BytesFromTheMiddleOfAnotherSessionDoNotFit) {
  // The same peers with the same long-term keys: the n-th record of one session in the other.
  Script first;
  first.play_small();
  const std::vector<Buffer> others = bodies(first.pair.from_client);
  ASSERT_GT(others.size(), 8u);
  for (std::size_t n = 1; n < others.size(); ++n) {
    Script second;
    second.pair.client_rng = QueuedRng(4242);
    std::size_t seen = 0;
    second.pair.on_way_up = [&](Buffer& fresh) {
      Buffer out;
      for (const Buffer& body : bodies(fresh)) {
        const Buffer& put = seen++ == n ? others[n] : body;
        out.insert(out.end(), put.begin(), put.end());
      }
      fresh = out;
    };
    second.play_small();
    second.expect_no_lie();
    EXPECT_FALSE(second.server_saw_clean_end()) << n;
    EXPECT_LT(second.served.size(), second.in_order.size() + 1);
  }
}

}  // namespace
}  // namespace boxgram::test
