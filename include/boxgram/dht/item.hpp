// What a DHT stores for its users: values named by their hash, or by a key that signs them.
// Source: BEP 44.
#pragma once

#include <cstdint>
#include <optional>

#include <boxgram/base/bytes.hpp>
#include <boxgram/crypto/sign.hpp>
#include <boxgram/dht/error_code.hpp>
#include <boxgram/dht/node_id.hpp>

namespace boxgram::dht {

/// BEP 44: more "is not safe to assume" to be stored.
inline constexpr std::size_t kMaxValue = 1000;
inline constexpr std::size_t kMaxSalt = 64;

/// What makes an item mutable: who may write it, and which version this is.
struct Authorship {
  crypto::VerifyKey key{};
  base::Bytes salt;  ///< one key's items are told apart by it; usually empty
  std::int64_t sequence = 0;
  crypto::Signature signature{};
};

/// A view: the bytes belong to a message or to a store.
struct Item {
  base::Bytes value;                 ///< bencoded, exactly as it travels
  std::optional<Authorship> author;  ///< none: immutable
};

/// Immutable items: SHA-1(value).
NodeId immutable_target(base::Bytes value);
/// Mutable items: SHA-1(key | salt).
NodeId mutable_target(const crypto::VerifyKey& key, base::Bytes salt);
NodeId target_of(const Item& item);

/// Nothing if the item may be stored and believed, else the error that its sender deserves:
/// value_too_big, salt_too_big, protocol (not canonical, or a negative sequence number) or
/// invalid_signature. Cheap checks come first. Cost: 60 us for a mutable item.
std::optional<ErrorCode> check(const Item& item);

/// Signs what BEP 44 has signed: "4:salt" N ":" salt (unless empty) "3:seqi" S "e1:v" value.
/// REQUIRES: value.size() <= kMaxValue, salt.size() <= kMaxSalt.
crypto::Signature sign_item(const crypto::SigningKey& key, base::Bytes salt, std::int64_t sequence,
                            base::Bytes value);

}  // namespace boxgram::dht
