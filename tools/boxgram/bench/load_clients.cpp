#include "load_clients.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include <boxgram/net/clock.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/udp_socket.hpp>
#include <boxgram/packet/client.hpp>

#include "boxgram/stream_link.hpp"
#include "messages.hpp"

namespace boxgram::tools::bench {
namespace {

/// A plain query without an answer is given up after this.
constexpr base::Duration kLost = std::chrono::seconds(1);
constexpr base::Duration kPace = std::chrono::milliseconds(1);
constexpr base::Duration kPlainTimeout = std::chrono::milliseconds(100);

bool is_good(base::Bytes answer) {
  return answer.size() > 12 && (answer[3] & 0x0f) == 0 && answer[7] == 1;
}

/// What both kinds have in common: whose turn it is, how many may be in the air, when it ends.
class Load {
 public:
  explicit Load(const LoadOptions& options)
      : options_(options), next_(options.first), timer_(loop_.io(), [this] { tick(); }) {
    queries_.reserve(options.names);
    for (std::uint32_t i = 0; i < options.names; ++i) queries_.push_back(query_for(i));
  }
  virtual ~Load() = default;

  LoadResult run() {
    start_ = net::now();
    end_ = start_ + options_.duration;
    tick();
    loop_.run();
    result_.elapsed = net::now() - start_;
    return result_;
  }

 protected:
  /// Sends on socket `i` as many as it may.
  virtual void fill(std::size_t i) = 0;
  virtual void handle_timeout(base::Instant now) = 0;

  /// The next query if one may go now, nullptr else.
  const std::vector<std::uint8_t>* next_query(std::size_t in_the_air) {
    const base::Instant now = net::now();
    if (now >= end_) return nullptr;
    if (options_.rate != 0) {
      const double due = std::chrono::duration<double>(now - start_).count() * options_.rate;
      if (static_cast<double>(result_.sent) >= due) return nullptr;
    } else if (in_the_air >= std::max(1u, options_.in_flight / options_.sockets)) {
      return nullptr;
    }
    ++result_.sent;
    const auto* query = &queries_[next_];
    next_ = (next_ + 1) % options_.names;
    return query;
  }
  void count(bool good, base::Duration took) {
    ++(good ? result_.answered : result_.wrong);
    result_.latency.add(took);
  }

  net::EventLoop loop_;
  LoadOptions options_;

 private:
  void tick() {
    const base::Instant now = net::now();
    if (now >= end_ + (result_.answered < result_.sent ? kLost / 4 : base::Duration::zero()))
      return loop_.stop();
    handle_timeout(now);
    for (std::size_t i = 0; i < options_.sockets; ++i) fill(i);
    timer_.want(now + kPace);
  }

  std::vector<std::vector<std::uint8_t>> queries_;
  std::uint32_t next_;
  base::Instant start_{};
  base::Instant end_{};
  LoadResult result_;
  net::DeadlineTimer timer_;
};

class PlainLoad final : public Load {
 public:
  explicit PlainLoad(const LoadOptions& options) : Load(options), lanes_(options.sockets) {}

  base::expected<void, std::string> open(const base::SocketAddress& server) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      net::UdpHandlers handlers;
      handlers.on_batch = [this, i](std::span<const net::Datagram> b) { on_batch(i, b); };
      auto socket = net::UdpSocket::connect(loop_.io(), server, {}, std::move(handlers));
      if (!socket) return base::unexpected<std::string>(socket.error());
      lanes_[i].socket.emplace(std::move(*socket));
    }
    return {};
  }

 private:
  struct Lane {
    std::optional<net::UdpSocket> socket;
    std::array<base::Instant, 65536> sent_at{};
    std::vector<std::uint16_t> order;  // IDs in the air, for timeouts; may hold ended ones
    std::uint16_t next_id = 0;
    std::size_t in_the_air = 0;
  };

  void fill(std::size_t i) override {
    Lane& lane = lanes_[i];
    const base::Instant now = net::now();
    while (const auto* query = next_query(lane.in_the_air)) {
      const auto id = lane.next_id++;
      const auto room = lane.socket->next();
      std::copy(query->begin(), query->end(), room.begin());
      base::store_be16(room.data(), id);
      lane.sent_at[id] = now;
      lane.order.push_back(id);
      ++lane.in_the_air;
      lane.socket->commit({}, query->size());
      if (options_.rate != 0) break;
    }
    lane.socket->flush();
  }

  void on_batch(std::size_t i, std::span<const net::Datagram> batch) {
    Lane& lane = lanes_[i];
    const base::Instant now = net::now();
    for (const net::Datagram& d : batch) {
      if (d.data.size() < 12) continue;
      auto& sent_at = lane.sent_at[base::load_be16(d.data.data())];
      if (sent_at == base::Instant{}) continue;
      count(is_good(d.data), now - sent_at);
      sent_at = {};
      --lane.in_the_air;
    }
    fill(i);
  }

  void handle_timeout(base::Instant now) override {
    for (Lane& lane : lanes_) {
      const auto expired = [&](std::uint16_t id) {
        auto& sent_at = lane.sent_at[id];
        if (sent_at == base::Instant{}) return true;
        if (now - sent_at < kPlainTimeout) return false;
        sent_at = {};
        --lane.in_the_air;
        return true;
      };
      lane.order.erase(std::remove_if(lane.order.begin(), lane.order.end(), expired),
                       lane.order.end());
    }
  }

  std::vector<Lane> lanes_;
};

class SealedLoad final : public Load {
 public:
  explicit SealedLoad(const LoadOptions& options) : Load(options) {}

