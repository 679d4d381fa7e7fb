// boxgram gateway: sealed datagrams in, plain DNS out. The main loop holds keys, signals and
// reloads; a worker for each core holds all the rest.
#include <algorithm>
#include <future>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>
#include <boxgram/net/steering.hpp>
#include <boxgram/net/worker_threads.hpp>
#include <boxgram/packet/stamp.hpp>

#include "commands.hpp"
#include "control/control_desk.hpp"
#include "default_listen.hpp"
#include "dht/dht_metrics.hpp"
#include "gateway_metrics.hpp"
#include "gateway_worker.hpp"
#include "key_ring.hpp"
#include "log.hpp"
#include "metrics.hpp"
#include "process_limits.hpp"
#include "stamp_address.hpp"
#include "stream_service.hpp"

namespace boxgram::tools {
namespace {

using base::expected;
using base::unexpected;
using Started = expected<void, std::string>;

/// A drain ends with the last answer, which an upstream owes within 3 s.
constexpr base::Duration kDrainTime = std::chrono::milliseconds(3200);

ControlDesk::For all_or_listed(bool all) {
  return all ? ControlDesk::For::all : ControlDesk::For::listed;
}

/// How long the response to a control command may take to leave when the program ends after it.
constexpr base::Duration kLastWords = std::chrono::milliseconds(100);

class Gateway final : private GatewayHost {
 public:
  Gateway(const GatewayOptions& options, ClientFile clients)
      : options_(options),
        workers_(options.config.workers != 0 ? options.config.workers
                                             : std::max(1u, std::thread::hardware_concurrency())),
        wall_(net::wall_clock()),
        start_(net::now()),
        clients_(std::move(clients)),
        forward_(options.config.forward) {}

  ~Gateway() override {
    metrics_.reset();
    workers_.stop();
    gateways_.clear();
  }

  Started start(const GatewayRules& rules) {
    return start_keys()
        .and_then([&] { return start_workers(rules); })
        .and_then([&] { return start_streams(rules); })
        .and_then([&] { return start_dht(); })
        .and_then([&] { return start_metrics(); });
  }

  void serve() {
    // Before anybody can read that it serves: a signal must find its handler.
    signals_.emplace(
        main_.io(), [this] { on_reload_signal(); }, [this] { on_stop_signal(); });
    key_timer_.emplace(main_.io(), [this] { on_key_timer(); });
    key_timer_->want(keys_->next_timeout());
    drain_timer_.emplace(main_.io(), [this] { main_.stop(); });
    forget_timer_.emplace(main_.io(), [this] { forget_moved_domains(); });
    workers_.start();
    announce();
    main_.run();
    log::info("stopped");
  }

 private:
  Started start_keys() {
    auto opened =
        KeyRing::open(options_.config.state_dir, options_.config.keys, rng_, wall_, start_);
    if (!opened) return unexpected<std::string>(opened.error());
    keys_.emplace(std::move(*opened));
    return {};
  }

  /// The addresses to listen on, with the ports that the kernel chose where 0 was asked for. Bound
  /// once without SO_REUSEPORT, which would let two gateways share a port without a word.
  expected<std::vector<base::SocketAddress>, std::string> claim_addresses() {
    std::vector<base::SocketAddress> addresses;
    for (const auto& wanted :
         listen_addresses(main_, options_.config.listen, config::GatewayConfig::default_listen())) {
      const auto socket = net::UdpSocket::bind(
          main_.io(), wanted, {}, {[](std::span<const net::Datagram>) {}, nullptr, nullptr});
      if (!socket) return unexpected<std::string>(socket.error());
      addresses.push_back(socket->local_address());
    }
    return addresses;
  }

