// A routing table under any order of events, against a plain list of what it holds.
//
// Input: steps of op (1) | id selector (2) | address selector (1).
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include <boxgram/base/check.hpp>

#include "dht/routing_table.hpp"

namespace {

using namespace boxgram;
using dht::Admission;
using dht::NodeId;
using dht::RemoteNode;
using dht::RoutingTable;
using namespace std::chrono_literals;

class Harness {
 public:
  void step(std::uint8_t op, std::uint16_t id, std::uint8_t address) {
    const RemoteNode node = make(id, address);
    switch (op % 8) {
      case 0:
      case 1:
      case 2:
        answered(node);
        break;
      case 3:
        table_.failed(node.id, node.address);
        break;
      case 4:
        table_.queried(now_, node.id, node.address);
        break;
      case 5:
        if (table_.remove(node.id, node.address))
          BOXGRAM_CHECK(table_.find(node.id, node.address) == nullptr);
        break;
      case 6:
        now_ += std::chrono::seconds(id % 1024);
        stalest();
        break;
      default:
        if (op < 16) table_.rebase(make(id, 0).id);
        now_ += 1s;
    }
    // The whole table is much to look at for each step.
    if (++steps_ % 16 == 0) check(node.id);
  }

  void check(const NodeId& target);

 private:
  /// Ids share up to 32 bits with ours, so that deep buckets fill too; addresses meet each other in
  /// networks, and some are local.
  RemoteNode make(std::uint16_t selector, std::uint8_t address) const {
    NodeId id;
    id.bytes[18] = static_cast<std::uint8_t>(selector >> 8);
    id.bytes[19] = static_cast<std::uint8_t>(selector);
    const unsigned bit = selector % 33;
    if (bit < 32) id.bytes[bit / 8] = static_cast<std::uint8_t>(0x80 >> bit % 8);
    const bool local = address >= 224;
    return {id,
            base::SocketAddress::v4(local ? 10 : 20, 0, static_cast<std::uint8_t>(address / 4 % 32),
                                    static_cast<std::uint8_t>(address % 4), 6881),
            {}};
  }

  void answered(const RemoteNode& node) {
    const bool wanted = table_.wants(node);
    const Admission admission = table_.answered(now_, node);
    verified_.insert(key(node));
    const bool in = table_.find(node.id, node.address) != nullptr;
    switch (admission) {
      case Admission::entered:
      case Admission::replaced:
      case Admission::known:
        BOXGRAM_CHECK(in);
        break;
      default:
        BOXGRAM_CHECK(!in);
    }
    if (wanted)
      BOXGRAM_CHECK(admission == Admission::entered || admission == Admission::replaced ||
                    admission == Admission::spare);
    BOXGRAM_CHECK((admission == Admission::own_id) == (node.id == table_.self()));
  }

  void stalest() {
    const auto* entry = table_.take_stalest(now_, 60s);
    if (entry == nullptr) return;
    BOXGRAM_CHECK(entry->asked == now_);
    BOXGRAM_CHECK(table_.find(entry->node.id, entry->node.address) == entry);
  }

  static std::pair<NodeId, base::SocketAddress> key(const RemoteNode& node) {
    return {node.id, node.address};
  }

  base::Instant now_ = base::Instant{} + 1000h;
  RoutingTable table_{NodeId{}};
  std::set<std::pair<NodeId, base::SocketAddress>> verified_;
  unsigned steps_ = 0;
};

void Harness::check(const NodeId& target) {
  std::map<std::size_t, std::size_t> held;
  std::set<NodeId> ids;
  std::set<std::array<std::uint8_t, 16>> addresses;
  std::set<std::pair<std::size_t, dht::Network>> networks;
  std::vector<NodeId> handed_out;
  table_.for_each([&](std::size_t bucket, const RoutingTable::Entry& entry) {
    ++held[bucket];
    const RemoteNode& node = entry.node;
    BOXGRAM_CHECK(verified_.contains(key(node)));
    BOXGRAM_CHECK(node.id != table_.self());
    BOXGRAM_CHECK(bucket == common_prefix(table_.self(), node.id));
    BOXGRAM_CHECK(entry.failures < RoutingTable::kRemoved);
    BOXGRAM_CHECK(ids.insert(node.id).second);
    if (!dht::is_local(node.address)) {
      BOXGRAM_CHECK(addresses.insert(node.address.ip).second);
      BOXGRAM_CHECK(networks.insert({bucket, entry.network}).second);
    }
    if (entry.failures == 0) handed_out.push_back(node.id);
  });
  std::size_t size = 0;
  for (const auto& [bucket, count] : held) {
    BOXGRAM_CHECK(count <= RoutingTable::capacity_of(bucket));
    size += count;
  }
  BOXGRAM_CHECK(size == table_.size());
  BOXGRAM_CHECK(table_.spares() <= RoutingTable::kSpares * NodeId::kBits);

  std::ranges::sort(handed_out, [&](const auto& a, const auto& b) { return closer(target, a, b); });
  std::array<const RoutingTable::Entry*, 12> closest;
  const std::size_t found = table_.closest(target, closest);
  BOXGRAM_CHECK(found == std::min<std::size_t>(closest.size(), handed_out.size()));
  for (std::size_t i = 0; i < found; ++i) BOXGRAM_CHECK(closest[i]->node.id == handed_out[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Harness harness;
  base::Reader reader(base::Bytes(data, size));
  // A thousand steps fill every kind of bucket; more only cost time.
  for (int i = 0; i < 1000 && reader.left() >= 4; ++i) {
    const std::uint8_t op = reader.u8();
    const std::uint16_t id = reader.u16();
    harness.step(op, id, reader.u8());
  }
  harness.check(NodeId{});
  return 0;
}
