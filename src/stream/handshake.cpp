#include "handshake.hpp"

#include <algorithm>

#include <boxgram/base/check.hpp>
#include <boxgram/crypto/hash.hpp>

namespace boxgram::stream {
namespace {

constexpr std::string_view kHelloLabel = "BXG1-SH>";
constexpr std::string_view kCookieLabel = "BXG1-SK<";
constexpr std::string_view kVouchLabel = "BXG1-SV>";
constexpr std::string_view kVoucherLabel = "BXG1-SC>";
constexpr std::string_view kConfirmLabel = "BXG1-SW>";

/// For boxes whose key serves one box of their kind only.
constexpr BoxNonce kOnlyOne{};

constexpr std::size_t kHelloClear = packet::kHeaderSize + sizeof(packet::KeyId) + 32;
constexpr std::size_t kCookieClear = packet::kHeaderSize + sizeof(BoxNonce);
constexpr std::size_t kVouchClear = packet::kHeaderSize;

/// A writer that begins behind the clear part and the tag.
base::Writer inside(base::MutableBytes body, std::size_t clear) {
  return base::Writer(body.subspan(clear + crypto::kTagSize));
}

void write_clear(base::MutableBytes body, std::uint8_t type,
                 std::initializer_list<base::Bytes> fields) {
  base::Writer out(body);
  packet::write_header(out, type);
  for (const base::Bytes field : fields) out.bytes(field);
  BOXGRAM_CHECK(out.ok());
}

Tag load_tag(const std::uint8_t* p) {
  Tag tag;
  std::copy_n(p, Tag::kSize, tag.data());
  return tag;
}

}  // namespace

void append_body(ByteQueue& out, base::Bytes body) {
  base::Writer framed(out.room(2 + body.size()));
  framed.u16(static_cast<std::uint16_t>(body.size()));
  framed.bytes(body);
  out.added(framed.size());
}

bool is_body(base::Bytes body, std::uint8_t type, std::size_t size) {
  const auto read = packet::read_header(body);
  return read && *read == type && body.size() == size;
}

HelloBody seal_hello(const packet::KeyId& key_id, const crypto::PublicKey& client_key,
                     const Tag& client_tag, const crypto::SharedKey& key) {
  HelloBody body;
  write_clear(body, kHelloType, {key_id, client_key});
  inside(body, kHelloClear).bytes(client_tag.bytes());
  crypto::box(base::MutableBytes(body).subspan(kHelloClear),
              crypto::make_nonce(kHelloLabel, kOnlyOne), key);
  return body;
}

HelloClear parse_hello(base::Bytes body) {
  return {base::load_array<8>(&body[4]), base::load_array<32>(&body[12])};
}

std::optional<Tag> open_hello(base::MutableBytes body, const crypto::SharedKey& key) {
  const base::MutableBytes boxed = body.subspan(kHelloClear);
  if (!crypto::box_open(boxed, crypto::make_nonce(kHelloLabel, kOnlyOne), key)) return std::nullopt;
  return load_tag(&boxed[crypto::kTagSize]);
}

CookieBody seal_cookie(const CookieContents& contents, const BoxNonce& nonce,
                       const crypto::SharedKey& key) {
  CookieBody body;
  write_clear(body, kCookieType, {nonce});
  base::Writer out = inside(body, kCookieClear);
  out.bytes(contents.server_key);
  out.bytes(contents.client_tag.bytes());
  out.bytes(contents.server_tag.bytes());
  crypto::box(base::MutableBytes(body).subspan(kCookieClear),
              crypto::make_nonce(kCookieLabel, nonce), key);
  return body;
}

std::optional<CookieContents> open_cookie(base::MutableBytes body, const crypto::SharedKey& key) {
  const base::MutableBytes boxed = body.subspan(kCookieClear);
  const auto nonce = body.subspan(packet::kHeaderSize, sizeof(BoxNonce));
  if (!crypto::box_open(boxed, crypto::make_nonce(kCookieLabel, nonce), key)) return std::nullopt;
  const std::uint8_t* text = &boxed[crypto::kTagSize];
  return CookieContents{base::load_array<32>(text), load_tag(text + 32), load_tag(text + 64)};
}

std::array<std::uint8_t, kVoucherSize> seal_voucher(const crypto::PublicKey& client_key,
                                                    const Tag& server_tag, const BoxNonce& nonce,
                                                    const crypto::SharedKey& key) {
  std::array<std::uint8_t, kVoucherSize> voucher;
  base::Writer out(voucher);
  out.bytes(nonce);
  const base::MutableBytes boxed = base::MutableBytes(voucher).subspan(sizeof nonce);
  out.zeros(crypto::kTagSize);
  out.bytes(client_key);
  out.bytes(server_tag.bytes());
  crypto::box(boxed, crypto::make_nonce(kVoucherLabel, nonce), key);
  return voucher;
}

bool open_voucher(base::MutableBytes voucher, const crypto::PublicKey& client_key,
                  const Tag& server_tag, const crypto::SharedKey& key) {
  const auto nonce = voucher.first(sizeof(BoxNonce));
  const base::MutableBytes boxed = voucher.subspan(sizeof(BoxNonce));
  if (!crypto::box_open(boxed, crypto::make_nonce(kVoucherLabel, nonce), key)) return false;
  const base::Bytes text = boxed.subspan(crypto::kTagSize);
  const bool same_key = crypto::equal_constant_time(text.first(32), client_key);
  const bool same_tag = crypto::equal_constant_time(text.subspan(32), server_tag.bytes());
  return same_key && same_tag;
}

VouchBody seal_vouch(const crypto::PublicKey& long_term_key, base::Bytes voucher,
                     const crypto::SharedKey& key) {
  VouchBody body;
  write_clear(body, kVouchType, {});
  base::Writer out = inside(body, kVouchClear);
  out.bytes(long_term_key);
  out.bytes(voucher);
  crypto::box(base::MutableBytes(body).subspan(kVouchClear),
              crypto::make_nonce(kVouchLabel, kOnlyOne), key);
  return body;
}

std::optional<VouchContents> open_vouch(base::MutableBytes body, const crypto::SharedKey& key) {
  const base::MutableBytes boxed = body.subspan(kVouchClear);
  if (!crypto::box_open(boxed, crypto::make_nonce(kVouchLabel, kOnlyOne), key)) return std::nullopt;
  const base::MutableBytes text = boxed.subspan(crypto::kTagSize);
  return VouchContents{base::load_array<32>(text.data()), text.subspan(32)};
}

Binding bind(const Transcript& transcript) {
  Binding binding;
  crypto::blake2b(
      binding, {base::as_bytes("BXG1 stream bind"), transcript.hello, transcript.server_long_term,
                transcript.client_long_term, transcript.server_ephemeral,
                transcript.client_tag.bytes(), transcript.server_tag.bytes()});
  return binding;
}

ConfirmPayload seal_confirm(const Binding& binding, const BoxNonce& nonce,
                            const crypto::SharedKey& key) {
  ConfirmPayload payload;
  base::Writer out(payload);
  out.bytes(nonce);
  out.zeros(crypto::kTagSize);
  out.bytes(binding);
  crypto::box(base::MutableBytes(payload).subspan(sizeof nonce),
              crypto::make_nonce(kConfirmLabel, nonce), key);
  return payload;
}

bool open_confirm(base::Bytes payload, const Binding& binding, const crypto::SharedKey& key) {
  if (payload.size() != kConfirmSize) return false;
  ConfirmPayload copy = base::load_array<kConfirmSize>(payload.data());
  const base::MutableBytes boxed = base::MutableBytes(copy).subspan(sizeof(BoxNonce));
  const auto nonce = crypto::make_nonce(kConfirmLabel, payload.first(sizeof(BoxNonce)));
  return crypto::box_open(boxed, nonce, key) &&
         crypto::equal_constant_time(boxed.subspan(crypto::kTagSize), binding);
}

}  // namespace boxgram::stream