  Started start_workers(const GatewayRules& rules) {
    const auto& config = options_.config;
    auto addresses = claim_addresses();
    if (!addresses) return unexpected<std::string>(addresses.error());
    addresses_ = std::move(*addresses);
    if (config.cache.enabled) cache_.emplace(cache_options(config.cache), rng_);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      packet::ServerConfig server;
      server.worker = static_cast<std::uint8_t>(i);
      server.workers = static_cast<std::uint16_t>(workers_.size());
      server.max_associations = config.limits.associations;
      server.initial_rate = {static_cast<double>(config.limits.initials_per_second),
                             static_cast<double>(config.limits.initials_burst)};
      // In one go a tenth of a second's worth: nobody else is served meanwhile.
      server.scalar_mult_rate = {static_cast<double>(config.limits.retry_above),
                                 std::max(1.0, config.limits.retry_above / 10.0)};
      gateways_.push_back(
          std::make_unique<GatewayWorker>(workers_.loop(i), server, keys_->snapshot(),
                                          cache_ ? &*cache_ : nullptr, wall_, start_, rules));
      auto opened = gateways_.back()->bind(addresses_, workers_.size() > 1).and_then([&] {
        return gateways_.back()->open_upstreams();
      });
      if (!opened) return opened;
    }
    for (auto& gateway : gateways_) gateway->set_peers(gateways_);
    if (workers_.size() > 1) steer_sockets();
    return {};
  }

  /// The kernel then gives each datagram to the worker that owns it. Without, workers hand over.
  void steer_sockets() {
    const auto type = [](packet::DatagramType t) { return static_cast<std::uint8_t>(t); };
    const net::SteeringRule rules[] = {
        {type(packet::DatagramType::initial), packet::kInitialClear},
        {type(packet::DatagramType::initial_c), packet::kInitialCookieClear},
        {type(packet::DatagramType::short_), packet::kHeaderSize},
    };
    for (const net::UdpSocket& socket : gateways_.front()->sockets()) {
      const auto steered = net::steer(socket.native_handle(), 3, rules, workers_.size());
      if (!steered)
        log::warning("the kernel does not steer datagrams; workers hand them over",
                     {{"reason", steered.error()}});
    }
  }

  Started start_metrics() {
    if (!options_.config.metrics) return {};
    auto server = MetricsServer::start(*options_.config.metrics, [this] { return collect(); });
    if (!server) return unexpected<std::string>(server.error());
    metrics_ = std::move(*server);
    return {};
  }

  /// The streams of TCP connections, beside the workers.
  Started start_streams(const GatewayRules& rules) {
    const auto& stream = options_.config.stream;
    if (!stream.enabled) return {};
    desk_.set_dns_for(all_or_listed(stream.dns_for_all));
    streams_.emplace(main_, desk_, keys_->snapshot(), cache_ ? &*cache_ : nullptr, wall_, start_,
                     rules);
    return streams_->open(addresses_);
  }

  Started start_dht() {
    const auto& config = options_.config.dht;
    if (!config.enabled) return {};
    auto dht = GatewayDht::start(main_, config, options_.config.state_dir);
    if (!dht) return unexpected<std::string>(dht.error());
    dht_ = std::move(*dht);
    desk_.set_dht_for(all_or_listed(config.for_all));
    streams_->serve_dht(*dht_);
    return {};
  }

  [[nodiscard]] packet::Stamp stamp() const {
    packet::Stamp stamp;
    stamp.identity = keys_->identity();
    stamp.pinned = keys_->pinned();
    stamp.tcp = streams_.has_value();
    auto config = options_.config;
    config.listen = addresses_;
    stamp.address = stamp_address(config);
    stamp.name = options_.config.name;
    return stamp;
  }

  /// "192.0.2.1:5443, [2001:db8::1]:5443"
  [[nodiscard]] std::string listening() const {
    std::string text;
    for (const base::SocketAddress& address : addresses_)
      text += (text.empty() ? "" : ", ") + base::to_string(address);
    return text;
  }

  void announce() {
    fmt::print("{}\n", packet::encode_stamp(stamp()));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(net::now() - start_);
    fmt::print("gateway: serving on {} ({}) with {} worker{}, ready after {} ms\n", listening(),
               streams_ ? "UDP and TCP" : "UDP", workers_.size(), workers_.size() == 1 ? "" : "s",
               took.count());
    if (dht_)
      for (const auto& line : dht_->nodes().describe()) fmt::print("dht: {}\n", line);
    std::fflush(stdout);
  }

  void on_key_timer() {
    if (keys_->handle_timeout(net::now())) install_keys();
    key_timer_->want(keys_->next_timeout());
  }

  void install_keys() {
    each_worker([keys = keys_->snapshot()](GatewayWorker& worker) { worker.install(keys); });
    if (streams_) streams_->install(keys_->snapshot());
  }

