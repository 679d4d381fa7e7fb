// A whole message as people read it: for the query command, never for the data path.
// Source: RFC 1035, sections 4 and 5.1; RFC 3597, section 5 (RDATA of unknown types).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/dns/types.hpp>

namespace boxgram::dns {

struct TextRecord {
  std::string owner;
  std::uint32_t ttl = 0;
  std::string rr_class;  ///< "IN", "CLASS3"
  std::string type;      ///< "AAAA", "TYPE65"
  std::string data;      ///< presentation form, or "\# LENGTH HEX"
};

struct TextError {
  std::uint16_t code = 0;
  std::string text;  ///< what is not printable ASCII as \DDD
};

struct TextMessage {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;  ///< the header's, see dns::flag
  Rcode rcode = Rcode::no_error;
  std::string question_name;
  std::string question_type;
  std::string question_class;
  std::vector<TextRecord> answer;
  std::vector<TextRecord> authority;
  std::vector<TextRecord> additional;  ///< without OPT
  bool has_opt = false;
  bool dnssec_ok = false;
  std::uint16_t udp_size = 0;
  std::vector<TextError> errors;  ///< extended errors (RFC 8914)
};

/// The error says where the message breaks the format.
base::expected<TextMessage, std::string> message_text(base::Bytes message);

/// "NOERROR", "RCODE11".
std::string rcode_text(Rcode rcode);

/// "qr rd ra", in dig's order and spelling.
std::string flags_text(std::uint16_t flags);

}  // namespace boxgram::dns
