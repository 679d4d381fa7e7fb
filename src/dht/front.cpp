#include <boxgram/dht/front.hpp>

#include "front_impl.hpp"

namespace boxgram::dht {

const char* to_string(FrontDrop reason) {
  switch (reason) {
    case FrontDrop::stranger:
      return "stranger";
    case FrontDrop::malformed:
      return "malformed";
    case FrontDrop::not_query:
      return "not_query";
    case FrontDrop::count_:
      break;
  }
  return "";
}

Front::Front(FrontConfig config, base::Rng& rng)
    : impl_(std::make_unique<Impl>(std::move(config), rng)) {}
Front::~Front() = default;
Front::Front(Front&&) noexcept = default;

std::size_t Front::handle_datagram(base::Instant now, std::size_t node,
                                   const base::SocketAddress& from, base::Bytes datagram,
                                   base::MutableBytes out) {
  return impl_->handle_datagram(now, node, from, datagram, out);
}
bool Front::poll_transmit(base::Instant now, Transmit& transmit, base::MutableBytes out) {
  return impl_->poll_transmit(now, transmit, out);
}
bool Front::poll_request(Request& request, base::MutableBytes out) {
  return impl_->poll_request(request, out);
}
void Front::answered(base::Instant now, std::uint64_t tag, base::Bytes message) {
  impl_->answered(now, tag, message);
}
void Front::failed(base::Instant now, std::uint64_t tag) {
  impl_->answered(now, tag, {});
}
void Front::handle_timeout(base::Instant now) {
  impl_->handle_timeout(now);
}
std::optional<base::Instant> Front::next_timeout() const {
  return impl_->next_timeout();
}
const NodeId& Front::id(std::size_t node) const {
  return impl_->id(node);
}
FrontCounters Front::counters() const {
  return impl_->counters();
}

}  // namespace boxgram::dht
