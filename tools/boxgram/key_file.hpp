// Keys as small text files and as words that people can copy: "ed25519:...", "x25519:...".
#pragma once

#include <string>
#include <string_view>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/crypto/keys.hpp>

namespace boxgram::tools {

/// What a secret file holds; its first word, so that one kind is never taken for another.
inline constexpr std::string_view kIdentitySecret = "boxgram-identity-secret";
inline constexpr std::string_view kClientSecret = "boxgram-client-secret";
inline constexpr std::string_view kDhtSecret = "boxgram-dht-secret";
inline constexpr std::string_view kItemSecret = "boxgram-item-secret";
inline constexpr std::string_view kPinnedSecret = "boxgram-pinned-secret";
inline constexpr std::string_view kResetSecret = "boxgram-reset-secret";

/// "PREFIX:" and 32 bytes in base64url without padding.
std::string public_word(std::string_view prefix, base::Bytes key);

/// Writes one line "KIND:BASE64URL", mode 0600. The error is a line for people.
base::expected<void, std::string> write_secret(const std::string& path, std::string_view kind,
                                               const crypto::Secret<32>& secret, bool replace);

/// The secret, nothing if there is no such file, or a line for people: wrong kind, damaged,
/// readable by others.
base::expected<std::optional<crypto::Secret<32>>, std::string> read_secret(const std::string& path,
                                                                           std::string_view kind);

}  // namespace boxgram::tools
