// boxgram stub: plain DNS in on loopback, sealed datagrams out. One thread.
#include <algorithm>
#include <deque>
#include <future>

#include <fmt/format.h>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/framed_tcp.hpp>
#include <boxgram/net/signals.hpp>
#include <boxgram/stub/core.hpp>

#include "commands.hpp"
#include "default_listen.hpp"
#include "dht/dht_metrics.hpp"
#include "dht/front_service.hpp"
#include "dns_metrics.hpp"
#include "log.hpp"
#include "process_limits.hpp"
#include "query_log.hpp"
#include "rules.hpp"
#include "stub_control.hpp"
#include "stub_line.hpp"

namespace boxgram::tools {
namespace {

using base::unexpected;
using Started = base::expected<void, std::string>;

/// A drain ends with the last answer, which is owed within 3 s.
constexpr base::Duration kDrainTime = std::chrono::milliseconds(3200);

void add_stream_metrics(MetricFamilies& families, const stub::Core& core) {
  std::vector<Sample> connections;
  std::vector<Sample> requests;
  std::array<double, static_cast<std::size_t>(stream::FailReason::count_)> failures{};
  for (std::size_t i = 0; i < core.gateways(); ++i) {
    const stream::Client* const stream = core.stream(i);
    if (stream == nullptr) continue;
    const std::string name(
        core.forwarder().upstream_state(static_cast<dns::UpstreamIndex>(i)).name);
    const stream::ClientCounters& c = stream->counters();
    connections.push_back({static_cast<double>(c.ready), "gateway", name});
    requests.push_back({static_cast<double>(c.requests), "gateway", name});
    for (std::size_t k = 0; k < failures.size(); ++k)
      failures[k] += static_cast<double>(c.failed[k]);
  }
  std::vector<Sample> failed;
  for (std::size_t k = 0; k < failures.size(); ++k)
    failed.push_back(
        {failures[k], "reason", stream::to_string(static_cast<stream::FailReason>(k))});
  families.push_back(counter("boxgram_gateway_stream_connections_total",
                             "Streams that became ready.", std::move(connections)));
  families.push_back(counter("boxgram_gateway_stream_requests_total",
                             "Queries whose answers fitted no datagram.", std::move(requests)));
  families.push_back(counter("boxgram_gateway_stream_failures_total",
                             "Those that no stream carried, by reason.", std::move(failed)));
}

/// How long the response to a control command may take to leave when the program ends after it.
constexpr base::Duration kLastWords = std::chrono::milliseconds(100);

class Stub final : private Host {
 public:
  explicit Stub(const StubOptions& options)
      : options_(options),
        start_(net::now()),
        scratch_(dns::kMaxMessageSize),
        timer_(loop_.io(), [this] { on_timer(); }),
        drain_timer_(loop_.io(), [this] { loop_.stop(); }) {
    if (options.config.cache.enabled) cache_.emplace(cache_options(options.config.cache), rng_, 1);
  }

  ~Stub() override = default;

  /// Before start(): mistakes in the list of clients are mistakes of the configuration.
  ClientFile::Result<void> read_clients() {
    if (!options_.config.control.listen) return {};
    control_.emplace(loop_, static_cast<Host&>(*this), options_.config.control);
    return control_->read_clients();
  }

  Started start(const StubRules& rules) {
    lines_.push_back(make_line(options_.config, rules));
    for (const auto& address :
         listen_addresses(loop_, options_.config.listen, config::StubConfig::default_listen())) {
      auto bound = listen(address);
      if (!bound) return bound;
    }
    if (control_) {
      if (auto opened = control_->open(); !opened) return opened;
    }
    if (auto fronted = start_front(); !fronted) return fronted;
    if (options_.config.metrics) {
      auto server = MetricsServer::start(*options_.config.metrics, [this] { return collect(); });
      if (!server) return unexpected<std::string>(server.error());
      metrics_ = std::move(*server);
    }
    return {};
  }

  void serve() {
    // Before anybody is told that we serve: a signal that came earlier would end us.
    net::Signals signals(
        loop_.io(), [this] { on_reload_signal(); }, [this] { on_stop_signal(); });
    announce();
    settle();
    loop_.run();
    metrics_.reset();
    log::info("stopped");
  }

