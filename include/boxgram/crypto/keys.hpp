// Keys as types: a secret cannot be copied by accident and is wiped when it goes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <boxgram/base/bytes.hpp>
#include <boxgram/base/expected.hpp>
#include <boxgram/base/rng.hpp>

namespace boxgram::crypto {

/// Overwrites with zeros in a way that the compiler keeps. Source: libsodium, sodium_memzero.
void wipe(base::MutableBytes bytes);

/// Compares without a branch on the contents. False if the sizes differ.
bool equal_constant_time(base::Bytes a, base::Bytes b);

/// N secret bytes: move only, wiped on destruction and when moved from.
template <std::size_t N>
class Secret {
 public:
  static constexpr std::size_t kSize = N;

  Secret() = default;
  explicit Secret(const std::array<std::uint8_t, N>& bytes) : bytes_(bytes) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  /// An explicit copy, for the few places that need one.
  [[nodiscard]] Secret copy() const { return Secret(bytes_); }

  [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }
  [[nodiscard]] std::uint8_t* data() { return bytes_.data(); }
  [[nodiscard]] base::Bytes bytes() const { return bytes_; }
  [[nodiscard]] base::MutableBytes bytes() { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

using PublicKey = std::array<std::uint8_t, 32>;  ///< X25519
using SecretKey = Secret<32>;                    ///< X25519
using SharedKey = Secret<32>;                    ///< crypto_box_beforenm's result

struct KeyPair {
  PublicKey public_key{};
  SecretKey secret_key;
};

/// Cost: one scalar multiplication.
KeyPair generate_key_pair(base::Rng& rng);

/// The public part of a secret key. Cost: one scalar multiplication.
PublicKey public_key_of(const SecretKey& secret_key);

/// Why bytes from outside are nobody's key.
enum class PublicKeyFault : std::uint8_t {
  not_canonical,  ///< 2^255 - 19 or more, or the top bit set: another spelling of another key
  low_order,      ///< every shared key with it is known to everybody
};

/// Nothing if the bytes can be a public key. For keys that people write down; on the wire
/// shared_key() finds the low-order points by itself. Source: RFC 7748, sections 5 and 6.1.
/// Cost: one scalar multiplication.
std::optional<PublicKeyFault> fault_of(const PublicKey& public_key);

/// The key that both ends of Box[..](secret -> public) share (crypto_box_beforenm).
/// Nothing if the public key is a low-order point: the result would be known to everybody.
/// Cost: one scalar multiplication.
std::optional<SharedKey> shared_key(const PublicKey& public_key, const SecretKey& secret_key);

}  // namespace boxgram::crypto
