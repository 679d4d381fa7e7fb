#include "ares_upstream_impl.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include <asio/post.hpp>

#include <boxgram/base/check.hpp>
#include <boxgram/net/clock.hpp>

namespace boxgram::net {
namespace {

// How often c-ares sees the time while it holds queries. ares_timeout(), which would say when,
// walks all of them; nothing of ours depends on this, only when c-ares forgets a query.
constexpr auto kTick = std::chrono::milliseconds(50);

constexpr std::size_t kDnsHeader = 12;
constexpr std::size_t kPlainDnsSize = 512;  // what c-ares cuts to once it has given up EDNS
constexpr std::uint8_t kTruncated = 0x02;   // TC, in the header's third byte

UpstreamFailure failure_of(int status) {
  switch (status) {
    case ARES_ETIMEOUT:
      return UpstreamFailure::timed_out;
    case ARES_ECONNREFUSED:
      return UpstreamFailure::unreachable;
    case ARES_EBADQUERY:
      return UpstreamFailure::bad_query;
    default:
      return UpstreamFailure::closed;
  }
}

}  // namespace

AresUpstream::Impl::Impl(asio::io_context& io, const AresUpstreamOptions& options, base::Rng& rng,
                         AresUpstreamHandlers handlers)
    : io_(io),
      options_(options),
      rng_(rng),
      handlers_(std::move(handlers)),
      server_(to_string(options.server)),
      queries_(options.max_in_flight),
      buckets_(std::bit_ceil(options.max_in_flight)),
      wheel_(now()),
      timer_(io, [this] { on_time(); }),
      udp_(options.channels) {}

AresUpstream::Impl::~Impl() {
  queries_.for_each([this](base::Handle, Query& query) { wheel_.clear(query.deadline); });
}

void AresUpstream::Impl::close() {
  closed_ = true;
  timer_.want(std::nullopt);
  if (processing_ > 0) return;  // c-ares must not be destroyed inside its own callback
  // Each remaining query is called back with ARES_EDESTRUCTION.
  udp_.clear();
  tcp_.reset();
  retired_.clear();
}

bool AresUpstream::Impl::send(std::uint64_t tag, base::Bytes bytes, base::Duration timeout) {
  base::Handle handle = 0;
  Query* query = queries_.acquire(handle);
  if (query == nullptr) {
    ++counters_.full;
    return false;
  }
  BOXGRAM_CHECK(find(tag) == nullptr);
  const auto time = now();
  query->owner = this;
  query->tag = tag;
  query->handle = handle;
  query->channel = nullptr;
  query->over = false;
  query->over_tcp = false;
  query->bytes.assign(bytes.begin(), bytes.end());
  query->next = std::exchange(bucket(tag), handle);
  query->deadline.tag = handle;
  ++counters_.sent;
  if (bytes.size() < kDnsHeader) {
    fail_later(*query, UpstreamFailure::bad_query);
    return true;
  }
  query->caller_id = base::load_be16(bytes.data());
  wheel_.set(query->deadline, time + timeout);
  if (auto* channel = channel_for(false, time); channel != nullptr)
    start(*query, *channel);
  else
    fail_later(*query, UpstreamFailure::closed);
  want_time(time);
  return true;
}

void AresUpstream::Impl::start(Query& query, AresChannel& channel) {
  query.channel = &channel;
  query.id = channel.take_id(rng_);
  ++channel.in_flight;
  base::store_be16(query.bytes.data(), query.id);
  // An error of the socket fails this query and others of the channel inside ares_send.
  const bool outer = std::exchange(sending_, true);
  channel.send(query.bytes, &Impl::called_back, &query);
  sending_ = outer;
}

void AresUpstream::Impl::called_back(void* argument, int status, int, unsigned char* answer,
                                     int size) {
  auto& query = *static_cast<Query*>(argument);
  query.owner->called_back(
      query, status,
      answer == nullptr ? base::MutableBytes{}
                        : base::MutableBytes(answer, static_cast<std::size_t>(std::max(0, size))));
}

void AresUpstream::Impl::called_back(Query& query, int status, base::MutableBytes bytes) {
  const bool answered = status == ARES_SUCCESS && bytes.size() >= kDnsHeader;
  const bool cut = answered && !query.over && is_cut(query, bytes);
  leave_channel(query);
  if (closed_ || query.over) {
    if (answered) ++counters_.late;
    finish(query);
  } else if (cut) {
    query.over_tcp = true;
    if (auto* channel = channel_for(true, now()); channel != nullptr)
      start(query, *channel);
    else
      fail(query, UpstreamFailure::closed);
  } else if (sending_) {
    fail_later(query, failure_of(status));
  } else if (answered) {
    answer(query, bytes);
  } else {
    fail(query, failure_of(status));
  }
}

bool AresUpstream::Impl::is_cut(const Query& query, base::Bytes answer) const {
  if (query.over_tcp) return false;
  return (answer[2] & kTruncated) != 0 || answer.size() >= AresChannel::kCutSize ||
         (answer.size() == kPlainDnsSize && query.channel->edns_lost());
}

void AresUpstream::Impl::leave_channel(Query& query) {
  query.channel->give_back_id(query.id);
  --query.channel->in_flight;
  query.channel = nullptr;
}

void AresUpstream::Impl::answer(Query& query, base::MutableBytes bytes) {
  base::store_be16(bytes.data(), query.caller_id);
  const auto tag = query.tag;
  ++counters_.answered;
  finish(query);
  delivered_ = true;
  if (handlers_.on_answer) handlers_.on_answer(tag, bytes);
}

void AresUpstream::Impl::fail(Query& query, UpstreamFailure reason) {
  const auto tag = query.tag;
  ++counters_.failed[static_cast<std::size_t>(reason)];
  if (query.channel == nullptr) {
    finish(query);
  } else {  // c-ares still holds it
    query.over = true;
    wheel_.clear(query.deadline);
    forget(query);
  }
  delivered_ = true;
  if (handlers_.on_failure) handlers_.on_failure(tag, reason);
}

void AresUpstream::Impl::fail_later(Query& query, UpstreamFailure reason) {
  wheel_.clear(query.deadline);
  query.failure = reason;
  failures_.push_back(query.handle);
  if (failures_.size() > 1) return;
  asio::post(io_, [self = shared_from_this()] {
    self->begin_processing();
    self->deliver_failures();
    self->end_processing();
  });
}

void AresUpstream::Impl::deliver_failures() {
  const auto failures = std::exchange(failures_, {});
  for (const auto handle : failures) {
    auto* query = queries_.find(handle);
    if (query == nullptr) continue;
    if (query->over || closed_)
      finish(*query);
    else
      fail(*query, query->failure);
  }
}

void AresUpstream::Impl::cancel(std::uint64_t tag) {
  auto* query = find(tag);
  if (query == nullptr) return;
  query->over = true;
  wheel_.clear(query->deadline);
  forget(*query);
}

void AresUpstream::Impl::finish(Query& query) {
  wheel_.clear(query.deadline);
  if (!query.over) forget(query);
  queries_.release(query.handle);
}

base::Handle& AresUpstream::Impl::bucket(std::uint64_t tag) {
  return buckets_[(tag * 0x9e3779b97f4a7c15 >> 32) & (buckets_.size() - 1)];
}

AresUpstream::Impl::Query* AresUpstream::Impl::find(std::uint64_t tag) {
  for (auto handle = bucket(tag); handle != 0;) {
    auto* query = queries_.find(handle);
    if (query->tag == tag) return query;
    handle = query->next;
  }
  return nullptr;
}

void AresUpstream::Impl::forget(Query& query) {
  auto* link = &bucket(query.tag);
  while (*link != query.handle) link = &queries_.find(*link)->next;
  *link = query.next;
}

void AresUpstream::Impl::begin_processing() {
  if (processing_++ == 0) keep_ = shared_from_this();
}

void AresUpstream::Impl::end_processing() {
  if (--processing_ > 0) return;
  const auto keep = std::move(keep_);
  std::erase_if(retired_, [](const auto& channel) { return channel->in_flight == 0; });
  if (closed_)
    close();
  else if (std::exchange(delivered_, false) && handlers_.on_drained)
    handlers_.on_drained();
}

void AresUpstream::Impl::on_time() {
  const auto keep = shared_from_this();
  const auto time = now();
  begin_processing();
  while (auto* timer = closed_ ? nullptr : wheel_.expire(time))
    fail(*queries_.find(timer->tag), UpstreamFailure::timed_out);
  if (!closed_ && time >= next_tick_) {
    next_tick_ = time + kTick;
    tick_all();
  }
  end_processing();
  if (!closed_) want_time(time);
}

void AresUpstream::Impl::tick_all() {
  // Handlers send queries, so channels may be retired meanwhile: no iterators here.
  for (std::size_t i = 0; i < retired_.size(); ++i)
    if (retired_[i]->in_flight > 0) retired_[i]->tick();
  for (auto& channel : udp_)
    if (channel && channel->in_flight > 0) channel->tick();
  if (tcp_ && tcp_->in_flight > 0) tcp_->tick();
}

void AresUpstream::Impl::want_time(base::Instant time) {
  if (queries_.size() == 0) {
    timer_.want(std::nullopt);
    return;
  }
  // After a pause the tick would lie in the past.
  if (next_tick_ < time) next_tick_ = time + kTick;
  const auto deadline = wheel_.next();
  timer_.want(deadline ? std::min(*deadline, next_tick_) : next_tick_);
}

AresChannel* AresUpstream::Impl::channel_for(bool over_tcp, base::Instant time) {
  auto& channel = over_tcp ? tcp_ : udp_[rng_.below(udp_.size())];
  if (channel && (channel->queries >= options_.channel_queries ||
                  time - channel->opened_at >= options_.channel_lifetime))
    retire(channel);
  // is_cut() bridges the time until this is seen.
  if (channel && time - channel->checked_at >= kTick) {
    channel->checked_at = time;
    if (channel->edns_lost()) {
      ++counters_.edns_lost;
      retire(channel);
    }
  }
  if (!channel) channel = open_channel(over_tcp, time);
  return channel.get();
}

void AresUpstream::Impl::retire(std::unique_ptr<AresChannel>& channel) {
  retired_.push_back(std::move(channel));
}

std::unique_ptr<AresChannel> AresUpstream::Impl::open_channel(bool over_tcp, base::Instant time) {
  ++counters_.channels_opened;
  const auto transport = over_tcp ? AresChannel::Transport::tcp : AresChannel::Transport::udp;
  return AresChannel::open(io_, server_, transport, time, *this);
}

}  // namespace boxgram::net
