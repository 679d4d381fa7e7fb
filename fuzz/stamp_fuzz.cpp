// Stamps: any text, and any body behind a right checksum.
#include <cstdlib>
#include <string>

#include <boxgram/crypto/hash.hpp>
#include <boxgram/packet/stamp.hpp>

namespace {

using namespace boxgram;

/// Every stamp has one spelling.
void check(const std::string& text) {
  const auto stamp = packet::decode_stamp(text);
  if (!stamp) {
    if (*packet::to_string(stamp.error()) == '\0') std::abort();
    return;
  }
  if (packet::encode_stamp(*stamp) != text) std::abort();
}

std::string with_checksum(base::Bytes body) {
  static const std::string kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bytes(body.begin(), body.end());
  std::array<std::uint8_t, 4> sum;
  crypto::blake2b(sum, {base::as_bytes("BXG1-URI"), body});
  bytes.append(sum.begin(), sum.end());
  std::string text = "boxgram://";
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 6) {
    unsigned value = 0;
    for (std::size_t i = bit; i < bit + 6; ++i) {
      const unsigned byte = i / 8 < bytes.size() ? static_cast<std::uint8_t>(bytes[i / 8]) : 0u;
      value = value << 1 | (byte >> (7 - i % 8) & 1u);
    }
    text += kAlphabet[value];
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes input(data, size);
  check(std::string(base::as_text(input)));
  check(with_checksum(input));
  return 0;
}
