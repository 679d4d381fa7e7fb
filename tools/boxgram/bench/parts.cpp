#include "parts.hpp"

#include <fmt/format.h>

#include <boxgram/crypto/box.hpp>
#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/normalise.hpp>
#include <boxgram/dns/shared_cache.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/server.hpp>

#include "messages.hpp"

namespace boxgram::tools::bench {
namespace {

dns::Expectation expectation_of(const dns::Query& query) {
  dns::Expectation asked;
  asked.id = query.id;
  asked.name = query.name;
  asked.type = query.type;
  asked.rr_class = query.rr_class;
  return asked;
}

/// Both ends of the transport with a live association.
class Pair {
 public:
  Pair()
      : now_(net::now()),
        wall_{now_, 1'800'000'000'000},
        pinned_(crypto::generate_key_pair(rng_)),
        server_(server_config(), rng_, wall_, now_ - std::chrono::hours(1), keys()),
        client_(client_config(false), rng_, wall_, now_),
        loner_(client_config(true), rng_, wall_, now_) {}

  /// One request and its answer; true if it came back.
  bool exchange(packet::Client& client, base::Bytes query, base::Bytes answer) {
    client.request(now_, packet::FrameType::dns, query, 1);
    bool answered = false;
    for (int i = 0; i < 4 && !answered; ++i) {
      const std::size_t size = client.poll_transmit(now_, up_);
      if (size == 0) break;
      auto received = server_.receive(now_, from_, base::MutableBytes(up_).first(size), down_);
      std::size_t back = received.size;
      if (received.kind == packet::Received::Kind::request) {
        const auto space = packet::Server::payload_space(received.reply, down_);
        std::copy(answer.begin(), answer.end(), space.begin());
        back = server_.seal_reply(received.reply, answer.size(), down_);
      }
      if (back == 0) continue;
      client.handle_datagram(now_, base::MutableBytes(down_).first(back));
      packet::ClientEvent event;
      while (client.poll_event(event)) answered = std::holds_alternative<packet::Answer>(event);
    }
    return answered;
  }

  packet::Client& client() { return client_; }
  packet::Client& loner() { return loner_; }

 private:
  packet::ServerConfig server_config() {
    packet::ServerConfig config;
    config.initial_rate = config.scalar_mult_rate = {1e9, 1e9};
    return config;
  }
  packet::ClientConfig client_config(bool key_per_query) {
    packet::ClientConfig config;
    config.pinned_key = pinned_.public_key;
    config.key_per_query = key_per_query;
    return config;
  }
  std::shared_ptr<const packet::ServerKeys> keys() {
    packet::KeyRotation rotation({}, rng_, wall_, now_, std::nullopt, pinned_.secret_key.copy(),
                                 crypto::SharedKey());
    return rotation.snapshot();
  }

