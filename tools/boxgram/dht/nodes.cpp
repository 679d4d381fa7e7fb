#include "nodes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <boxgram/net/clock.hpp>
#include <boxgram/packet/stamp.hpp>

#include "../default_listen.hpp"
#include "../log.hpp"
#include "../stamp_address.hpp"

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
  std::vector<base::SocketAddress> addresses(2);
  addresses[0] = base::SocketAddress::v4(0, 0, 0, 0, config::kDefaultDhtPort);
  addresses[1].port = config::kDefaultDhtPort;
  return addresses;
}

}  // namespace

/// A node and what goes to its files.
class DhtNodes::Member {
 public:
  Member(Overlay overlay, std::string dir) : overlay_(overlay), dir_(std::move(dir)) {}

  Started start(net::EventLoop& loop, base::Rng& rng, const DhtNodeOptions& options,
                dht::NodeConfig config, OnEvent tell) {
    tell_ = std::move(tell);
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

  [[nodiscard]] dht::Overlay overlay() const { return overlay_; }

  [[nodiscard]] std::string describe() const {
    std::string addresses;
    for (const auto& address : driver_->addresses())
      addresses += (addresses.empty() ? "" : ", ") + base::to_string(address);
    return fmt::format("{} node {} on {}", name_of(overlay_), dht::to_hex(own_id()), addresses);
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
    if (learnt == nullptr) {
      if (tell_) tell_(event);
      return;
    }
    log::info("others see us here", {{"overlay", name_of(overlay_)},
                                     {"address", base::ip_to_string(learnt->address)},
                                     {"id", dht::to_hex(learnt->id)}});
  }

  [[nodiscard]] const dht::NodeId& own_id() const {
    return driver_->node().id(dht::family_of(driver_->addresses().front()));
  }

  Overlay overlay_;
  std::string dir_;
  OnEvent tell_;
  std::unique_ptr<NodeDriver> driver_;
  bool joined_ = false;
};

bool is_laboratory(const DhtNodeOptions& options) {
  auto own = options.listen;
  own.insert(own.end(), options.mainline.begin(), options.mainline.end());
  return all_local(options.seeds) ||
         (!own.empty() && std::all_of(own.begin(), own.end(),
                                      [](const auto& address) { return address.is_loopback(); }));
}

DhtNodes::DhtNodes(net::EventLoop& loop, base::Rng& rng, const DhtNodeOptions& options,
                   OnEvent on_event)
    : loop_(loop),
      rng_(rng),
      options_(options),
      on_event_(std::move(on_event)),
      start_(net::now()),
      next_save_(start_ + kFirstSave),
      timer_(loop.io(), [this] { on_timer(); }) {}

DhtNodes::~DhtNodes() = default;

Started DhtNodes::start() {
  auto dir = StateDir::open_or_create(options_.state_dir);
  if (!dir) return base::unexpected<std::string>(dir.error());
  if (auto claimed = dir->claim(); !claimed) return claimed;
  dir_.emplace(std::move(*dir));
  if (options_.sealed)
    if (auto started = start_sealed(); !started) return started;
  if (!options_.mainline.empty())
    if (auto started = start_mainline(); !started) return started;
  on_timer();
  return {};
}

dht::NodeConfig DhtNodes::config() const {
  dht::NodeConfig config;
  config.addresses = options_.local ? dht::AddressPolicy::and_local : dht::AddressPolicy::internet;
  config.max_operations = options_.max_operations;
  return config;
}

Started DhtNodes::start_sealed() {
  auto secret = dir_->dht_key(rng_);
  if (!secret) return base::unexpected<std::string>(secret.error());
  key_ = crypto::public_key_of(*secret);
  dht::NodeConfig sealed = config();
  sealed.secret_key = std::move(*secret);
  members_.push_back(std::make_unique<Member>(Overlay::sealed, options_.state_dir));
  return members_.back()->start(loop_, rng_, options_, std::move(sealed), on_event_);
}

Started DhtNodes::start_mainline() {
  const auto id = read_mainline_id(options_.state_dir);
  if (!id) return base::unexpected<std::string>(id.error());
  dht::NodeConfig mainline = config();
  mainline.id = *id;
  members_.push_back(std::make_unique<Member>(Overlay::mainline, options_.state_dir));
  return members_.back()->start(loop_, rng_, options_, std::move(mainline), on_event_);
}

void DhtNodes::settle() {
  for (auto& member : members_) member->driver().settle();
}

void DhtNodes::save() {
  for (auto& member : members_) member->save();
}

dht::Node* DhtNodes::node(Overlay overlay) {
  for (auto& member : members_)
    if (member->overlay() == overlay) return &member->driver().node();
  return nullptr;
}

std::string DhtNodes::stamp() const {
  if (!options_.sealed) return {};
  packet::Stamp stamp;
  stamp.pinned = key_;
  stamp.address = reachable_address(members_.front()->driver().addresses());
  return packet::encode_stamp(stamp);
}

std::vector<std::string> DhtNodes::describe() const {
  std::vector<std::string> lines;
  for (const auto& member : members_) lines.push_back(member->describe());
  return lines;
}

void DhtNodes::on_timer() {
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

}  // namespace boxgram::tools
