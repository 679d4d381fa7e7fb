// A client with its time, randomness and gateway in the test's hands.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "packet/fake_gateway.hpp"

namespace boxgram::packet {

using namespace std::chrono_literals;
using test::Datagram;
using test::FakeGateway;
using test::Heard;

inline constexpr base::UnixMillis kNowMs = 1767225600000;

class ForkableRng final : public base::Rng {
 public:
  void fill(base::MutableBytes out) override { seeded_.fill(out); }
  [[nodiscard]] std::uint64_t generation() const override { return forks; }
  std::uint64_t forks = 0;

 private:
  test::SeededRng seeded_{5};
};

class ClientTest : public testing::Test {
 protected:
  void make(const std::function<void(ClientConfig&)>& change = {}) {
    ClientConfig config;
    config.pinned_key = gateway.key();
    if (change) change(config);
    client = std::make_unique<Client>(config, rng, base::WallClock{now, kNowMs}, now);
  }
  void SetUp() override { make(); }

  base::Handle ask(std::uint64_t tag = 1, std::string_view text = "question") {
    return client->request(now, FrameType::dns, base::as_bytes(text), tag);
  }

  /// The next datagram, as raw bytes; empty if there is none.
  Datagram transmit() {
    Datagram out(kMaxDatagram);
    out.resize(client->poll_transmit(now, out));
    return out;
  }
  /// The next datagram, opened by the gateway. REQUIRES: there is one.
  Heard sent() {
    const Datagram datagram = transmit();
    EXPECT_FALSE(datagram.empty());
    const auto heard = gateway.hear(datagram);
    EXPECT_TRUE(heard.has_value()) << "does not open";
    return heard.value_or(Heard{});
  }

  void receive(Datagram datagram) {
    received = std::move(datagram);
    client->handle_datagram(now, received);
  }
  std::optional<ClientEvent> event() {
    ClientEvent next;
    if (!client->poll_event(next)) return std::nullopt;
    return next;
  }
  std::string answer_text() {
    const auto next = event();
    if (!next || !std::holds_alternative<Answer>(*next)) return "(no answer)";
    return std::string(base::as_text(std::get<Answer>(*next).payload));
  }
  std::optional<Failed> failure() {
    const auto next = event();
    if (!next || !std::holds_alternative<Failed>(*next)) return std::nullopt;
    return std::get<Failed>(*next);
  }
  void wait(base::Duration duration) {
    now += duration;
    client->handle_timeout(now);
  }
  /// One request and its answer with an ASSOC: SHORT from here on.
  Heard establish() {
    ask(1000);
    const Heard heard = sent();
    receive(gateway.associate(heard, base::as_bytes("yes")));
    EXPECT_EQ(answer_text(), "yes");
    return heard;
  }

  ForkableRng rng;
  FakeGateway gateway;
  base::Instant now = base::Instant{} + 1000s;
  std::unique_ptr<Client> client;
  Datagram received;
};

}  // namespace boxgram::packet
