// The hashes of a name and of all its parents in one pass, for tables that are asked about each of
// them.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <boxgram/dns/name.hpp>

#include "name_hash.hpp"

namespace boxgram::dns {

/// For tables that only the configuration fills: a client can look names up but not put any in, so
/// the hash needs no secret.
class SuffixHashes {
 public:
  struct Suffix {
    std::uint64_t hash = 0;   ///< never 0
    std::uint8_t offset = 0;  ///< into the name
  };

  /// REQUIRES: `name` is a lowered name in wire form, without compression.
  explicit SuffixHashes(base::Bytes name) {
    // Labels are met from the left and hashed from the right.
    std::array<std::uint8_t, 128> offsets;
    std::size_t offset = 0;
    while (name[offset] != 0) {
      offsets[count_++] = static_cast<std::uint8_t>(offset);
      offset += name[offset] + 1U;
    }
    std::uint64_t hash = kRoot;
    for (std::size_t i = count_; i-- > 0;) {
      hash = mix_bytes(hash, name.subspan(offsets[i] + 1U, name[offsets[i]]));
      suffixes_[i] = {hash | 1, offsets[i]};
    }
    suffixes_[count_++] = {kRoot | 1, static_cast<std::uint8_t>(offset)};
  }

  /// The whole name first, the root last; never empty.
  [[nodiscard]] std::span<const Suffix> all() const& { return {suffixes_.data(), count_}; }
  std::span<const Suffix> all() const&& = delete;  // would outlive its memory
  [[nodiscard]] std::uint64_t whole() const { return suffixes_[0].hash; }

 private:
  static constexpr std::uint64_t kRoot = 0x9e3779b97f4a7c15;

  std::size_t count_ = 0;
  std::array<Suffix, 128> suffixes_;
};

}  // namespace boxgram::dns
