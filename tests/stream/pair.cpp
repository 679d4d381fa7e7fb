#include "stream/pair.hpp"

#include <gtest/gtest.h>

namespace boxgram::test {

using stream::ConnectionDown;
using stream::ConnectionEnded;

namespace {

void append(Buffer& to, base::Bytes bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void drop_front(Buffer& bytes, std::size_t size) {
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace

crypto::KeyPair Pair::client_key_pair() {
  SeededRng rng(77);
  return crypto::generate_key_pair(rng);
}

Pair::Pair(PairOptions pair_options)
    : options(std::move(pair_options)),
      server_rng(options.seed * 2),
      client_rng(options.seed * 2 + 1) {
  if (!options.identity) options.client.pinned_key = keys->live.back()->public_key;
  if (options.client_key) options.client.client_key = client_key_pair().secret_key.copy();
  server = std::make_unique<stream::Server>(options.server, server_rng, wall, now, keys);
  client = std::make_unique<stream::Client>(std::move(options.client), client_rng, wall, now);
}

std::uint64_t Pair::ask(base::Bytes payload, packet::FrameType service_type) {
  const std::uint64_t tag = next_tag_++;
  EXPECT_NE(client->request(now, service_type, payload, tag), 0u);
  return tag;
}

bool Pair::open_connection() {
  if (!client->wants_connection()) return false;
  client->connecting(now);
  to_server.clear();
  to_client.clear();
  broken_ = false;
  connection = server->accept(now, kClientAddress);
  client_open_ = true;
  server_open_ = connection != 0;
  client_told_ = false;
  server_told_ = connection == 0;
  client->connected(now);
  return true;
}

void Pair::carry(base::Bytes bytes, Buffer& record, Buffer& way,
                 const std::function<void(Buffer&)>& hook) {
  Buffer fresh(bytes.begin(), bytes.end());
  append(record, fresh);
  if (hook) hook(fresh);
  if (!broken_) append(way, fresh);
}

bool Pair::carry_to_server() {
  bool moved = false;
  if (client_open_ && client_reads) {
    const base::Bytes out = client->unsent();
    if (!out.empty()) carry(out, from_client, to_server, on_way_up);
    moved |= !out.empty();
    client->sent(out.size());
  }
  if (!server_open_) return moved;
  const base::MutableBytes room = server->room(connection);
  const std::size_t size = std::min({room.size(), to_server.size(), slice});
  if (size > 0) {
    std::copy_n(to_server.begin(), size, room.begin());
    drop_front(to_server, size);
    server->received(connection, size);
    moved = true;
  }
  if (to_server.empty() && (broken_ || !client_open_) && !server_told_) {
    server->peer_ended(connection);
    server_told_ = moved = true;
  }
  return moved;
}

bool Pair::carry_to_client() {
  bool moved = false;
  while (server_reads) {
    const base::Handle handle = server->poll_transmit();
    if (handle == 0) break;
    const base::Bytes out = server->unsent(handle);
    if (handle == connection) carry(out, from_server, to_client, on_way_down);
    server->sent(handle, out.size());
    moved = true;
  }
  if (!client_open_) return moved;
  const base::MutableBytes room = client->room();
  const std::size_t size = std::min({room.size(), to_client.size(), slice});
  if (size > 0) {
    std::copy_n(to_client.begin(), size, room.begin());
    drop_front(to_client, size);
    client->received(size);
    moved = true;
  }
  if (to_client.empty() && (broken_ || !server_open_) && !client_told_) {
    client->peer_ended();
    client_told_ = moved = true;
  }
  return moved;
}

void Pair::handle(const stream::ServerEvent& event) {
  if (const auto* claim = std::get_if<stream::ClientProven>(&event)) {
    proven.push_back(claim->client_key);
    const auto no = allow_list ? allow_list(claim->client_key) : std::nullopt;
    if (no)
      server->refuse(now, claim->connection, *no);
    else
      server->authorise(now, claim->connection);
  } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
    const stream::Message& message = received->message;
    requests.push_back({received->connection, message.type, message.response, message.id,
                        Buffer(message.payload.begin(), message.payload.end())});
    if (service) return service(requests.back());
    if (!message.response)
      server->respond(now, received->connection, message.type, message.id, requests.back().payload);
  } else {
    server_ended = std::get<ConnectionEnded>(event);
  }
}

bool Pair::drain_server() {
  bool moved = false;
  stream::ServerEvent event;
  while (server->poll_event(now, event)) {
    handle(event);
    moved = true;
  }
  return moved;
}

void Pair::handle(const stream::ClientEvent& event) {
  if (const auto* answered = std::get_if<stream::Answered>(&event))
    answers.push_back({answered->tag, Buffer(answered->payload.begin(), answered->payload.end())});
  else if (const auto* failed = std::get_if<stream::RequestFailed>(&event))
    failures.push_back(*failed);
  else if (const auto* down = std::get_if<ConnectionDown>(&event))
    downs.push_back(*down);
  else
    ++readies;
}

bool Pair::drain_client() {
  bool moved = false;
  stream::ClientEvent event;
  while (client->poll_event(now, event)) {
    handle(event);
    moved = true;
  }
  return moved;
}

/// Each end closes its socket when it has nothing to write any more.
bool Pair::close_connection() {
  bool moved = false;
  if (client_open_ && client->wants_close() && client->unsent().empty()) {
    client->disconnected();
    client_open_ = false;
    moved = true;
  }
  if (server_open_ && server_ended && server_ended->connection == connection &&
      server->unsent(connection).empty()) {
    server->closed(connection);
    server_open_ = false;
    moved = true;
  }
  return moved;
}

bool Pair::step() {
  bool moved = open_connection();
  moved |= drain_client();
  moved |= carry_to_server();
  moved |= drain_server();
  moved |= carry_to_client();
  moved |= drain_client();
  moved |= close_connection();
  return moved;
}

void Pair::run() {
  while (step()) {
  }
}

void Pair::check_not_due() const {
  EXPECT_GT(client->next_timeout().value_or(base::Instant::max()), now) << "the client spins";
  EXPECT_GT(server->next_timeout().value_or(base::Instant::max()), now) << "the server spins";
}

void Pair::advance(base::Duration duration) {
  const base::Instant end = now + duration;
  run();
  while (true) {
    base::Instant next = end;
    if (const auto at = client->next_timeout()) next = std::min(next, *at);
    if (const auto at = server->next_timeout()) next = std::min(next, *at);
    now = std::max(now, next);
    client->handle_timeout(now);
    server->handle_timeout(now);
    run();
    check_not_due();
    if (now >= end || testing::Test::HasFailure()) return;
  }
}

std::optional<Buffer> Pair::ask_and_wait(base::Bytes payload, packet::FrameType service_type) {
  const std::uint64_t tag = ask(payload, service_type);
  run();
  const Buffer* found = answer(tag);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

void Pair::connect() {
  ASSERT_TRUE(ask_and_wait(base::as_bytes("first")));
  ASSERT_TRUE(client->ready());
  answers.clear();
  requests.clear();
}

const Buffer* Pair::answer(std::uint64_t tag) const {
  for (const SeenAnswer& seen : answers)
    if (seen.tag == tag) return &seen.payload;
  return nullptr;
}

std::optional<stream::FailReason> Pair::failure(std::uint64_t tag) const {
  for (const stream::RequestFailed& failed : failures)
    if (failed.tag == tag) return failed.reason;
  return std::nullopt;
}

}  // namespace boxgram::test
