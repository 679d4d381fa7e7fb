// A fast hash for tables that live for one message. Not keyed: whoever makes names collide only
// makes the answer that holds them compress less; every table that uses it bounds its search.
#pragma once

#include <boxgram/dns/name.hpp>

namespace boxgram::dns {

inline std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

/// Eight bytes at a time; the size counts, so a short last word is not ambiguous.
inline std::uint64_t mix_bytes(std::uint64_t hash, base::Bytes bytes) {
  hash = mix(hash, bytes.size());
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    hash = mix(hash, word);
    bytes = bytes.subspan(8);
  }
  std::uint64_t word = 0;
  for (const std::uint8_t c : bytes) word = word << 8 | c;
  return mix(hash, word);
}

}  // namespace boxgram::dns
