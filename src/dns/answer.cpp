#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/answer.hpp>

#include "opt.hpp"

namespace boxgram::dns {
namespace {

/// An extended RCODE cannot be said without OPT: its low bits alone would mean something else.
Rcode rcode_for(const AnswerView& answer, const Query& query) {
  return query.has_opt || static_cast<unsigned>(answer.rcode) < 16 ? answer.rcode
                                                                   : Rcode::server_failure;
}

void write_header(const AnswerView& answer, const Query& query, const AnswerOptions& options,
                  bool cut, std::uint8_t* out) {
  const bool wants_ad = query.authentic_data() || query.dnssec_ok;
  const unsigned flags =
      flag::response | (query.flags & (flag::recursion_desired | flag::checking_disabled)) |
      (options.recursion_available ? flag::recursion_available : 0) |
      (cut || answer.truncated ? flag::truncated : 0) |
      (answer.authentic && options.authentic_allowed && wants_ad && !cut ? flag::authentic_data
                                                                         : 0) |
      (static_cast<unsigned>(rcode_for(answer, query)) & 15);
  base::store_be16(out, query.id);
  base::store_be16(out + 2, static_cast<std::uint16_t>(flags));
  base::store_be16(out + 4, 1);
  base::store_be16(out + 6, cut ? 0 : answer.answers);
  base::store_be16(out + 8, cut ? 0 : answer.authorities);
  base::store_be16(out + 10, static_cast<std::uint16_t>((cut ? 0 : answer.additionals) +
                                                        (query.has_opt ? 1 : 0)));
}

void age_ttls(const AnswerView& answer, Age age, std::uint8_t* body) {
  if (age.stale_ttl != 0) {
    for (const std::uint16_t at : answer.ttl_offsets) base::store_be32(body + at, age.stale_ttl);
  } else if (age.seconds != 0) {
    for (const std::uint16_t at : answer.ttl_offsets) {
      const std::uint32_t ttl = base::load_be32(body + at);
      base::store_be32(body + at, ttl - std::min(ttl, age.seconds));
    }
  }
}

}  // namespace

Written write_answer(const AnswerView& answer, const Query& query, const AnswerOptions& options,
                     Age age, base::MutableBytes out) {
  const std::size_t question = query.name.size() + 4;
  BOXGRAM_CHECK(answer.body.size() >= question && out.size() >= kPlainUdpSize);
  BOXGRAM_CHECK(options.limit >= kPlainUdpSize || options.transport == Transport::sealed);
  std::size_t limit = std::min(options.limit, out.size());
  if (options.transport == Transport::udp) limit = std::min<std::size_t>(limit, query.udp_size);

  const std::size_t opt_size = query.has_opt ? kOptSize : 0;
  std::size_t errors = query.has_opt ? errors_size(options.errors) + answer.ede_options.size() : 0;
  const std::size_t records = kHeaderSize + answer.body.size() + opt_size;
  Written written;
  if (records + errors > limit) errors = 0;
  written.whole_size = records + errors;
  const bool cut = records > limit;
  if (cut && options.transport == Transport::sealed) return written;
  written.truncated = cut || answer.truncated;

  std::uint8_t* body = out.data() + kHeaderSize;
  write_header(answer, query, options, cut, out.data());
  const std::size_t body_size = cut ? question : answer.body.size();
  std::memcpy(body, answer.body.data(), body_size);
  if (!cut) age_ttls(answer, age, body);
  // The client's case; and its type, as an NXDOMAIN may have been learned for another one.
  std::memcpy(body, query.name.data(), query.name.size());
  base::store_be16(body + question - 4, query.type);
  base::store_be16(body + question - 2, query.rr_class);
  written.size = kHeaderSize + body_size + opt_size;
  if (query.has_opt) {
    std::uint8_t* opt = body + body_size;
    write_opt(opt, kOwnUdpSize, answer.rcode, query.dnssec_ok);
    if (errors != 0) {
      base::store_be16(opt + 9, static_cast<std::uint16_t>(errors));
      write_errors(opt + kOptSize, options.errors);
      if (!answer.ede_options.empty())
        std::memcpy(opt + kOptSize + errors_size(options.errors), answer.ede_options.data(),
                    answer.ede_options.size());
      written.size += errors;
    }
  }
  return written;
}

}  // namespace boxgram::dns
