#include <utility>

#include <fmt/format.h>

#include <boxgram/net/ares_upstream.hpp>

#include "ares_upstream_impl.hpp"

namespace boxgram::net {

AresUpstream::AresUpstream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

base::expected<AresUpstream, std::string> AresUpstream::create(asio::io_context& io,
                                                               const AresUpstreamOptions& options,
                                                               base::Rng& rng,
                                                               AresUpstreamHandlers handlers) {
  const auto& server = options.server;
  if (server.port == 0 || server.is_unspecified())
    return base::unexpected<std::string>(
        fmt::format("{} cannot be an upstream: it names no host", to_string(server)));
  if (server.scope != 0)
    return base::unexpected<std::string>(fmt::format(
        "{} cannot be an upstream: an address with a zone is not supported", to_string(server)));
  if (options.channels == 0 || options.max_in_flight == 0 || options.max_in_flight > 32'768)
    return base::unexpected<std::string>(fmt::format(
        "upstream {}: needs a channel and 1 to 32768 queries in flight", to_string(server)));
  return AresUpstream(std::make_shared<Impl>(io, options, rng, std::move(handlers)));
}

AresUpstream::~AresUpstream() {
  if (impl_) impl_->close();
}

AresUpstream::AresUpstream(AresUpstream&&) noexcept = default;

AresUpstream& AresUpstream::operator=(AresUpstream&& other) noexcept {
  if (this != &other) {
    if (impl_) impl_->close();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

bool AresUpstream::send(std::uint64_t tag, base::Bytes query, base::Duration timeout) {
  return impl_->send(tag, query, timeout);
}

void AresUpstream::cancel(std::uint64_t tag) {
  impl_->cancel(tag);
}
std::size_t AresUpstream::in_flight() const {
  return impl_->in_flight();
}
const AresUpstreamCounters& AresUpstream::counters() const {
  return impl_->counters();
}

}  // namespace boxgram::net
