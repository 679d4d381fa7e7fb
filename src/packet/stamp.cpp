#include <algorithm>
#include <vector>

#include <boxgram/base/check.hpp>
#include <boxgram/crypto/base64url.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/packet/stamp.hpp>

namespace boxgram::packet {
namespace {

constexpr std::string_view kScheme = "boxgram://";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kUdp = 1;
constexpr std::uint8_t kTcp = 2;
constexpr std::uint8_t kIdentity = 4;
constexpr std::uint8_t kPinned = 8;
constexpr std::size_t kChecksumSize = 4;
constexpr std::size_t kMaxName = 253;  // the longest domain name in text
constexpr std::size_t kMaxSize = 2 + 2 * 32 + 2 + 1 + 16 + 1 + kMaxName + kChecksumSize;

using Checksum = std::array<std::uint8_t, kChecksumSize>;

Checksum checksum(base::Bytes body) {
  Checksum sum;
  crypto::blake2b(sum, {base::as_bytes("BXG1-URI"), body});
  return sum;
}

bool name_allowed(std::string_view name) {
  return name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

std::optional<std::array<std::uint8_t, 32>> read_key(base::Reader& reader, bool present) {
  if (!present) return std::nullopt;
  std::array<std::uint8_t, 32> key{};
  const base::Bytes bytes = reader.bytes(key.size());
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

/// The address, or nothing; a v4-mapped address in 16 bytes would be a second spelling.
std::optional<base::SocketAddress> make_address(base::Bytes ip, std::uint16_t port) {
  if (port == 0) return std::nullopt;
  if (ip.size() == 4) return base::SocketAddress::v4(ip[0], ip[1], ip[2], ip[3], port);
  base::SocketAddress address;
  if (ip.size() != address.ip.size()) return std::nullopt;
  std::copy(ip.begin(), ip.end(), address.ip.begin());
  address.port = port;
  if (address.is_v4()) return std::nullopt;
  return address;
}

base::expected<Stamp, StampError> parse_body(base::Bytes body) {
  using Result = base::unexpected<StampError>;
  base::Reader reader(body);
  if (reader.u8() != kVersion) return Result(StampError::bad_version);
  const std::uint8_t flags = reader.u8();
  if (flags > (kUdp | kTcp | kIdentity | kPinned) || (flags & (kUdp | kTcp)) == 0 ||
      (flags & (kIdentity | kPinned)) == 0)
    return Result(StampError::bad_flags);
  Stamp stamp;
  stamp.udp = (flags & kUdp) != 0;
  stamp.tcp = (flags & kTcp) != 0;
  stamp.identity = read_key(reader, (flags & kIdentity) != 0);
  stamp.pinned = read_key(reader, (flags & kPinned) != 0);
  const std::uint16_t port = reader.u16();
  const base::Bytes ip = reader.bytes(reader.u8());
  const base::Bytes name = reader.bytes(reader.u8());
  if (!reader.ok() || reader.left() != 0) return Result(StampError::bad_length);
  const auto address = make_address(ip, port);
  if (!address) return Result(StampError::bad_address);
  stamp.address = *address;
  if (!name_allowed(base::as_text(name))) return Result(StampError::bad_name);
  stamp.name = base::as_text(name);
  return stamp;
}

}  // namespace

const char* to_string(StampError error) {
  switch (error) {
    case StampError::bad_scheme:
      return "a stamp begins with boxgram://";
    case StampError::bad_base64:
      return "a stamp holds letters, digits, '-' and '_' only after boxgram://";
    case StampError::bad_length:
      return "the stamp is not complete, or something follows it";
    case StampError::bad_version:
      return "the stamp was made for another version of boxgram";
    case StampError::bad_flags:
      return "the stamp names no transport or no key, or a flag that this version does not know";
    case StampError::bad_address:
      return "the stamp holds no usable address and port";
    case StampError::bad_name:
      return "the stamp's name holds a character that no name has";
    case StampError::bad_checksum:
      return "the stamp's checksum does not match: a typing error, or a part is missing";
  }
  return "";
}

std::string encode_stamp(const Stamp& stamp) {
  BOXGRAM_CHECK((stamp.udp || stamp.tcp) && (stamp.identity || stamp.pinned));
  BOXGRAM_CHECK(stamp.address.port != 0 && name_allowed(stamp.name));
  std::array<std::uint8_t, kMaxSize> bytes;
  base::Writer writer(bytes);
  writer.u8(kVersion);
  writer.u8(static_cast<std::uint8_t>((stamp.udp ? kUdp : 0) | (stamp.tcp ? kTcp : 0) |
                                      (stamp.identity ? kIdentity : 0) |
                                      (stamp.pinned ? kPinned : 0)));
  if (stamp.identity) writer.bytes(*stamp.identity);
  if (stamp.pinned) writer.bytes(*stamp.pinned);
  writer.u16(stamp.address.port);
  const std::size_t ip_size = stamp.address.is_v4() ? 4 : 16;
  writer.u8(static_cast<std::uint8_t>(ip_size));
  writer.bytes(base::Bytes(stamp.address.ip).last(ip_size));
  writer.u8(static_cast<std::uint8_t>(stamp.name.size()));
  writer.bytes(base::as_bytes(stamp.name));
  const Checksum sum = checksum(writer.written());
  writer.bytes(sum);
  BOXGRAM_CHECK(writer.ok());
  return std::string(kScheme) + crypto::to_base64url(writer.written());
}

base::expected<Stamp, StampError> decode_stamp(std::string_view text) {
  using Result = base::unexpected<StampError>;
  if (text.substr(0, kScheme.size()) != kScheme) return Result(StampError::bad_scheme);
  text.remove_prefix(kScheme.size());
  if (text.size() > (kMaxSize + 2) / 3 * 4) return Result(StampError::bad_length);
  const auto bytes = crypto::from_base64url(text);
  if (!bytes) return Result(StampError::bad_base64);
  if (bytes->size() < 2 + kChecksumSize) return Result(StampError::bad_length);
  const base::Bytes body = base::Bytes(*bytes).first(bytes->size() - kChecksumSize);
  const Checksum sum = checksum(body);
  if (!std::equal(sum.begin(), sum.end(), bytes->end() - kChecksumSize))
    return Result(StampError::bad_checksum);
  return parse_body(body);
}

}  // namespace boxgram::packet
