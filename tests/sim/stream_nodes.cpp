#include "sim/stream_nodes.hpp"

#include <algorithm>

namespace boxgram::sim {

StreamServerNode::StreamServerNode(World& world, TcpNetwork& network, const Options& options,
                                   std::uint64_t seed)
    : world_(world), network_(network), options_(options), rng_(seed) {
  rng_.fill(identity_seed_.bytes());
  network_.listen([this](std::unique_ptr<TcpEnd> end, const SocketAddress& from) {
    accepted(std::move(end), from);
  });
  restart();
}

void StreamServerNode::make_keys() {
  if (rotation_) options_.rotation.last_serial = rotation_->last_serial();
  crypto::SharedKey reset;
  rng_.fill(reset.bytes());
  rotation_ = std::make_unique<packet::KeyRotation>(
      options_.rotation, rng_, wall_clock(), world_.now(), crypto::SigningKey(identity_seed_),
      std::nullopt, std::move(reset));
}

void StreamServerNode::restart() {
  for (auto& [handle, end] : ends_) end->abort();
  ends_.clear();
  pending_.clear();
  to_close_.clear();
  make_keys();
  server_ = std::make_unique<stream::Server>(options_.server, rng_, wall_clock(), world_.now(),
                                             rotation_->snapshot());
}

void StreamServerNode::drain() {
  server_->drain(world_.now());
  pump();
}

stream::ClientConfig StreamServerNode::client_config() const {
  stream::ClientConfig config;
  config.identity = crypto::SigningKey(identity_seed_).verify_key();
  return config;
}

void StreamServerNode::accepted(std::unique_ptr<TcpEnd> end, const SocketAddress& from) {
  const base::Handle handle = server_->accept(world_.now(), from);
  if (handle == 0) return;
  end->wake = [this, handle] {
    const auto found = ends_.find(handle);
    if (found == ends_.end()) return;
    read(handle, *found->second);
    write(handle);
    pump();
  };
  ends_[handle] = std::move(end);
  pump();
}

void StreamServerNode::read(base::Handle handle, TcpEnd& end) {
  while (true) {
    const std::size_t size = end.read(server_->room(handle));
    if (size == 0) break;
    server_->received(handle, size);
    pump();
    if (!ends_.contains(handle)) return;
  }
  if (end.ended()) server_->peer_ended(handle);
}

void StreamServerNode::take(const stream::ServerEvent& event) {
  const Instant now = world_.now();
  if (const auto* claim = std::get_if<stream::ClientProven>(&event)) {
    server_->authorise(now, claim->connection);
  } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
    const stream::Message& message = received->message;
    if (message.response) return;
    if (message.payload.size() < 10) {
      server_->respond_error(now, received->connection, message.id, packet::ErrorCode::malformed);
      return;
    }
    ++executions_[base::load_be64(message.payload.data())];
    pending_.push_back({now + options_.service_time,
                        received->connection,
                        message.type,
                        message.id,
                        {message.payload.begin(), message.payload.end()}});
  } else {
    to_close_.push_back(std::get<stream::ConnectionEnded>(event).connection);
  }
}

void StreamServerNode::write(base::Handle handle) {
  const auto found = ends_.find(handle);
  if (found == ends_.end()) return;
  most_unsent_ = std::max(most_unsent_, server_->unsent(handle).size());
  server_->sent(handle, found->second->write(server_->unsent(handle)));
}

