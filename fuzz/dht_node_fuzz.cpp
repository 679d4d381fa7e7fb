// A DHT node of either overlay in a hostile network: everybody else is the input. Whatever comes:
// its tables keep their bounds, nobody who has not proven his address gets more than his budget,
// sealed replies are never longer than what they answer, and every operation ends exactly once.
//
// Input: overlay (1) | steps of op (1) | who (1) | length (1) | bytes. In the sealed overlay this
// harness holds the keys of everybody, so that fuzzing does not end at the boxes.
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/message.hpp>
#include <boxgram/dht/node.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/server.hpp>

namespace {

using namespace boxgram;
using namespace std::chrono_literals;
using base::Bytes;
using base::SocketAddress;
using dht::NodeId;
using dht::Overlay;
using Octets = std::vector<std::uint8_t>;

class CountingRng final : public base::Rng {
 public:
  void fill(base::MutableBytes out) override {
    for (std::uint8_t& byte : out)
      byte = static_cast<std::uint8_t>(
          (state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

constexpr base::Instant kStart = base::Instant{} + 1000h;
constexpr base::WallClock kWall{kStart, 1767225600000};
constexpr std::size_t kOthers = 8;

/// Somebody else: sealed, with a client to ask our node and a server to be asked by it.
struct Other {
  SocketAddress address;
  NodeId id;
  crypto::PublicKey key{};
  std::unique_ptr<packet::KeyRotation> keys;
  std::unique_ptr<packet::Server> server;
  std::unique_ptr<packet::Client> client;
};

/// A question of our node that the input may answer.
struct Question {
  std::size_t who = 0;
  Octets transaction;
  packet::ReplyTo reply;
};

class Harness {
 public:
  explicit Harness(Overlay overlay) : overlay_(overlay) {
    dht::NodeConfig config;
    config.overlay = overlay;
    config.port = 6881;
    config.max_operations = 4;
    config.rate_table_capacity = 16;
    crypto::PublicKey key{};
    if (overlay == Overlay::sealed) {
      crypto::KeyPair pair = crypto::generate_key_pair(rng_);
      key = pair.public_key;
      config.secret_key = std::move(pair.secret_key);
    }
    node_ = std::make_unique<dht::Node>(std::move(config), rng_, kWall, now_);
    for (std::size_t i = 0; i < kOthers; ++i) others_.push_back(make_other(i, key));
    now_ += 60s;  // a fresh node wants cookies
  }

  void step(std::uint8_t op, std::uint8_t who, Bytes bytes) {
    Other& other = others_[who % kOthers];
    switch (op % 10) {
      case 0:
        deliver(other, {bytes.begin(), bytes.end()});
        break;
      case 1:
        ask(other, {bytes.begin(), bytes.end()});
        break;
      case 2:
        ask(other, query(other, who, bytes));
        break;
      case 3:
        answer(good_reply(other, bytes));
        break;
      case 4:
        answer(raw_reply(bytes));
        break;
      case 5:
        pass(std::chrono::milliseconds(bytes.size() * (who < 128 ? 10 : 1000)));
        break;
      case 6:
        begin(other, who, bytes);
        break;
      case 7:
        if (!running_.empty()) {
          node_->cancel(running_.begin()->second);
          running_.erase(running_.begin());
        }
        break;
      case 8:
        node_->import_table(now_, bytes);
        break;
      default: {
        const dht::RemoteNode seed{who < 128 ? other.id : NodeId{}, other.address, other.key};
        node_->bootstrap(now_, {&seed, 1});
      }
    }
    settle();
  }

  /// Nobody answers any more: everything that runs must end by itself.
  void finish() {
    for (int i = 0; i < 6; ++i) pass(20s);
    BOXGRAM_CHECK(running_.empty());
    check_table();
  }

 private:
  Other make_other(std::size_t index, const crypto::PublicKey& node_key) {
    Other other;
    // Two in each network.
    other.address = SocketAddress::v4(20, 0, static_cast<std::uint8_t>(index / 2),
                                      static_cast<std::uint8_t>(index + 1), 6881);
    other.id = NodeId::random(rng_);
    if (overlay_ == Overlay::mainline) return other;
    crypto::KeyPair pair = crypto::generate_key_pair(rng_);
    other.key = pair.public_key;
    other.id = dht::sealed_id(other.key, other.address);
    other.keys = std::make_unique<packet::KeyRotation>(
        packet::KeyRotationConfig{}, rng_, kWall, now_, std::nullopt, std::move(pair.secret_key),
        crypto::SharedKey());
    packet::ServerConfig server;
    server.services = {packet::FrameType::dht};
    server.max_associations = 16;
    server.replay_capacity = 64;
    server.rate_table_capacity = 16;
    other.server =
        std::make_unique<packet::Server>(server, rng_, kWall, now_, other.keys->snapshot());
    packet::ClientConfig client;
    client.pinned_key = node_key;
    client.capacity = 4;
    other.client = std::make_unique<packet::Client>(client, rng_, kWall, now_);
    return other;
  }

  static std::uint64_t network_of(const SocketAddress& address) {
    return base::load_be32(address.ip.data() + 12) >> 8;
  }

  bool in_table(const SocketAddress& address) {
    const auto rows = node_->table(now_);
    return std::ranges::any_of(rows, [&](const auto& row) { return row.node.address == address; });
  }

  /// What the node sends back at once.
  Octets deliver(const Other& other, Octets datagram) {
    drain_events();
    const bool known = in_table(other.address);
    const std::size_t before = datagram.size();
    std::array<std::uint8_t, dht::Node::kMaxDatagram> out;
    const std::size_t size = node_->handle_datagram(now_, other.address, datagram, out);
    if (overlay_ == Overlay::sealed) {
      BOXGRAM_CHECK(size <= before);
    } else if (!known) {
      const auto elapsed = std::chrono::duration<double>(now_ - kStart).count();
      const double most = 32'000 + 8'000 * elapsed;
      BOXGRAM_CHECK(static_cast<double>(sent_[network_of(other.address)] += size) <= most);
    }
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
  }

  void ask(Other& other, const Octets& message) {
    if (overlay_ == Overlay::mainline) {
      deliver(other, message);
      return;
    }
    other.client->request(now_, packet::FrameType::dht, message, 0);
    std::array<std::uint8_t, packet::kMaxDatagram> datagram;
    for (int i = 0; i < 3; ++i) {
      const std::size_t size = other.client->poll_transmit(now_, datagram);
      if (size == 0) break;
      Octets back = deliver(other, {datagram.begin(), datagram.begin() + size});
      packet::ClientEvent event;
      while (other.client->poll_event(event)) {
      }
      if (!back.empty()) other.client->handle_datagram(now_, back);
      while (other.client->poll_event(event)) {
      }
    }
  }

  NodeId target_of(Bytes bytes) const {
    NodeId target;
    std::copy_n(bytes.begin(), std::min(bytes.size(), target.bytes.size()), target.bytes.begin());
    return target;
  }

  Octets query(const Other& other, std::uint8_t who, Bytes bytes) const {
    dht::Query query;
    query.transaction = base::as_bytes("tt");
    query.id = other.id;
    query.read_only = who >= 192;
    if (who < 64) query.hint = dht::NodeHint{other.key, other.address.port};
    const NodeId target = target_of(bytes);
    const Bytes token = bytes.first(std::min<std::size_t>(bytes.size(), 8));
    switch (who / 8 % 6) {
      case 0:
        query.arguments = dht::Ping{};
        break;
      case 1:
        query.arguments = dht::FindNode{target, {true, true}};
        break;
      case 2:
        query.arguments = dht::GetPeers{target, {}, false, false};
        break;
      case 3:
        query.arguments = dht::AnnouncePeer{target, 1, true, false, token};
        break;
      case 4:
        query.arguments = dht::GetItem{target, {}, {}};
        break;
      default:
        query.arguments = dht::PutItem{token, {base::as_bytes("5:hello"), {}}, {}};
    }
    return encoded(query);
  }

  template <class Message>
  Octets encoded(const Message& message) const {
    Octets bytes(dht::kMaxMessage);
    bytes.resize(dht::encode(message, overlay_, bytes));
    return bytes;
  }

  /// A reply of a good form, whose nodes the input makes up around everybody.
  Octets good_reply(const Other& other, Bytes bytes) {
    if (questions_.empty()) return {};
    dht::Reply reply;
    reply.transaction = questions_.front().transaction;
    reply.id = others_[questions_.front().who].id;
    if (!bytes.empty() && bytes[0] >= 224) reply.id = other.id;
    reply.ip = SocketAddress::v4(99, 0, 0, bytes.empty() ? 1 : bytes[0] & 3, 1);
    std::vector<dht::Contact> nodes;
    std::vector<dht::SealedContact> sealed_nodes;
    for (const std::uint8_t byte : bytes.first(std::min<std::size_t>(bytes.size(), 16))) {
      const Other& named = others_[byte % kOthers];
      NodeId id = named.id;
      if (byte >= 128) id.bytes[byte % 20] ^= byte;
      nodes.push_back({id, named.address});
      sealed_nodes.push_back({named.key, named.address});
    }
    reply.nodes = nodes;
    reply.sealed_nodes = sealed_nodes;
    const std::array<SocketAddress, 1> peers = {other.address};
    reply.peers = peers;
    reply.token = base::as_bytes("token");
    if (bytes.size() % 4 == 1) reply.item = dht::Item{base::as_bytes("5:hello"), std::nullopt};
    return encoded(reply);
  }

  Octets raw_reply(Bytes bytes) const {
    if (questions_.empty()) return {};
    Octets text;
    const auto add = [&](Bytes part) { text.insert(text.end(), part.begin(), part.end()); };
    add(base::as_bytes("d1:rd"));
    add(bytes);
    add(base::as_bytes("e1:t6:"));
    add(questions_.front().transaction);
    add(base::as_bytes("1:y1:re"));
    return text;
  }

  void answer(const Octets& message) {
    if (questions_.empty()) return;
    Question question = std::move(questions_.front());
    questions_.pop_front();
    Other& other = others_[question.who];
    if (overlay_ == Overlay::mainline) {
      deliver(other, message);
      return;
    }
    std::array<std::uint8_t, packet::kMaxDatagram> out;
    const auto space = packet::Server::payload_space(question.reply, out);
    const std::size_t part = std::min(space.size(), message.size());
    std::copy_n(message.begin(), part, space.begin());
    const std::size_t size = other.server->seal_reply(question.reply, part, out);
    deliver(other, {out.begin(), out.begin() + size});
  }

  void begin(const Other& other, std::uint8_t who, Bytes bytes) {
    const std::uint64_t tag = ++last_tag_;
    const NodeId target = target_of(bytes);
    dht::Operation operation = 0;
    switch (who / 8 % 6) {
      case 0:
        operation = node_->ping(now_, {other.id, other.address, other.key}, tag);
        break;
      case 1:
        operation = node_->find_node(now_, target, tag, true);
        break;
      case 2:
        operation = node_->get_peers(now_, target, tag, {false, true});
        break;
      case 3:
        operation = node_->announce(now_, target, tag);
        break;
      case 4:
        operation = node_->get(now_, dht::immutable_target(base::as_bytes("5:hello")), tag);
        break;
      default:
        operation = node_->put(now_, {base::as_bytes("5:hello"), std::nullopt}, tag);
    }
    if (operation != 0) running_[tag] = operation;
  }

  void drain_events() {
    dht::NodeEvent event;
    while (node_->poll_event(event)) {
      const auto* end = std::get_if<dht::Finished>(&event);
      if (end == nullptr) continue;
      BOXGRAM_CHECK(running_.erase(end->tag) == 1);
      BOXGRAM_CHECK(end->answered <= end->asked);
    }
  }

  /// Takes what the node wants sent; its questions can be answered later.
  void drain_transmits() {
    std::array<std::uint8_t, dht::Node::kMaxDatagram> out;
    SocketAddress to;
    while (const std::size_t size = node_->poll_transmit(now_, to, out)) {
      BOXGRAM_CHECK(!dht::is_martian(to, dht::AddressPolicy::internet));
      const auto who = std::ranges::find(others_, to, &Other::address);
      if (who == others_.end()) continue;
      take_question(static_cast<std::size_t>(who - others_.begin()),
                    base::MutableBytes(out).first(size));
    }
    while (questions_.size() > 64) questions_.pop_front();
  }

  void take_question(std::size_t who, base::MutableBytes datagram) {
    Question question;
    question.who = who;
    Bytes message = datagram;
    if (overlay_ == Overlay::sealed) {
      std::array<std::uint8_t, packet::kMaxDatagram> out;
      auto received =
          others_[who].server->receive(now_, SocketAddress::v4(99, 0, 0, 1, 6881), datagram, out);
      if (received.kind == packet::Received::Kind::transmit)
        deliver(others_[who], {out.begin(), out.begin() + received.size});
      if (received.kind != packet::Received::Kind::request) return;
      question.reply = std::move(received.reply);
      message = received.payload;
    }
    const auto decoded = dht::decode(message, overlay_);
    BOXGRAM_CHECK(decoded && std::holds_alternative<dht::Query>(*decoded));
    const auto transaction = std::get<dht::Query>(*decoded).transaction;
    question.transaction.assign(transaction.begin(), transaction.end());
    questions_.push_back(std::move(question));
  }

  void pass(base::Duration time) {
    const base::Instant end = now_ + time;
    for (int i = 0; i < 10'000; ++i) {
      const auto next = node_->next_timeout();
      if (!next || *next > end) break;
      now_ = std::max(now_, *next);
      node_->handle_timeout(now_);
      drain_events();
      drain_transmits();
    }
    now_ = end;
    settle();
  }

  void settle() {
    drain_events();
    drain_transmits();
    drain_events();
    // The whole table is much to look at for each step.
    if (++steps_ % 8 == 0) check_table();
  }

  void check_table() {
    std::map<std::size_t, std::size_t> held;
    for (const auto& row : node_->table(now_)) {
      BOXGRAM_CHECK(row.node.id != node_->id(dht::Family::v4));
      const std::size_t most = row.bucket < 4 ? std::size_t{128} >> row.bucket : 8;
      BOXGRAM_CHECK(++held[row.bucket] <= most);
    }
    BOXGRAM_CHECK(node_->counters().items_stored <= 4096);
  }

  Overlay overlay_;
  CountingRng rng_;
  base::Instant now_ = kStart;
  std::unique_ptr<dht::Node> node_;
  std::vector<Other> others_;
  std::deque<Question> questions_;
  std::map<std::uint64_t, dht::Operation> running_;  // by tag
  std::map<std::uint64_t, std::size_t> sent_;        // to unproven addresses, by network
  std::uint64_t last_tag_ = 0;
  unsigned steps_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::Reader reader(Bytes(data, size));
  Harness harness((reader.u8() & 1) != 0 ? Overlay::sealed : Overlay::mainline);
  // A hundred and fifty steps reach every state; more only cost time.
  for (int i = 0; i < 150 && reader.left() >= 3; ++i) {
    const std::uint8_t op = reader.u8();
    const std::uint8_t who = reader.u8();
    const std::size_t length = reader.u8();
    harness.step(op, who, reader.bytes(std::min(length, reader.left())));
  }
  harness.finish();
  return 0;
}
