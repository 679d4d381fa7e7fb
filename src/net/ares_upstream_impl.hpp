// AresUpstream's inside: a pool of channels, and the books of the queries that c-ares holds.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <boxgram/base/slab.hpp>
#include <boxgram/base/timer_wheel.hpp>
#include <boxgram/net/ares_upstream.hpp>
#include <boxgram/net/deadline_timer.hpp>

#include "ares_channel.hpp"

namespace boxgram::net {

class AresUpstream::Impl final : public std::enable_shared_from_this<Impl>,
                                 private AresChannel::Host {
 public:
  Impl(asio::io_context& io, const AresUpstreamOptions& options, base::Rng& rng,
       AresUpstreamHandlers handlers);
  ~Impl();

  bool send(std::uint64_t tag, base::Bytes query, base::Duration timeout);
  void cancel(std::uint64_t tag);
  void close();

  [[nodiscard]] std::size_t in_flight() const { return queries_.size(); }
  [[nodiscard]] const AresUpstreamCounters& counters() const { return counters_; }

 private:
  /// Lives until c-ares has called back, for c-ares holds a pointer to it.
  struct Query {
    Impl* owner = nullptr;
    std::uint64_t tag = 0;
    base::Handle handle = 0;
    base::Handle next = 0;  // with the same hash
    AresChannel* channel = nullptr;
    base::Timer deadline;
    std::uint16_t id = 0;
    std::uint16_t caller_id = 0;
    bool over_tcp = false;
    bool over = false;  // the caller has its answer, its failure or has cancelled
    UpstreamFailure failure{};
    std::vector<std::uint8_t> bytes;
  };

  static void called_back(void* query, int status, int timeouts, unsigned char* answer, int size);
  void called_back(Query& query, int status, base::MutableBytes answer);
  [[nodiscard]] bool is_cut(const Query& query, base::Bytes answer) const;

  AresChannel* channel_for(bool over_tcp, base::Instant now);
  std::unique_ptr<AresChannel> open_channel(bool over_tcp, base::Instant now);
  void retire(std::unique_ptr<AresChannel>& channel);

  void start(Query& query, AresChannel& channel);
  void leave_channel(Query& query);
  void answer(Query& query, base::MutableBytes bytes);
  void fail(Query& query, UpstreamFailure reason);
  void fail_later(Query& query, UpstreamFailure reason);
  void deliver_failures();
  void finish(Query& query);

  [[nodiscard]] base::Handle& bucket(std::uint64_t tag);
  Query* find(std::uint64_t tag);
  void forget(Query& query);

  void begin_processing() override;
  void end_processing() override;
  void tick_all();
  void on_time();
  void want_time(base::Instant now);

  asio::io_context& io_;
  AresUpstreamOptions options_;
  base::Rng& rng_;
  AresUpstreamHandlers handlers_;
  std::string server_;
  base::Slab<Query> queries_;
  std::vector<base::Handle> buckets_;  // by tag; a power of two
  base::TimerWheel wheel_;
  DeadlineTimer timer_;
  base::Instant next_tick_{};
  std::vector<std::unique_ptr<AresChannel>> udp_;  // made when they are drawn
  std::unique_ptr<AresChannel> tcp_;
  std::vector<std::unique_ptr<AresChannel>> retired_;
  std::vector<base::Handle> failures_;  // to be delivered from the loop
  AresUpstreamCounters counters_;
  unsigned processing_ = 0;
  std::shared_ptr<Impl> keep_;  // while c-ares is at work: a handler may destroy the owner
  bool sending_ = false;
  bool delivered_ = false;
  bool closed_ = false;
};

}  // namespace boxgram::net
