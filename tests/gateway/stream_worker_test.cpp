#include <gtest/gtest.h>

#include <boxgram/dns/record_text.hpp>
#include <boxgram/gateway/stream_worker.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/stream/client.hpp>

#include "dns/dns_message.hpp"
#include "support/seeded_rng.hpp"

namespace boxgram::gateway {
namespace {

using namespace std::chrono_literals;
using packet::FrameType;
using stream::FailReason;

/// A worker and one client; the test is the owner that says what the client may do.
class StreamWorkerTest : public testing::Test {
 protected:
  StreamWorkerTest()
      : pinned_(crypto::generate_key_pair(rng_)),
        worker_({}, keys(), rules(), nullptr, rng_, wall_, now_),
        client_(client_config(), rng_, wall_, now_) {}

  std::shared_ptr<const packet::ServerKeys> keys() {
    return packet::KeyRotation({}, rng_, wall_, now_, std::nullopt, pinned_.secret_key.copy(),
                               crypto::SharedKey())
        .snapshot();
  }
  static std::shared_ptr<const dns::ForwarderConfig> rules() {
    auto rules = std::make_shared<dns::ForwarderConfig>();
    dns::add_records("local.example 60 A 192.0.2.7\n", rules->zone);
    return rules;
  }
  stream::ClientConfig client_config() const {
    stream::ClientConfig config;
    config.pinned_key = pinned_.public_key;
    return config;
  }

  /// What becomes of a request: why it failed, or nothing if there was an answer.
  std::optional<FailReason> ask(FrameType service) {
    const auto query = test::query_for("local.example", dns::rrtype::a);
    client_.request(now_, service, query, 1);
    outcome_.reset();
    failure_.reset();
    for (int i = 0; i < 20 && !outcome_; ++i) carry();
    EXPECT_TRUE(outcome_);
    return failure_;
  }
  void carry() {
    if (client_.wants_connection()) {
      client_.connecting(now_);
      client_.connected(now_);
      connection_ = worker_.server().accept(now_, base::SocketAddress::v4(192, 0, 2, 9, 4000));
    }
    move(
        client_.unsent(), [&] { return worker_.server().room(connection_); },
        [&](std::size_t size) {
          client_.sent(size);
          worker_.server().received(connection_, size);
        });
    serve();
    while (worker_.server().poll_transmit() != 0) {
    }
    move(
        worker_.server().unsent(connection_), [&] { return client_.room(); },
        [&](std::size_t size) {
          worker_.server().sent(connection_, size);
          client_.received(size);
        });
    stream::ClientEvent event;
    while (client_.poll_event(now_, event)) {
      if (const auto* failed = std::get_if<stream::RequestFailed>(&event))
        failure_ = failed->reason;
      if (failure_ || std::holds_alternative<stream::Answered>(event)) outcome_ = true;
    }
  }
  /// Moves what fits in one go.
  template <class Room, class Moved>
  void move(base::Bytes bytes, Room room, Moved moved) {
    if (bytes.empty()) return;
    const base::MutableBytes to = room();
    const std::size_t size = std::min(bytes.size(), to.size());
    if (size == 0) return;
    std::copy_n(bytes.begin(), size, to.begin());
    moved(size);
  }
  void serve() {
    StreamEvent event;
    while (worker_.poll_event(now_, event)) {
      if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
        if (rights_)
          worker_.admit(now_, proven->connection, *rights_);
        else
          worker_.refuse(now_, proven->connection);
      } else if (const auto* request = std::get_if<ControlRequest>(&event)) {
        ++controlled_;
        worker_.server().respond(now_, request->connection, FrameType::control, request->id,
                                 request->payload);
      } else if (std::holds_alternative<QuerySeen>(event)) {
        ++seen_;
      }
    }
  }

  base::Instant now_ = base::Instant{} + 100h;
  base::WallClock wall_{now_, 1'700'000'000'000};
  test::SeededRng rng_{1};
  crypto::KeyPair pinned_;
  StreamWorker worker_;
  stream::Client client_;
  base::Handle connection_ = 0;
  std::optional<StreamRights> rights_;
  std::optional<bool> outcome_;
  std::optional<FailReason> failure_;
  int controlled_ = 0;
  int seen_ = 0;
};

TEST_F(StreamWorkerTest, WhoMayHaveDnsMayNotControl) {
  rights_ = {.dns = true, .control = false};
  EXPECT_EQ(ask(FrameType::dns), std::nullopt);
  EXPECT_EQ(ask(FrameType::control), FailReason::refused);
  EXPECT_EQ(controlled_, 0);
  EXPECT_EQ(worker_.counters().not_allowed, 1u);
}

TEST_F(StreamWorkerTest, WhoMayControlDoesNotHaveDnsForThat) {
  rights_ = {.dns = false, .control = true};
  worker_.show_queries(true);
  EXPECT_EQ(ask(FrameType::control), std::nullopt);
  EXPECT_EQ(ask(FrameType::dns), FailReason::refused);
  EXPECT_EQ(controlled_, 1);
  EXPECT_EQ(seen_, 0) << "nor is a refused query shown";
  EXPECT_EQ(worker_.counters().dns_requests, 0u);
}

TEST_F(StreamWorkerTest, OtherRightsCountFromTheNextRequestOn) {
  rights_ = {.dns = true, .control = false};
  EXPECT_EQ(ask(FrameType::dns), std::nullopt);
  worker_.change_rights(connection_, {.dns = false, .control = true});
  EXPECT_EQ(ask(FrameType::dns), FailReason::refused);
  EXPECT_EQ(ask(FrameType::control), std::nullopt);
}

TEST_F(StreamWorkerTest, WhoIsRefusedIsToldAndAsksForNothing) {
  EXPECT_EQ(ask(FrameType::dns), FailReason::handshake);
  EXPECT_EQ(worker_.counters().dns_requests, 0u);
  EXPECT_EQ(worker_.server().sessions(), 0u);
}

TEST_F(StreamWorkerTest, AServiceThatNobodyHasIsUnknownWhateverTheRights) {
  rights_ = {.dns = true, .control = true};
  EXPECT_EQ(ask(FrameType{0x1e}), FailReason::unknown_service);
}

}  // namespace
}  // namespace boxgram::gateway
