#include "sim/tcp.hpp"

#include <algorithm>
#include <array>

namespace boxgram::sim {

/// What both ends know; the ends themselves are found here while they live.
struct TcpEnd::Shared {
  struct Way {
    std::vector<std::uint8_t> unread;
    std::size_t under_way = 0;
    Instant last_arrival{};
    bool finished = false;  // by the writer
    bool ended = false;     // at the reader
  };
  std::array<Way, 2> to;  // by the reader's side
  std::array<TcpEnd*, 2> ends{};
  bool cut = false;
};

TcpEnd::~TcpEnd() {
  finish();
  shared_->ends[side_] = nullptr;
}

std::size_t TcpEnd::write(base::Bytes bytes) {
  Shared::Way& way = shared_->to[1 - side_];
  if (shared_->cut || way.finished) return bytes.size();  // into the void, as a socket's buffer
  std::size_t written = 0;
  while (written < bytes.size()) {
    const std::size_t used = way.under_way + way.unread.size();
    const TcpOptions& options = network_.options();
    const std::size_t left = options.window > used ? options.window - used : 0;
    const std::size_t size = std::min({left, options.segment, bytes.size() - written});
    if (size == 0) break;
    const base::Bytes segment = bytes.subspan(written, size);
    network_.send_segment(shared_, 1 - side_, {segment.begin(), segment.end()}, false);
    written += size;
    if (shared_->cut) return bytes.size();
  }
  return written;
}

std::size_t TcpEnd::read(base::MutableBytes room) {
  Shared::Way& way = shared_->to[side_];
  const std::size_t size = std::min(room.size(), way.unread.size());
  std::copy_n(way.unread.begin(), size, room.begin());
  way.unread.erase(way.unread.begin(), way.unread.begin() + static_cast<std::ptrdiff_t>(size));
  if (size > 0) network_.wake(shared_, 1 - side_, network_.delay());  // its window has grown
  return size;
}

bool TcpEnd::ended() const {
  const Shared::Way& way = shared_->to[side_];
  return shared_->cut || (way.ended && way.unread.empty());
}

void TcpEnd::finish() {
  if (shared_->cut || std::exchange(shared_->to[1 - side_].finished, true)) return;
  network_.send_segment(shared_, 1 - side_, {}, true);
}

void TcpEnd::abort() {
  network_.cut(shared_);
}

Duration TcpNetwork::delay() {
  const auto jitter = static_cast<std::uint64_t>(options_.jitter.count());
  if (jitter == 0) return options_.delay;
  return options_.delay + Duration(static_cast<Duration::rep>(world_.rng().below(jitter)));
}

void TcpNetwork::send_segment(const std::shared_ptr<TcpEnd::Shared>& shared, std::size_t to,
                              std::vector<std::uint8_t> bytes, bool last) {
  if (options_.reset > 0 && world_.rng().below(1000) < options_.reset) return cut(shared);
  TcpEnd::Shared::Way& way = shared->to[to];
  const Instant arrival = std::max(world_.now() + delay(), way.last_arrival);
  way.last_arrival = arrival;
  way.under_way += bytes.size();
  world_.at(arrival, [this, shared, to, last, segment = std::move(bytes)] {
    TcpEnd::Shared::Way& there = shared->to[to];
    there.under_way -= segment.size();
    if (shared->cut) return;
    there.unread.insert(there.unread.end(), segment.begin(), segment.end());
    there.ended |= last;
    bytes_carried_ += segment.size();
    const auto when = static_cast<std::uint64_t>(world_.now().time_since_epoch().count());
    trace_hash_ = (trace_hash_ ^ when ^ to) * 0x100000001b3;
    for (const std::uint8_t byte : segment) trace_hash_ = (trace_hash_ ^ byte) * 0x100000001b3;
    notify(*shared, to);
  });
}

/// The owner may let the end go while it is called.
void TcpNetwork::notify(TcpEnd::Shared& shared, std::size_t side) {
  const TcpEnd* end = shared.ends[side];
  const auto wake = end == nullptr ? nullptr : end->wake;
  if (wake) wake();
}

void TcpNetwork::cut(const std::shared_ptr<TcpEnd::Shared>& shared) {
  if (std::exchange(shared->cut, true)) return;
  ++resets_;
  for (const std::size_t side : {0u, 1u}) wake(shared, side, delay());
}

void TcpNetwork::wake(const std::shared_ptr<TcpEnd::Shared>& shared, std::size_t side,
                      Duration after) {
  world_.after(after, [shared, side] { notify(*shared, side); });
}

void TcpNetwork::connect(const SocketAddress& from,
                         std::function<void(std::unique_ptr<TcpEnd>)> done) {
  world_.after(2 * delay(), [this, from, done = std::move(done)] {
    if (refused_ || !accept_) return done(nullptr);
    auto shared = std::make_shared<TcpEnd::Shared>();
    std::array<std::unique_ptr<TcpEnd>, 2> ends;
    for (const std::size_t side : {0u, 1u}) {
      ends[side].reset(new TcpEnd(*this, shared, side));
      shared->ends[side] = ends[side].get();
    }
    accept_(std::move(ends[1]), from);
    done(std::move(ends[0]));
  });
}

}  // namespace boxgram::sim
