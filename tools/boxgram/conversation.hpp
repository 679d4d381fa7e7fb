// Sealed queries to one gateway without a stub: all at once in datagrams, and what fits none over
// a stream.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boxgram/dns/message_text.hpp>
#include <boxgram/net/deadline_timer.hpp>
#include <boxgram/net/udp_socket.hpp>
#include <boxgram/packet/client.hpp>
#include <boxgram/packet/stamp.hpp>
#include <boxgram/stream/client.hpp>

#include "stream_link.hpp"

namespace boxgram::tools {

/// One question and how it ended.
struct Question {
  std::string type;
  std::vector<std::uint8_t> query;
  std::optional<dns::TextMessage> message;
  std::string failure;  ///< for people, when there is no message
  packet::FailReason reason{};
  packet::Answer answer;   ///< sizes and times; `payload` is gone
  bool by_stream = false;  ///< then only `elapsed` of these
};

/// One datagram, or piece of a stream, that travelled.
struct Step {
  base::Duration at{};
  bool sent = false;
  bool by_stream = false;
  std::string type;
  std::size_t size = 0;
};

class Conversation {
 public:
  /// All are answered or given up within `timeout`. The references outlive this.
  Conversation(const packet::Stamp& stamp, base::Duration timeout, std::vector<Question>& questions,
               base::Rng& rng);

  /// The error is a phrase for people: no socket.
  base::expected<void, std::string> run();

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  /// Nothing listens there.
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] std::uint32_t key_serial() const;

 private:
  void note(bool sent, base::Bytes datagram);
  void on_timer();
  void pump();
  void take_events();
  void take_failure(const packet::Failed& failed);
  void take_stream_events();
  void take_message(Question& question, base::Bytes payload);
  void go_on_by_stream(std::size_t question);
  void open_stream();

  const packet::Stamp& stamp_;
  base::Duration timeout_;
  std::vector<Question>& questions_;
  base::Rng& rng_;
  base::Instant start_;
  net::EventLoop loop_;
  packet::Client client_;
  std::optional<net::UdpSocket> socket_;
  std::optional<stream::Client> stream_;
  std::vector<Step> steps_;
  std::optional<StreamLink> link_;  // its last words are a step: it goes before them
  net::DeadlineTimer timer_;
  std::size_t ended_ = 0;
  bool refused_ = false;
};

}  // namespace boxgram::tools