  base::Instant now_;
  base::WallClock wall_;
  crypto::SystemRng rng_;
  crypto::KeyPair pinned_;
  packet::Server server_;
  packet::Client client_;
  packet::Client loner_;  // a key for each query
  base::SocketAddress from_ = base::SocketAddress::v4(127, 0, 0, 1, 1);
  std::array<std::uint8_t, packet::kMaxDatagram> up_{};
  std::array<std::uint8_t, packet::kMaxDatagram> down_{};
};

crypto::Nonce next_nonce(std::uint64_t& n) {
  std::array<std::uint8_t, 16> tail{};
  base::store_be64(tail.data() + 8, ++n);
  return crypto::make_nonce("BXG1-XX.", tail);
}

}  // namespace

void measure_crypto(Report& report, base::Duration each) {
  report.part("crypto (libsodium, one thread, CPU time)");
  crypto::SystemRng rng;
  const auto a = crypto::generate_key_pair(rng);
  const auto b = crypto::generate_key_pair(rng);
  const auto key = crypto::shared_key(b.public_key, a.secret_key);
  report.row("X25519 key pair", cpu_us(each, [&] { (void)crypto::generate_key_pair(rng); }), "us");
  report.row("X25519 shared key",
             cpu_us(each, [&] { (void)crypto::shared_key(b.public_key, a.secret_key); }), "us");
  std::uint64_t n = 0;
  for (const std::size_t size : {256u, 512u, 1232u}) {
    std::vector<std::uint8_t> boxed(size);
    const double seal = cpu_us(each, [&] { crypto::box(boxed, next_nonce(n), *key); });
    report.row(fmt::format("box, {} bytes", size), seal, "us");
    const auto nonce = next_nonce(n);
    crypto::box(boxed, nonce, *key);
    auto copy = boxed;
    report.row(fmt::format("open, {} bytes", size),
               cpu_us(each,
                      [&] {
                        std::copy(boxed.begin(), boxed.end(), copy.begin());
                        if (!crypto::box_open(copy, nonce, *key)) std::abort();
                      }),
               "us");
    boxed[0] ^= 1;
    report.row(fmt::format("refuse a forged one, {} bytes", size),
               cpu_us(each,
                      [&] {
                        if (crypto::box_open(boxed, nonce, *key)) std::abort();
                      }),
               "us");
  }
}

void measure_codec(Report& report, base::Duration each) {
  report.part("codec");
  const auto query = query_for(4711);
  const auto answer = answer_to(query);
  report.row("parse a query",
             cpu_us(each,
                    [&] {
                      if (!dns::parse_query(query)) std::abort();
                    }),
             "us");
  const auto parsed = dns::parse_query(query);
  const auto asked = expectation_of(*parsed);
  dns::AnswerBuilder builder;
  report.row("check and rebuild an upstream's answer",
             cpu_us(each,
                    [&] {
                      if (!dns::normalise(answer, asked, builder)) std::abort();
                    }),
             "us");
  const auto view = dns::normalise(answer, asked, builder);
  std::array<std::uint8_t, dns::kOwnUdpSize> out{};
  report.row("write an answer",
             cpu_us(each,
                    [&] {
                      if (dns::write_answer(*view, *parsed, {}, {}, out).size == 0) std::abort();
                    }),
             "us");
}

void measure_cache(Report& report, base::Duration each) {
  report.part("cache (100,000 answers)");
  constexpr std::uint32_t kEntries = 100'000;
  crypto::SystemRng rng;
  dns::SharedCache cache({}, rng);
  dns::AnswerBuilder builder;
  std::vector<std::vector<std::uint8_t>> queries;
  const auto now = net::now();
  double store_us = 0;
  std::uint32_t n = 0;
  std::vector<std::vector<std::uint8_t>> answers;
  for (std::uint32_t i = 0; i < kEntries; ++i) {
    queries.push_back(query_for(i));
    answers.push_back(answer_to(queries.back()));
  }
  const auto store = [&] {
    const auto query = dns::parse_query(queries[n]);
    const auto view = dns::normalise(answers[n], expectation_of(*query), builder);
    cache.store(dns::QueryKey(*query), *view, now);
    n = (n + 1) % kEntries;
  };
  for (std::uint32_t i = 0; i < kEntries; ++i) store();
  report.row("memory", static_cast<double>(cache.bytes()) / 1e6, "MB");
  store_us = cpu_us(each, store);
  report.row("check, rebuild and store", store_us, "us");
  std::array<std::uint8_t, dns::kOwnUdpSize> out{};
  // A stride that is prime to the number of entries visits all, and no two neighbours.
  report.row("hit: parse, find, write",
             cpu_us(each,
                    [&] {
                      n = (n + 7919) % kEntries;
                      const auto query = dns::parse_query(queries[n]);
                      const auto hit = cache.answer(*query, {}, dns::ServeStale::never, now, out);
                      if (hit.hit != dns::CacheHit::fresh) std::abort();
                    }),
             "us");
}

double live_round_trip_us(base::Duration each) {
  Pair pair;
  const auto query = query_for(1);
  const auto answer = answer_to(query);
  for (int i = 0; i < 64; ++i)  // settles the size class
    if (!pair.exchange(pair.client(), query, answer)) std::abort();
  return cpu_us(each, [&] {
    if (!pair.exchange(pair.client(), query, answer)) std::abort();
  });
}

void measure_transport(Report& report, base::Duration each) {
  report.part("transport in memory (client and server on one thread)");
  crypto::SystemRng rng;
  const auto a = crypto::generate_key_pair(rng);
  const auto key = crypto::shared_key(a.public_key, a.secret_key);
  const double multiply =
      cpu_us(each, [&] { (void)crypto::shared_key(a.public_key, a.secret_key); });
  std::uint64_t n = 0;
  std::vector<std::uint8_t> boxed(256);
  const double box = cpu_us(each, [&] { crypto::box(boxed, next_nonce(n), *key); });
  boxed.resize(512);
  const double box512 = cpu_us(each, [&] { crypto::box(boxed, next_nonce(n), *key); });

  const double round = live_round_trip_us(each);
  report.row("round trip on a live association", round, "us", "its 4 boxes", round / (4 * box));
  Pair pair;
  const auto query = query_for(1);
  const auto answer = answer_to(query);
  const double initial = cpu_us(each, [&] {
    if (!pair.exchange(pair.loner(), query, answer)) std::abort();
  });
  // A key pair and a shared key at the client, a shared key at the server.
  report.row("round trip with a new key", initial, "us", "its 3 X25519 and 4 boxes",
             initial / (3 * multiply + 4 * box512));
}

}  // namespace boxgram::tools::bench
