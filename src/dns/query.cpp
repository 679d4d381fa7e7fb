#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/query.hpp>

#include "opt.hpp"
#include "record.hpp"

namespace boxgram::dns {
namespace {

constexpr std::uint16_t kOpcodeMask = 0x7800;

/// What stands behind the question.
struct Extras {
  bool has_opt = false;
  std::uint16_t udp_size = kPlainUdpSize;
  std::uint8_t version = 0;
  bool dnssec_ok = false;
};

/// Walks all records behind the question. `extras` holds what was found up to an error.
std::optional<QueryError> walk_records(base::Bytes message, std::size_t offset, Extras& extras) {
  const std::uint8_t* header = message.data();
  const std::size_t before_additional =
      std::size_t{base::load_be16(header + 6)} + base::load_be16(header + 8);
  const std::size_t count = before_additional + base::load_be16(header + 10);
  for (std::size_t i = 0; i < count; ++i) {
    Record record;
    if (!read_record(message, offset, record)) return QueryError::bad_record;
    if (record.type != rrtype::opt) continue;
    if (extras.has_opt || i < before_additional || !record.owner.is_root())
      return QueryError::bad_opt;
    extras.has_opt = true;
    extras.udp_size = std::max(record.rr_class, static_cast<std::uint16_t>(kPlainUdpSize));
    extras.version = static_cast<std::uint8_t>(record.ttl >> 16);
    extras.dnssec_ok = record.ttl & 0x8000;
    if (!walk_options(message.subspan(record.rdata, record.size), [](auto, auto) {}))
      return QueryError::bad_opt;
  }
  if (offset != message.size()) return QueryError::bad_record;
  return std::nullopt;
}

/// The size of the question at the end of the header, or 0 if it cannot be read.
std::size_t question_size(base::Bytes message) {
  const std::size_t name = uncompressed_name_size(message.subspan(kHeaderSize));
  return name != 0 && message.size() >= kHeaderSize + name + 4 ? name + 4 : 0;
}

}  // namespace

std::optional<Rcode> rcode_of(QueryError error) {
  switch (error) {
    case QueryError::too_short:
    case QueryError::not_a_query:
      return std::nullopt;
    case QueryError::not_implemented:
      return Rcode::not_implemented;
    case QueryError::bad_version:
      return Rcode::bad_version;
    case QueryError::not_one_question:
    case QueryError::bad_question:
    case QueryError::bad_record:
    case QueryError::bad_opt:
      break;
  }
  return Rcode::format_error;
}

base::expected<Query, QueryError> parse_query(base::Bytes message) {
  if (message.size() < kHeaderSize) return base::unexpected(QueryError::too_short);
  const std::uint8_t* header = message.data();
  base::expected<Query, QueryError> result;
  Query& query = *result;
  query.id = base::load_be16(header);
  query.flags = base::load_be16(header + 2);
  if (query.flags & flag::response) return base::unexpected(QueryError::not_a_query);
  if (query.flags & kOpcodeMask) return base::unexpected(QueryError::not_implemented);
  if (base::load_be16(header + 4) != 1) return base::unexpected(QueryError::not_one_question);
  const std::size_t question = question_size(message);
  if (question == 0) return base::unexpected(QueryError::bad_question);
  query.name = message.subspan(kHeaderSize, question - 4);
  const std::size_t end = kHeaderSize + question;
  query.type = base::load_be16(header + end - 4);
  query.rr_class = base::load_be16(header + end - 2);
  Extras extras;
  if (const auto error = walk_records(message, end, extras)) return base::unexpected(*error);
  if (extras.version != 0) return base::unexpected(QueryError::bad_version);
  query.has_opt = extras.has_opt;
  query.udp_size = extras.udp_size;
  query.dnssec_ok = extras.dnssec_ok;
  return result;
}

std::size_t make_error_response(base::Bytes query, Rcode rcode,
                                std::span<const ExtendedError> errors, base::MutableBytes out) {
  if (query.size() < kHeaderSize) return 0;
  const std::uint16_t flags = base::load_be16(query.data() + 2);
  if (flags & flag::response) return 0;
  const bool one = base::load_be16(query.data() + 4) == 1;
  const std::size_t question = one ? question_size(query) : 0;
  Extras extras;
  // An OPT behind something unreadable is not seen; then the client gets none back.
  if (question != 0) (void)walk_records(query, kHeaderSize + question, extras);

  std::size_t size = kHeaderSize + question;
  if (size + (extras.has_opt ? kOptSize : 0) > out.size()) return 0;
  // An extended RCODE cannot be said without OPT: its low bits alone would mean something else.
  if (static_cast<unsigned>(rcode) > 15 && !extras.has_opt) rcode = Rcode::server_failure;
  const std::uint16_t kept = kOpcodeMask | flag::recursion_desired | flag::checking_disabled;
  std::memcpy(out.data(), query.data(), size);
  base::store_be16(out.data() + 2, static_cast<std::uint16_t>((flags & kept) | flag::response |
                                                              flag::recursion_available |
                                                              (static_cast<unsigned>(rcode) & 15)));
  base::store_be16(out.data() + 4, question != 0);
  base::store_be32(out.data() + 6, 0);
  base::store_be16(out.data() + 10, extras.has_opt);
  if (extras.has_opt) {
    std::uint8_t* opt = out.data() + size;
    write_opt(opt, kOwnUdpSize, rcode, extras.dnssec_ok);
    size += kOptSize;
    const std::size_t more = errors_size(errors);
    if (more <= out.size() - size) {
      write_errors(out.data() + size, errors);
      base::store_be16(opt + 9, static_cast<std::uint16_t>(more));
      size += more;
    }
  }
  return size;
}

std::size_t build_upstream_query(const UpstreamQuery& query, base::MutableBytes out) {
  BOXGRAM_CHECK(out.size() >= kMaxUpstreamQuerySize && query.name.size() <= Name::kMaxSize);
  BOXGRAM_CHECK(query.case_bits.empty() || query.case_bits.size() == 32);
  const unsigned flags = (query.recursion_desired ? flag::recursion_desired : 0) |
                         (query.checking_disabled ? flag::checking_disabled : 0) |
                         (query.authentic_data ? flag::authentic_data : 0);
  std::uint8_t* p = out.data();
  base::store_be16(p, query.id);
  base::store_be16(p + 2, static_cast<std::uint16_t>(flags));
  base::store_be64(p + 4, 0x0001'0000'0000'0001);  // one question, one additional record
  p += kHeaderSize;
  std::memcpy(p, query.name.data(), query.name.size());
  if (!query.case_bits.empty()) {
    for (std::size_t i = 0; i < query.name.size(); ++i) {
      const std::uint8_t c = lower(p[i]);
      const bool upper = query.case_bits[i / 8] >> i % 8 & 1;
      if (c >= 'a' && c <= 'z') p[i] = static_cast<std::uint8_t>(upper ? c - 0x20 : c);
    }
  }
  p += query.name.size();
  base::store_be16(p, query.type);
  base::store_be16(p + 2, query.rr_class);
  write_opt(p + 4, query.udp_size, Rcode::no_error, query.dnssec_ok);
  return kHeaderSize + query.name.size() + 4 + kOptSize;
}

}  // namespace boxgram::dns
