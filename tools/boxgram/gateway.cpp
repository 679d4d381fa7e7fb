// boxgram gateway: sealed datagrams in, plain DNS out. The main loop holds keys, signals and
// reloads; a worker for each core holds all the rest.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <sys/resource.h>

#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>
#include <boxgram/net/steering.hpp>
#include <boxgram/net/worker_threads.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/stamp.hpp>

#include "commands.hpp"
#include "default_listen.hpp"
#include "dns_metrics.hpp"
#include "gateway_metrics.hpp"
#include "gateway_worker.hpp"
#include "log.hpp"
#include "metrics.hpp"
#include "stamp_address.hpp"
#include "state_dir.hpp"

namespace boxgram::tools {
namespace {

using base::expected;
using base::unexpected;
using Started = expected<void, std::string>;

/// A core dump would write the keys that are never to be written. The limit is 1 and not 0, which
/// Linux does not apply to a dump into a program; 1 stops both (core(5), fs/coredump.c).
void keep_memory_private() {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, rlim_t{1});
  if (setrlimit(RLIMIT_CORE, &limit) != 0)
    log::warning("core dumps could not be switched off", {{"reason", std::strerror(errno)}});
}

/// A drain ends with the last answer, which an upstream owes within 3 s.
constexpr base::Duration kDrainTime = std::chrono::milliseconds(3200);

class Gateway {
 public:
  explicit Gateway(const GatewayOptions& options)
      : options_(options),
        workers_(options.config.workers != 0 ? options.config.workers
                                             : std::max(1u, std::thread::hardware_concurrency())),
        wall_(net::wall_clock()),
        start_(net::now()),
        forward_(options.config.forward) {}

  ~Gateway() {
    metrics_.reset();
    workers_.stop();
    gateways_.clear();
  }

  Started start(const GatewayRules& rules) {
    return start_keys().and_then([&] { return start_workers(rules); }).and_then([&] {
      return start_metrics();
    });
  }

  void serve() {
    // Before anybody can read that it serves: a signal must find its handler.
    signals_.emplace(
        main_.io(), [this] { reload(); }, [this] { drain(); });
    key_timer_.emplace(main_.io(), [this] { rotate_keys(); });
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
    auto dir = StateDir::open_or_create(options_.config.state_dir);
    if (!dir) return unexpected<std::string>(dir.error());
    state_ = std::move(*dir);
    if (auto claimed = state_->claim(); !claimed) return claimed;
    auto identity = state_->identity(rng_);
    if (!identity) return unexpected<std::string>(identity.error());
    auto reset_key = state_->reset_key(rng_);
    if (!reset_key) return unexpected<std::string>(reset_key.error());
    auto serial = state_->serial();
    if (!serial) return unexpected<std::string>(serial.error());
    std::optional<crypto::SecretKey> pinned;
    if (options_.config.keys.pinned) {
      auto key = state_->pinned(rng_);
      if (!key) return unexpected<std::string>(key.error());
      pinned_public_ = crypto::public_key_of(*key);
      pinned = std::move(*key);
    }
    crypto::SigningKey signing(*identity);
    identity_public_ = signing.verify_key();
    packet::KeyRotationConfig config;
    config.interval = options_.config.keys.rotation;
    config.validity = options_.config.keys.validity;
    config.last_serial = *serial;
    keys_.emplace(config, rng_, wall_, start_, std::move(signing), std::move(pinned),
                  std::move(*reset_key));
    return store_serial();
  }

