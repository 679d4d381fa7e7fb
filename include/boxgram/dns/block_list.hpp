// Names that are not to be resolved: millions of them in eight bytes each, found in one pass over
// the labels.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <boxgram/dns/list_report.hpp>
#include <boxgram/dns/name.hpp>

namespace boxgram::dns {

class SuffixHashes;

/// A set of names, each either alone or with everything below it.
///
/// Only a 64-bit hash of a name is kept: with 1,000,000 entries and a name of ten labels, one
/// lookup in about 10^12 blocks a name that is not listed.
/// Memory: 8 bytes a name at a load of at most 3/4 of a power of two (16 MiB for 1,000,000).
/// Cost of a lookup: a hash step for each octet and one probe for each label; no allocation.
class BlockList {
 public:
  enum class Scope : std::uint8_t { exact, with_subdomains };

  void add(const Name& name, Scope scope);

  /// Reads a list, a line at a time; `#` and `!` begin a comment. A line is one of
  ///   ads.example            the name and everything below it
  ///   *.ads.example          the same
  ///   ||ads.example^         the same
  ///   =ads.example           the name alone
  ///   0.0.0.0 ads.example..  hosts format: each name alone; localhost and the like are skipped
  /// A line that is none of these is counted with its number and skipped.
  ListReport add_text(std::string_view text);

  /// The entry that blocks a name.
  struct Match {
    Name name;
    Scope scope{};
  };
  [[nodiscard]] std::optional<Match> match(const Name& name) const;
  [[nodiscard]] bool blocks(const Name& name) const;
  [[nodiscard]] bool blocks(const SuffixHashes& hashes) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const { return slots_.capacity() * sizeof(slots_[0]); }

 private:
  void insert(std::uint64_t hash);
  [[nodiscard]] bool contains(std::uint64_t hash) const;
  void grow();

  std::vector<std::uint64_t> slots_;  // open addressing, linear probing, 0 = free
  std::size_t size_ = 0;
};

}  // namespace boxgram::dns
