// boxgram dht ping | find-node | get-peers | announce | get | put | table | trace: a node of our
// own that only asks, for as long as one operation takes.
#include <fmt/format.h>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>

#include "dht_state.hpp"
#include "node_driver.hpp"
#include "options.hpp"
#include "own_item.hpp"
#include "report.hpp"

namespace boxgram::tools {
namespace {

using Kind = DhtOperationOptions::Kind;
using dht::Overlay;
using Started = base::expected<void, std::string>;

/// The operation that was asked for.
constexpr std::uint64_t kMain = 1;
/// Meets the nodes near the target first. Whoever has what is looked for may name no other nodes
/// (BEP 5: values or nodes), so a lookup that began with such a one alone would end with it.
constexpr std::uint64_t kMeet = 2;
/// Reads a mutable item, so that a put can go one above it.
constexpr std::uint64_t kReadFirst = 3;

class Action {
 public:
  explicit Action(const DhtOperationOptions& options)
      : options_(options),
        report_(options.json),
        start_(net::now()),
        deadline_(loop_.io(), [this] { give_up("not done in time"); }) {
    report_.set_target(options.target);
  }

  Started start() {
    dht::NodeConfig config;
    config.overlay = options_.overlay;
    config.read_only = true;
    config.addresses =
        options_.local ? dht::AddressPolicy::and_local : dht::AddressPolicy::internet;
    if (options_.overlay == Overlay::sealed)
      config.secret_key = crypto::generate_key_pair(rng_).secret_key;
    auto driver = NodeDriver::start(loop_, rng_, own_addresses(), std::move(config),
                                    [this](const dht::NodeEvent& event) { on_event(event); });
    if (!driver) return base::unexpected<std::string>(driver.error());
    driver_ = std::move(*driver);
    if (options_.kind == Kind::ping) return {};  // knows whom to ask
    if (!seeds().empty())
      driver_->node().bootstrap(start_, seeds());
    else
      return take_saved_table();
    return {};
  }

  Exit run() {
    net::Signals signals(
        loop_.io(), [] {}, [this] { give_up("interrupted"); });
    deadline_.want(start_ + options_.timeout);
    switch (options_.kind) {
      case Kind::ping:
      case Kind::find_node:
      case Kind::table:
        begin();
        break;
      default:
        driver_->node().find_node(start_, options_.target, kMeet, options_.trace);
    }
    driver_->settle();
    if (!ended_) loop_.run();
    return exit_;
  }

 private:
  [[nodiscard]] const std::vector<dht::RemoteNode>& seeds() const {
    return options_.overlay == Overlay::sealed ? options_.seeds.sealed : options_.seeds.mainline;
  }

  /// A socket for each family that somebody named has; IPv4 where nobody is named.
  [[nodiscard]] std::vector<base::SocketAddress> own_addresses() const {
    const auto& named = seeds();
    bool v4 = named.empty();
    bool v6 = false;
    for (const auto& node : named) (node.address.is_v4() ? v4 : v6) = true;
    std::vector<base::SocketAddress> addresses;
    if (v4) addresses.push_back(base::SocketAddress::v4(0, 0, 0, 0, 0));
    if (v6) addresses.emplace_back();
    return addresses;
  }

  Started take_saved_table() {
    const auto table = read_table(options_.state_dir, options_.overlay);
    if (!table) return base::unexpected<std::string>(table.error());
    if (!*table || !driver_->node().import_table(start_, **table))
      return base::unexpected<std::string>(
          fmt::format("there is no table of nodes in {}", options_.state_dir));
    return {};
  }

  void begin() {
    dht::Node& node = driver_->node();
    const bool trace = options_.trace;
    switch (options_.kind) {
      case Kind::ping:
        for (const auto& target : seeds()) node.ping(net::now(), target, kMain);
        left_ = seeds().size();
        break;
      case Kind::find_node:
        node.find_node(net::now(), options_.target, kMain, trace);
        break;
      case Kind::table:
        report_.set_target(own_id());
        node.find_node(net::now(), own_id(), kMain, trace);
        break;
      case Kind::get_peers:
        node.get_peers(net::now(), options_.target, kMain, {.no_seeds = false, .trace = trace});
        break;
      case Kind::announce:
        node.announce(net::now(), options_.target, kMain,
                      {.port = options_.port, .seed = options_.seed, .trace = trace});
        break;
      case Kind::get:
        get(kMain, trace);
        break;
      case Kind::put:
        options_.key && !options_.sequence ? get(kReadFirst, false) : put(options_.sequence);
    }
  }

