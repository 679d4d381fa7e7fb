// Builds an AnswerView record by record, compressing names. Source: RFC 1035, section 4.1.4;
// RFC 3597, section 4 (which types may be compressed).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <boxgram/dns/answer.hpp>
#include <boxgram/dns/name.hpp>

namespace boxgram::dns {

enum class Section : std::uint8_t { answer, authority, additional };

/// Holds the memory that a view points into and keeps it from one answer to the next, so a
/// long-lived builder does not allocate once it has grown (at most to 64 KiB + tables).
class AnswerBuilder {
 public:
  AnswerBuilder();

  /// Starts a new answer; every earlier view becomes invalid.
  void start(base::Bytes question_name, std::uint16_t type, std::uint16_t rr_class);

  /// Adds a record. Sections come in order. `message` holds the RDATA at [offset, offset + size),
  /// names in it may be compressed within `message`. Names are decompressed in the types of RFC
  /// 1035 and those RFC 3597 lists, compressed again only in the former; all other RDATA is copied
  /// as it is. False if a name in the RDATA is malformed; the answer must then be given up.
  [[nodiscard]] bool add(Section section, const Name& owner, std::uint16_t type,
                         std::uint16_t rr_class, std::uint32_t ttl, base::Bytes message,
                         std::size_t offset, std::size_t size);
  /// The same for RDATA of our own, in wire form without compression.
  [[nodiscard]] bool add(Section section, const Name& owner, std::uint16_t type,
                         std::uint16_t rr_class, std::uint32_t ttl, base::Bytes rdata) {
    return add(section, owner, type, rr_class, ttl, rdata, 0, rdata.size());
  }
  /// Adds an extended error as an EDNS option; what goes beyond 512 bytes in all is left out, so
  /// that an upstream cannot fill a cache with prose.
  void add_extended_error(std::uint16_t code, base::Bytes text);

  /// False once the answer has outgrown 65,535 bytes.
  [[nodiscard]] bool fits() const { return fits_; }

  /// Makes the TTLs of each RRset its minimum (RFC 2181, section 5.2), decides kind and lifetime.
  /// The view is valid until the next start(). REQUIRES: fits().
  AnswerView finish(Rcode rcode, bool authentic, bool truncated);

 private:
  /// 512 places for suffixes that a later name may point to, 4 tries each: enough that ordinary
  /// answers compress fully, and small enough to be cleared for each answer.
  static constexpr std::size_t kSuffixes = 512;
  static constexpr std::size_t kSets = 256;

  struct Suffix {              // a name that a later one may point to
    std::uint16_t offset = 0;  // in the message, 0: free
    std::uint16_t tag = 0;     // of its hash: long names that begin alike are not compared
  };
  struct Mark {             // what finish() must know of a record
    std::uint64_t set = 0;  // hash of section, owner, type, class, covered type
    std::uint32_t ttl = 0;
    std::uint16_t next = 0;    // leader in the chain of its hash place, +1
    std::uint16_t leader = 0;  // first record of the same RRset
  };

  void append(base::Bytes bytes);
  void append_u16(std::uint16_t value);
  void append_owner(base::Bytes owner);
  void append_name(base::Bytes name, bool compress);
  [[nodiscard]] bool append_rdata(std::uint16_t type, base::Bytes message, std::size_t offset,
                                  std::size_t size);
  void note_suffix(std::uint32_t hash, std::size_t offset);
  [[nodiscard]] std::size_t find_suffix(std::uint32_t hash, base::Bytes suffix) const;
  void note_record(Section section, std::uint32_t type_covered, std::uint16_t rr_class,
                   std::uint32_t ttl);
  [[nodiscard]] bool holds_suffix(std::size_t offset, base::Bytes suffix) const;
  [[nodiscard]] std::uint32_t settle_ttls(bool negative);

  std::unique_ptr<std::uint8_t[]> body_;  // room for the largest message; pages touched on use
  std::size_t size_ = 0;
  std::vector<std::uint16_t> ttl_offsets_;
  std::vector<Mark> records_;
  std::vector<std::uint8_t> ede_options_;
  std::array<Suffix, kSuffixes> suffixes_{};
  std::array<std::uint16_t, kSets> sets_{};  // index into records_, +1
  std::array<std::uint16_t, 3> counts_{};
  std::size_t question_size_ = 0;  // of its name
  std::size_t owner_at_ = 0;       // offset in the message of the last owner, 0: none
  std::uint64_t owner_hash_ = 0;   // of the last owner, lowered
  std::uint16_t type_ = 0;
  bool fits_ = true;
  bool has_data_ = false;
  bool has_ns_ = false;
  std::uint16_t soa_ = 0;  // index into records_ of the SOA in authority, +1
  std::uint32_t soa_minimum_ = 0;
};

}  // namespace boxgram::dns
