// Any bytes as a KRPC message of either overlay: what is understood is written canonically, and
// reads the same then.
#include <array>
#include <cstdlib>
#include <vector>

#include <boxgram/dht/message.hpp>

namespace base = boxgram::base;
namespace dht = boxgram::dht;
using dht::Overlay;

static void require(bool fact) {
  if (!fact) std::abort();
}

static bool same(base::Bytes a, base::Bytes b) {
  return base::as_text(a) == base::as_text(b);
}

static bool same(const dht::Item& a, const dht::Item& b) {
  if (!same(a.value, b.value) || a.author.has_value() != b.author.has_value()) return false;
  return !a.author ||
         (a.author->key == b.author->key && same(a.author->salt, b.author->salt) &&
          a.author->sequence == b.author->sequence && a.author->signature == b.author->signature);
}

static bool same(const dht::Ping&, const dht::Ping&) {
  return true;
}

static bool same(const dht::FindNode& a, const dht::FindNode& b) {
  return a.target == b.target && a.want == b.want;
}

static bool same(const dht::GetPeers& a, const dht::GetPeers& b) {
  return a.info_hash == b.info_hash && a.want == b.want && a.no_seeds == b.no_seeds &&
         a.scrape == b.scrape;
}

static bool same(const dht::AnnouncePeer& a, const dht::AnnouncePeer& b) {
  return a.info_hash == b.info_hash && a.port == b.port && a.implied_port == b.implied_port &&
         a.seed == b.seed && same(a.token, b.token);
}

static bool same(const dht::GetItem& a, const dht::GetItem& b) {
  return a.target == b.target && a.want == b.want && a.newer_than == b.newer_than &&
         same(a.salt, b.salt);
}

static bool same(const dht::PutItem& a, const dht::PutItem& b) {
  return same(a.token, b.token) && same(a.item, b.item) && a.cas == b.cas;
}

static bool same(const dht::Query& a, const dht::Query& b) {
  if (!same(a.transaction, b.transaction) || a.id != b.id || a.read_only != b.read_only ||
      a.hint != b.hint || a.arguments.index() != b.arguments.index())
    return false;
  return std::visit(
      [&](const auto& method) {
        return same(method, std::get<std::decay_t<decltype(method)>>(b.arguments));
      },
      a.arguments);
}

/// Longer than any message, since a list's markers count again in each entry.
static std::array<std::uint8_t, 2 * dht::kMaxMessage> buffer;

static dht::Message read_again(std::size_t size, Overlay overlay) {
  const base::Bytes written = base::Bytes(buffer).first(size);
  require(size > 0);
  const auto message = dht::decode(written, overlay);
  require(message.has_value());
  return *message;
}

static void check_query(const dht::Query& query, Overlay overlay) {
  const std::size_t size = dht::encode(query, overlay, buffer);
  require(same(std::get<dht::Query>(read_again(size, overlay)), query));
  // A stored value is handed on as it came; all around it is canonical.
  const auto* put = std::get_if<dht::PutItem>(&query.arguments);
  require(dht::bencode::is_canonical(base::Bytes(buffer).first(size)) ||
          (put != nullptr && !dht::bencode::is_canonical(put->item.value)));
  if (put != nullptr) (void)dht::check(put->item);
}

template <class Entry>
static std::vector<Entry> entries(const dht::CompactList<Entry>& list) {
  std::vector<Entry> out;
  for (std::size_t i = 0; i < list.size(); ++i)
    if (const auto entry = list.at(i, dht::AddressPolicy::and_local)) out.push_back(*entry);
  return out;
}

static std::vector<base::SocketAddress> entries(const dht::PeerList& peers) {
  std::vector<base::SocketAddress> out;
  peers.for_each(dht::AddressPolicy::and_local,
                 [&](const base::SocketAddress& peer) { out.push_back(peer); });
  return out;
}

/// What a node with these results would answer, in every length.
static void check_response(const dht::Response& response, Overlay overlay) {
  dht::Reply reply;
  reply.transaction = response.transaction;
  reply.id = response.id;
  reply.ip = response.ip;
  const auto nodes = entries(response.nodes), nodes6 = entries(response.nodes6);
  const auto sealed = entries(response.sealed_nodes), sealed6 = entries(response.sealed_nodes6);
  const auto peers = entries(response.peers);
  if (!nodes.empty()) reply.nodes = nodes;
  if (!nodes6.empty()) reply.nodes6 = nodes6;
  if (!sealed.empty()) reply.sealed_nodes = sealed;
  if (!sealed6.empty()) reply.sealed_nodes6 = sealed6;
  reply.peers = peers;
  reply.token = response.token;
  reply.sequence = response.sequence;
  reply.item = response.item;
  reply.effort = response.effort;
  const std::size_t size = dht::encode(reply, overlay, buffer);
  const auto again = std::get<dht::Response>(read_again(size, overlay));
  require(same(again.transaction, response.transaction) && again.id == response.id &&
          again.ip == response.ip && same(again.token, response.token) &&
          again.effort == response.effort);
  require(again.item.has_value() == response.item.has_value() &&
          (!again.item || same(*again.item, *response.item)));
  require(entries(again.peers) == peers);
  if (!reply.item) {
    require(again.sequence == response.sequence);
    require(entries(again.nodes) == nodes && entries(again.nodes6) == nodes6);
    require(entries(again.sealed_nodes) == sealed && entries(again.sealed_nodes6) == sealed6);
  }
  for (std::size_t room = 0; room < size; room += 7) {
    const std::size_t shorter = dht::encode(reply, overlay, base::MutableBytes(buffer).first(room));
    require(shorter <= room);
    if (shorter > 0) read_again(shorter, overlay);
  }
}

static void check_fault(const dht::Fault& fault, Overlay overlay) {
  if (fault.transaction.empty()) return;
  const std::size_t size = dht::encode_error(fault.transaction, fault.error, buffer);
  const auto error = std::get<dht::Error>(read_again(size, overlay));
  require(same(error.transaction, fault.transaction));
  require(error.code == static_cast<std::int64_t>(fault.error));
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes bytes(data, size);
  for (const Overlay overlay : {Overlay::mainline, Overlay::sealed}) {
    const auto message = dht::decode(bytes, overlay);
    if (!message)
      check_fault(message.error(), overlay);
    else if (const auto* query = std::get_if<dht::Query>(&*message))
      check_query(*query, overlay);
    else if (const auto* response = std::get_if<dht::Response>(&*message))
      check_response(*response, overlay);
  }
  return 0;
}
