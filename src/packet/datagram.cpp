#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/packet/datagram.hpp>

namespace boxgram::packet {
namespace {

constexpr std::uint8_t kVersion = 0x01;

// A label names version, mode, message and direction: a box that is opened as another type, in the
// other direction or under another version fails by itself.
constexpr std::string_view kInitialLabel = "BXG1-PI>";
constexpr std::string_view kShortLabel = "BXG1-PM>";
constexpr std::string_view kMsgLabel = "BXG1-PM<";

crypto::Nonce counter_nonce(std::string_view label, const SessionId& first, std::uint64_t n) {
  std::array<std::uint8_t, 16> tail;
  std::copy(first.begin(), first.end(), tail.begin());
  base::store_be64(tail.data() + 8, n);
  return crypto::make_nonce(label, tail);
}

crypto::Nonce initial_nonce(std::uint64_t n) {
  return counter_nonce(kInitialLabel, {}, n);
}

void put_header(base::Writer& out, DatagramType type) {
  write_header(out, static_cast<std::uint8_t>(type));
}

bool all_zero(base::Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

bool length_allowed(DatagramType type, std::size_t size) {
  switch (type) {
    case DatagramType::initial:
    case DatagramType::initial_c:
    case DatagramType::keyreq:
      return size >= kMinInitial && size <= kMaxDatagram;
    case DatagramType::short_:
    case DatagramType::msg:
      return size >= kMinShort && size <= kMaxDatagram;
    case DatagramType::retry:
      return size == kRetrySize;
    case DatagramType::reset:
      return size == kResetSize;
    case DatagramType::keys:
      return size >= kKeysClear && size <= kMaxDatagram &&
             (size - kKeysClear) % kCertificateSize == 0;
  }
  return false;
}

}  // namespace

KeyId key_id(const crypto::PublicKey& server_key) {
  KeyId id;
  crypto::blake2b(id, {base::as_bytes("BXG1-KEY"), server_key});
  return id;
}

ClientId client_id(const crypto::PublicKey& client_key) {
  return base::load_array<sizeof(ClientId)>(client_key.data());
}

void write_header(base::Writer& out, std::uint8_t type) {
  out.u8('b');
  out.u8('g');
  out.u8(kVersion);
  out.u8(type);
}

base::expected<std::uint8_t, HeaderError> read_header(base::Bytes bytes) {
  using Result = base::unexpected<HeaderError>;
  if (bytes.size() < kHeaderSize) return Result(HeaderError::too_short);
  if (bytes[0] != 'b' || bytes[1] != 'g') return Result(HeaderError::bad_magic);
  if (bytes[2] != kVersion) return Result(HeaderError::bad_version);
  return bytes[3];
}

base::expected<DatagramType, HeaderError> parse_header(base::Bytes datagram) {
  using Result = base::unexpected<HeaderError>;
  const auto read = read_header(datagram);
  if (!read) return Result(read.error());
  const DatagramType type{*read};
  switch (type) {
    case DatagramType::initial:
    case DatagramType::initial_c:
    case DatagramType::short_:
    case DatagramType::keyreq:
    case DatagramType::msg:
    case DatagramType::retry:
    case DatagramType::reset:
    case DatagramType::keys:
      if (!length_allowed(type, datagram.size())) return Result(HeaderError::bad_length);
      return type;
  }
  return Result(HeaderError::bad_type);
}

InitialHeader parse_initial(base::Bytes datagram) {
  InitialHeader header;
  header.key_id = base::load_array<sizeof(KeyId)>(&datagram[4]);
  header.client_key = base::load_array<sizeof(crypto::PublicKey)>(&datagram[12]);
  header.n = base::load_be64(&datagram[44]);
  if (DatagramType{datagram[3]} == DatagramType::initial_c)
    header.cookie = datagram.subspan(kInitialClear, sizeof(Cookie));
  return header;
}

ShortHeader parse_short(base::Bytes datagram) {
  return {base::load_array<sizeof(SessionId)>(&datagram[4]), base::load_be64(&datagram[12])};
}

MsgHeader parse_msg(base::Bytes datagram) {
  return {base::load_array<sizeof(ClientId)>(&datagram[4]), base::load_array<16>(&datagram[12])};
}

RetryView parse_retry(base::Bytes datagram) {
  return {base::load_array<sizeof(ClientId)>(&datagram[4]), base::load_be64(&datagram[12]),
          base::load_array<sizeof(Cookie)>(&datagram[20])};
}

ResetView parse_reset(base::Bytes datagram) {
  return {base::load_array<sizeof(SessionId)>(&datagram[4]),
          base::load_array<sizeof(ResetToken)>(&datagram[12])};
}

std::optional<Echo> parse_keyreq(base::Bytes datagram) {
  if (!all_zero(datagram.subspan(kHeaderSize + sizeof(Echo)))) return std::nullopt;
  return base::load_array<sizeof(Echo)>(&datagram[4]);
}

std::optional<KeysView> parse_keys(base::Bytes datagram) {
  KeysView keys{base::load_array<sizeof(Echo)>(&datagram[4]), datagram.subspan(kKeysClear)};
  if (keys.certificates.size() != datagram[12] * kCertificateSize ||
      !all_zero(datagram.subspan(13, 3)))
    return std::nullopt;
  return keys;
}

base::MutableBytes frame_space(DatagramType type, base::MutableBytes datagram) {
  const std::size_t prefix = type == DatagramType::short_ ? 0 : 8;
  return datagram.subspan(box_offset(type) + crypto::kTagSize + prefix);
}

void seal_initial(base::MutableBytes datagram, const InitialHeader& header,
                  std::uint64_t client_unix_ms, const crypto::SharedKey& key) {
  BOXGRAM_CHECK(header.n < kMaxCounter);
  const DatagramType type = header.cookie.empty() ? DatagramType::initial : DatagramType::initial_c;
  base::Writer out(datagram);
  put_header(out, type);
  out.bytes(header.key_id);
  out.bytes(header.client_key);
  out.u64(header.n);
  out.bytes(header.cookie);
  BOXGRAM_CHECK(out.ok() && out.size() == box_offset(type));
  out.reserve(crypto::kTagSize);
  out.u64(client_unix_ms);
  BOXGRAM_CHECK(out.ok());
  crypto::box(datagram.subspan(box_offset(type)), initial_nonce(header.n), key);
}

void seal_short(base::MutableBytes datagram, const ShortHeader& header,
                const crypto::SharedKey& key) {
  BOXGRAM_CHECK(header.n < kMaxCounter && datagram.size() >= kShortOverhead);
  base::Writer out(datagram);
  put_header(out, DatagramType::short_);
  out.bytes(header.sid);
  out.u64(header.n);
  crypto::box(datagram.subspan(kShortClear), counter_nonce(kShortLabel, header.sid, header.n), key);
}

void seal_msg(base::MutableBytes datagram, const MsgHeader& header, std::uint64_t re,
              const crypto::SharedKey& key) {
  BOXGRAM_CHECK(datagram.size() >= kMsgOverhead);
  base::Writer out(datagram);
  put_header(out, DatagramType::msg);
  out.bytes(header.cid);
  out.bytes(header.r);
  out.reserve(crypto::kTagSize);
  out.u64(re);
  crypto::box(datagram.subspan(kMsgClear), crypto::make_nonce(kMsgLabel, header.r), key);
}

std::optional<Opened> open_initial(base::MutableBytes datagram, const InitialHeader& header,
                                   const crypto::SharedKey& key) {
  const base::MutableBytes box = datagram.subspan(
      box_offset(header.cookie.empty() ? DatagramType::initial : DatagramType::initial_c));
  if (!crypto::box_open(box, initial_nonce(header.n), key)) return std::nullopt;
  return Opened{base::load_be64(&box[crypto::kTagSize]), box.subspan(crypto::kTagSize + 8)};
}

std::optional<Opened> open_short(base::MutableBytes datagram, const ShortHeader& header,
                                 const crypto::SharedKey& key) {
  const base::MutableBytes box = datagram.subspan(kShortClear);
  if (!crypto::box_open(box, counter_nonce(kShortLabel, header.sid, header.n), key))
    return std::nullopt;
  return Opened{0, box.subspan(crypto::kTagSize)};
}

std::optional<Opened> open_msg(base::MutableBytes datagram, const MsgHeader& header,
                               const crypto::SharedKey& key) {
  const base::MutableBytes box = datagram.subspan(kMsgClear);
  if (!crypto::box_open(box, crypto::make_nonce(kMsgLabel, header.r), key)) return std::nullopt;
  return Opened{base::load_be64(&box[crypto::kTagSize]), box.subspan(crypto::kTagSize + 8)};
}

std::size_t write_retry(base::MutableBytes out, const RetryView& retry) {
  base::Writer writer(out);
  put_header(writer, DatagramType::retry);
  writer.bytes(retry.cid);
  writer.u64(retry.n);
  writer.bytes(retry.cookie);
  BOXGRAM_CHECK(writer.ok());
  return writer.size();
}

std::size_t write_reset(base::MutableBytes out, const ResetView& reset) {
  base::Writer writer(out);
  put_header(writer, DatagramType::reset);
  writer.bytes(reset.sid);
  writer.bytes(reset.token);
  BOXGRAM_CHECK(writer.ok());
  return writer.size();
}

std::size_t write_keyreq(base::MutableBytes out, const Echo& echo) {
  base::Writer writer(out);
  put_header(writer, DatagramType::keyreq);
  writer.bytes(echo);
  writer.zeros(writer.left());
  BOXGRAM_CHECK(writer.ok() && writer.size() >= kMinInitial);
  return writer.size();
}

std::size_t write_keys(base::MutableBytes out, const KeysView& keys) {
  base::Writer writer(out);
  put_header(writer, DatagramType::keys);
  writer.bytes(keys.echo);
  writer.u8(static_cast<std::uint8_t>(keys.certificates.size() / kCertificateSize));
  writer.zeros(3);
  writer.bytes(keys.certificates);
  BOXGRAM_CHECK(writer.ok());
  return writer.size();
}

}  // namespace boxgram::packet
