// Nodes and peers as messages carry them: fixed sizes, back to back.
// Source: BEP 5 "Contact Encoding", BEP 32; `snodes` are our own.
//
//   values   ip 4 | port 2              6     values of IPv6   ip 16 | port 2              18
//   nodes    id 20 | ip 4 | port 2     26     nodes6           id 20 | ip 16 | port 2      38
//   snodes   key 32 | ip 4 | port 2    38     snodes6          key 32 | ip 16 | port 2     50
#pragma once

#include <optional>

#include <boxgram/base/bytes.hpp>
#include <boxgram/dht/address_policy.hpp>
#include <boxgram/dht/node_id.hpp>

namespace boxgram::dht {

/// A node of Mainline.
struct Contact {
  NodeId id;
  base::SocketAddress address;

  friend bool operator==(const Contact&, const Contact&) = default;
};

/// A node of the sealed overlay. Its id is never sent, since the reader has to compute it anyway.
struct SealedContact {
  crypto::PublicKey key{};
  base::SocketAddress address;

  friend bool operator==(const SealedContact&, const SealedContact&) = default;
};

constexpr std::size_t compact_address_size(Family family) {
  return family == Family::v4 ? 6 : 18;
}

/// The largest entry of a compact list: a sealed contact of IPv6.
inline constexpr std::size_t kMaxCompactSize = 50;

/// The size of one entry; Entry is base::SocketAddress, Contact or SealedContact.
template <class Entry>
constexpr std::size_t compact_size(Family family);

template <>
constexpr std::size_t compact_size<base::SocketAddress>(Family family) {
  return compact_address_size(family);
}
template <>
constexpr std::size_t compact_size<Contact>(Family family) {
  return NodeId::kSize + compact_address_size(family);
}
template <>
constexpr std::size_t compact_size<SealedContact>(Family family) {
  return std::tuple_size_v<crypto::PublicKey> + compact_address_size(family);
}

/// Appends one entry in the family of its address.
void write_compact(base::Writer& out, const base::SocketAddress& address);
void write_compact(base::Writer& out, const Contact& contact);
void write_compact(base::Writer& out, const SealedContact& contact);

/// Reads one entry. REQUIRES: bytes.size() == compact_size<Entry>(family).
/// Nothing for a martian, and for an IPv4 address that comes in IPv6 form: it would be one node
/// under two addresses.
template <class Entry>
std::optional<Entry> read_compact(base::Bytes bytes, Family family, AddressPolicy policy);

/// Reads an address whose size tells the family (6 or 18 bytes); nothing for other sizes.
std::optional<base::SocketAddress> read_peer(base::Bytes bytes, AddressPolicy policy);

/// A string of entries inside a message, read in place.
template <class Entry>
class CompactList {
 public:
  CompactList() = default;

  /// Nothing if the length is no multiple of the entry's size. An empty string is an empty list.
  static std::optional<CompactList> from(base::Bytes bytes, Family family) {
    if (bytes.size() % compact_size<Entry>(family) != 0) return std::nullopt;
    return CompactList(bytes, family);
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size() / compact_size<Entry>(family_); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] base::Bytes bytes() const { return bytes_; }

  /// The entry at `index` < size(), or nothing if it is one to leave out (read_compact).
  [[nodiscard]] std::optional<Entry> at(std::size_t index, AddressPolicy policy) const {
    const std::size_t size = compact_size<Entry>(family_);
    return read_compact<Entry>(bytes_.subspan(index * size, size), family_, policy);
  }

 private:
  CompactList(base::Bytes bytes, Family family) : bytes_(bytes), family_(family) {}

  base::Bytes bytes_;
  Family family_ = Family::v4;
};

}  // namespace boxgram::dht