 private:
  Started listen(const base::SocketAddress& address) {
    const auto index = static_cast<std::uint8_t>(udp_.size());
    net::UdpHandlers handlers;
    handlers.on_batch = [this, index](std::span<const net::Datagram> b) { on_batch(index, b); };
    handlers.on_drained = [this] { settle(); };
    auto udp = net::UdpSocket::bind(loop_.io(), address, {}, std::move(handlers));
    if (!udp) return unexpected<std::string>(udp.error());
    auto tcp = net::FramedTcpServer::listen(
        loop_.io(), udp->local_address(), {},
        {[this, index](base::Handle connection, const base::SocketAddress& from, base::Bytes b) {
          on_message(index, connection, from, b);
        }});
    if (!tcp) return unexpected<std::string>(tcp.error());
    udp_.push_back(std::move(*udp));
    tcp_.push_back(std::move(*tcp));
    return {};
  }

  Started start_front() {
    const auto& config = options_.config;
    if (!config.dht.listen) return {};
    auto front = FrontService::start(loop_, rng_, config.dht, config.gateways);
    if (!front) return unexpected<std::string>(front.error());
    front_ = std::move(*front);
    return {};
  }

  StubLine make_line(const config::StubConfig& config, const StubRules& rules) {
    return make_stub_line(loop_, rng_, cache_ ? &*cache_ : nullptr, config, rules,
                          lines_.empty() ? nullptr : &lines_.back(), [this] { settle(); });
  }

  void on_batch(std::uint8_t socket, std::span<const net::Datagram> batch) {
    if (draining_) return;
    const base::Instant now = net::now();
    net::UdpSocket& udp = udp_[socket];
    for (const net::Datagram& d : batch) {
      if (lines_.back().log_queries) log_query(d.data, d.from);
      const auto outcome =
          lines_.back().core->query(now, {d.from, d.local, 0, socket}, d.data, udp.next());
      if (outcome.kind == stub::Core::Outcome::Kind::answered)
        udp.commit(d.from, outcome.size, d.local);
    }
  }

  void on_message(std::uint8_t socket, base::Handle connection, const base::SocketAddress& from,
                  base::Bytes message) {
    if (lines_.back().log_queries) log_query(message, from);
    const auto outcome =
        lines_.back().core->query(net::now(), {from, {}, connection, socket}, message, scratch_);
    if (outcome.kind == stub::Core::Outcome::Kind::answered)
      tcp_[socket].send(connection, base::Bytes(scratch_).first(outcome.size));
    else if (outcome.kind == stub::Core::Outcome::Kind::dropped)
      tcp_[socket].no_answer(connection);
    settle();
  }

  void on_timer() {
    const base::Instant now = net::now();
    for (StubLine& line : lines_) {
      line.core->handle_timeout(now);
      for (std::size_t i = 0; i < line.links.size(); ++i)
        line.links[i]->check_silence(now, line.core->client(i).state(now).outstanding > 0);
    }
    settle();
  }

  /// After any input: send to gateways, send what became ready, set the timer.
  void settle() {
    const base::Instant now = net::now();
    std::optional<base::Instant> next;
    for (StubLine& line : lines_) {
      for (std::size_t i = 0; i < line.links.size(); ++i) {
        GatewayLink& link = *line.links[i];
        while (const std::size_t size = line.core->poll_transmit(now, i, link.next()))
          link.commit(size);
        link.flush();
      }
      for (const auto& stream : line.streams) stream->settle();
      send_answers(now, *line.core);
      const auto deadline = line.core->next_timeout();
      if (deadline && (!next || *deadline < *next)) next = deadline;
    }
    for (net::UdpSocket& udp : udp_) udp.flush();
    timer_.want(next);
    if (lines_.size() > 1) drop_idle_lines();
    const auto idle = [](const StubLine& line) { return line.core->idle(); };
    if (draining_ && !control_open_ && std::all_of(lines_.begin(), lines_.end(), idle))
      loop_.stop();
  }

