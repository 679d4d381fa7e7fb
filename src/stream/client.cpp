#include <boxgram/stream/client.hpp>

#include "client_impl.hpp"

namespace boxgram::stream {

const char* to_string(FailReason reason) {
  static constexpr const char* kNames[] = {"timed_out",       "unreachable", "handshake",
                                           "connection_lost", "too_large",   "refused",
                                           "unknown_service", "malformed",   "shutdown"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(FailReason::count_));
  return kNames[static_cast<std::size_t>(reason)];
}

Client::Client(ClientConfig config, base::Rng& rng, base::WallClock wall, base::Instant start)
    : impl_(std::make_unique<Impl>(std::move(config), rng, wall, start)) {}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

void Client::show_certificates(base::Instant now, base::Bytes certificates) {
  impl_->show_certificates(now, certificates);
}

base::Handle Client::request(base::Instant now, packet::FrameType service, base::Bytes payload,
                             std::uint64_t tag) {
  return impl_->request(now, service, payload, tag);
}

void Client::cancel(base::Handle request) {
  impl_->cancel(request);
}

bool Client::wants_connection() const {
  return impl_->wants_connection();
}

void Client::connecting(base::Instant now) {
  impl_->connecting(now);
}

void Client::connected(base::Instant now) {
  impl_->connected(now);
}

void Client::connect_failed() {
  impl_->connect_failed();
}

bool Client::wants_close() const {
  return impl_->wants_close();
}

void Client::disconnected() {
  impl_->disconnected();
}

base::MutableBytes Client::room() {
  return impl_->room();
}

void Client::received(std::size_t size) {
  impl_->received(size);
}

void Client::peer_ended() {
  impl_->peer_ended();
}

base::Bytes Client::unsent() {
  return impl_->unsent();
}

void Client::sent(std::size_t size) {
  impl_->sent(size);
}

bool Client::poll_event(base::Instant now, ClientEvent& event) {
  return impl_->poll_event(now, event);
}

void Client::close(base::Instant now) {
  impl_->close(now);
}

void Client::handle_timeout(base::Instant now) {
  impl_->handle_timeout(now);
}

std::optional<base::Instant> Client::next_timeout() const {
  return impl_->next_timeout();
}

const ClientCounters& Client::counters() const {
  return impl_->counters();
}

bool Client::ready() const {
  return impl_->ready();
}

std::size_t Client::outstanding() const {
  return impl_->outstanding();
}

std::uint32_t Client::highest_serial() const {
  return impl_->highest_serial();
}

}  // namespace boxgram::stream
