// A dht::Node of Mainline and the hand-made messages that tests send it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <boxgram/dht/node.hpp>

#include "support/seeded_rng.hpp"

namespace boxgram::test {

using namespace std::chrono_literals;
using base::SocketAddress;
using dht::NodeId;
using dht::RemoteNode;

using Octets = std::vector<std::uint8_t>;

inline SocketAddress host(std::uint8_t network, std::uint8_t last = 1, std::uint16_t port = 6881) {
  return SocketAddress::v4(20, 1, network, last, port);
}

/// A datagram that the node sent, read.
struct Sent {
  SocketAddress to;
  Octets bytes;
  dht::Query query;  // views into bytes
  [[nodiscard]] RemoteNode node(const NodeId& id) const { return {id, to, {}}; }
};

class NodeHarness {
 public:
  explicit NodeHarness(dht::NodeConfig config = {}, std::uint64_t seed = 1)
      : rng(seed), node(with_id(std::move(config)), rng, {}, now) {}

  /// Delivers a datagram; the node's reply, or nothing.
  Octets deliver(const SocketAddress& from, Octets datagram) {
    collect_events();
    const std::size_t size = node.handle_datagram(now, from, datagram, out_);
    collect_events();
    return {out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(size)};
  }

  /// A query from there under that id; the node's reply, which is empty if it gave none.
  template <class Method>
  Octets query(const SocketAddress& from, const NodeId& id, const Method& method,
               bool read_only = false) {
    dht::Query query;
    query.transaction = base::as_bytes("tt");
    query.id = id;
    query.read_only = read_only;
    query.arguments = method;
    return deliver(from, encoded(query));
  }

  /// What the node wants sent now.
  std::deque<Sent> sent() {
    std::deque<Sent> all;
    SocketAddress to;
    while (const std::size_t size = node.poll_transmit(now, to, out_)) {
      Sent& one = all.emplace_back();
      one.to = to;
      one.bytes.assign(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(size));
      const auto message = dht::decode(one.bytes, dht::Overlay::mainline);
      EXPECT_TRUE(message && std::holds_alternative<dht::Query>(*message));
      one.query = std::get<dht::Query>(*message);
    }
    return all;
  }

  /// Answers what the node sent, as the node `id`.
  void answer(const Sent& sent, const NodeId& id, dht::Reply reply = {}) {
    reply.transaction = sent.query.transaction;
    reply.id = id;
    deliver(sent.to, encoded(reply));
  }

  /// Puts a node into the table: it is pinged, and answers.
  void introduce(const RemoteNode& other) {
    node.ping(now, other, 0);
    for (const Sent& one : sent())
      if (one.to == other.address) answer(one, other.id);
  }

  void pass(base::Duration time) {
    const base::Instant end = now + time;
    while (const auto next = node.next_timeout()) {
      if (*next > end) break;
      now = std::max(now, *next);
      node.handle_timeout(now);
      collect_events();
      if (drop_sent) sent();
    }
    now = end;
  }

  template <class Event>
  std::vector<Event> events() const {
    std::vector<Event> found;
    for (const auto& event : all_events)
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
    return found;
  }

  [[nodiscard]] std::uint64_t drops(dht::NodeDrop reason) const {
    return node.counters().drops[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::size_t known() const { return node.table_size(dht::Family::v4); }
  [[nodiscard]] bool knows(const NodeId& id) const {
    for (const auto& row : node.table(now))
      if (row.node.id == id) return true;
    return false;
  }

  template <class Message>
  static Octets encoded(const Message& message) {
    Octets bytes(dht::kMaxMessage);
    bytes.resize(dht::encode(message, dht::Overlay::mainline, bytes));
    EXPECT_FALSE(bytes.empty());
    return bytes;
  }

  SeededRng rng;
  base::Instant now = base::Instant{} + 1000h;
  dht::Node node;
  std::vector<dht::NodeEvent> all_events;
  bool drop_sent = true;  ///< pass() throws away what the node sends meanwhile

 private:
  static dht::NodeConfig with_id(dht::NodeConfig config) {
    if (!config.id && config.overlay == dht::Overlay::mainline) {
      SeededRng ids(99);
      config.id = NodeId::random(ids);
    }
    return config;
  }
  void collect_events() {
    dht::NodeEvent event;
    while (node.poll_event(event)) all_events.push_back(event);
  }

  std::array<std::uint8_t, dht::Node::kMaxDatagram> out_{};
};

/// The reply in these bytes; fails the test if they are none.
inline dht::Response response_of(const Octets& bytes) {
  const auto message = dht::decode(bytes, dht::Overlay::mainline);
  if (!message || !std::holds_alternative<dht::Response>(*message)) {
    ADD_FAILURE() << "no response: " << base::as_text(bytes);
    return {};
  }
  return std::get<dht::Response>(*message);
}

/// The code of the error in these bytes, 0 if they are none.
inline std::int64_t error_of(const Octets& bytes) {
  const auto message = dht::decode(bytes, dht::Overlay::mainline);
  if (!message || !std::holds_alternative<dht::Error>(*message)) return 0;
  return std::get<dht::Error>(*message).code;
}

}  // namespace boxgram::test