  base::expected<void, std::string> open(const packet::Stamp& gateway) {
    for (std::size_t i = 0; i < options_.sockets; ++i) {
      packet::ClientConfig config;
      config.identity = gateway.identity;
      config.pinned_key = gateway.pinned;
      clients_.emplace_back(config, rng_, net::wall_clock(), net::now());
      net::UdpHandlers handlers;
      handlers.on_batch = [this, i](std::span<const net::Datagram> b) { on_batch(i, b); };
      net::UdpOptions udp;
      udp.gro = true;
      auto socket = net::UdpSocket::connect(loop_.io(), gateway.address, udp, std::move(handlers));
      if (!socket) return base::unexpected<std::string>(socket.error());
      sockets_.push_back(std::move(*socket));
    }
    in_the_air_.resize(options_.sockets);
    return {};
  }

 private:
  void fill(std::size_t i) override {
    const base::Instant now = net::now();
    while (const auto* query = next_query(in_the_air_[i])) {
      if (clients_[i].request(now, packet::FrameType::dns, *query, 0) == 0) break;
      ++in_the_air_[i];
      if (options_.rate != 0) break;
    }
    while (const std::size_t size = clients_[i].poll_transmit(now, sockets_[i].next()))
      sockets_[i].commit({}, size);
    sockets_[i].flush();
  }

  void on_batch(std::size_t i, std::span<const net::Datagram> batch) {
    const base::Instant now = net::now();
    for (const net::Datagram& d : batch) {
      clients_[i].handle_datagram(now, d.data);
      take_events(i);
    }
    fill(i);
  }

  void take_events(std::size_t i) {
    packet::ClientEvent event;
    while (clients_[i].poll_event(event)) {
      --in_the_air_[i];
      if (const auto* answer = std::get_if<packet::Answer>(&event))
        count(is_good(answer->payload), answer->elapsed);
    }
  }

  void handle_timeout(base::Instant now) override {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      clients_[i].handle_timeout(now);
      take_events(i);
    }
  }

  crypto::SystemRng rng_;
  std::vector<packet::Client> clients_;
  std::vector<net::UdpSocket> sockets_;
  std::vector<std::size_t> in_the_air_;
};

class StreamLoad final : public Load {
 public:
  explicit StreamLoad(const LoadOptions& options) : Load(options) {}

  void open(const packet::Stamp& gateway) {
    for (std::size_t i = 0; i < options_.sockets; ++i) {
      stream::ClientConfig config;
      config.identity = gateway.identity;
      config.pinned_key = gateway.pinned;
      Lane& lane = *lanes_.emplace_back(std::make_unique<Lane>());
      lane.client.emplace(std::move(config), rng_, net::wall_clock(), net::now());
      lane.link.emplace(loop_, gateway.address, *lane.client, StreamLink::Handlers{[this, i] {
                          take_events(i);
                          fill(i);
                        }});
    }
  }

 private:
  struct Lane {
    std::optional<stream::Client> client;
    std::optional<StreamLink> link;
    std::size_t in_the_air = 0;
  };

  void fill(std::size_t i) override {
    Lane& lane = *lanes_[i];
    const base::Instant now = net::now();
    // The tag is when it was asked.
    const auto tag = static_cast<std::uint64_t>(now.time_since_epoch().count());
    while (const auto* query = next_query(lane.in_the_air)) {
      if (lane.client->request(now, packet::FrameType::dns, *query, tag) == 0) break;
      ++lane.in_the_air;
      if (options_.rate != 0) break;
    }
    lane.link->settle();
  }

  void take_events(std::size_t i) {
    Lane& lane = *lanes_[i];
    const base::Instant now = net::now();
    stream::ClientEvent event;
    while (lane.client->poll_event(now, event)) {
      if (const auto* answer = std::get_if<stream::Answered>(&event)) {
        const base::Instant asked{base::Duration{static_cast<std::int64_t>(answer->tag)}};
        count(is_good(answer->payload), now - asked);
        --lane.in_the_air;
      } else if (std::holds_alternative<stream::RequestFailed>(event)) {
        --lane.in_the_air;
      }
    }
  }

  void handle_timeout(base::Instant now) override {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i]->client->handle_timeout(now);
      take_events(i);
    }
  }

  crypto::SystemRng rng_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

void Latency::add(base::Duration duration) {
  const auto us8 = static_cast<std::uint64_t>(
      std::max<std::int64_t>(8, duration.count() / 125));  // eighths of a microsecond
  const auto octave = static_cast<std::size_t>(std::bit_width(us8)) - 1;
  const std::size_t eighth = (us8 >> (octave - 3)) & 7;
  ++buckets_[std::min(octave * 8 + eighth, buckets_.size() - 1)];
  ++count_;
}

double Latency::percentile(double p) const {
  const auto wanted = static_cast<std::uint64_t>(p * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen > wanted)
      return static_cast<double>(std::uint64_t{1} << (i / 8)) *
             (1.0 + (static_cast<double>(i % 8) + 0.5) / 8) / 8;
  }
  return 0;
}

base::expected<LoadResult, std::string> plain_load(const base::SocketAddress& server,
                                                   const LoadOptions& options) {
  PlainLoad load(options);
  const auto opened = load.open(server);
  if (!opened) return base::unexpected<std::string>(opened.error());
  return load.run();
}

base::expected<LoadResult, std::string> stream_load(const packet::Stamp& gateway,
                                                    const LoadOptions& options) {
  StreamLoad load(options);
  load.open(gateway);
  return load.run();
}

base::expected<LoadResult, std::string> sealed_load(const packet::Stamp& gateway,
                                                    const LoadOptions& options) {
  SealedLoad load(options);
  const auto opened = load.open(gateway);
  if (!opened) return base::unexpected<std::string>(opened.error());
  return load.run();
}

}  // namespace boxgram::tools::bench
