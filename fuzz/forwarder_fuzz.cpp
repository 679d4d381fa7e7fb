// A forwarder under clients and upstreams that the input directs: every query that is pending gets
// exactly one answer within 3 s, within its limit, and nothing stays behind.
//
// Input: options (1) | steps of op (1) and operands.
#include <map>
#include <set>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/forwarder.hpp>
#include <boxgram/dns/shared_cache.hpp>

namespace {

using namespace boxgram;
using namespace std::chrono_literals;
using base::Bytes;
using base::Instant;

/// The same for every run: a crash must come back.
class FixedRng final : public base::Rng {
 public:
  void fill(base::MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(state_ = state_ * 1664525 + 1013904223);
  }

 private:
  std::uint32_t state_ = 1;
};

struct World {
  explicit World(std::uint8_t options) {
    auto made = std::make_shared<dns::ForwarderConfig>();
    for (int i = 0; i <= (options & 3); ++i)
      made->upstreams.push_back({"u", (options & 4) != 0, (options & 8) != 0});
    for (std::size_t i = 0; i < made->upstreams.size(); ++i)
      made->default_group.push_back(static_cast<dns::UpstreamIndex>(i));
    made->random_case = (options & 16) != 0;
    made->max_flights = 4;
    made->max_waiters = 8;
    made->max_waiters_per_flight = 3;
    if ((options & 32) != 0) {
      dns::CacheOptions cache_options;
      cache_options.max_bytes = 1 << 16;
      cache = std::make_unique<dns::SharedCache>(cache_options, rng, 1);
    }
    forwarder = std::make_unique<dns::Forwarder>(made, cache.get(), rng, now);
  }

  void query(Bytes bytes, dns::Transport transport) {
    const std::uint64_t tag = ++last_tag;
    const dns::Asker asker{transport, transport == dns::Transport::udp ? 512U : 2000U};
    const auto outcome = forwarder->query(now, tag, bytes, asker, out);
    if (outcome.kind == dns::Outcome::Kind::pending) open[tag] = now;
    if (outcome.kind == dns::Outcome::Kind::answered) check_answer(outcome.size, asker.limit);
    drain();
  }

  void check_answer(std::size_t size, std::size_t limit) {
    BOXGRAM_CHECK(size >= dns::kHeaderSize && size <= limit);
    BOXGRAM_CHECK((out[2] & 0x80) != 0);
  }

  void drain() {
    dns::Action action;
    while (forwarder->poll_action(action)) {
      if (action.kind == dns::Action::Kind::cancel) continue;
      BOXGRAM_CHECK(action.query.size() >= dns::kHeaderSize + 16);
      tries.emplace_back(action.id, std::vector(action.query.begin(), action.query.end()));
    }
    dns::Answered answered;
    while (forwarder->poll_answer(now, answered, out)) {
      const auto found = open.find(answered.tag);
      BOXGRAM_CHECK(found != open.end());
      BOXGRAM_CHECK(now - found->second < 3s);
      open.erase(found);
      if (!answered.too_large) check_answer(answered.size, 2000);
    }
    BOXGRAM_CHECK(forwarder->waiting() == open.size());
    BOXGRAM_CHECK(forwarder->in_flight() <= 4);
  }

  /// In steps of the deadlines, as a driver does it.
  void run(base::Duration time) {
    const Instant end = now + time;
    for (auto next = forwarder->next_timeout(); next && *next <= end;
         next = forwarder->next_timeout()) {
      now = std::max(now, *next);
      forwarder->handle_timeout(now);
      drain();
    }
    now = end;
  }

  Instant now = Instant{} + 1h;
  FixedRng rng;
  std::unique_ptr<dns::SharedCache> cache;
  std::unique_ptr<dns::Forwarder> forwarder;
  std::map<std::uint64_t, Instant> open;
  std::vector<std::pair<dns::TryId, std::vector<std::uint8_t>>> tries;
  std::uint64_t last_tag = 0;
  std::vector<std::uint8_t> out = std::vector<std::uint8_t>(65535);
};

/// A query for one of eight names, type A or ANY class IN, with or without OPT.
std::vector<std::uint8_t> plain_query(std::uint8_t choice) {
  std::vector<std::uint8_t> query{0, choice, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  query.insert(query.end(), {1, static_cast<std::uint8_t>('a' + choice % 8), 0, 0, 1, 0, 1});
  if ((choice & 8) != 0) {
    query[11] = 1;
    query.insert(query.end(), {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0});
  }
  return query;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::Reader in({data, size});
  World world(in.u8());
  while (in.left() > 0) {
    const std::uint8_t op = in.u8();
    const std::uint8_t a = in.u8();
    switch (op & 7) {
      case 0:
      case 1:
        world.query(plain_query(a), static_cast<dns::Transport>((op >> 3) % 3));
        break;
      case 2:
        world.query(in.bytes(std::min<std::size_t>(a, in.left())), dns::Transport::udp);
        break;
      case 3:
      case 4: {  // an answer: the query turned around, RCODE and further bytes from the input
        if (world.tries.empty()) break;
        const auto [id, query] = world.tries[a % world.tries.size()];
        auto reply = query;
        reply[2] |= 0x80;
        reply[3] = static_cast<std::uint8_t>(op >> 3 & 15);
        if ((op & 7) == 4) {
          reply[11] = 0;
          reply.resize(reply.size() - 11);
          reply[7] = in.u8();
          reply[9] = in.u8();
          const auto rest = in.bytes(std::min<std::size_t>(in.u8(), in.left()));
          reply.insert(reply.end(), rest.begin(), rest.end());
        }
        world.forwarder->upstream_answer(world.now, id, reply);
        break;
      }
      case 5: {
        if (world.tries.empty()) break;
        const auto id = world.tries[a % world.tries.size()].first;
        const auto why = static_cast<dns::TryFailure>((op >> 3) % 7);
        if (why > dns::TryFailure::rejected)
          (void)world.forwarder->upstream_deferred(world.now, id);
        else
          world.forwarder->upstream_failed(world.now, id, why);
        break;
      }
      default:
        world.run(std::chrono::milliseconds(a) * ((op & 7) == 7 ? 40 : 1));
        break;
    }
    world.drain();
  }
  world.run(4s);
  BOXGRAM_CHECK(world.open.empty());
  BOXGRAM_CHECK(world.forwarder->in_flight() == 0);
  return 0;
}
