// A name read at any place of any message: bounds, the way through text and back, agreement of the
// ways to read one.
#include <cstdlib>

#include <boxgram/dns/name.hpp>

namespace dns = boxgram::dns;
namespace base = boxgram::base;

static void require(bool fact) {
  if (!fact) std::abort();
}

/// Input: one byte that says where the name begins, then the message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::Bytes message(data + 1, size - 1);
  const std::size_t start = data[0];
  std::size_t offset = start;
  const auto name = dns::Name::read(message, offset);
  if (!name) {
    require(offset == start);
  } else {
    require(offset > start && offset <= message.size());
    require(name->size() >= 1 && name->size() <= dns::Name::kMaxSize);
    const auto wire = dns::Name::from_wire(name->wire());
    require(wire && *wire == *name);
    require(dns::uncompressed_name_size(name->wire()) == name->size());
    const auto text = dns::Name::from_text(name->to_text());
    require(text && std::memcmp(text->wire().data(), name->wire().data(), name->size()) == 0);
    require(name->lowered() == *name && name->is_subdomain_of(name->parent()));
    require(name->is_root() || name->parent().label_count() + 1 == name->label_count());
  }
  if (start <= message.size()) {
    const std::size_t plain = dns::uncompressed_name_size(message.subspan(start));
    if (plain != 0) require(name && name->size() == plain && offset == start + plain);
  }
  if (const auto text = dns::Name::from_text(base::as_text(message))) {
    const auto again = dns::Name::from_text(text->to_text());
    require(again && again->to_text() == text->to_text());
  }
  return 0;
}
