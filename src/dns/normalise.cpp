#include <boxgram/dns/normalise.hpp>

#include "opt.hpp"
#include "record.hpp"

namespace boxgram::dns {
namespace {

constexpr std::uint16_t kOpcodeMask = 0x7800;

/// What RFC 4035, section 3.2.1, takes away from a client that did not set DO.
bool is_dnssec_extra(std::uint16_t type, const Expectation& asked) {
  return (type == rrtype::rrsig || type == rrtype::nsec || type == rrtype::nsec3) &&
         !asked.dnssec_ok && asked.type != type && asked.type != rrtype::any;
}

/// The size of the question if it is ours, else 0.
std::size_t match_question(base::Bytes response, const Expectation& asked) {
  const std::size_t size = asked.name.size();
  if (base::load_be16(response.data() + 4) != 1) return 0;
  if (response.size() < kHeaderSize + size + 4) return 0;
  const base::Bytes name = response.subspan(kHeaderSize, size);
  // Equal bytes cannot hold a pointer, and a name of ours is whole.
  if (!equal_names(name, asked.name)) return 0;
  if (asked.exact_case && std::memcmp(name.data(), asked.name.data(), size) != 0) return 0;
  const std::uint8_t* end = response.data() + kHeaderSize + size;
  if (base::load_be16(end) != asked.type || base::load_be16(end + 2) != asked.rr_class) return 0;
  return size + 4;
}

/// Takes the extended errors out of an OPT; every other option belongs to the hop it came over.
bool read_opt(base::Bytes rdata, AnswerBuilder& builder) {
  bool well_formed = true;
  const bool whole = walk_options(rdata, [&](std::uint16_t code, base::Bytes value) {
    if (code != kExtendedErrorOption) return;
    if (value.size() < 2) {
      well_formed = false;
      return;
    }
    builder.add_extended_error(base::load_be16(value.data()), value.subspan(2));
  });
  return whole && well_formed;
}

/// Copies every record; `rcode` gains OPT's upper bits. False if the message breaks the format.
bool copy_records(base::Bytes response, std::size_t offset, const Expectation& asked,
                  AnswerBuilder& builder, unsigned& rcode) {
  bool has_opt = false;
  Record record;
  for (int s = 0; s < 3; ++s) {
    const auto section = static_cast<Section>(s);
    const std::size_t count = base::load_be16(response.data() + 6 + 2 * s);
    for (std::size_t i = 0; i < count; ++i) {
      if (!read_record(response, offset, record)) return false;
      if (record.type == rrtype::opt) {
        if (has_opt || section != Section::additional || !record.owner.is_root()) return false;
        has_opt = true;
        rcode |= record.ttl >> 24 << 4;
        if (!read_opt(response.subspan(record.rdata, record.size), builder)) return false;
        continue;
      }
      if (is_dnssec_extra(record.type, asked)) continue;
      if (!builder.add(section, record.owner, record.type, record.rr_class, record.ttl, response,
                       record.rdata, record.size))
        return false;
      // What follows would cost time and change nothing.
      if (!builder.fits()) return true;
    }
  }
  return offset == response.size();
}

}  // namespace

base::expected<AnswerView, AnswerError> normalise(base::Bytes response, const Expectation& asked,
                                                  AnswerBuilder& builder) {
  if (response.size() < kHeaderSize) return base::unexpected(AnswerError::too_short);
  const std::uint16_t flags = base::load_be16(response.data() + 2);
  if (!(flags & flag::response)) return base::unexpected(AnswerError::not_a_response);
  if (base::load_be16(response.data()) != asked.id) return base::unexpected(AnswerError::wrong_id);
  if (flags & kOpcodeMask) return base::unexpected(AnswerError::wrong_opcode);
  const std::size_t question = match_question(response, asked);
  if (question == 0) return base::unexpected(AnswerError::wrong_question);

  builder.start(response.subspan(kHeaderSize, question - 4), asked.type, asked.rr_class);
  unsigned rcode = flags & 15;
  if (!copy_records(response, kHeaderSize + question, asked, builder, rcode))
    return base::unexpected(AnswerError::malformed);
  if (!builder.fits()) return base::unexpected(AnswerError::too_large);
  return builder.finish(static_cast<Rcode>(rcode), flags & flag::authentic_data,
                        flags & flag::truncated);
}

}  // namespace boxgram::dns