  void send_answers(base::Instant now, stub::Core& core) {
    stub::Core::Answer answer;
    while (core.poll_answer(now, answer, scratch_)) {
      const base::Bytes bytes = base::Bytes(scratch_).first(answer.size);
      if (answer.asker.connection != 0) {
        tcp_[answer.asker.socket].send(answer.asker.connection, bytes);
        continue;
      }
      net::UdpSocket& udp = udp_[answer.asker.socket];
      std::memcpy(udp.next().data(), bytes.data(), bytes.size());
      udp.commit(answer.asker.from, bytes.size(), answer.asker.local);
    }
  }

  /// A line's handlers may stand below this call, so it goes in a task of its own.
  void drop_idle_lines() {
    if (!lines_.front().core->idle() || dropping_) return;
    dropping_ = true;
    loop_.post([this] {
      dropping_ = false;
      while (lines_.size() > 1 && lines_.front().core->idle()) lines_.pop_front();
    });
  }

  /// "127.0.0.1:5300, [::1]:5300"
  [[nodiscard]] std::string listening() const {
    std::string text;
    for (const net::UdpSocket& udp : udp_)
      text += (text.empty() ? "" : ", ") + base::to_string(udp.local_address());
    return text;
  }

  void announce() {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(net::now() - start_);
    fmt::print("stub: serving on {} (UDP and TCP) for {} gateway{}, ready after {} ms\n",
               listening(), lines_.back().links.size(), lines_.back().links.size() == 1 ? "" : "s",
               took.count());
    if (control_) fmt::print("control: {}\n", control_->stamp());
    if (front_) fmt::print("dht: serving on {}\n", front_->listening());
    std::fflush(stdout);
    for (const net::UdpSocket& udp : udp_)
      if (!udp.local_address().is_loopback())
        log::warning("plain DNS is served beyond this machine",
                     {{"address", base::to_string(udp.local_address())}});
  }

  void on_reload_signal() {
    const auto done = reload();
    if (!done)
      log::error("reload refused; the old configuration stays", {{"reason", done.error()}});
  }

  void on_stop_signal() {
    if (draining_)  // asked twice: no more patience
      loop_.stop();
    else
      drain();
  }

  /// On the metrics thread.
  MetricFamilies collect() {
    auto promise = std::make_shared<std::promise<MetricFamilies>>();
    auto future = promise->get_future();
    loop_.post([this, promise] { promise->set_value(metrics()); });
    if (future.wait_for(std::chrono::seconds(1)) != std::future_status::ready) return {};
    return future.get();
  }

  MetricFamilies metrics() {
    const stub::Core& core = *lines_.back().core;
    MetricFamilies families;
    const dns::ForwarderCounters forwarder[] = {core.forwarder().counters()};
    add_forwarder_metrics(families, forwarder);
    add_wait_metrics(families, core.forwarder().waits());
    std::vector<dns::UpstreamState> gateways;
    for (std::size_t i = 0; i < core.gateways(); ++i)
      gateways.push_back(core.forwarder().upstream_state(static_cast<dns::UpstreamIndex>(i)));
    add_upstream_metrics(families, "gateway", gateways);
    add_stream_metrics(families, core);
    net::UdpCounters udp;
    std::uint64_t kernel_drops = 0;
    for (const net::UdpSocket& socket : udp_) {
      net::add(udp, socket.counters());
      kernel_drops += socket.kernel_drops();
    }
    add_udp_metrics(families, udp, kernel_drops);
    if (cache_) add_cache_metrics(families, *cache_);
    if (front_) add_dht_front_metrics(families, front_->counters());
    return families;
  }

  // --- Host: what control sessions can see and do ---

  [[nodiscard]] control::Json status() const override {
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(net::now() - start_);
    return {{"program", "stub"},
            {"version", BOXGRAM_VERSION},
            {"uptime_s", up.count()},
            {"listen", listening()},
            {"gateways", lines_.back().links.size()},
            {"draining", draining_}};
  }

