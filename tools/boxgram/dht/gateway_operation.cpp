// The same operations as those of operation_command.cpp, by a gateway's node.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include <boxgram/crypto/system_rng.hpp>
#include <boxgram/net/clock.hpp>
#include <boxgram/net/signals.hpp>

#include "../key_file.hpp"
#include "gateway_requests.hpp"
#include "options.hpp"
#include "own_item.hpp"
#include "report.hpp"

namespace boxgram::tools {
namespace {

using Kind = DhtOperationOptions::Kind;
using dht::Overlay;

/// Reads a mutable item, so that a put can go one above it.
constexpr std::uint64_t kReadFirst = 1;
constexpr std::uint64_t kMain = 2;

/// The gateway has tokens of its own; a query without any is malformed.
constexpr std::string_view kAnyToken = "-";

class GatewayAction {
 public:
  explicit GatewayAction(const DhtOperationOptions& options)
      : options_(options),
        report_(options.json),
        start_(net::now()),
        requests_(loop_, rng_, {&*options.gateway, 1}, request_options(options),
                  {[this](std::uint64_t tag, base::Bytes message) { on_answer(tag, message); },
                   [this](std::uint64_t, stream::FailReason why) { on_failed(why); }}) {
    report_.set_target(options.target);
  }

  Exit run() {
    net::Signals signals(
        loop_.io(), [] {}, [this] { end(fail(kFailed, "interrupted")); });
    if (options_.kind == Kind::put && options_.key && !options_.sequence)
      ask(kReadFirst, get());
    else
      ask(kMain, arguments());
    if (!exit_) loop_.run();
    return *exit_;
  }

 private:
  static GatewayRequests::Options request_options(const DhtOperationOptions& options) {
    GatewayRequests::Options requests;
    if (options.client_key) requests.client_key = options.client_key->copy();
    requests.lifetime = options.timeout;
    requests.ask_again = options.kind != Kind::put;
    return requests;
  }

  using Arguments = decltype(dht::Query::arguments);

  [[nodiscard]] Arguments get() const {
    return dht::GetItem{options_.target, {}, std::nullopt, base::as_bytes(options_.salt)};
  }

  Arguments arguments() {
    switch (options_.kind) {
      case Kind::find_node:
        return dht::FindNode{options_.target, {}};
      case Kind::get_peers:
        return dht::GetPeers{options_.target, {}, false, false};
      case Kind::announce:
        return dht::AnnouncePeer{options_.target, options_.port, false, options_.seed,
                                 base::as_bytes(kAnyToken)};
      case Kind::get:
        return get();
      case Kind::put:
        return put(options_.sequence.value_or(1));
      default:
        return dht::Ping{};
    }
  }

  Arguments put(std::int64_t sequence) {
    return dht::PutItem{base::as_bytes(kAnyToken), own_item(options_, sequence, report_),
                        options_.cas};
  }

  void ask(std::uint64_t tag, const Arguments& arguments) {
    dht::Query query;
    query.transaction = base::as_bytes("q");
    query.arguments = arguments;
    std::array<std::uint8_t, dht::kMaxMessage> bytes;
    const std::size_t size = encode(query, options_.overlay, bytes);
    requests_.ask(tag, base::Bytes(bytes).first(size));
  }

  void on_answer(std::uint64_t tag, base::Bytes bytes) {
    const auto message = dht::decode(bytes, options_.overlay, stream::kMaxMessage);
    if (const auto* error = message ? std::get_if<dht::Error>(&*message) : nullptr)
      return on_error(*error);
    const auto* response = message ? std::get_if<dht::Response>(&*message) : nullptr;
    if (response == nullptr) return end(fail(kFailed, "the gateway answered no KRPC"));
    if (tag == kReadFirst) return ask(kMain, put(next_sequence(*response)));
    show(*response);
  }

  void on_error(const dht::Error& error) {
    std::string text(base::as_text(error.text));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    report_.note({{"event", "error"}, {"error", error.code}, {"text", text}}, {});
    end(fail(kFailed, fmt::format("the gateway says: {} (error {})", text, error.code)));
  }

