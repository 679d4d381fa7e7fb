// Records that are answered here: local names, hosts files, zones declared local.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <boxgram/base/bytes.hpp>
#include <boxgram/dns/name.hpp>

namespace boxgram::dns {

class SuffixHashes;

/// One resource record of class IN; names inside `rdata` are uncompressed.
struct ZoneRecord {
  Name owner;
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;
  std::vector<std::uint8_t> rdata;
};

/// Local records. Answers for a name that has records are ours alone: another type of it gets
/// NODATA with a synthesised SOA, never NXDOMAIN (RFC 2308). NXDOMAIN is answered only at and below
/// a name given to add_local(). Filled by add_records() and add_hosts(); built once, then read
/// only: safe for several threads.
class Zone {
 public:
  /// TTL of records without one, and of the SOA: local records change with the configuration.
  static constexpr std::uint32_t kDefaultTtl = 60;
  /// A CNAME chain inside the zone is followed this far; a longer one is a mistake of ours.
  static constexpr std::size_t kMaxChain = 8;

  enum class Match : std::uint8_t {
    none,      ///< not ours
    records,   ///< `sets`; a CNAME chain that leaves the zone ends with its last CNAME
    no_data,   ///< the name is ours, the type is not there
    no_domain  ///< below a local zone, no such name
  };
  struct Result {
    Match match = Match::none;
    /// RRsets that belong in the answer, CNAMEs first; they point into the zone.
    std::array<const std::vector<ZoneRecord>*, kMaxChain + 1> sets{};
    std::size_t set_count = 0;
    Name apex;  ///< negative answers: the owner of the SOA, a local zone or the name itself
  };

  /// A second record with the same owner, type and rdata is ignored.
  void add(ZoneRecord record);
  /// NXDOMAIN at and below `apex` for names without records.
  void add_local(const Name& apex);

  [[nodiscard]] Result find(const Name& name, std::uint16_t type) const;
  /// False if find() would find nothing for a name with these hashes; costs a probe.
  [[nodiscard]] bool may_hold(const SuffixHashes& hashes) const;
  [[nodiscard]] bool empty() const { return nodes_.empty() && apexes_.empty(); }
  [[nodiscard]] std::size_t size() const { return records_; }

 private:
  struct Node {
    Name name;
    std::vector<std::vector<ZoneRecord>> sets;  // RRsets, each of one type
  };
  /// By hash of the name; names that share one are told apart by comparison.
  using Nodes = std::unordered_multimap<std::uint64_t, Node>;

  /// The closest local zone at or above `name`.
  [[nodiscard]] bool find_apex(const Name& name, Name& apex) const;

  Nodes nodes_;
  std::unordered_multimap<std::uint64_t, Name> apexes_;
  /// Names above a node exist too, without records (empty non-terminals, RFC 8020).
  std::unordered_set<std::uint64_t> ancestors_;
  std::size_t records_ = 0;
};

}  // namespace boxgram::dns
