// The cache against a plain map. The cache may forget (it is bounded), but what it serves is what
// was stored last, with the right age, and only as long as it may.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <tuple>
#include <vector>

#include <boxgram/dns/cache.hpp>

namespace dns = boxgram::dns;
namespace base = boxgram::base;
using namespace std::chrono_literals;

static void require(bool fact) {
  if (!fact) std::abort();
}

namespace {

class FixedRng final : public base::Rng {
 public:
  void fill(base::MutableBytes out) override { std::fill(out.begin(), out.end(), 0x5a); }
};

struct Known {
  base::Instant stored{};
  std::uint32_t lifetime = 0;
  dns::Rcode rcode = dns::Rcode::no_error;
  std::uint8_t mark = 0;
};

/// Name 0..15 (children below parents, so that RFC 8020 has work), type or 0, DO + 2 * CD.
using Key = std::tuple<int, int, int>;

dns::Name name_of(int number) {
  static const char* const texts[] = {"a", "b", "x.a", "y.a", "z.x.a", "x.b", "y.b",   "w.y.b",
                                      "c", "d", "e",   "x.c", "x.x.c", "x.d", "q.x.d", "x.e"};
  return *dns::Name::from_text(texts[number]);
}

class Model {
 public:
  void step(const std::uint8_t* op) {
    now_ += std::chrono::milliseconds(op[3] * op[3]);
    const int number = op[1] % 16;
    const int type = 1'000 + op[1] / 16 % 4;  // no names in the RDATA
    const int bits = op[1] / 64;
    const dns::QueryKey key(name_of(number).wire(), static_cast<std::uint16_t>(type), 1, bits & 1,
                            bits & 2);
    switch (op[0] % 8) {
      case 0:
      case 1:
        store(key, number, bits, op[2], false);
        break;
      case 2:
        store(key, number, bits, op[2], true);
        break;
      case 3:
        cache_.store_failure(key, dns::Rcode::server_failure, {}, now_);
        break;
      case 4:
        cache_.flush(name_of(number));
        forget([&](const Key& k) { return std::get<0>(k) == number; });
        break;
      case 5:
        cache_.flush_suffix(name_of(number));
        forget(
            [&](const Key& k) { return name_of(std::get<0>(k)).is_subdomain_of(name_of(number)); });
        break;
      default:
        look(key, number, type, bits);
    }
    require(cache_.bytes() <= options_.max_bytes);
  }

 private:
  void store(const dns::QueryKey& key, int number, int bits, std::uint8_t mark, bool nxdomain) {
    const std::uint32_t ttl = mark;
    builder_.start(key.name(), key.type(), 1);
    if (nxdomain) {
      std::vector<std::uint8_t> soa(22, 0);
      soa[19] = 1;  // MINIMUM 256 s
      soa[20] = 1;
      require(builder_.add(dns::Section::authority, dns::Name(), dns::rrtype::soa, 1, ttl, soa));
    } else {
      const std::vector<std::uint8_t> rdata(mark, mark);
      require(builder_.add(dns::Section::answer, name_of(number), key.type(), 1, ttl, rdata));
    }
    const auto rcode = nxdomain ? dns::Rcode::nx_domain : dns::Rcode::no_error;
    const auto view = builder_.finish(rcode, false, false);
    cache_.store(key, view, now_);
    if (view.lifetime == 0) return;
    const int type = key.type();
    forget([&](const Key& k) {
      return std::get<0>(k) == number && std::get<2>(k) == bits &&
             (nxdomain || std::get<1>(k) == 0 || std::get<1>(k) == type);
    });
    known_[{number, nxdomain ? 0 : type, bits}] = {now_, view.lifetime, rcode, mark};
  }

  template <class F>
  void forget(F&& f) {
    std::erase_if(known_, [&](const auto& item) { return f(item.first); });
  }

  const Known* find(int number, int type, int bits) const {
    for (const int t : {type, 0})
      if (const auto it = known_.find({number, t, bits}); it != known_.end()) return &it->second;
    return nullptr;
  }

  /// A fresh NXDOMAIN above the name.
  bool is_below_nxdomain(int number, int bits) const {
    for (int above = 0; above < 16; ++above) {
      const auto it = known_.find({above, 0, bits});
      if (above != number && it != known_.end() &&
          name_of(number).is_subdomain_of(name_of(above)) &&
          now_ < it->second.stored + std::chrono::seconds(it->second.lifetime))
        return true;
    }
    return false;
  }

  void look(const dns::QueryKey& key, int number, int type, int bits) {
    const auto found = cache_.lookup(key, now_);
    if (found.hit == dns::CacheHit::miss || found.hit == dns::CacheHit::failure) return;
    const Known* known = find(number, type, bits);
    const auto age = [&](const Known& k) {
      return std::chrono::duration_cast<std::chrono::seconds>(now_ - k.stored).count();
    };
    if (known == nullptr || found.answer.rcode != known->rcode || found.age != age(*known)) {
      require(found.hit == dns::CacheHit::fresh && found.answer.rcode == dns::Rcode::nx_domain);
      require(is_below_nxdomain(number, bits));
      return;
    }
    const auto end = known->stored + std::chrono::seconds(known->lifetime);
    require((found.hit == dns::CacheHit::fresh) == (now_ < end));
    require(now_ < end + options_.max_stale);
    if (known->rcode == dns::Rcode::no_error) require(found.answer.body.back() == known->mark);
  }

  static dns::CacheOptions small() {
    dns::CacheOptions options;
    options.max_bytes = 6'000;
    options.max_stale = 300s;
    return options;
  }

  dns::CacheOptions options_ = small();
  FixedRng rng_;
  dns::Cache cache_{options_, rng_};
  dns::AnswerBuilder builder_;
  base::Instant now_ = base::Instant{} + 1h;
  std::map<Key, Known> known_;
};

}  // namespace

/// Input: operations of four bytes: kind, key, mark (also TTL), time that passes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Model model;
  for (std::size_t at = 0; at + 4 <= size; at += 4) model.step(data + at);
  return 0;
}
