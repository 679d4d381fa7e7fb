// Node ids and targets: points of one 160-bit space with the XOR metric. Source: BEP 5, BEP 42.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/rng.hpp>
#include <boxgram/base/socket_address.hpp>
#include <boxgram/crypto/keys.hpp>

namespace boxgram::dht {

/// A node's id, an infohash or an item's target; big-endian, so that <=> compares numbers.
struct NodeId {
  static constexpr std::size_t kSize = 20;
  static constexpr unsigned kBits = 160;

  std::array<std::uint8_t, kSize> bytes{};

  friend auto operator<=>(const NodeId&, const NodeId&) = default;

  /// REQUIRES: bytes.size() == kSize.
  static NodeId from(base::Bytes bytes);
  static NodeId random(base::Rng& rng);
};

/// The XOR distance, itself a number of 160 bits.
NodeId operator^(const NodeId& a, const NodeId& b);

/// True if `a` is nearer to `target` than `b`. Cost: a few ns, no copy.
bool closer(const NodeId& target, const NodeId& a, const NodeId& b);

/// How many leading bits agree, 0 to 160: the index of the bucket that `b` falls into in a table
/// of `a`.
unsigned common_prefix(const NodeId& a, const NodeId& b);

/// 40 hexadecimal digits.
std::string to_hex(const NodeId& id);

/// 40 hexadecimal digits of either case; nothing for anything else.
std::optional<NodeId> parse_hex(std::string_view text);

/// BEP 42: the same id with its first 21 bits replaced by those of
/// CRC32C(ip masked | r << 29), r = the id's last three bits (IPv6: the upper 64 bits of ip, r <<
/// 61). Local addresses bind nothing: the id comes back as it was.
NodeId bound_to_ip(NodeId id, const base::SocketAddress& address);

/// True if the id is one that its address allows; always for local addresses.
bool is_bound_to_ip(const NodeId& id, const base::SocketAddress& address);

/// The id of a node in the sealed overlay: the first 160 bits of SHA-512("boxgram-dht-id" | key),
/// bound to its address as in BEP 42. So a key has one place at each address.
NodeId sealed_id(const crypto::PublicKey& key, const base::SocketAddress& address);

}  // namespace boxgram::dht
