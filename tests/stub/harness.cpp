#include "stub/harness.hpp"

#include <algorithm>

#include <boxgram/crypto/sign.hpp>

namespace boxgram::test {
namespace {

const auto kStubAddress = base::SocketAddress::v4(192, 0, 2, 7, 40000);

/// The size that stands in "sSIZE.REST".
std::size_t size_in(base::Bytes name) {
  std::size_t size = 0;
  for (std::size_t i = 2; i <= name[0]; ++i) size = size * 10 + (name[i] - '0');
  return size;
}

Octets answer_to(base::Bytes query) {
  const auto parsed = dns::parse_query(query);
  std::size_t left = size_in(parsed->name);
  Octets text;
  while (left > 0) {
    const std::size_t part = std::min<std::size_t>(left, 256);
    text.push_back(static_cast<std::uint8_t>(part - 1));
    text.insert(text.end(), part - 1, 'x');
    left -= part;
  }
  return header(parsed->id, 0x8180, 1, 1, 0, 1) + Octets(parsed->name.begin(), parsed->name.end()) +
         u16(parsed->type) + u16(parsed->rr_class) +
         record(pointer(12), dns::rrtype::txt, 300, text) + opt(1232);
}

}  // namespace

MemoryGateway::MemoryGateway(base::Instant now, base::WallClock wall, std::uint64_t seed)
    : wall_(wall), rng_(seed) {
  rng_.fill(identity_.bytes());
  restart(now);
}

void MemoryGateway::restart(base::Instant now) {
  packet::KeyRotationConfig config;
  if (keys_) config.last_serial = keys_->last_serial();
  keys_ = std::make_unique<packet::KeyRotation>(
      config, rng_, wall_, now, crypto::SigningKey(identity_), std::nullopt, crypto::SharedKey());
  const base::Instant boot = now - 1h;  // long enough ago not to ask for cookies
  packets_ = std::make_unique<packet::Server>(packet::ServerConfig{}, rng_, wall_, boot,
                                              keys_->snapshot());
  streams_ = std::make_unique<stream::Server>(stream::ServerConfig{}, rng_, wall_, boot,
                                              keys_->snapshot());
  broken_ = connection_ != 0;
}

stub::GatewayConfig MemoryGateway::config() const {
  stub::GatewayConfig config;
  config.packets.identity = crypto::SigningKey(identity_).verify_key();
  config.streams = takes_streams;
  return config;
}

bool MemoryGateway::carry(base::Instant now, stub::Core& core, std::size_t index) {
  bool moved = carry_datagrams(now, core, index);
  if (stream::Client* client = core.stream(index)) {
    moved |= carry_stream(now, *client);
    core.stream_input(now, index);
  }
  return moved;
}

bool MemoryGateway::carry_datagrams(base::Instant now, stub::Core& core, std::size_t index) {
  bool moved = false;
  while (const std::size_t size = core.poll_transmit(now, index, in_)) {
    moved = true;
    if (mute) continue;
    auto received = packets_->receive(now, kStubAddress, base::MutableBytes(in_).first(size), out_);
    if (received.kind == packet::Received::Kind::request) answer(now, received);
    if (received.size > 0)
      core.gateway_datagram(now, index, base::MutableBytes(out_).first(received.size));
  }
  return moved;
}

void MemoryGateway::answer(base::Instant, packet::Received& received) {
  ++datagrams;
  const Octets answer = answer_to(received.payload);
  const auto space = packet::Server::payload_space(received.reply, out_);
  if (answer.size() <= space.size()) {
    std::copy(answer.begin(), answer.end(), space.begin());
    received.size = packets_->seal_reply(received.reply, answer.size(), out_);
  } else {
    const Octets detail = u16(static_cast<unsigned>(answer.size()));
    received.size =
        packets_->seal_error(received.reply, packet::ErrorCode::too_large, detail, out_);
  }
}

bool MemoryGateway::carry_stream(base::Instant now, stream::Client& client) {
  bool moved = false;
  if (client.wants_connection()) {
    moved = true;
    client.connecting(now);
    if (tcp == Tcp::refuses) client.connect_failed();
    if (tcp == Tcp::works) {
      ++connections;
      connection_ = streams_->accept(now, kStubAddress);
      ended_ = false;
      client.connected(now);
    }
  }
  if (connection_ != 0) moved |= carry_bytes(client);
  moved |= take_events(now);
  if (client.wants_close()) {
    moved = true;
    if (connection_ != 0) streams_->closed(connection_);
    connection_ = 0;
    client.disconnected();
  }
  return moved;
}

bool MemoryGateway::carry_bytes(stream::Client& client) {
  if (broken_ || ended_) {
    broken_ = false;
    streams_->closed(connection_);
    connection_ = 0;
    client.peer_ended();
    return true;
  }
  const base::Bytes up = client.unsent();
  const base::MutableBytes up_room = streams_->room(connection_);
  const std::size_t up_size = std::min(up.size(), up_room.size());
  std::copy_n(up.begin(), up_size, up_room.begin());
  streams_->received(connection_, up_size);
  client.sent(up_size);
  while (streams_->poll_transmit() != 0) {
  }
  const base::Bytes down = streams_->unsent(connection_);
  const base::MutableBytes down_room = client.room();
  const std::size_t down_size = std::min(down.size(), down_room.size());
  std::copy_n(down.begin(), down_size, down_room.begin());
  client.received(down_size);
  streams_->sent(connection_, down_size);
  return up_size + down_size > 0;
}

bool MemoryGateway::take_events(base::Instant now) {
  bool moved = false;
  stream::ServerEvent event;
  while (streams_->poll_event(now, event)) {
    moved = true;
    if (const auto* proven = std::get_if<stream::ClientProven>(&event)) {
      streams_->authorise(now, proven->connection);
    } else if (const auto* received = std::get_if<stream::MessageReceived>(&event)) {
      ++by_stream;
      held_.push_back(
          {received->connection, received->message.id, answer_to(received->message.payload)});
      if (!holds_answers) release(now);
    } else {
      ended_ = std::get<stream::ConnectionEnded>(event).connection == connection_;
    }
  }
  return moved;
}

void MemoryGateway::release(base::Instant now) {
  for (auto held = held_.rbegin(); held != held_.rend(); ++held)
    streams_->respond(now, held->connection, packet::FrameType::dns, held->id, held->answer);
  held_.clear();
}

std::size_t StubAnswer::data_size() const {
  if (base::load_be16(&bytes[6]) == 0) return 0;
  std::size_t at = dns::kHeaderSize;
  (void)dns::Name::read(bytes, at);
  return base::load_be16(&bytes[at + 4 + 2 + 8]);  // question | pointer, type, class, TTL | size
}

unsigned StubAnswer::extended_error() const {
  for (const std::string& line : lines_of(bytes)) {
    if (!line.starts_with("2 . 41 ")) continue;
    const auto hex = line.substr(line.rfind(' ') + 1);
    if (hex.starts_with("000f"))
      return static_cast<unsigned>(std::stoul(hex.substr(8, 4), nullptr, 16));
  }
  return 0xffff;
}

StubHarness::StubHarness(std::size_t gateways, bool cache) {
  if (cache) cache_ = std::make_unique<dns::SharedCache>(dns::CacheOptions{}, rng_, 1);
  for (std::size_t i = 0; i < gateways; ++i)
    gateways_.push_back(std::make_unique<MemoryGateway>(now, wall_, 100 + i));
}

void StubHarness::start() {
  auto rules = std::make_shared<dns::ForwarderConfig>();
  std::vector<stub::GatewayConfig> configs;
  for (std::size_t i = 0; i < gateways_.size(); ++i) {
    rules->upstreams.push_back({"gateway " + std::to_string(i), true, false});
    rules->default_group.push_back(static_cast<dns::UpstreamIndex>(i));
    configs.push_back(gateways_[i]->config());
    configs.back().packets.key_per_query = key_per_query;
  }
  rules->special_names = false;
  core_ = std::make_unique<stub::Core>(configs, rules, cache_.get(), rng_, wall_, now);
}

std::uint32_t StubHarness::ask(std::size_t size, bool tcp, std::string_view rest) {
  const std::uint32_t number = ++last_;
  stub::Asker asker;
  asker.from.scope = number;
  asker.connection = tcp ? 1 : 0;
  asked_[number] = now;
  const auto query =
      query_for("s" + std::to_string(size) + "." + std::string(rest), dns::rrtype::txt);
  const auto outcome = core_->query(now, asker, query, out_);
  if (outcome.kind == stub::Core::Outcome::Kind::answered) take(number, outcome.size);
  return number;
}

void StubHarness::take(std::uint32_t number, std::size_t size) {
  EXPECT_FALSE(answers_.contains(number)) << "answered twice";
  answers_[number] = {now - asked_.at(number),
                      Octets(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(size))};
}

void StubHarness::settle() {
  bool moved = true;
  while (moved) {
    moved = false;
    for (std::size_t i = 0; i < gateways_.size(); ++i) moved |= gateways_[i]->carry(now, *core_, i);
    stub::Core::Answer answer;
    while (core_->poll_answer(now, answer, out_)) {
      take(answer.asker.from.scope, answer.size);
      moved = true;
    }
  }
}

void StubHarness::run(base::Duration time) {
  const base::Instant end = now + time;
  settle();
  while (const auto next = core_->next_timeout()) {
    if (*next > end) break;
    now = std::max(now, *next);
    core_->handle_timeout(now);
    settle();
    const auto then = core_->next_timeout();
    ASSERT_TRUE(!then || *then > now) << "the stub spins";
  }
  now = end;
}

StubAnswer StubHarness::answer_of(std::size_t size, bool tcp, std::string_view rest) {
  const std::uint32_t number = ask(size, tcp, rest);
  settle();
  for (int i = 0; i < 80 && !has_answer(number); ++i) run(50ms);
  EXPECT_TRUE(has_answer(number)) << size;
  return has_answer(number) ? answer(number) : StubAnswer{{}, Octets(12)};
}

}  // namespace boxgram::test
