#include <boxgram/base/check.hpp>
#include <boxgram/crypto/hash.hpp>
#include <boxgram/dht/bencode.hpp>
#include <boxgram/dht/item.hpp>

namespace boxgram::dht {
namespace {

/// The bytes that an item's signature covers, in place. It looks like the inside of a dictionary
/// and is none: no braces, so that no parser stands between the signer and the verifier.
class SignedBytes {
 public:
  SignedBytes(base::Bytes salt, std::int64_t sequence, base::Bytes value) {
    bencode::Encoder out(buffer_);
    if (!salt.empty()) {
      out.string("salt");
      out.string(salt);
    }
    out.string("seq");
    out.integer(sequence);
    out.string("v");
    out.raw(value);
    BOXGRAM_CHECK(out.ok());
    size_ = out.size();
  }

  [[nodiscard]] base::Bytes bytes() const { return base::Bytes(buffer_).first(size_); }

 private:
  static constexpr std::size_t kOverhead = 6 + 3 + 5 + 22 + 3;  // 4:salt 64: 3:seq i-9..e 1:v

  std::array<std::uint8_t, kOverhead + kMaxSalt + kMaxValue> buffer_;
  std::size_t size_ = 0;
};

}  // namespace

NodeId immutable_target(base::Bytes value) {
  return NodeId{crypto::sha1({value})};
}

NodeId mutable_target(const crypto::VerifyKey& key, base::Bytes salt) {
  return NodeId{crypto::sha1({key, salt})};
}

NodeId target_of(const Item& item) {
  return item.author ? mutable_target(item.author->key, item.author->salt)
                     : immutable_target(item.value);
}

std::optional<ErrorCode> check(const Item& item) {
  if (item.value.size() > kMaxValue) return ErrorCode::value_too_big;
  if (!bencode::is_canonical(item.value)) return ErrorCode::protocol;
  if (!item.author) return std::nullopt;
  const Authorship& author = *item.author;
  if (author.salt.size() > kMaxSalt) return ErrorCode::salt_too_big;
  if (author.sequence < 0) return ErrorCode::protocol;
  const SignedBytes text(author.salt, author.sequence, item.value);
  if (!crypto::verify(author.signature, text.bytes(), author.key))
    return ErrorCode::invalid_signature;
  return std::nullopt;
}

crypto::Signature sign_item(const crypto::SigningKey& key, base::Bytes salt, std::int64_t sequence,
                            base::Bytes value) {
  BOXGRAM_CHECK(value.size() <= kMaxValue && salt.size() <= kMaxSalt);
  return key.sign(SignedBytes(salt, sequence, value).bytes());
}

}  // namespace boxgram::dht
