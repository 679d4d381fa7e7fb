// boxgram dht node: a node of the sealed overlay, one of Mainline, or both, until SIGTERM.
#include <algorithm>
#include <future>

#include <fmt/format.h>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>
#include <boxgram/packet/stamp.hpp>

#include "../default_listen.hpp"
#include "../log.hpp"
#include "../stamp_address.hpp"
#include "dht_metrics.hpp"
#include "dht_state.hpp"
#include "node_driver.hpp"
#include "options.hpp"

namespace boxgram::tools {
namespace {

using dht::Overlay;
using std::chrono::seconds;
using Started = base::expected<void, std::string>;

/// Tables are written soon after the start, for whoever crashes early, then less and less often.
constexpr base::Duration kFirstSave = seconds(5);
constexpr base::Duration kLastSave = std::chrono::minutes(10);
/// While it waits for the first node to answer, so that people see when it has joined.
constexpr base::Duration kLook = seconds(1);

const char* name_of(Overlay overlay) {
  return overlay == Overlay::sealed ? "sealed" : "mainline";
}

std::vector<base::SocketAddress> default_addresses() {
  std::vector<base::SocketAddress> addresses = {base::SocketAddress::v4(0, 0, 0, 0, kDhtPort), {}};
  addresses.back().port = kDhtPort;
  return addresses;
}

/// A node and what goes to its files.
class Member {
 public:
  Member(Overlay overlay, std::string dir) : overlay_(overlay), dir_(std::move(dir)) {}

  Started start(net::EventLoop& loop, base::Rng& rng, const DhtNodeOptions& options,
                dht::NodeConfig config) {
    const auto listen = overlay_ == Overlay::sealed
                            ? listen_addresses(loop, options.listen, default_addresses())
                            : options.mainline;
    config.overlay = overlay_;
    auto driver = NodeDriver::start(loop, rng, listen, std::move(config),
                                    [this](const dht::NodeEvent& event) { on_event(event); });
    if (!driver) return base::unexpected<std::string>(driver.error());
    driver_ = std::move(*driver);
    return join(overlay_ == Overlay::sealed ? options.seeds.sealed : options.seeds.mainline);
  }

  [[nodiscard]] NodeDriver& driver() { return *driver_; }
  void add_metrics(MetricFamilies& families) {
    add_dht_metrics(families, overlay_, driver_->node());
  }
  [[nodiscard]] std::size_t known() const {
    return driver_->node().table_size(dht::Family::v4) +
           driver_->node().table_size(dht::Family::v6);
  }

  /// Says once that somebody has answered. True from then on.
  bool look() {
    if (!joined_ && known() > 0) {
      joined_ = true;
      log::info("joined", {{"overlay", name_of(overlay_)}, {"nodes", known()}});
    }
    return joined_;
  }

  /// A table that has become empty replaces no file: what was good once may be so again.
  void save() {
    if (known() == 0) return;
    // The id goes first: a table that is there says that all of this is.
    if (overlay_ == Overlay::mainline)
      if (const auto id = write_mainline_id(dir_, own_id()); !id)
        log::error("the id is not saved", {{"reason", id.error()}});
    const auto saved = write_table(dir_, overlay_, driver_->node().export_table());
    if (!saved) log::error("the table is not saved", {{"reason", saved.error()}});
  }

  void announce() {
    std::string addresses;
    for (const auto& address : driver_->addresses())
      addresses += (addresses.empty() ? "" : ", ") + base::to_string(address);
    fmt::print("dht: {} node {} on {}\n", name_of(overlay_), dht::to_hex(own_id()), addresses);
  }

 private:
  Started join(const std::vector<dht::RemoteNode>& seeds) {
    const base::Instant now = net::now();
    const auto table = read_table(dir_, overlay_);
    if (!table) return base::unexpected<std::string>(table.error());
    if (*table && !driver_->node().import_table(now, **table))
      return base::unexpected<std::string>(
          fmt::format("{} is damaged; remove it", table_file(dir_, overlay_)));
    if (!seeds.empty()) driver_->node().bootstrap(now, seeds);
    return {};
  }

  void on_event(const dht::NodeEvent& event) {
    const auto* learnt = std::get_if<dht::AddressLearnt>(&event);
    if (learnt == nullptr) return;
    log::info("others see us here", {{"overlay", name_of(overlay_)},
                                     {"address", base::ip_to_string(learnt->address)},
                                     {"id", dht::to_hex(learnt->id)}});
  }

