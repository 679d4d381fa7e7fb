#include "stream_service.hpp"

#include <utility>

#include <boxgram/net/clock.hpp>

#include "log.hpp"
#include "query_log.hpp"

namespace boxgram::tools {

using packet::FrameType;

StreamService::StreamService(net::EventLoop& loop, ControlDesk& desk,
                             std::shared_ptr<const packet::ServerKeys> keys,
                             dns::SharedCache* cache, base::WallClock wall, base::Instant start,
                             const GatewayRules& rules)
    : desk_(desk),
      first_rules_(rules),
      worker_({}, std::move(keys), rules.forwarder, cache, rng_, wall, start),
      resolvers_(loop, rng_, worker_.lines(), [this] { settle(); }),
      port_(loop, worker_.server(), [this] { settle(); }),
      timer_(loop.io(), [this] {
        worker_.handle_timeout(net::now());
        settle();
      }) {
  worker_.show_queries(rules.log_queries);
}

base::expected<void, std::string> StreamService::open(
    std::span<const base::SocketAddress> addresses) {
  for (const auto& address : addresses) {
    auto listening = port_.listen(address);
    if (!listening) return listening;
  }
  timer_.want(worker_.next_timeout());
  return resolvers_.open(first_rules_);
}

/// After any input: answer what can be answered, ask resolvers, write, set the timer.
void StreamService::settle() {
  if (settling_) return;  // a control command that came in is at work
  settling_ = true;
  const base::Instant now = net::now();
  gateway::StreamEvent event;
  do {
    while (worker_.poll_event(now, event)) handle(event);
  } while (resolvers_.run_actions(now));
  settling_ = false;
  port_.flush();
  timer_.want(worker_.next_timeout());
  if (on_empty_ && worker_.server().sessions() == 0) std::exchange(on_empty_, nullptr)();
}

void StreamService::handle(const gateway::StreamEvent& event) {
  const base::Instant now = net::now();
  if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
    if (const auto rights = desk_.admit(proven->connection, proven->client_key))
      worker_.admit(now, proven->connection, *rights);
    else
      worker_.refuse(now, proven->connection);
  } else if (const auto* request = std::get_if<gateway::ControlRequest>(&event)) {
    desk_.handle(request->connection, request->payload,
                 [this, connection = request->connection, id = request->id](std::string text) {
                   answer_control(connection, id, text);
                 });
  } else if (const auto* asked = std::get_if<gateway::DhtRequest>(&event)) {
    if (dht_ != nullptr)
      dht_->request(asked->connection, asked->id, asked->payload);
    else
      worker_.server().respond_error(now, asked->connection, asked->id,
                                     packet::ErrorCode::unknown_service);
  } else if (const auto* seen = std::get_if<gateway::QuerySeen>(&event)) {
    if (const auto from = worker_.server().peer(seen->connection)) log_query(seen->query, *from);
  } else {
    const auto& ended = std::get<stream::ConnectionEnded>(event);
    desk_.forget(ended.connection);
    if (dht_ != nullptr) dht_->forget(ended.connection);
    port_.end(ended);
  }
}

void StreamService::answer_control(base::Handle connection, std::uint32_t id,
                                   const std::string& text) {
  worker_.server().respond(net::now(), connection, FrameType::control, id, base::as_bytes(text));
  settle();
}

void StreamService::serve_dht(GatewayDht& dht) {
  dht_ = &dht;
  dht.on_answer([this](const auto& answered) { answer_dht(answered); });
}

void StreamService::answer_dht(const gateway::DhtService::Answered& answered) {
  stream::Server& server = worker_.server();
  if (answered.message.empty())
    server.respond_error(net::now(), answered.connection, answered.id,
                         packet::ErrorCode::malformed);
  else
    server.respond(net::now(), answered.connection, FrameType::dht, answered.id, answered.message);
  settle();
}

void StreamService::install(std::shared_ptr<const packet::ServerKeys> keys) {
  worker_.server().install(std::move(keys));
}

bool StreamService::reload(const GatewayRules& rules) {
  const auto done = resolvers_.reload(net::now(), rules);
  if (!done) {
    log::error("the new upstreams cannot be opened; the old rules stay",
               {{"reason", done.error()}});
    return false;
  }
  worker_.show_queries(rules.log_queries);
  settle();
  return true;
}

void StreamService::clients_changed() {
  for (const auto& change : desk_.recheck()) {
    if (change.rights)
      worker_.change_rights(change.connection, *change.rights);
    else
      worker_.server().close(net::now(), change.connection, stream::CloseCode::revoked,
                             "this key's rights have changed");
  }
  settle();
}

void StreamService::drain(std::function<void()> on_empty) {
  port_.stop_listening();
  worker_.server().drain(net::now());
  on_empty_ = std::move(on_empty);
  settle();
}

std::vector<SessionRow> StreamService::sessions() const {
  std::vector<SessionRow> rows;
  for (const stream::SessionState& state : worker_.server().session_states())
    rows.push_back({desk_.number_of(state.connection), desk_.name_of(state.connection), state.from,
                    state.began, state.requests, state.outstanding, state.bytes_in,
                    state.bytes_out});
  return rows;
}

void StreamService::kill_session(std::uint64_t id) {
  worker_.server().close(net::now(), desk_.connection_of(id), stream::CloseCode::killed,
                         "ended by an operator");
  settle();
}

WorkerSnapshot StreamService::snapshot() const {
  WorkerSnapshot copy;
  const dns::Forwarder& forwarder = worker_.lines().current();
  copy.forwarder = forwarder.counters();
  copy.waits = forwarder.waits();
  copy.rules = resolvers_.rules();
  for (std::size_t i = 0; i < forwarder.upstream_count(); ++i)
    copy.upstreams.push_back(forwarder.upstream_state(static_cast<dns::UpstreamIndex>(i)));
  copy.pending = worker_.pending();
  copy.worker.dns_requests = worker_.counters().dns_requests;
  copy.worker.answered_at_once = worker_.counters().answered_at_once;
  copy.worker.full = worker_.counters().full;
  copy.worker.over_share = worker_.counters().over_share;
  return copy;
}

}  // namespace boxgram::tools
