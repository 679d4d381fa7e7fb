// The packet transport as nodes of a World: a gateway with a made-up service, and a client that
// knows what each answer must be.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/packet/client.hpp>
#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/packet/server.hpp>

#include "sim/world.hpp"

namespace boxgram::sim {

/// 2026-01-01, the true time at the world's Instant 0.
inline constexpr base::UnixMillis kEpochMs = 1767225600000;

/// A wall clock that is wrong by so many milliseconds.
base::WallClock wall_clock(std::int64_t error_ms = 0);

/// A request: id 8 | answer size 2 | 0.. The answer is a stream that the whole request decides.
std::vector<std::uint8_t> make_request(std::uint64_t id, std::size_t answer_size,
                                       std::size_t request_size = 40);
std::vector<std::uint8_t> answer_to(base::Bytes request);

struct GatewayOptions {
  bool identity = true;
  bool pinned = false;
  Duration service_time = 0ms;
  packet::ServerConfig server;
  packet::KeyRotationConfig rotation;
};

class GatewayNode final : public Node {
 public:
  GatewayNode(World& world, const GatewayOptions& options, std::uint64_t seed);

  /// Loses its memory and comes back at once: only a pinned S, the identity, the last serial and
  /// the reset key are kept, as in a state directory.
  void restart(World& world);
  /// Is gone until the next restart().
  void crash() { server_.reset(); }

  void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) override;
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override;

  /// What a stamp would tell a client.
  [[nodiscard]] packet::ClientConfig client_config() const;
  [[nodiscard]] const packet::ServerKeys& keys() const { return *rotation_->snapshot(); }
  [[nodiscard]] const packet::Server& server() const { return *server_; }
  /// How often a request's payload was handed to the service, by its id.
  [[nodiscard]] const std::map<std::uint64_t, std::uint32_t>& executions() const {
    return executions_;
  }
  /// Outputs that were larger than their input, went elsewhere, or beyond what their target had
  /// sent in all.
  [[nodiscard]] std::uint64_t amplified() const { return amplified_; }
  [[nodiscard]] std::size_t most_associations() const { return most_associations_; }

 private:
  struct Pending {
    Instant due;
    packet::ReplyTo reply;
    std::vector<std::uint8_t> request;
  };

  void make_rotation(Instant now);
  void send(World& world, const SocketAddress& to, base::Bytes bytes);
  void reply(World& world, const packet::ReplyTo& to, base::Bytes request);

  GatewayOptions options_;
  test::SeededRng rng_;
  crypto::SigningSeed identity_seed_;
  crypto::SecretKey pinned_secret_;
  crypto::SharedKey reset_key_;
  std::unique_ptr<packet::KeyRotation> rotation_;
  std::unique_ptr<packet::Server> server_;
  std::vector<Pending> pending_;
  std::map<std::uint64_t, std::uint32_t> executions_;
  std::map<SocketAddress, std::int64_t> credit_;  // bytes that came less bytes that went back
  std::uint64_t amplified_ = 0;
  std::size_t most_associations_ = 0;
};

class ClientNode final : public Node {
 public:
  ClientNode(World& world, const SocketAddress& gateway, const packet::ClientConfig& config,
             std::uint64_t seed, std::int64_t clock_error_ms = 0);

  /// Asks for an answer of so many bytes; ids are unique over all clients of a seed.
  base::Handle ask(World& world, std::size_t answer_size, std::size_t request_size = 40);
  void cancel(World& world, std::uint64_t id);
  void address_changed(World& world);

  void on_datagram(World& world, const SocketAddress& from, base::MutableBytes bytes) override;
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return client_.next_timeout();
  }

  struct Outcome {
    std::size_t answer_size = 0;
    base::Handle handle = 0;
    Instant asked{};
    Duration took{};
    std::uint32_t answers = 0;
    std::uint32_t failures = 0;
    bool cancelled = false;
    bool wrong = false;  ///< the payload was not the answer to this request
    packet::FailReason reason{};
    std::uint32_t transmissions = 0;

    [[nodiscard]] bool ended() const { return answers + failures > 0; }
  };
  [[nodiscard]] const std::map<std::uint64_t, Outcome>& outcomes() const { return outcomes_; }
  [[nodiscard]] const packet::Client& client() const { return client_; }
  [[nodiscard]] std::size_t most_outstanding() const { return most_outstanding_; }

  [[nodiscard]] std::size_t answered() const;
  [[nodiscard]] std::size_t failed() const;

 private:
  void drain(World& world);

  SocketAddress gateway_;
  test::SeededRng rng_;
  packet::Client client_;
  std::uint64_t next_id_;
  std::map<std::uint64_t, Outcome> outcomes_;
  std::size_t most_outstanding_ = 0;
};

}  // namespace boxgram::sim