  [[nodiscard]] const dht::NodeId& own_id() const {
    return driver_->node().id(dht::family_of(driver_->addresses().front()));
  }

  void get(std::uint64_t tag, bool trace) {
    dht::GetOptions get;
    get.salt = base::as_bytes(options_.salt);
    get.trace = trace;
    driver_->node().get(net::now(), options_.target, tag, get);
  }

  void put(std::optional<std::int64_t> sequence) {
    const dht::Item item = own_item(options_, sequence.value_or(1), report_);
    driver_->node().put(net::now(), item, kMain, {.cas = options_.cas, .trace = options_.trace});
  }

  void on_event(const dht::NodeEvent& event) {
    if (ended_) return;
    if (const auto* pinged = std::get_if<dht::Pinged>(&event)) {
      report_.show(*pinged);
      ++pongs_;
    } else if (const auto* hop = std::get_if<dht::Hop>(&event)) {
      report_.show(*hop);
    } else if (const auto* peers = std::get_if<dht::PeersFound>(&event)) {
      report_.show(*peers);
    } else if (const auto* item = std::get_if<dht::ItemFound>(&event)) {
      on_item(*item);
    } else if (const auto* stored = std::get_if<dht::Stored>(&event)) {
      if (options_.trace || stored->error != 0) report_.show(*stored);
    } else if (const auto* finished = std::get_if<dht::Finished>(&event)) {
      on_finished(*finished);
    }
  }

  void on_item(const dht::ItemFound& found) {
    if (found.tag == kReadFirst && found.item.author)
      newest_ = std::max(newest_.value_or(0), found.item.author->sequence);
    if (found.tag == kMain) report_.show(found);
  }

  void next(std::function<void()> step) {
    loop_.post([this, step = std::move(step)] {
      step();
      driver_->settle();
    });
  }

  void on_finished(const dht::Finished& finished) {
    // The node is in the middle of telling events: what comes next is called afterwards.
    if (finished.tag == kMeet && finished.answered > 0) return next([this] { begin(); });
    if (finished.tag == kReadFirst) return next([this] { put(newest_ ? *newest_ + 1 : 1); });
    if (options_.kind == Kind::ping) {
      if (--left_ == 0) end(pongs_ == seeds().size() ? kOk : silence());
      return;
    }
    if (options_.kind == Kind::table)
      for (const auto& row : driver_->node().table(net::now())) report_.show(row);
    report_.finish(finished, report_.what(options_.kind, finished), net::now() - start_,
                   options_.kind == Kind::find_node);
    end(finished.answered == 0 ? silence() : report_.result(options_.kind, finished));
  }

  Exit silence() {
    fail(kUnreachable, "no node answered",
         "is the address right, and may UDP pass? `boxgram dht ping NODE` asks a single one");
    return kUnreachable;
  }

  void give_up(const char* why) {
    fail(kFailed, why);
    end(report_.peers() + report_.items() > 0 ? kOk : kFailed);
  }

  void end(Exit code) {
    ended_ = true;
    exit_ = code;
    loop_.stop();
  }

  const DhtOperationOptions& options_;
  Report report_;
  net::EventLoop loop_;
  crypto::SystemRng rng_;
  base::Instant start_;
  std::unique_ptr<NodeDriver> driver_;
  net::DeadlineTimer deadline_;
  std::optional<std::int64_t> newest_;
  std::size_t left_ = 0;
  std::size_t pongs_ = 0;
  bool ended_ = false;
  Exit exit_ = kFailed;
};

}  // namespace

int run_dht_operation(const DhtOperationOptions& options) {
  if (options.gateway) return run_dht_gateway_operation(options);
  Action action(options);
  const auto started = action.start();
  if (!started)
    return fail(kFailed, started.error(), "name a node to begin with: --bootstrap HOST:PORT");
  return action.run();
}

}  // namespace boxgram::tools
