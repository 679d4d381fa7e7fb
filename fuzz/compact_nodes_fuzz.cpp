// Any bytes as compact lists of each kind and family: what is believed is written the same again.
#include <array>
#include <cstdlib>

#include <boxgram/dht/contact.hpp>

namespace base = boxgram::base;
namespace dht = boxgram::dht;
using dht::AddressPolicy;
using dht::Family;

static void require(bool fact) {
  if (!fact) std::abort();
}

static const base::SocketAddress& address_of(const base::SocketAddress& address) {
  return address;
}

template <class Entry>
static const base::SocketAddress& address_of(const Entry& entry) {
  return entry.address;
}

template <class Entry>
static void check(base::Bytes bytes, Family family) {
  const std::size_t size = dht::compact_size<Entry>(family);
  const auto list = dht::CompactList<Entry>::from(bytes, family);
  require(list.has_value() == (bytes.size() % size == 0));
  if (!list) return;
  require(list->size() * size == bytes.size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto anywhere = list->at(i, AddressPolicy::and_local);
    const auto internet = list->at(i, AddressPolicy::internet);
    require(!internet || internet == anywhere);
    if (!anywhere) continue;
    const auto& address = address_of(*anywhere);
    require(dht::family_of(address) == family && address.port != 0);
    require(internet.has_value() == !dht::is_local(address));
    std::array<std::uint8_t, dht::kMaxCompactSize> buffer;
    base::Writer out(buffer);
    dht::write_compact(out, *anywhere);
    require(out.ok() &&
            base::as_text(out.written()) == base::as_text(bytes.subspan(i * size, size)));
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes bytes(data, size);
  for (const Family family : {Family::v4, Family::v6}) {
    check<base::SocketAddress>(bytes, family);
    check<dht::Contact>(bytes, family);
    check<dht::SealedContact>(bytes, family);
  }
  return 0;
}
