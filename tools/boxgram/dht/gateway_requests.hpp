// DHT requests to gateways, in streams of their own: a lookup takes seconds, and no DNS query is to
// stand behind its answer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <boxgram/base/rng.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/event_loop.hpp>
#include <boxgram/packet/stamp.hpp>
#include <boxgram/stream/client.hpp>

#include "../stream_link.hpp"

namespace boxgram::tools {

class GatewayRequests {
 public:
  struct Options {
    /// Without, each connection has a throw-away key: enough where the DHT is for everybody.
    std::optional<crypto::SecretKey> client_key;
    /// For all gateways together, from the first one on.
    base::Duration lifetime = std::chrono::seconds(30);
    /// What was under way when a connection died is asked again; not for what must not happen
    /// twice.
    bool ask_again = true;
  };
  /// Each request ends in one of the two; both may ask again.
  struct Handlers {
    std::function<void(std::uint64_t tag, base::Bytes message)> on_answer;
    std::function<void(std::uint64_t tag, stream::FailReason why)> on_failed;
  };

  /// Requests at a time.
  static constexpr std::size_t kCapacity = 256;

  /// Gateways whose stamps say that they take no streams are left out. REQUIRES: one remains.
  /// `loop` and `rng` outlive this.
  GatewayRequests(net::EventLoop& loop, base::Rng& rng, std::span<const packet::Stamp> gateways,
                  const Options& options, Handlers handlers);

  /// `query` is copied. First the gateway that answered last is asked, then, where that one does
  /// not answer at all, each of the others.
  void ask(std::uint64_t tag, base::Bytes query);

  /// Lets all that is under way fail.
  void give_up();

  /// How the last connection ended; nothing if none has.
  [[nodiscard]] const std::optional<stream::ConnectionDown>& last_failure() const { return down_; }

 private:
  struct Gateway {
    Gateway(net::EventLoop& loop, base::Rng& rng, const packet::Stamp& stamp,
            const Options& options, std::function<void()> settle);

    stream::Client client;
    StreamLink link;
    net::DeadlineTimer timer;
    bool settling = false;
  };
  struct Request {
    std::vector<std::uint8_t> query;
    std::size_t gateway = 0;
    std::size_t tries = 0;
    base::Instant deadline{};
  };

  void send(std::uint64_t tag);
  void settle(std::size_t index);
  void take(std::size_t index, const stream::ClientEvent& event);
  void failed(std::uint64_t tag, stream::FailReason why);

  base::Duration lifetime_;
  Handlers handlers_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::unordered_map<std::uint64_t, Request> requests_;
  std::size_t preferred_ = 0;
  std::optional<stream::ConnectionDown> down_;
};

}  // namespace boxgram::tools
