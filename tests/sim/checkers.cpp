#include "sim/checkers.hpp"

#include <gtest/gtest.h>

namespace boxgram::sim {

namespace {

crypto::SharedKey as_key(const std::array<std::uint8_t, 32>& bytes) {
  return crypto::SharedKey(bytes);
}

std::array<std::uint8_t, 32> bytes_of(const crypto::SharedKey& key) {
  std::array<std::uint8_t, 32> bytes;
  std::copy(key.bytes().begin(), key.bytes().end(), bytes.begin());
  return bytes;
}

crypto::Nonce nonce_of(std::string_view label, base::Bytes head, std::uint64_t n) {
  std::array<std::uint8_t, 16> tail{};
  std::copy(head.begin(), head.end(), tail.begin());
  base::store_be64(tail.data() + 8, n);
  return crypto::make_nonce(label, tail);
}

}  // namespace

void NonceChecker::learn_server_secrets() {
  for (const auto& key : gateway_.keys().live)
    server_secrets_.try_emplace(key->id, bytes_of(key->secret_key.copy()));
}

const NonceChecker::KeyBytes* NonceChecker::learn(const packet::InitialHeader& header) {
  const auto known = shared_by_ec_.find(header.client_key);
  if (known != shared_by_ec_.end()) return &known->second;
  const auto secret = server_secrets_.find(header.key_id);
  if (secret == server_secrets_.end()) return nullptr;
  const auto shared = crypto::shared_key(header.client_key, crypto::SecretKey(secret->second));
  if (!shared) return nullptr;
  const KeyBytes& key = shared_by_ec_.emplace(header.client_key, bytes_of(*shared)).first->second;
  shared_by_cid_[packet::client_id(header.client_key)] = key;
  return &key;
}

void NonceChecker::on_injected(base::Bytes bytes) {
  const auto type = packet::parse_header(bytes);
  if (!type || *type > packet::DatagramType::initial_c) return;
  learn_server_secrets();
  const auto header = packet::parse_initial(bytes);
  if (const KeyBytes* key = learn(header)) lengths_.try_emplace({*key, header.n}, bytes.size());
}

void NonceChecker::on_sent(World&, const SocketAddress&, const SocketAddress&, base::Bytes bytes) {
  learn_server_secrets();
  const auto type = packet::parse_header(bytes);
  if (!type) {
    ++unreadable_;
    return;
  }
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  switch (*type) {
    case packet::DatagramType::initial:
    case packet::DatagramType::initial_c:
      return on_initial(copy);
    case packet::DatagramType::short_:
      return on_short(copy);
    case packet::DatagramType::msg:
      return on_msg(copy);
    default:
      return;
  }
}

void NonceChecker::note(const KeyBytes& key, const crypto::Nonce& nonce) {
  ++boxes_;
  if (!seen_.emplace(key, nonce).second) ++reused_;
}

void NonceChecker::on_initial(base::MutableBytes datagram) {
  const auto header = packet::parse_initial(datagram);
  const KeyBytes* key = learn(header);
  if (key == nullptr) {
    ++unreadable_;
    return;
  }
  note(*key, nonce_of("BXG1-PI>", {}, header.n));
  lengths_[{*key, header.n}] = datagram.size();
  if (!packet::open_initial(datagram, header, as_key(*key))) ++unreadable_;
}

void NonceChecker::on_short(base::MutableBytes datagram) {
  const auto header = packet::parse_short(datagram);
  const auto known = shared_by_sid_.find(header.sid);
  if (known == shared_by_sid_.end()) {
    ++unreadable_;
    return;
  }
  note(known->second, nonce_of("BXG1-PM>", header.sid, header.n));
  lengths_[{known->second, header.n}] = datagram.size();
  if (!packet::open_short(datagram, header, as_key(known->second))) ++unreadable_;
}

void NonceChecker::on_msg(base::MutableBytes datagram) {
  const auto header = packet::parse_msg(datagram);
  const auto known = shared_by_cid_.find(header.cid);
  if (known == shared_by_cid_.end()) {
    ++unreadable_;
    return;
  }
  note(known->second, crypto::make_nonce("BXG1-PM<", header.r));
  const auto opened = packet::open_msg(datagram, header, as_key(known->second));
  if (!opened) {
    ++unreadable_;
    return;
  }
  const auto length = lengths_.find({known->second, opened->prefix});
  if (length == lengths_.end() || length->second != datagram.size()) ++wrong_length_;
  packet::FrameReader frames(opened->frames);
  while (const auto frame = frames.next()) {
    if (frame->type != packet::FrameType::assoc || frame->payload.size() < 8) continue;
    packet::SessionId sid;
    std::copy_n(frame->payload.begin(), sid.size(), sid.begin());
    shared_by_sid_[sid] = known->second;
  }
}

void check_invariants(const World& world, const GatewayNode& gateway, const NonceChecker& nonces,
                      const std::vector<const ClientNode*>& clients, const GatewayOptions& options,
                      std::size_t client_capacity) {
  EXPECT_EQ(world.spins(), 0u) << "a node's deadline stayed in the past";
  EXPECT_GT(nonces.boxes(), 0u);
  EXPECT_EQ(nonces.reused(), 0u) << "a (key, nonce) pair was used twice";
  EXPECT_EQ(nonces.unreadable(), 0u) << "an emitted box does not open";
  EXPECT_EQ(nonces.wrong_length(), 0u);
  EXPECT_EQ(gateway.amplified(), 0u);
  EXPECT_LE(gateway.most_associations(), options.server.max_associations);
  for (const ClientNode* client : clients) {
    EXPECT_LE(client->most_outstanding(), client_capacity);
    EXPECT_EQ(client->client().state(world.now()).outstanding, 0u);
    for (const auto& [id, outcome] : client->outcomes()) {
      EXPECT_EQ(outcome.answers + outcome.failures, outcome.cancelled ? 0u : 1u) << "id " << id;
      EXPECT_FALSE(outcome.wrong) << "id " << id;
      const auto executed = gateway.executions().find(id);
      if (outcome.cancelled || executed == gateway.executions().end()) continue;
      EXPECT_LE(executed->second, outcome.transmissions)
          << "id " << id << ": a datagram was processed twice";
    }
  }
}

}  // namespace boxgram::sim