void StreamServerNode::pump() {
  const Instant now = world_.now();
  do {
    server_->handle_timeout(now);
    stream::ServerEvent event;
    while (server_->poll_event(now, event)) take(event);
    for (std::size_t i = 0; i < pending_.size();) {
      if (pending_[i].due > now) {
        ++i;
        continue;
      }
      const Pending due = std::move(pending_[i]);
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
      server_->respond(now, due.connection, due.type, due.id, answer_to(due.request));
    }
    while (const base::Handle handle = server_->poll_transmit()) write(handle);
  } while (server_->next_timeout().value_or(Instant::max()) <= now ||
           std::any_of(pending_.begin(), pending_.end(),
                       [&](const Pending& p) { return p.due <= now; }));
  most_half_open_ = std::max(most_half_open_, server_->half_open());
  most_sessions_ = std::max(most_sessions_, server_->sessions());
  for (std::size_t i = 0; i < to_close_.size();) {
    const base::Handle handle = to_close_[i];
    const auto found = ends_.find(handle);
    if (found != ends_.end() && !server_->unsent(handle).empty() && !found->second->ended()) {
      ++i;  // it still reads
      continue;
    }
    server_->closed(handle);
    ends_.erase(handle);
    to_close_.erase(to_close_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void StreamServerNode::on_timeout(World&) {
  const Instant now = world_.now();
  if (rotation_->handle_timeout(now)) server_->install(rotation_->snapshot());
  server_->handle_timeout(now);
  pump();
  // What had to wait may be read now.
  std::vector<base::Handle> handles;
  for (const auto& [handle, end] : ends_) handles.push_back(handle);
  for (const base::Handle handle : handles)
    if (const auto found = ends_.find(handle); found != ends_.end()) read(handle, *found->second);
  pump();
}

std::optional<Instant> StreamServerNode::next_timeout() const {
  Instant next = rotation_->next_timeout();
  if (const auto at = server_->next_timeout()) next = std::min(next, *at);
  for (const Pending& pending : pending_) next = std::min(next, pending.due);
  return next;
}

StreamClientNode::StreamClientNode(World& world, TcpNetwork& network, const SocketAddress& own,
                                   stream::ClientConfig config, std::uint64_t seed)
    : world_(world),
      network_(network),
      own_(own),
      config_(std::move(config)),
      rng_(seed),
      next_id_(seed << 32) {
  if (!config_.client_key) {
    config_.client_key.emplace();
    rng_.fill(config_.client_key->bytes());
  }
  make_client();
}

void StreamClientNode::make_client() {
  stream::ClientConfig config;
  config.identity = config_.identity;
  config.client_key = config_.client_key->copy();
  config.capacity = config_.capacity;
  config.request_lifetime = config_.request_lifetime;
  config.connect_time = config_.connect_time;
  config.close_after = config_.close_after;
  config.ask_again = config_.ask_again;
  client_ = std::make_unique<stream::Client>(std::move(config), rng_, wall_clock(), world_.now());
}

void StreamClientNode::ask(std::size_t answer_size, std::size_t request_size) {
  const std::uint64_t id = next_id_++;
  const auto request = make_request(id, answer_size, request_size);
  Outcome& outcome = outcomes_[id];
  outcome.answer = answer_to(request);
  if (client_->request(world_.now(), packet::FrameType::dns, request, id) == 0) {
    outcome.failures = 1;
    outcome.reason = stream::FailReason::count_;
  }
  pump();
}

void StreamClientNode::close() {
  client_->close(world_.now());
  pump();
}

void StreamClientNode::read_slowly(std::size_t bytes, Duration pause) {
  read_most_ = bytes;
  read_pause_ = pause;
}

void StreamClientNode::vanish() {
  for (auto& [id, outcome] : outcomes_)
    if (outcome.answers + outcome.failures == 0) outcome.forgotten = true;
  ++attempt_;
  end_.reset();
  make_client();
}

void StreamClientNode::read() {
  while (end_) {
    if (world_.now() < read_again_) return;
    const base::MutableBytes room = client_->room();
    const std::size_t size = end_->read(room.first(std::min(room.size(), read_most_)));
    if (size == 0) break;
    client_->received(size);
    stream::ClientEvent event;
    while (client_->poll_event(world_.now(), event)) take(event);
    if (read_pause_ == Duration{0}) continue;
    read_again_ = world_.now() + read_pause_;
    world_.at(read_again_, [this] {
      read();
      pump();
    });
  }
  if (end_ && end_->ended()) client_->peer_ended();
}

void StreamClientNode::pump() {
  const Instant now = world_.now();
  stream::ClientEvent event;
  while (client_->poll_event(now, event)) take(event);
  while (end_) {
    const base::Bytes bytes = client_->unsent();
    most_unsent_ = std::max(most_unsent_, bytes.size());
    if (bytes.empty()) break;
    const std::size_t written = end_->write(bytes);
    client_->sent(written);
    if (written == 0) break;
  }
  if (client_->wants_close()) {
    ++attempt_;
    end_.reset();
    client_->disconnected();
  }
  if (!client_->wants_connection()) return;
  client_->connecting(now);
  network_.connect(own_, [this, attempt = ++attempt_](std::unique_ptr<TcpEnd> end) {
    if (attempt != attempt_) return;
    if (!end) {
      client_->connect_failed();
      return pump();
    }
    end_ = std::move(end);
    end_->wake = [this] {
      read();
      pump();
    };
    client_->connected(world_.now());
    pump();
  });
}

void StreamClientNode::take(const stream::ClientEvent& event) {
  if (const auto* answered = std::get_if<stream::Answered>(&event)) {
    Outcome& outcome = outcomes_.at(answered->tag);
    ++outcome.answers;
    outcome.wrong |= !std::ranges::equal(outcome.answer, answered->payload);
  } else if (const auto* failed = std::get_if<stream::RequestFailed>(&event)) {
    Outcome& outcome = outcomes_.at(failed->tag);
    ++outcome.failures;
    outcome.reason = failed->reason;
  } else if (const auto* down = std::get_if<stream::ConnectionDown>(&event)) {
    downs_.push_back(*down);
  }
}

void StreamClientNode::on_timeout(World&) {
  client_->handle_timeout(world_.now());
  pump();
}

std::size_t StreamClientNode::answered() const {
  return static_cast<std::size_t>(
      std::count_if(outcomes_.begin(), outcomes_.end(),
                    [](const auto& outcome) { return outcome.second.answers > 0; }));
}

}  // namespace boxgram::sim