  void numbers(std::function<void(Numbers)> done) override {
    Numbers numbers;
    numbers.metrics = metrics();
    const dns::Forwarder& forwarder = lines_.back().core->forwarder();
    for (std::size_t i = 0; i < forwarder.upstream_count(); ++i)
      numbers.upstreams.push_back(upstream_row(static_cast<dns::UpstreamIndex>(i)));
    done(std::move(numbers));
  }

  void explain(std::vector<std::uint8_t> query, std::function<void(Explained)> done) override {
    // Told at once, before any reload: nothing has to keep the rules alive.
    Explained explained{lines_.back().core->forwarder().explain(query), nullptr, {}};
    for (const dns::UpstreamIndex i : explained.way.upstreams)
      explained.upstreams.push_back(upstream_row(i));
    done(std::move(explained));
  }

  [[nodiscard]] UpstreamRow upstream_row(dns::UpstreamIndex i) const {
    const auto state = lines_.back().core->forwarder().upstream_state(i);
    return {std::string(state.name), state};
  }

  [[nodiscard]] dns::SharedCache* cache() override { return cache_ ? &*cache_ : nullptr; }
  [[nodiscard]] ClientFile& clients() override { return control_->clients(); }
  void clients_changed() override { control_->streams().clients_changed(); }
  [[nodiscard]] std::vector<SessionRow> sessions() const override {
    return control_->streams().sessions();
  }
  void kill_session(std::uint64_t id) override { control_->streams().kill_session(id); }

  Started reload() override {
    const auto refuse = [](const config::ConfigError& error) {
      return unexpected<std::string>(config::to_string(error));
    };
    auto config = options_.reload();
    if (!config) return refuse(config.error());
    auto rules = stub_rules(*config);
    if (!rules) return refuse(rules.error());
    if (control_) {
      if (auto read = control_->read_clients(); !read) return refuse(read.error());
      control_->streams().clients_changed();
    }
    for (const auto& warning : rules->warnings) log::warning(warning);
    log::configure(config->log);
    lines_.push_back(make_line(*config, *rules));
    if (front_ && config->dht.listen) front_->use_gateways(config->gateways);
    log::info("reloaded", {{"gateways", config->gateways.size()}});
    settle();
    return {};
  }

  void drain() override {
    if (draining_) return;
    log::info("draining");
    draining_ = true;
    for (net::FramedTcpServer& tcp : tcp_) tcp.shut_down();
    drain_timer_.want(net::now() + kDrainTime);
    // The last of the two ends the program: the clients' answers, the control sessions.
    control_open_ = control_.has_value();
    if (control_)
      control_->streams().drain([this] {
        control_open_ = false;
        settle();
      });
    settle();
  }

  /// Soon, so that the response to whoever asked for it leaves.
  void shut_down() override {
    log::info("shutting down");
    drain_timer_.want(net::now() + kLastWords);
  }

  const StubOptions& options_;
  net::EventLoop loop_;
  crypto::SystemRng rng_;
  base::Instant start_;
  std::optional<dns::SharedCache> cache_;
  std::vector<std::uint8_t> scratch_;
  std::deque<StubLine> lines_;  // oldest first, the last is current
  std::vector<net::UdpSocket> udp_;
  std::vector<net::FramedTcpServer> tcp_;
  std::unique_ptr<FrontService> front_;
  std::unique_ptr<MetricsServer> metrics_;
  net::DeadlineTimer timer_;
  net::DeadlineTimer drain_timer_;
  bool draining_ = false;
  bool control_open_ = false;
  bool dropping_ = false;
  std::optional<StubControl> control_;
};

}  // namespace

int run_stub(const StubOptions& options) {
  log::configure(options.config.log);
  keep_memory_private();
  raise_descriptor_limit();
  auto rules = stub_rules(options.config);
  if (!rules) return fail(kUsage, config::to_string(rules.error()));
  for (const auto& warning : rules->warnings) log::warning(warning);
  Stub stub(options);
  if (auto read = stub.read_clients(); !read) return fail(kUsage, config::to_string(read.error()));
  const auto started = stub.start(*rules);
  if (!started) return fail(kFailed, started.error());
  stub.serve();
  return kOk;
}

}  // namespace boxgram::tools