  /// One above what is stored, if that is ours.
  [[nodiscard]] std::int64_t next_sequence(const dht::Response& response) const {
    if (!response.item || !is_wanted(*response.item) || !response.item->author) return 1;
    const std::int64_t stored = response.item->author->sequence;
    return stored + (stored < std::numeric_limits<std::int64_t>::max() ? 1 : 0);
  }

  [[nodiscard]] bool is_wanted(dht::Item item) const {
    if (item.author) item.author->salt = base::as_bytes(options_.salt);
    return target_of(item) == options_.target && !check(item);
  }

  void show(const dht::Response& response) {
    const dht::RemoteNode from{response.id, options_.gateway->address, {}};
    if (options_.kind == Kind::ping) {
      report_.show(dht::Pinged{kMain, from, net::now() - start_});
      return end(kOk);
    }
    std::vector<base::SocketAddress> peers;
    response.peers.for_each(dht::AddressPolicy::and_local,
                            [&](const base::SocketAddress& peer) { peers.push_back(peer); });
    if (!peers.empty()) report_.show(dht::PeersFound{kMain, from, peers});
    if (response.item && !show_item(from, *response.item)) return;
    const auto closest = closest_of(response);
    dht::Finished finished;
    const dht::Effort effort = response.effort.value_or(dht::Effort{});
    finished.asked = effort.asked;
    finished.answered = effort.answered;
    finished.stored = effort.stored;
    finished.closest = closest;
    report_.finish(finished, report_.what(options_.kind, finished), net::now() - start_,
                   options_.kind == Kind::find_node);
    if (effort.answered == 0)
      return end(fail(kUnreachable, "no node answered the gateway", "has it joined the DHT?"));
    end(report_.result(options_.kind, finished));
  }

  /// What is not what it claims to be is shown to nobody, whoever says so.
  bool show_item(const dht::RemoteNode& from, dht::Item item) {
    if (!is_wanted(item)) {
      end(fail(kFailed, "the gateway sent an item that is not the one that was asked for"));
      return false;
    }
    if (item.author) item.author->salt = base::as_bytes(options_.salt);
    report_.show(dht::ItemFound{kMain, from, item});
    return true;
  }

  [[nodiscard]] static std::vector<dht::RemoteNode> closest_of(const dht::Response& response) {
    std::vector<dht::RemoteNode> nodes;
    const auto add = [&](const auto& list) {
      for (std::size_t i = 0; i < list.size(); ++i)
        if (const auto contact = list.at(i, dht::AddressPolicy::and_local))
          nodes.push_back(dht::remote_node(*contact));
    };
    add(response.nodes);
    add(response.nodes6);
    add(response.sealed_nodes);
    add(response.sealed_nodes6);
    return nodes;
  }

  void on_failed(stream::FailReason why) {
    const std::string where = base::to_string(options_.gateway->address);
    const auto& down = requests_.last_failure();
    const bool unknown = down && down->handshake == stream::HandshakeError::not_authorised;
    switch (why) {
      case stream::FailReason::refused:
        return end(
            fail(kNotAuthorised, fmt::format("{} does not serve the DHT to this key", where)));
      case stream::FailReason::unknown_service:
        return end(fail(kFailed, fmt::format("{} does not serve the DHT", where)));
      case stream::FailReason::handshake:
        if (unknown)
          return end(fail(kNotAuthorised, fmt::format("{} does not know this key", where)));
        [[fallthrough]];
      case stream::FailReason::unreachable:
      case stream::FailReason::connection_lost:
      case stream::FailReason::shutdown:
        return end(fail(kUnreachable, fmt::format("no connection to the gateway {}: {}", where,
                                                  stream::to_string(why))));
      default:
        return end(
            fail(kFailed, fmt::format("{} has not answered: {}", where, stream::to_string(why))));
    }
  }

  void end(int code) {
    exit_ = static_cast<Exit>(code);
    loop_.stop();
  }

  const DhtOperationOptions& options_;
  Report report_;
  net::EventLoop loop_;
  crypto::SystemRng rng_;
  base::Instant start_;
  GatewayRequests requests_;
  std::optional<Exit> exit_;
};

}  // namespace

int run_dht_gateway_operation(const DhtOperationOptions& options) {
  return GatewayAction(options).run();
}

}  // namespace boxgram::tools