  Started store_serial() {
    if (keys_->last_serial() == stored_serial_) return {};  // a new cookie key only
    auto stored = state_->store_serial(keys_->last_serial());
    if (!stored) return unexpected<std::string>(stored.error());
    stored_serial_ = keys_->last_serial();
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

  [[nodiscard]] packet::Stamp stamp() const {
    packet::Stamp stamp;
    stamp.identity = identity_public_;
    stamp.pinned = pinned_public_;
    auto config = options_.config;
    config.listen = addresses_;
    stamp.address = stamp_address(config);
    stamp.name = options_.config.name;
    return stamp;
  }

  void announce() {
    const packet::Stamp own = stamp();
    fmt::print("{}\n", packet::encode_stamp(own));
    std::string listening;
    for (const net::UdpSocket& socket : gateways_.front()->sockets())
      listening += (listening.empty() ? "" : ", ") + base::to_string(socket.local_address());
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(net::now() - start_);
    fmt::print("gateway: serving on {} with {} worker{}, ready after {} ms\n", listening,
               workers_.size(), workers_.size() == 1 ? "" : "s", took.count());
    std::fflush(stdout);
  }

  void rotate_keys() {
    if (keys_->handle_timeout(net::now())) {
      const auto stored = store_serial();
      if (!stored) log::error("the key's serial was not kept", {{"reason", stored.error()}});
      each_worker([keys = keys_->snapshot()](GatewayWorker& worker) { worker.install(keys); });
    }
    key_timer_->want(keys_->next_timeout());
  }

  void reload() {
    auto config = options_.reload();
    if (!config) {
      log::error("reload refused; the old configuration stays",
                 {{"reason", config::to_string(config.error())}});
      return;
    }
    auto rules = gateway_rules(*config);
    if (!rules) {
      log::error("reload refused; the old configuration stays",
                 {{"reason", config::to_string(rules.error())}});
      return;
    }
    for (const auto& warning : rules->warnings) log::warning(warning);
    log::configure(config->log);
    note_moved_domains(config->forward);
    each_worker([rules = std::move(*rules)](GatewayWorker& worker) { worker.reload(rules); });
    log::info("reloaded");
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

  void drain() {
    if (draining_ != 0) {  // asked twice: no more patience
      main_.stop();
      return;
    }
    log::info("draining");
    draining_ = gateways_.size();
    drain_timer_->want(net::now() + kDrainTime);
    each_worker([this](GatewayWorker& worker) {
      worker.drain([this] {
        main_.post([this] {
          if (--draining_ == 0) main_.stop();
        });
      });
    });
  }

  template <class F>
  void each_worker(F f) {
    for (std::size_t i = 0; i < gateways_.size(); ++i)
      workers_.loop(i).post([worker = gateways_[i].get(), f] { f(*worker); });
  }

  /// On the metrics thread: asks every worker for a copy, on its own thread.
  MetricFamilies collect() {
    std::vector<std::future<WorkerSnapshot>> futures;
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
      auto promise = std::make_shared<std::promise<WorkerSnapshot>>();
      futures.push_back(promise->get_future());
      workers_.loop(i).post(
          [promise, worker = gateways_[i].get()] { promise->set_value(worker->snapshot()); });
    }
    std::vector<WorkerSnapshot> snapshots;
    for (auto& future : futures)
      if (future.wait_for(std::chrono::seconds(1)) == std::future_status::ready)
        snapshots.push_back(future.get());
    return gateway_metrics(snapshots, cache_ ? &*cache_ : nullptr);
  }

  const GatewayOptions& options_;
  net::EventLoop main_;
  net::WorkerThreads workers_;
  crypto::SystemRng rng_;
  base::WallClock wall_;
  base::Instant start_;
  std::optional<StateDir> state_;
  std::optional<packet::KeyRotation> keys_;
  std::uint32_t stored_serial_ = 0;
  crypto::VerifyKey identity_public_{};
  std::optional<crypto::PublicKey> pinned_public_;
  std::optional<dns::SharedCache> cache_;
  std::vector<std::unique_ptr<GatewayWorker>> gateways_;
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
  auto rules = gateway_rules(options.config);
  if (!rules) return fail(kUsage, config::to_string(rules.error()));
  for (const auto& warning : rules->warnings) log::warning(warning);
  Gateway gateway(options);
  const auto started = gateway.start(*rules);
  if (!started) return fail(kFailed, started.error());
  gateway.serve();
  return kOk;
}

}  // namespace boxgram::tools
