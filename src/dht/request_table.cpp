#include "request_table.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>

namespace boxgram::dht {

RequestTable::RequestTable(std::size_t capacity, base::Rng& rng) : rng_(rng), requests_(capacity) {
  BOXGRAM_CHECK(capacity <= 65536);
}

RequestTable::Queue& RequestTable::queue_of(const Request& request) {
  switch (request.place_) {
    case Request::Place::ready:
      return ready_;
    case Request::Place::young:
      return young_;
    case Request::Place::old:
      break;
  }
  return old_;
}

void RequestTable::push_back(Request& request, Request::Place place) {
  request.place_ = place;
  Queue& queue = queue_of(request);
  request.previous_ = queue.last;
  request.next_ = nullptr;
  (queue.last != nullptr ? queue.last->next_ : queue.first) = &request;
  queue.last = &request;
}

void RequestTable::unlink(Request& request) {
  Queue& queue = queue_of(request);
  (request.previous_ != nullptr ? request.previous_->next_ : queue.first) = request.next_;
  (request.next_ != nullptr ? request.next_->previous_ : queue.last) = request.previous_;
}

Request* RequestTable::add(RequestKind kind, const RemoteNode& node, const NodeId& target,
                           Operation operation) {
  base::Handle handle = 0;
  Request* request = requests_.acquire(handle);
  if (request == nullptr) return nullptr;
  request->self = handle;
  request->secret = static_cast<std::uint32_t>(rng_.u64());
  request->kind = kind;
  request->node = node;
  request->target = target;
  request->operation = operation;
  request->tries = request->prompts = 0;
  request->room = 0;
  push_back(*request, Request::Place::ready);
  return request;
}

Request* RequestTable::take_ready(base::Instant now) {
  Request* request = ready_.first;
  if (request == nullptr) return nullptr;
  unlink(*request);
  request->sent_at = now;
  ++request->tries;
  push_back(*request, Request::Place::young);
  return request;
}

void RequestTable::send_again(Request& request) {
  unlink(request);
  push_back(request, Request::Place::ready);
}

RequestTable::Transaction RequestTable::transaction_of(const Request& request) {
  Transaction transaction;
  base::store_be16(transaction.data(), static_cast<std::uint16_t>(request.self));
  base::store_be32(transaction.data() + 2, request.secret);
  return transaction;
}

Request* RequestTable::find(base::Bytes transaction) {
  if (transaction.size() != Transaction{}.size()) return nullptr;
  Request* request = requests_.find_index(base::load_be16(transaction.data()));
  // What has never been sent cannot be answered.
  if (request == nullptr || request->tries == 0) return nullptr;
  return request->secret == base::load_be32(transaction.data() + 2) ? request : nullptr;
}

void RequestTable::measure(base::Instant now, const Request& request) {
  if (request.tries != 1) return;
  const base::Duration sample = now - request.sent_at;
  if (smoothed_ == base::Duration{}) {
    smoothed_ = sample;
    variation_ = sample / 2;
  } else {
    const base::Duration error = sample > smoothed_ ? sample - smoothed_ : smoothed_ - sample;
    variation_ = (3 * variation_ + error) / 4;
    smoothed_ = (7 * smoothed_ + sample) / 8;
  }
  slow_after_ = std::clamp(smoothed_ + 4 * variation_, kMinSlow, kMaxSlow);
}

void RequestTable::release(Request& request) {
  unlink(request);
  requests_.release(request.self);
}

Request* RequestTable::expire(base::Instant now, Due& due) {
  if (Request* request = young_.first;
      request != nullptr && now - request->sent_at >= slow_after_) {
    unlink(*request);
    push_back(*request, Request::Place::old);
    due = Due::slow;
    return request;
  }
  if (Request* request = old_.first; request != nullptr && now - request->sent_at >= kDead) {
    due = Due::dead;
    return request;
  }
  return nullptr;
}

std::optional<base::Instant> RequestTable::next() const {
  std::optional<base::Instant> next;
  if (young_.first != nullptr) next = young_.first->sent_at + slow_after_;
  if (old_.first != nullptr) {
    const base::Instant dead = old_.first->sent_at + kDead;
    next = next ? std::min(*next, dead) : dead;
  }
  return next;
}

}  // namespace boxgram::dht