  void on_reload_signal() {
    const auto done = reload();
    if (!done)
      log::error("reload refused; the old configuration stays", {{"reason", done.error()}});
  }

  /// What a domain's former servers said is not what its new ones would say. Local names and block
  /// lists stand before the cache, so nothing else has to go.
  void note_moved_domains(const std::vector<config::ForwardRule>& now) {
    moved_.clear();
    const auto note_missing = [this](const auto& of, const auto& in) {
      for (const config::ForwardRule& rule : of)
        if (std::find(in.begin(), in.end(), rule) == in.end()) moved_.push_back(rule.suffix);
    };
    note_missing(forward_, now);
    note_missing(now, forward_);
    forward_ = now;
    forget_moved_domains();
    // Once more when the last question under the old rules has ended.
    forget_timer_->want(net::now() + kDrainTime);
  }

  void forget_moved_domains() {
    for (const dns::Name& suffix : moved_)
      if (cache_) cache_->flush_suffix(suffix);
  }

  void on_stop_signal() {
    if (draining_ != 0)  // asked twice: no more patience
      main_.stop();
    else
      drain();
  }

  // --- GatewayHost: what control sessions can see and do ---

  [[nodiscard]] control::Json status() const override {
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(net::now() - start_);
    return {{"program", "gateway"},      {"version", BOXGRAM_VERSION},
            {"uptime_s", up.count()},    {"stamp", packet::encode_stamp(stamp())},
            {"listen", listening()},     {"workers", workers_.size()},
            {"draining", draining_ != 0}};
  }

  void numbers(std::function<void(Numbers)> done) override {
    collect_from_workers([this, done = std::move(done)](std::vector<WorkerSnapshot> snapshots) {
      main_.post([this, done, snapshots = std::move(snapshots)]() mutable {
        if (streams_) snapshots.push_back(streams_->snapshot());
        Numbers numbers;
        numbers.metrics = gateway_metrics(snapshots, cache_ ? &*cache_ : nullptr,
                                          streams_ ? &streams_->worker() : nullptr);
        if (dht_) add_dht_service_metrics(numbers.metrics, dht_->service());
        for (const dns::UpstreamState& state : merged_upstreams(snapshots))
          numbers.upstreams.push_back({std::string(state.name), state});
        done(std::move(numbers));
      });
    });
  }

  void explain(std::vector<std::uint8_t> query, std::function<void(Explained)> done) override {
    workers_.loop(0).post(
        [this, worker = gateways_.front().get(), query = std::move(query), done = std::move(done)] {
          main_.post([done, explained = worker->explain(query)] { done(explained); });
        });
  }

  [[nodiscard]] dns::SharedCache* cache() override { return cache_ ? &*cache_ : nullptr; }
  [[nodiscard]] ClientFile& clients() override { return clients_; }
  void clients_changed() override {
    if (streams_) streams_->clients_changed();
  }
  [[nodiscard]] std::vector<SessionRow> sessions() const override {
    return streams_ ? streams_->sessions() : std::vector<SessionRow>{};
  }
  void kill_session(std::uint64_t id) override {
    if (streams_) streams_->kill_session(id);
  }

  [[nodiscard]] std::vector<KeyRow> keys() const override { return keys_->rows(); }
  Started rotate_keys() override {
    auto stored = keys_->rotate(net::now());
    install_keys();
    key_timer_->want(keys_->next_timeout());
    return stored;
  }

  Started reload() override {
    const auto refuse = [](const config::ConfigError& error) {
      return unexpected<std::string>(config::to_string(error));
    };
    auto config = options_.reload();
    if (!config) return refuse(config.error());
    auto rules = gateway_rules(*config);
    if (!rules) return refuse(rules.error());
    if (auto read = clients_.reload(); !read) return refuse(read.error());
    for (const auto& warning : rules->warnings) log::warning(warning);
    log::configure(config->log);
    note_moved_domains(config->forward);
    desk_.set_dns_for(all_or_listed(config->stream.dns_for_all));
    if (dht_) {
      desk_.set_dht_for(all_or_listed(config->dht.for_all));
      dht_->configure(config->dht);
    }
    if (streams_) {
      streams_->reload(*rules);
      streams_->clients_changed();
    }
    each_worker([rules = std::move(*rules)](GatewayWorker& worker) { worker.reload(rules); });
    log::info("reloaded");
    return {};
  }

