#include <algorithm>
#include <bit>

#include <boxgram/base/check.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/address_policy.hpp>
#include <boxgram/dht/node_id.hpp>

#include "crc32c.hpp"

namespace boxgram::dht {
namespace {

constexpr std::array<std::uint8_t, 4> kV4Mask = {0x03, 0x0f, 0x3f, 0xff};
constexpr std::array<std::uint8_t, 8> kV6Mask = {0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff};

/// The 32 bits whose first 21 an id at this address begins with.
std::uint32_t prefix_of(const base::SocketAddress& address, std::uint8_t r) {
  const bool v4 = address.is_v4();
  const base::Bytes mask = v4 ? base::Bytes(kV4Mask) : base::Bytes(kV6Mask);
  std::array<std::uint8_t, 8> masked{};
  for (std::size_t i = 0; i < mask.size(); ++i) masked[i] = address.ip[(v4 ? 12 : 0) + i] & mask[i];
  masked[0] = static_cast<std::uint8_t>(masked[0] | r << 5);
  return crc32c(base::Bytes(masked).first(mask.size()));
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

NodeId NodeId::from(base::Bytes bytes) {
  BOXGRAM_CHECK(bytes.size() == kSize);
  NodeId id;
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

NodeId NodeId::random(base::Rng& rng) {
  NodeId id;
  rng.fill(id.bytes);
  return id;
}

NodeId operator^(const NodeId& a, const NodeId& b) {
  NodeId distance;
  for (std::size_t i = 0; i < NodeId::kSize; ++i) distance.bytes[i] = a.bytes[i] ^ b.bytes[i];
  return distance;
}

bool closer(const NodeId& target, const NodeId& a, const NodeId& b) {
  const std::uint64_t high = base::load_be64(target.bytes.data());
  const std::uint64_t high_a = high ^ base::load_be64(a.bytes.data());
  const std::uint64_t high_b = high ^ base::load_be64(b.bytes.data());
  return high_a != high_b ? high_a < high_b : (target ^ a) < (target ^ b);
}

unsigned common_prefix(const NodeId& a, const NodeId& b) {
  for (unsigned i = 0; i < NodeId::kSize; ++i) {
    const std::uint8_t differs = a.bytes[i] ^ b.bytes[i];
    if (differs != 0) return i * 8 + static_cast<unsigned>(std::countl_zero(differs));
  }
  return NodeId::kBits;
}

std::string to_hex(const NodeId& id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * NodeId::kSize);
  for (const std::uint8_t byte : id.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<NodeId> parse_hex(std::string_view text) {
  if (text.size() != 2 * NodeId::kSize) return std::nullopt;
  NodeId id;
  for (std::size_t i = 0; i < NodeId::kSize; ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return id;
}

NodeId bound_to_ip(NodeId id, const base::SocketAddress& address) {
  if (is_local(address)) return id;
  const std::uint32_t prefix = prefix_of(address, id.bytes[NodeId::kSize - 1] & 7);
  id.bytes[0] = static_cast<std::uint8_t>(prefix >> 24);
  id.bytes[1] = static_cast<std::uint8_t>(prefix >> 16);
  id.bytes[2] = static_cast<std::uint8_t>((prefix >> 8 & 0xf8) | (id.bytes[2] & 7));
  return id;
}

bool is_bound_to_ip(const NodeId& id, const base::SocketAddress& address) {
  return bound_to_ip(id, address) == id;
}

NodeId sealed_id(const crypto::PublicKey& key, const base::SocketAddress& address) {
  const auto hash = crypto::sha512({base::as_bytes("boxgram-dht-id"), key});
  return bound_to_ip(NodeId::from(base::Bytes(hash).first(NodeId::kSize)), address);
}

}  // namespace boxgram::dht
