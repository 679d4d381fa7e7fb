// Names inside of RDATA. Source: RFC 1035, section 3.3; RFC 3597, section 4.
#include <boxgram/dns/answer_builder.hpp>

namespace boxgram::dns {
namespace {

/// Where names stand in the RDATA of a type.
struct Layout {
  std::uint8_t before = 0;   ///< bytes of fixed size in front
  std::uint8_t strings = 0;  ///< <character-string>s after them
  std::uint8_t names = 0;    ///< 0: the whole RDATA is opaque
  bool compress = false;     ///< a type of RFC 1035, which every receiver can decompress
  bool open = false;         ///< more bytes of any number may follow; else `after` exactly
  std::uint8_t after = 0;
};

Layout layout_of(std::uint16_t type) {
  switch (type) {
    case rrtype::ns:
    case rrtype::md:
    case rrtype::mf:
    case rrtype::cname:
    case rrtype::mb:
    case rrtype::mg:
    case rrtype::mr:
    case rrtype::ptr:
      return {.names = 1, .compress = true};
    case rrtype::soa:
      return {.names = 2, .compress = true, .after = 20};
    case rrtype::minfo:
      return {.names = 2, .compress = true};
    case rrtype::mx:
      return {.before = 2, .names = 1, .compress = true};
    case rrtype::rp:
      return {.names = 2};
    case rrtype::afsdb:
    case rrtype::rt:
      return {.before = 2, .names = 1};
    case rrtype::px:
      return {.before = 2, .names = 2};
    case rrtype::srv:
      return {.before = 6, .names = 1};
    case rrtype::naptr:
      return {.before = 4, .strings = 3, .names = 1};
    case rrtype::sig:
      return {.before = 18, .names = 1, .open = true};
    case rrtype::nxt:
      return {.names = 1, .open = true};
    default:
      return {};
  }
}

}  // namespace

bool AnswerBuilder::append_rdata(std::uint16_t type, base::Bytes message, std::size_t offset,
                                 std::size_t size) {
  const Layout layout = layout_of(type);
  if (layout.names == 0) {
    append(message.subspan(offset, size));
    return true;
  }
  const std::size_t end = offset + size;
  const base::Bytes until_end = message.first(end);
  std::size_t at = offset + layout.before;
  for (int i = 0; i < layout.strings; ++i) {
    if (at >= end) return false;
    at += 1 + std::size_t{message[at]};
  }
  if (at > end) return false;
  append(message.subspan(offset, at - offset));
  for (int i = 0; i < layout.names; ++i) {
    const auto name = Name::read(until_end, at);
    if (!name) return false;
    append_name(name->wire(), layout.compress);
  }
  if (!layout.open && end - at != layout.after) return false;
  append(message.subspan(at, end - at));
  return true;
}

}  // namespace boxgram::dns
