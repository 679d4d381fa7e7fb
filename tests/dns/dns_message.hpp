// Messages for tests: written byte by byte without the codec under test, and read back as text.
#pragma once

#include <string>
#include <vector>

#include <boxgram/dns/answer_builder.hpp>
#include <boxgram/dns/normalise.hpp>
#include <boxgram/dns/query.hpp>

namespace boxgram::test {

using Octets = std::vector<std::uint8_t>;

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Octets u16(unsigned v) {
  return {static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
}
inline Octets u32(std::uint32_t v) {
  return u16(v >> 16) + u16(v & 0xffff);
}

/// "a.bc" or "a.bc." as labels, without escapes; "" and "." are the root.
inline Octets labels(std::string_view text) {
  Octets wire;
  while (!text.empty() && text != ".") {
    const auto dot = std::min(text.find('.'), text.size());
    wire.push_back(static_cast<std::uint8_t>(dot));
    wire.insert(wire.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(dot));
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  wire.push_back(0);
  return wire;
}

inline Octets pointer(unsigned offset) {
  return u16(0xc000 | offset);
}

inline Octets header(unsigned id, unsigned flags, unsigned qd, unsigned an, unsigned ns,
                     unsigned ar) {
  return u16(id) + u16(flags) + u16(qd) + u16(an) + u16(ns) + u16(ar);
}

inline Octets question(std::string_view name, unsigned type, unsigned rr_class = 1) {
  return labels(name) + u16(type) + u16(rr_class);
}

inline Octets record(const Octets& owner, unsigned type, std::uint32_t ttl, const Octets& rdata,
                     unsigned rr_class = 1) {
  return owner + u16(type) + u16(rr_class) + u32(ttl) + u16(static_cast<unsigned>(rdata.size())) +
         rdata;
}

inline Octets opt(unsigned udp_size, std::uint32_t ttl = 0, const Octets& options = {}) {
  return record({0}, dns::rrtype::opt, ttl, options, udp_size);
}

inline Octets option(unsigned code, const Octets& value) {
  return u16(code) + u16(static_cast<unsigned>(value.size())) + value;
}

inline Octets soa(std::string_view mname, std::uint32_t minimum) {
  return labels(mname) + labels("admin.example") + u32(1) + u32(2) + u32(3) + u32(4) + u32(minimum);
}

/// A query with RD set, and OPT (size 1232, DO on demand) if asked for.
inline Octets query_for(std::string_view name, unsigned type, bool with_opt = true,
                        bool dnssec_ok = false, unsigned flags = 0x0100) {
  auto bytes = header(0x1234, flags, 1, 0, 0, with_opt) + question(name, type);
  return with_opt ? bytes + opt(1232, dnssec_ok ? 0x8000 : 0) : bytes;
}

/// One line for each record: "section owner type class ttl rdata-in-hex"; names in RDATA of NS,
/// CNAME, PTR, MX, SOA and SRV are decompressed.
inline std::vector<std::string> lines_of(base::Bytes message) {
  std::vector<std::string> lines;
  std::size_t at = dns::kHeaderSize;
  if (!dns::Name::read(message, at)) return {"bad question"};
  at += 4;
  for (int section = 0; section < 3; ++section) {
    const unsigned count = base::load_be16(message.data() + 6 + 2 * section);
    for (unsigned i = 0; i < count; ++i) {
      const auto owner = dns::Name::read(message, at);
      if (!owner || message.size() - at < 10) return {"bad record"};
      const unsigned type = base::load_be16(&message[at]);
      const unsigned rr_class = base::load_be16(&message[at + 2]);
      const std::uint32_t ttl = base::load_be32(&message[at + 4]);
      const std::size_t size = base::load_be16(&message[at + 8]);
      at += 10;
      if (message.size() - at < size) return {"bad size"};
      std::string rdata;
      std::size_t r = at;
      const auto hex_until = [&](std::size_t end) {
        for (; r < end; ++r) {
          const char* digits = "0123456789abcdef";
          rdata += digits[message[r] >> 4];
          rdata += digits[message[r] & 15];
        }
      };
      const bool plain = type == 2 || type == 5 || type == 12;
      if (type == 15) hex_until(at + 2);
      if (type == 33) hex_until(at + 6);
      for (int n = plain || type == 15 || type == 33 ? 1 : type == 6 ? 2 : 0; n > 0; --n) {
        const auto name = dns::Name::read(message, r);
        if (!name) return {"bad name in rdata"};
        rdata += (rdata.empty() ? "" : " ") + name->to_text() + " ";
      }
      hex_until(at + size);
      while (!rdata.empty() && rdata.back() == ' ') rdata.pop_back();
      lines.push_back(std::to_string(section) + " " + owner->to_text() + " " +
                      std::to_string(type) + " " + std::to_string(rr_class) + " " +
                      std::to_string(ttl) + " " + rdata);
      at += size;
    }
  }
  if (at != message.size()) return {"bytes left over"};
  return lines;
}

/// What normalise() makes of a response to a query of id 7 for `name`.
inline base::expected<dns::AnswerView, dns::AnswerError> normalised(
    dns::AnswerBuilder& builder, const Octets& response, std::string_view name, unsigned type,
    bool dnssec_ok = false, bool exact_case = false) {
  const Octets wire = labels(name);
  return dns::normalise(response,
                        {.id = 7,
                         .name = wire,
                         .type = static_cast<std::uint16_t>(type),
                         .rr_class = 1,
                         .exact_case = exact_case,
                         .dnssec_ok = dnssec_ok},
                        builder);
}

}  // namespace boxgram::test
