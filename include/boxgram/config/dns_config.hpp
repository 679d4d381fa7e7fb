// The settings that the gateway and the stub share: cache, local names, block lists, logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boxgram/base/time.hpp>
#include <boxgram/dns/name.hpp>
#include <boxgram/dns/zone.hpp>

namespace boxgram::config {

struct CacheConfig {
  bool enabled = true;
  /// All entries with their bookkeeping. A typical answer takes about 200 bytes.
  std::uint64_t max_bytes = 64ull << 20;
  /// Floor and cap of a TTL in the cache, in seconds; 0: none, TTLs stay exact.
  std::uint32_t min_ttl = 0;
  std::uint32_t max_ttl = 0;
  /// How long an expired answer may still be served while no upstream answers (RFC 8767, one to
  /// three days). Zero switches it off.
  base::Duration max_stale = std::chrono::hours(24);
  /// Under a cached NXDOMAIN of a name everything below it does not exist either (RFC 8020).
  bool nxdomain_cut = true;
};

/// Names that are answered without asking anybody.
struct LocalConfig {
  std::vector<dns::ZoneRecord> records;  ///< "NAME [TTL] TYPE RDATA..."
  std::vector<std::string> hosts_files;  ///< paths of files in the form of /etc/hosts
  std::vector<dns::Name> zones;          ///< domains below which an unlisted name does not exist
  /// localhost, .onion, private reverse zones and the like (RFC 6761, 6303, 7686, 8375, 9476).
  bool special_names = true;
};

enum class BlockAnswer : std::uint8_t { nxdomain, nodata, null_address, refused };

struct BlockConfig {
  std::vector<std::string> files;  ///< a name a line, or the form of /etc/hosts
  std::vector<std::string>
      names;  ///< checked; "NAME" blocks it and everything below, "=NAME" it alone
  BlockAnswer answer = BlockAnswer::nxdomain;
};

enum class LogLevel : std::uint8_t { error, warning, info, debug };
enum class LogFormat : std::uint8_t { text, json };

struct LogConfig {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  bool queries = false;  ///< names of queries appear in the log only if this is on
};

}  // namespace boxgram::config
