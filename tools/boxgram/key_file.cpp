#include "key_file.hpp"

#include <array>
#include <cstring>

#include <fmt/format.h>
#include <sodium.h>

#include <boxgram/crypto/base64url.hpp>
#include <boxgram/net/state_file.hpp>

namespace boxgram::tools {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr std::size_t kEncoded = sodium_base64_ENCODED_LEN(32, kVariant);  // with the final zero
/// The longest kind, a colon, the key and a line end, with room to see that a file is too long.
constexpr std::size_t kMaxFile = 128;

}  // namespace

std::string public_word(std::string_view prefix, base::Bytes key) {
  return fmt::format("{}:{}", prefix, crypto::to_base64url(key));
}

base::expected<void, std::string> write_secret(const std::string& path, std::string_view kind,
                                               const crypto::Secret<32>& secret, bool replace) {
  std::array<std::uint8_t, kMaxFile> file{};
  base::Writer writer(file);
  writer.bytes(base::as_bytes(kind));
  writer.bytes(base::as_bytes(":"));
  const auto encoded = writer.reserve(kEncoded);
  // sodium ends the text with a zero; the line end takes its place.
  sodium_bin2base64(reinterpret_cast<char*>(encoded.data()), encoded.size(), secret.data(), 32,
                    kVariant);
  encoded.back() = '\n';
  const auto written = net::write_state_file(path, writer.written(), net::Secrecy::secret,
                                             replace ? net::Replace::yes : net::Replace::no);
  crypto::wipe(file);
  if (!written) return base::unexpected<std::string>(written.error().message);
  return {};
}

base::expected<std::optional<crypto::Secret<32>>, std::string> read_secret(const std::string& path,
                                                                           std::string_view kind) {
  std::array<std::uint8_t, kMaxFile> file{};
  const auto size = net::read_state_file(path, file, net::Secrecy::secret);
  if (!size) {
    if (size.error().kind == net::StateFileError::Kind::missing)
      return std::optional<crypto::Secret<32>>();
    return base::unexpected<std::string>(size.error().message);
  }
  auto text = base::as_text(base::Bytes(file).first(*size));
  while (text.ends_with('\n')) text.remove_suffix(1);
  crypto::Secret<32> secret;
  std::size_t decoded = 0;
  const bool right_kind = text.starts_with(kind) && text.substr(kind.size()).starts_with(':');
  if (right_kind) {
    text.remove_prefix(kind.size() + 1);
    if (sodium_base642bin(secret.data(), 32, text.data(), text.size(), nullptr, &decoded, nullptr,
                          kVariant) != 0)
      decoded = 0;
  }
  crypto::wipe(file);
  if (!right_kind)
    return base::unexpected<std::string>(
        fmt::format("{} is not a file of the kind {}", path, kind));
  if (decoded != 32)
    return base::unexpected<std::string>(fmt::format(
        "{} is damaged: restore it from a backup, or move it away to start anew", path));
  return std::optional<crypto::Secret<32>>(std::move(secret));
}

}  // namespace boxgram::tools
