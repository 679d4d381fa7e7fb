// The stream transport as nodes of a World: a server with a made-up service, and clients that know
// what each answer must be.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boxgram/packet/key_rotation.hpp>
#include <boxgram/stream/client.hpp>
#include <boxgram/stream/server.hpp>

#include "sim/packet_nodes.hpp"
#include "sim/tcp.hpp"

namespace boxgram::sim {

class StreamServerNode final : public Node {
 public:
  struct Options {
    stream::ServerConfig server;
    packet::KeyRotationConfig rotation;
    Duration service_time = 0ms;
  };

  StreamServerNode(World& world, TcpNetwork& network, const Options& options, std::uint64_t seed);

  /// Loses all connections, and its keys; the identity stays.
  void restart();
  void drain();

  void on_datagram(World&, const SocketAddress&, base::MutableBytes) override {}
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override;

  [[nodiscard]] stream::ClientConfig client_config() const;
  [[nodiscard]] const stream::Server& server() const { return *server_; }
  /// How often a request's payload was handed to the service, by its id.
  [[nodiscard]] const std::map<std::uint64_t, std::uint32_t>& executions() const {
    return executions_;
  }
  [[nodiscard]] std::size_t most_half_open() const { return most_half_open_; }
  [[nodiscard]] std::size_t most_sessions() const { return most_sessions_; }
  [[nodiscard]] std::size_t most_unsent() const { return most_unsent_; }
  [[nodiscard]] const packet::ServerKeys& keys() const { return *rotation_->snapshot(); }

 private:
  struct Pending {
    Instant due;
    base::Handle connection = 0;
    packet::FrameType type{};
    std::uint32_t id = 0;
    std::vector<std::uint8_t> request;
  };

  void make_keys();
  void accepted(std::unique_ptr<TcpEnd> end, const SocketAddress& from);
  void read(base::Handle handle, TcpEnd& end);
  void pump();
  void take(const stream::ServerEvent& event);
  void write(base::Handle handle);

  World& world_;
  TcpNetwork& network_;
  Options options_;
  test::SeededRng rng_;
  crypto::SigningSeed identity_seed_;
  std::unique_ptr<packet::KeyRotation> rotation_;
  std::unique_ptr<stream::Server> server_;
  std::map<base::Handle, std::unique_ptr<TcpEnd>> ends_;
  std::vector<base::Handle> to_close_;
  std::vector<Pending> pending_;
  std::map<std::uint64_t, std::uint32_t> executions_;
  std::size_t most_half_open_ = 0, most_sessions_ = 0, most_unsent_ = 0;
};

class StreamClientNode final : public Node {
 public:
  StreamClientNode(World& world, TcpNetwork& network, const SocketAddress& own,
                   stream::ClientConfig config, std::uint64_t seed);

  /// Asks for an answer of so many bytes; ids are unique over all clients of a seed.
  void ask(std::size_t answer_size, std::size_t request_size = 40);
  /// Ends its connection in an orderly way.
  void close();
  /// Reads at most so much at a time, and then not for so long.
  void read_slowly(std::size_t bytes, Duration pause);
  /// Its process dies: the connection ends without a word, and all that was asked is forgotten.
  void vanish();

  void on_datagram(World&, const SocketAddress&, base::MutableBytes) override {}
  void on_timeout(World& world) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return client_ ? client_->next_timeout() : std::nullopt;
  }

  struct Outcome {
    std::vector<std::uint8_t> answer;  ///< what it must be
    std::uint32_t answers = 0, failures = 0;
    bool wrong = false;
    bool forgotten = false;  ///< asked before it vanished
    stream::FailReason reason{};
  };
  [[nodiscard]] const std::map<std::uint64_t, Outcome>& outcomes() const { return outcomes_; }
  [[nodiscard]] std::size_t answered() const;
  [[nodiscard]] const stream::Client& client() const { return *client_; }
  [[nodiscard]] std::size_t most_unsent() const { return most_unsent_; }
  [[nodiscard]] const std::vector<stream::ConnectionDown>& downs() const { return downs_; }

 private:
  void make_client();
  void read();
  void pump();
  void take(const stream::ClientEvent& event);

  World& world_;
  TcpNetwork& network_;
  SocketAddress own_;
  stream::ClientConfig config_;
  test::SeededRng rng_;
  std::unique_ptr<stream::Client> client_;
  std::unique_ptr<TcpEnd> end_;
  std::uint64_t attempt_ = 0;  // which connection an open() was for
  std::uint64_t next_id_;
  std::size_t read_most_ = 1 << 30;
  Duration read_pause_{0};
  Instant read_again_{};
  std::map<std::uint64_t, Outcome> outcomes_;
  std::vector<stream::ConnectionDown> downs_;
  std::size_t most_unsent_ = 0;
};

}  // namespace boxgram::sim