  void drain() override {
    if (draining_ != 0) return;
    log::info("draining");
    const auto emptied = [this] {
      main_.post([this] {
        if (--draining_ == 0) main_.stop();
      });
    };
    draining_ = gateways_.size() + (streams_ ? 1 : 0);
    drain_timer_->want(net::now() + kDrainTime);
    each_worker([emptied](GatewayWorker& worker) { worker.drain(emptied); });
    if (streams_) streams_->drain(emptied);
  }

  /// Soon, so that the response to whoever asked for it leaves.
  void shut_down() override {
    log::info("shutting down");
    drain_timer_->want(net::now() + kLastWords);
  }

  template <class F>
  void each_worker(F f) {
    for (std::size_t i = 0; i < gateways_.size(); ++i)
      workers_.loop(i).post([worker = gateways_[i].get(), f] { f(*worker); });
  }

  /// Copies of what every worker counts, made on its own thread; `done` is called on the thread of
  /// the last one.
  void collect_from_workers(std::function<void(std::vector<WorkerSnapshot>)> done) {
    struct Collected {
      std::mutex mutex;
      std::vector<WorkerSnapshot> snapshots;
      std::function<void(std::vector<WorkerSnapshot>)> done;
    };
    auto collected = std::make_shared<Collected>();
    collected->done = std::move(done);
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
      workers_.loop(i).post([collected, count = gateways_.size(), worker = gateways_[i].get()] {
        auto copy = worker->snapshot();
        const std::lock_guard lock(collected->mutex);
        collected->snapshots.push_back(std::move(copy));
        if (collected->snapshots.size() == count) collected->done(std::move(collected->snapshots));
      });
    }
  }

  /// On the metrics thread.
  MetricFamilies collect() {
    auto promise = std::make_shared<std::promise<MetricFamilies>>();
    auto future = promise->get_future();
    main_.post([this, promise] {
      numbers([promise](Numbers numbers) { promise->set_value(std::move(numbers.metrics)); });
    });
    if (future.wait_for(std::chrono::seconds(1)) != std::future_status::ready) return {};
    return future.get();
  }

  const GatewayOptions& options_;
  net::EventLoop main_;
  net::WorkerThreads workers_;
  crypto::SystemRng rng_;
  base::WallClock wall_;
  base::Instant start_;
  std::optional<KeyRing> keys_;
  std::optional<dns::SharedCache> cache_;
  std::vector<std::unique_ptr<GatewayWorker>> gateways_;
  ClientFile clients_;
  ServerMethods methods_{static_cast<GatewayHost&>(*this)};
  ControlDesk desk_{methods_, clients_};
  std::unique_ptr<GatewayDht> dht_;
  std::optional<StreamService> streams_;
  std::unique_ptr<MetricsServer> metrics_;
  std::optional<net::Signals> signals_;
  std::optional<net::DeadlineTimer> key_timer_;
  std::optional<net::DeadlineTimer> drain_timer_;
  std::optional<net::DeadlineTimer> forget_timer_;
  std::vector<base::SocketAddress> addresses_;  ///< that we listen on
  std::vector<config::ForwardRule> forward_;    ///< the rules in force
  std::vector<dns::Name> moved_;  ///< below them, answers of former servers may be cached
  std::size_t draining_ = 0;
};

}  // namespace

int run_gateway(const GatewayOptions& options) {
  log::configure(options.config.log);
  keep_memory_private();
  raise_descriptor_limit();
  auto rules = gateway_rules(options.config);
  if (!rules) return fail(kUsage, config::to_string(rules.error()));
  for (const auto& warning : rules->warnings) log::warning(warning);
  const auto& named = options.config.stream.clients;
  ClientFile clients(named.empty() ? options.config.state_dir + "/clients" : named);
  if (auto read = clients.reload(); !read) return fail(kUsage, config::to_string(read.error()));
  Gateway gateway(options, std::move(clients));
  const auto started = gateway.start(*rules);
  if (!started) return fail(kFailed, started.error());
  gateway.serve();
  return kOk;
}

}  // namespace boxgram::tools
