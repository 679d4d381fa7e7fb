#include <boxgram/stream/server.hpp>

#include "server_impl.hpp"

namespace boxgram::stream {

Server::Server(const ServerConfig& config, base::Rng& rng, base::WallClock wall,
               base::Instant start, std::shared_ptr<const packet::ServerKeys> keys)
    : impl_(std::make_unique<Impl>(config, rng, wall, start, std::move(keys))) {}

Server::~Server() = default;

void Server::install(std::shared_ptr<const packet::ServerKeys> keys) {
  impl_->install(std::move(keys));
}

base::Handle Server::accept(base::Instant now, const base::SocketAddress& from) {
  return impl_->accept(now, from);
}

base::MutableBytes Server::room(base::Handle connection) {
  ServerConnection* c = impl_->find(connection);
  return c == nullptr ? base::MutableBytes{} : impl_->room(*c);
}

void Server::received(base::Handle connection, std::size_t size) {
  if (ServerConnection* c = impl_->find(connection)) impl_->received(*c, size);
}

void Server::peer_ended(base::Handle connection) {
  if (ServerConnection* c = impl_->find(connection)) impl_->peer_ended(*c);
}

bool Server::poll_event(base::Instant now, ServerEvent& event) {
  return impl_->poll_event(now, event);
}

void Server::authorise(base::Instant now, base::Handle connection) {
  if (ServerConnection* c = impl_->find(connection)) impl_->authorise(now, *c);
}

void Server::refuse(base::Instant now, base::Handle connection, packet::ErrorCode code) {
  if (ServerConnection* c = impl_->find(connection)) impl_->refuse(now, *c, code);
}

bool Server::respond(base::Instant now, base::Handle connection, packet::FrameType type,
                     std::uint32_t id, base::Bytes payload) {
  ServerConnection* c = impl_->find(connection);
  return c != nullptr && impl_->respond(now, *c, type, id, payload);
}

bool Server::respond_error(base::Instant now, base::Handle connection, std::uint32_t id,
                           packet::ErrorCode code) {
  std::uint8_t payload[2];
  base::store_be16(payload, static_cast<std::uint16_t>(code));
  return respond(now, connection, packet::FrameType::error, id, payload);
}

void Server::close(base::Instant now, base::Handle connection, CloseCode code,
                   std::string_view reason) {
  if (ServerConnection* c = impl_->find(connection)) impl_->close(now, *c, code, reason);
}

std::optional<base::SocketAddress> Server::peer(base::Handle connection) const {
  const ServerConnection* c = impl_->find(connection);
  if (c == nullptr || c->end) return std::nullopt;
  return c->from;
}

base::Handle Server::poll_transmit() {
  return impl_->poll_transmit();
}

base::Bytes Server::unsent(base::Handle connection) {
  const ServerConnection* c = impl_->find(connection);
  return c == nullptr ? base::Bytes{} : c->out.held();
}

void Server::sent(base::Handle connection, std::size_t size) {
  if (ServerConnection* c = impl_->find(connection)) impl_->sent(*c, size);
}

void Server::drain(base::Instant now) {
  impl_->drain(now);
}

void Server::closed(base::Handle connection) {
  if (ServerConnection* c = impl_->find(connection)) impl_->closed(*c);
}

void Server::handle_timeout(base::Instant now) {
  impl_->handle_timeout(now);
}

std::optional<base::Instant> Server::next_timeout() const {
  return impl_->next_timeout();
}

const ServerCounters& Server::counters() const {
  return impl_->counters();
}

std::size_t Server::half_open() const {
  return impl_->half_open();
}

std::size_t Server::sessions() const {
  return impl_->sessions();
}

std::vector<SessionState> Server::session_states() const {
  return impl_->session_states();
}

}  // namespace boxgram::stream
