// Local records and block lists as the configuration names them, read and checked.
#pragma once

#include <string>
#include <vector>

#include <boxgram/base/expected.hpp>
#include <boxgram/config/config_error.hpp>
#include <boxgram/config/dns_config.hpp>
#include <boxgram/dns/block_list.hpp>
#include <boxgram/dns/zone.hpp>

namespace boxgram::tools {

struct LocalData {
  dns::Zone zone;
  dns::BlockList block_list;
  /// Lines of hosts files and block lists that were skipped, for the log: such files come from
  /// others and one odd line must not keep a server from starting.
  std::vector<std::string> warnings;
};

/// An unreadable file is an error.
base::expected<LocalData, config::ConfigError> load_local_data(const config::LocalConfig& local,
                                                               const config::BlockConfig& block);

}  // namespace boxgram::tools
