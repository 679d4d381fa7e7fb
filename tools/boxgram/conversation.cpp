#include "conversation.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <boxgram/net/clock.hpp>

namespace boxgram::tools {
namespace {

packet::ClientConfig packet_config(const packet::Stamp& stamp, base::Duration timeout) {
  packet::ClientConfig config;
  config.identity = stamp.identity;
  config.pinned_key = stamp.pinned;
  config.request_lifetime = timeout;
  return config;
}

std::string datagram_type(base::Bytes datagram) {
  const auto type = packet::parse_header(datagram);
  if (!type) return "unreadable";
  switch (*type) {
    case packet::DatagramType::initial:
      return "INITIAL";
    case packet::DatagramType::initial_c:
      return "INITIAL with cookie";
    case packet::DatagramType::short_:
      return "SHORT";
    case packet::DatagramType::keyreq:
      return "KEYREQ";
    case packet::DatagramType::msg:
      return "MSG";
    case packet::DatagramType::retry:
      return "RETRY";
    case packet::DatagramType::reset:
      return "RESET";
    case packet::DatagramType::keys:
      return "KEYS";
  }
  return "unreadable";
}

/// By what it begins with: a body of the handshake says its type, a record is sealed.
std::string piece_type(base::Bytes piece) {
  constexpr std::uint8_t kStart[] = {'b', 'g', 1};
  if (piece.size() < 6 || !std::ranges::equal(piece.subspan(2, 3), kStart)) return "records";
  switch (piece[5]) {
    case 0x04:
      return "KEYREQ";
    case 0x14:
      return "KEYS";
    case 0x21:
      return "HELLO";
    case 0x22:
      return "COOKIE";
    case 0x23:
      return "VOUCH";
    default:
      return "records";
  }
}

std::string describe(const packet::Failed& failed) {
  switch (failed.reason) {
    case packet::FailReason::timed_out:
      return "no answer in time";
    case packet::FailReason::no_key:
      return "the gateway showed no key that its identity has signed";
    case packet::FailReason::too_large:
      return fmt::format("the answer has {} bytes, more than a datagram holds", failed.size);
    default:
      return fmt::format("the gateway refused: {}", packet::to_string(failed.reason));
  }
}

}  // namespace

Conversation::Conversation(const packet::Stamp& stamp, base::Duration timeout,
                           std::vector<Question>& questions, base::Rng& rng)
    : stamp_(stamp),
      timeout_(timeout),
      questions_(questions),
      rng_(rng),
      start_(net::now()),
      client_(packet_config(stamp, timeout), rng, net::wall_clock(), start_),
      timer_(loop_.io(), [this] { on_timer(); }) {}

base::expected<void, std::string> Conversation::run() {
  net::UdpHandlers handlers;
  handlers.on_batch = [this](std::span<const net::Datagram> batch) {
    for (const net::Datagram& datagram : batch) {
      note(false, datagram.data);
      client_.handle_datagram(net::now(), datagram.data);
      take_events();
    }
    pump();
  };
  handlers.on_error = [this](int error) {
    if (error != ECONNREFUSED) return;
    refused_ = true;  // a person waits: what is down now is said now
    loop_.stop();
  };
  net::UdpOptions options;
  options.dont_fragment = true;
  auto socket = net::UdpSocket::connect(loop_.io(), stamp_.address, options, std::move(handlers));
  if (!socket) return base::unexpected<std::string>(socket.error());
  socket_.emplace(std::move(*socket));
  for (std::size_t i = 0; i < questions_.size(); ++i)
    client_.request(start_, packet::FrameType::dns, questions_[i].query, i);
  pump();
  loop_.run();
  return {};
}

std::uint32_t Conversation::key_serial() const {
  return client_.state(net::now()).key_serial;
}

void Conversation::note(bool sent, base::Bytes datagram) {
  steps_.push_back({net::now() - start_, sent, false, datagram_type(datagram), datagram.size()});
}

void Conversation::on_timer() {
  client_.handle_timeout(net::now());
  if (stream_) stream_->handle_timeout(net::now());
  pump();
}

void Conversation::pump() {
  take_events();
  take_stream_events();
  const base::Instant now = net::now();
  while (const std::size_t size = client_.poll_transmit(now, socket_->next())) {
    note(true, socket_->next().first(size));
    socket_->commit({}, size);
  }
  socket_->flush();
  auto next = client_.next_timeout();
  if (stream_) {
    link_->settle();
    const auto at = stream_->next_timeout();
    if (at && (!next || *at < *next)) next = at;
  }
  timer_.want(next);
  if (ended_ == questions_.size()) loop_.stop();
}

void Conversation::take_events() {
  packet::ClientEvent event;
  while (client_.poll_event(event)) {
    if (const auto* answer = std::get_if<packet::Answer>(&event)) {
      Question& question = questions_[answer->tag];
      question.answer = *answer;
      question.answer.payload = {};
      take_message(question, answer->payload);
    } else {
      take_failure(std::get<packet::Failed>(event));
    }
  }
}

void Conversation::take_failure(const packet::Failed& failed) {
  Question& question = questions_[failed.tag];
  question.failure = describe(failed);
  question.reason = failed.reason;
  if (failed.reason == packet::FailReason::too_large && stamp_.tcp)
    go_on_by_stream(failed.tag);
  else
    ++ended_;
}

void Conversation::take_message(Question& question, base::Bytes payload) {
  ++ended_;
  auto message = dns::message_text(payload);
  if (message) {
    question.message = std::move(*message);
  } else {
    question.reason = packet::FailReason::malformed;
    question.failure = "the answer is malformed: " + message.error();
  }
}

void Conversation::go_on_by_stream(std::size_t question) {
  if (!stream_) open_stream();
  questions_[question].by_stream = true;
  stream_->request(net::now(), packet::FrameType::dns, questions_[question].query, question);
}

void Conversation::open_stream() {
  const base::Instant now = net::now();
  stream::ClientConfig config;
  config.identity = stamp_.identity;
  config.pinned_key = stamp_.pinned;
  config.connect_time = config.request_lifetime = start_ + timeout_ - now;
  stream_.emplace(std::move(config), rng_, net::wall_clock(), now);
  if (const auto certificate = client_.certificate()) stream_->show_certificates(now, *certificate);
  StreamLink::Handlers handlers;
  handlers.on_input = [this] { pump(); };
  handlers.on_carried = [this](bool sent, base::Bytes piece) {
    steps_.push_back({net::now() - start_, sent, true, piece_type(piece), piece.size()});
  };
  link_.emplace(loop_, stamp_.address, *stream_, std::move(handlers));
}

void Conversation::take_stream_events() {
  if (!stream_) return;
  const base::Instant now = net::now();
  stream::ClientEvent event;
  while (stream_->poll_event(now, event)) {
    if (const auto* answer = std::get_if<stream::Answered>(&event)) {
      questions_[answer->tag].answer.elapsed = now - start_;
      take_message(questions_[answer->tag], answer->payload);
    } else if (const auto* failed = std::get_if<stream::RequestFailed>(&event)) {
      ++ended_;
      questions_[failed->tag].failure +=
          fmt::format(", and no stream carried it: {}", stream::to_string(failed->reason));
    }
  }
}

}  // namespace boxgram::tools
