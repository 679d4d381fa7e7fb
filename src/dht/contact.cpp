#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/dht/contact.hpp>

namespace boxgram::dht {
namespace {

std::optional<base::SocketAddress> read_address(base::Reader& in, Family family,
                                                AddressPolicy policy) {
  base::SocketAddress address = base::SocketAddress::v4(0, 0, 0, 0, 0);
  const base::Bytes ip = in.bytes(family == Family::v4 ? 4 : 16);
  std::copy_backward(ip.begin(), ip.end(), address.ip.end());
  address.port = in.u16();
  if (family_of(address) != family || is_martian(address, policy)) return std::nullopt;
  return address;
}

}  // namespace

void write_compact(base::Writer& out, const base::SocketAddress& address) {
  out.bytes(base::Bytes(address.ip).subspan(address.is_v4() ? 12 : 0));
  out.u16(address.port);
}

void write_compact(base::Writer& out, const Contact& contact) {
  out.bytes(contact.id.bytes);
  write_compact(out, contact.address);
}

void write_compact(base::Writer& out, const SealedContact& contact) {
  out.bytes(contact.key);
  write_compact(out, contact.address);
}

template <>
std::optional<base::SocketAddress> read_compact<base::SocketAddress>(base::Bytes bytes,
                                                                     Family family,
                                                                     AddressPolicy policy) {
  BOXGRAM_CHECK(bytes.size() == compact_size<base::SocketAddress>(family));
  base::Reader in(bytes);
  return read_address(in, family, policy);
}

template <>
std::optional<Contact> read_compact<Contact>(base::Bytes bytes, Family family,
                                             AddressPolicy policy) {
  BOXGRAM_CHECK(bytes.size() == compact_size<Contact>(family));
  base::Reader in(bytes);
  const NodeId id = NodeId::from(in.bytes(NodeId::kSize));
  const auto address = read_address(in, family, policy);
  if (!address) return std::nullopt;
  return Contact{id, *address};
}

template <>
std::optional<SealedContact> read_compact<SealedContact>(base::Bytes bytes, Family family,
                                                         AddressPolicy policy) {
  BOXGRAM_CHECK(bytes.size() == compact_size<SealedContact>(family));
  base::Reader in(bytes);
  SealedContact contact;
  const base::Bytes key = in.bytes(contact.key.size());
  std::copy(key.begin(), key.end(), contact.key.begin());
  const auto address = read_address(in, family, policy);
  if (!address) return std::nullopt;
  contact.address = *address;
  return contact;
}

std::optional<base::SocketAddress> read_peer(base::Bytes bytes, AddressPolicy policy) {
  for (const Family family : {Family::v4, Family::v6})
    if (bytes.size() == compact_size<base::SocketAddress>(family))
      return read_compact<base::SocketAddress>(bytes, family, policy);
  return std::nullopt;
}

}  // namespace boxgram::dht