  [[nodiscard]] const dht::NodeId& own_id() const {
    return driver_->node().id(dht::family_of(driver_->addresses().front()));
  }

  Overlay overlay_;
  std::string dir_;
  std::unique_ptr<NodeDriver> driver_;
  bool joined_ = false;
};

class Service {
 public:
  explicit Service(const DhtNodeOptions& options)
      : options_(options),
        start_(net::now()),
        next_save_(start_ + kFirstSave),
        timer_(loop_.io(), [this] { on_timer(); }) {}

  Started start() {
    auto dir = StateDir::open_or_create(options_.state_dir);
    if (!dir) return base::unexpected<std::string>(dir.error());
    if (auto claimed = dir->claim(); !claimed) return claimed;
    dir_.emplace(std::move(*dir));
    if (options_.sealed)
      if (auto started = start_sealed(); !started) return started;
    if (!options_.mainline.empty())
      if (auto started = start_mainline(); !started) return started;
    return serve_metrics();
  }

  void serve() {
    net::Signals signals(
        loop_.io(), [this] { save(); }, [this] { loop_.stop(); });
    announce();
    for (auto& member : members_) member->driver().settle();
    on_timer();
    loop_.run();
    metrics_.reset();
    save();
    log::info("stopped");
  }

 private:
  dht::NodeConfig config() const {
    dht::NodeConfig config;
    config.addresses =
        options_.local ? dht::AddressPolicy::and_local : dht::AddressPolicy::internet;
    return config;
  }

  Started start_sealed() {
    auto secret = dir_->dht_key(rng_);
    if (!secret) return base::unexpected<std::string>(secret.error());
    key_ = crypto::public_key_of(*secret);
    dht::NodeConfig sealed = config();
    sealed.secret_key = std::move(*secret);
    members_.push_back(std::make_unique<Member>(Overlay::sealed, options_.state_dir));
    return members_.back()->start(loop_, rng_, options_, std::move(sealed));
  }

  Started start_mainline() {
    const auto id = read_mainline_id(options_.state_dir);
    if (!id) return base::unexpected<std::string>(id.error());
    dht::NodeConfig mainline = config();
    mainline.id = *id;
    members_.push_back(std::make_unique<Member>(Overlay::mainline, options_.state_dir));
    return members_.back()->start(loop_, rng_, options_, std::move(mainline));
  }

  Started serve_metrics() {
    if (!options_.metrics) return {};
    auto server = MetricsServer::start(*options_.metrics, [this] { return collect(); });
    if (!server) return base::unexpected<std::string>(server.error());
    metrics_ = std::move(*server);
    return {};
  }

  /// On the metrics thread.
  MetricFamilies collect() {
    auto promise = std::make_shared<std::promise<MetricFamilies>>();
    auto future = promise->get_future();
    loop_.post([this, promise] {
      MetricFamilies families;
      for (auto& member : members_) member->add_metrics(families);
      promise->set_value(std::move(families));
    });
    if (future.wait_for(seconds(1)) != std::future_status::ready) return {};
    return future.get();
  }

  void announce() {
    if (options_.sealed) {
      packet::Stamp stamp;
      stamp.pinned = key_;
      stamp.address = reachable_address(members_.front()->driver().addresses());
      fmt::print("{}\n", packet::encode_stamp(stamp));
    }
    for (auto& member : members_) member->announce();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(net::now() - start_);
    fmt::print("dht: serving, ready after {} ms\n", took.count());
    std::fflush(stdout);
  }

  void on_timer() {
    const base::Instant now = net::now();
    bool all_joined = true;
    for (auto& member : members_) all_joined = member->look() && all_joined;
    if (now >= next_save_) {
      save();
      // Each pause is as long as all before it together.
      next_save_ = now + std::clamp(now - start_, kFirstSave, kLastSave);
    }
    timer_.want(all_joined ? next_save_ : std::min(next_save_, now + kLook));
  }

  void save() {
    for (auto& member : members_) member->save();
  }

  const DhtNodeOptions& options_;
  net::EventLoop loop_;
  crypto::SystemRng rng_;
  base::Instant start_;
  base::Instant next_save_;
  std::optional<StateDir> dir_;
  crypto::PublicKey key_{};
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<MetricsServer> metrics_;
  net::DeadlineTimer timer_;
};

}  // namespace

int run_dht_node(const DhtNodeOptions& options) {
  log::configure(options.log);
  Service service(options);
  const auto started = service.start();
  if (!started) return fail(kFailed, started.error());
  service.serve();
  return kOk;
}

}  // namespace boxgram::tools
